"""HTTPS: with the owner's certificate, or with one that this machine makes for itself (`edge.web.authority`)."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.settings import Settings

_log = logging.getLogger(__name__)

AUTHORITY = "ca.pem"
RENEWAL_S = 12 * 3600.0
"""How often the certificate's end is looked at."""


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

        Where it is no good, the context keeps what it has: OpenSSL would drop the old key, so that a new context tries
        it first.

        Raises:
            SettingsError: the files do not go together, or are none.
        """
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.chain, self.key)
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


async def keep_renewed(
    context: ssl.SSLContext,
    settings: Settings,
    every_s: float = RENEWAL_S,
    clock: Callable[[], datetime] | None = None,
) -> None:
    """Look at the certificate now and then: one made here is renewed, one of the owner's is read again."""
    while True:
        await asyncio.sleep(every_s)
        try:
            (await asyncio.to_thread(certificate, settings, clock and clock())).fill(context)
        except SettingsError as error:  # the old one goes on
            _log.warning("the certificate was not renewed: %s", error)
        except Exception:  # whatever it is, the next look may find it mended
            _log.exception("the certificate was not renewed")


def der(file: Path) -> bytes:
    """The certificate of a PEM file with one, in the form that devices install."""
    return ssl.PEM_cert_to_DER_cert(file.read_text())


def fingerprint(file: Path) -> str:
    """SHA-256 of the PEM file's certificate, as devices show it."""
    return hashlib.sha256(der(file)).digest().hex(":").upper()


def _folder(settings: Settings) -> Path:
    return settings.data_folder / "tls"
