"""HTTPS: with the owner's certificate, or with one that this machine makes for itself (`edge.web.authority`)."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from edge.settings import Settings

AUTHORITY = "ca.pem"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What TLS is served with.

    Attributes:
        chain: PEM file of the certificate and those that vouch for it.
        key: PEM file of its key.
        authority: PEM file of the authority made here; ``None`` where the owner gave a certificate.
    """

    chain: Path
    key: Path
    authority: Path | None

    def fill(self, context: ssl.SSLContext) -> None:
        """Load it; a context that serves already uses it from the next connection on.

        Raises:
            SettingsError: the files do not go together, or are none.
        """
        try:
            context.load_cert_chain(self.chain, self.key)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"The certificate {self.chain} with the key {self.key} is no good: {error}.") from error


def certificate(settings: Settings, now: datetime | None = None) -> Certificate:
    """The owner's certificate if one is set; else the one made here, made or renewed if need be.

    Raises:
        SettingsError: the owner's file is not there, or the data folder cannot be written.
    """
    if settings.tls_cert is not None:
        key = settings.tls_key or settings.tls_cert
        for file in (settings.tls_cert, key):
            if not file.is_file():
                raise SettingsError(f"The certificate file {file} is not there.")
        return Certificate(settings.tls_cert, key, None)
    from edge.web.authority import make  # noqa: PLC0415 -- cryptography takes 10 MiB, and few serve HTTPS

    folder = _folder(settings)
    try:
        return make(folder, settings.tls_names, now or datetime.now(UTC))
    except OSError as error:
        raise SettingsError(
            f"The certificate cannot be kept in {folder}: {error.strerror or error}. Choose a folder with --data."
        ) from error


def uses_tls(settings: Settings) -> bool:
    """Whether the service speaks HTTPS."""
    return settings.tls or settings.tls_cert is not None


def authority_file(settings: Settings) -> Path | None:
    """PEM file of the authority made here; ``None`` where none is used."""
    return _folder(settings) / AUTHORITY if settings.tls and settings.tls_cert is None else None


def server_context(made: Certificate) -> ssl.SSLContext:
    """TLS 1.2 and newer with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    made.fill(context)
    return context


def der(file: Path) -> bytes:
    """The certificate of a PEM file with one, in the form that devices install."""
    return ssl.PEM_cert_to_DER_cert(file.read_text())


def fingerprint(file: Path) -> str:
    """SHA-256 of the PEM file's certificate, as devices show it."""
    return hashlib.sha256(der(file)).digest().hex(":").upper()


def _folder(settings: Settings) -> Path:
    return settings.data_folder / "tls"
