"""This machine's own certificate authority, and the certificate it issues for the machine's names.

Browsers give a page the camera only over HTTPS, except on localhost. The authority is created on
the first start, stored in the data folder, and trusted once by each device (`/pair`). It can vouch
only for this machine's names and for private addresses (RFC 5280, 4.2.1.10 name constraints), so
that a stolen key cannot impersonate a bank to those devices.
"""

from __future__ import annotations

import ipaddress
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.durable import replace_file
from edge.errors import SettingsError
from edge.tls.addresses import (
    LOCAL_DOMAINS,
    PRIVATE_NETWORKS,
    machine_addresses,
    machine_names,
)
from edge.tls.certificate import AUTHORITY_FILE, CHAIN_FILE, Certificate
from edge.tls.seen_names import seen_names

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_log = logging.getLogger(__name__)

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 397  # devices refuse longer ones; 398 is the limit of the CA/Browser Forum
RENEW_DAYS = 30
_BACKDATED = timedelta(days=1)  # a phone's clock may be behind

Names = list[x509.GeneralName]


def make(folder: Path, more_names: str | None, now: datetime) -> Certificate:
    """Return the certificate in the folder; create or renew it and its authority if due.

    Args:
        folder: where keys and certificates are stored.
        more_names: names and addresses in addition to the machine's own, separated by commas.
        now: the time with its zone.

    Raises:
        SettingsError: one of the names is neither a host name nor an address.
        OSError: the folder cannot be written.
    """
    given = _general_names((more_names or "").split(","))
    own = ["localhost", *machine_names(), "127.0.0.1", "::1", *map(str, machine_addresses())]
    names = list(dict.fromkeys(_general_names([*own, *seen_names(folder)]) + given))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = Certificate(folder / CHAIN_FILE, folder / "server.key", folder / AUTHORITY_FILE)
    assert files.authority is not None
    authority = _load(files.authority, folder / "ca.key", now)
    if authority is None:
        authority = _new_authority(names, now)
        _write(files.authority, folder / "ca.key", [authority[0]], authority[1])
        _log.info(
            "created a certificate authority in %s; devices install it from /pair",
            folder,
        )
    allowed = _allowed(names, given, authority[0])
    current = _load(files.chain, files.key, now)
    if (
        current is None
        or not _issued(current[0], authority[0])
        or _names_of(current[0]) != set(allowed)
    ):
        leaf, key = _new_certificate(allowed, authority, now)
        _write(files.chain, files.key, [leaf, authority[0]], key)
        _log.info("created a certificate for %s", ", ".join(str(name.value) for name in allowed))
    return files


def _general_names(texts: Iterable[str]) -> Names:
    return [_general_name(text.strip()) for text in texts if text.strip()]


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        pass
    try:
        return x509.DNSName(text.lower().encode("idna").decode())
    except UnicodeError as error:
        raise SettingsError(
            f"tls_names: {text!r} is neither a host name nor an address."
        ) from error


def _new_authority(
    names: Names, now: datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    host = (machine_names() or ["this machine"])[0]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"edge on {host}"[:64])])
    domains: Names = [x509.DNSName(domain) for domain in LOCAL_DOMAINS]
    networks: Names = [
        x509.IPAddress(ipaddress.ip_network(network)) for network in PRIVATE_NETWORKS
    ]
    own: Names = [
        x509.IPAddress(ipaddress.ip_network(name.value))
        if isinstance(name, x509.IPAddress)
        else name
        for name in names
    ]
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.NameConstraints(list(dict.fromkeys(domains + networks + own)), None), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _new_certificate(
    names: Names, authority: tuple[x509.Certificate, ec.EllipticCurvePrivateKey], now: datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    issuer, issuer_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "edge")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(min(now + timedelta(days=CERTIFICATE_DAYS), issuer.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return certificate, key


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=signs_certificates,
        crl_sign=signs_certificates, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _allowed(names: Names, given: Names, authority: x509.Certificate) -> Names:
    """Return the names that the authority may vouch for.

    Of the others, those that the owner has given are warned of. The machine's own, such as a host
    name that is new, are left out: a new authority would have to be trusted on all devices.
    """
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    permitted = constraints.permitted_subtrees or []
    networks = [one.value for one in permitted if isinstance(one, x509.IPAddress)]
    domains = [one.value for one in permitted if isinstance(one, x509.DNSName)]
    allowed: Names = []
    for name in names:
        if isinstance(name, x509.IPAddress):
            good = any(name.value in network for network in networks)  # type: ignore[operator]
        else:
            good = any(
                name.value == domain or name.value.endswith(f".{domain}") for domain in domains
            )
        if good:
            allowed.append(name)
        elif name in given:
            _log.warning(
                "the authority may not vouch for the new name %s; to include it, delete the folder "
                "tls in the data folder and trust the new authority on all devices",
                name.value,
            )
        else:
            _log.info("the certificate leaves out %s: devices reach it by others", name.value)
    return allowed


def _issued(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _names_of(leaf: x509.Certificate) -> set[x509.GeneralName]:
    return set(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def _load(
    file: Path, key_file: Path, now: datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """Read a certificate and its key; ``None`` if missing, broken, or expiring in `RENEW_DAYS`."""
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # TypeError: the key has a password
        _log.warning("cannot read %s, creating a new one: %s", file, error)
        return None
    if (
        not isinstance(key, ec.EllipticCurvePrivateKey)
        or key.public_key() != certificate.public_key()
    ):
        _log.warning("%s and %s do not match, creating new ones", file, key_file)
        return None
    if (
        certificate.not_valid_after_utc - now < timedelta(days=RENEW_DAYS)
        or certificate.not_valid_before_utc > now
    ):
        return None
    return certificate, key


def _write(
    file: Path, key_file: Path, chain: list[x509.Certificate], key: ec.EllipticCurvePrivateKey
) -> None:
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    replace_file(key_file, encoded, 0o600)
    encoded_chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)
    replace_file(file, encoded_chain, 0o644)
