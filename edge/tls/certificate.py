"""A certificate on disk, and the TLS context that serves it."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

AUTHORITY_FILE = "ca.pem"
"""File name of the certificate of this machine's authority."""

CHAIN_FILE = "server.pem"
"""File name of the certificate that this authority has issued."""


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
            SettingsError: the files do not match, or hold no certificate and key, or the key has a
                passphrase.
        """
        try:
            for one in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), context):
                one.load_cert_chain(self.chain, self.key, self._refuse_passphrase)
        except OSError as error:  # of which `ssl.SSLError` is one
            raise SettingsError(
                f"The certificate {self.chain} with the key {self.key} cannot be used: "
                f"{_reason(error)}."
            ) from error

    def _refuse_passphrase(self) -> str:
        """OpenSSL calls it for an encrypted key; without it, it would ask on the terminal."""
        raise SettingsError(
            f"The key {self.key} has a passphrase, which nobody enters when the service starts by "
            "itself. Store the key without it, readable by the service alone: "
            "openssl pkey -in KEY.pem -out NEW.pem"
        )


def _reason(error: OSError) -> str:
    """What is wrong, in words where OpenSSL has only a number for it."""
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return "the key is not the certificate's"
    if isinstance(error, ssl.SSLError):
        return f"both must be in PEM, the key and the certificate (OpenSSL says: {error})"
    return error.strerror or str(error)


def server_context(certificate: Certificate) -> ssl.SSLContext:
    """A context for TLS 1.2 and newer with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate.fill(context)
    return context


def certified_names(file: Path) -> frozenset[str]:
    """Names and addresses for which a PEM file's first certificate vouches, in lower case.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no certificate.
    """
    from cryptography import x509  # noqa: PLC0415 -- 10 MiB, for the owner's certificate not needed

    first = x509.load_pem_x509_certificate(file.read_bytes())
    try:
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(
        str(name.value).lower() for name in names if isinstance(name, x509.DNSName | x509.IPAddress)
    )


def is_certified(name: str, certified: Collection[str]) -> bool:
    """Whether a host is among a certificate's names; ``*`` there stands for one label (RFC 6125).

    Args:
        name: in lower case, without brackets and without a final dot.
    """
    _, dot, domain = name.partition(".")
    return name in certified or (bool(dot) and f"*.{domain}" in certified)


def der(file: Path) -> bytes:
    """The certificate of a PEM file in DER, the form that devices install."""
    return ssl.PEM_cert_to_DER_cert(file.read_text())


def fingerprint(file: Path) -> str:
    """SHA-256 of the PEM file's certificate as devices display it."""
    return hashlib.sha256(der(file)).digest().hex(":").upper()
