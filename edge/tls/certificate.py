"""A certificate on disk, and the TLS context that serves it."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

AUTHORITY_FILE = "ca.pem"
"""Name of the file of the authority that this machine makes."""


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
            raise SettingsError(
                f"The certificate {self.chain} with the key {self.key} is no good: {error}."
            ) from error


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
