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
"""File name of the certificate of this machine's authority."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of a certificate.

    Attributes:
        chain: PEM file of the certificate and its issuers.
        key: PEM file of its key.
        authority: PEM file of this machine's authority; ``None`` for the owner's certificate.
    """

    chain: Path
    key: Path
    authority: Path | None

    def fill(self, context: ssl.SSLContext) -> None:
        """Load the files into a context; one that already serves uses them for new connections.

        A scratch context tries them first: on an error OpenSSL would drop the current key.

        Raises:
            SettingsError: the files do not match, or hold no certificate and key.
        """
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.chain, self.key)
            context.load_cert_chain(self.chain, self.key)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"The certificate {self.chain} with the key {self.key} cannot be used: {error}."
            ) from error


def server_context(certificate: Certificate) -> ssl.SSLContext:
    """A context for TLS 1.2 and newer with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate.fill(context)
    return context


def der(file: Path) -> bytes:
    """The certificate of a PEM file in DER, the form that devices install."""
    return ssl.PEM_cert_to_DER_cert(file.read_text())


def fingerprint(file: Path) -> str:
    """SHA-256 of the PEM file's certificate as devices display it."""
    return hashlib.sha256(der(file)).digest().hex(":").upper()
