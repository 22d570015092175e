"""Checks settings that hold a secret, or in whose place a secret may be given. Pure.

No message quotes the value: it would end up in a log.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from edge.origins import parse_host

if TYPE_CHECKING:
    from pydantic import SecretStr

_CONTENT = re.compile(r'[\r\n{}"]|-----BEGIN')
_MAX_PATH = 4096  # Linux's PATH_MAX
_PLAIN = re.compile(r"[!-~]+")


def refuse_content(value: Any) -> Any:
    """Return a path; raises ``ValueError`` for the content of a file in its place."""
    text = str(value)
    if _CONTENT.search(text) or len(text) > _MAX_PATH:
        raise ValueError("must be the path of a file, not what is in the file")
    return value


def check_address(value: str) -> str:
    """Return a host and port; raises ``ValueError`` if it holds more, such as credentials."""
    bare = value.removeprefix("https://").removeprefix("http://").removesuffix("/")
    if parse_host(bare) is None:
        raise ValueError("must be a host and port such as 10.0.0.5:8500, without credentials")
    return value


def check_url(value: SecretStr) -> SecretStr:
    """Return an HTTP URL; raises ``ValueError`` if nothing can be posted to it."""
    split_url(value.get_secret_value())
    return value


def split_url(text: str) -> tuple[str, str | None]:
    """Take the credentials out of an HTTP URL.

    Returns:
        The URL without them, and ``name:password`` or ``None``.

    Raises:
        ValueError: the URL cannot be used.
    """
    try:
        url = urlsplit(text)
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:  # a malformed port or IPv6 address
        usable = False
    if not usable or not _PLAIN.fullmatch(text):
        raise ValueError("must be an http:// or https:// URL of ASCII characters without blanks")
    credentials, _, address = url.netloc.rpartition("@")
    bare = url._replace(netloc=address, fragment="").geturl()
    return bare, unquote(credentials) if credentials else None


_MARK = "whsec_"  # what a secret of Standard Webhooks begins with
_KEY_BYTES = range(24, 65)  # as Standard Webhooks says


def check_webhook_secret(value: SecretStr) -> SecretStr:
    """Return a secret of Standard Webhooks; raises ``ValueError`` for anything else."""
    webhook_key(value.get_secret_value())
    return value


def webhook_key(secret: str) -> bytes:
    """The key in a secret of Standard Webhooks, 24 to 64 bytes.

    Raises:
        ValueError: it has another form.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_MARK), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(_MARK) or len(key) not in _KEY_BYTES:
        raise ValueError(
            "must be whsec_ and 24 to 64 bytes in base64; "
            'make one with: echo "whsec_$(openssl rand -base64 32)"'
        )
    return key


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """Where an MQTT broker is, and who we are there.

    Attributes:
        is_tls: whether the connection is encrypted.
        user: ``None`` to connect without a name.
        password: not shown by ``repr``.
    """

    host: str
    port: int
    is_tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)


_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}


def check_mqtt_url(value: SecretStr) -> SecretStr:
    """Return the URL of a broker; raises ``ValueError`` if it is none."""
    split_mqtt_url(value.get_secret_value())
    return value


def split_mqtt_url(text: str) -> MqttAddress:
    """Take the URL of a broker apart: ``mqtts://user:password@host:port``.

    Raises:
        ValueError: it is no such URL.
    """
    try:
        url = urlsplit(text)
        port = url.port or _MQTT_PORTS.get(url.scheme, 0)
        is_known = url.scheme in _MQTT_PORTS  # any other one would be spoken without TLS
        more = url.path.removesuffix("/") or url.query or url.fragment
        usable = is_known and bool(port and url.hostname) and url.port != 0 and not more
    except ValueError:  # a malformed port or IPv6 address
        usable = False
    if not usable or not _PLAIN.fullmatch(text) or not url.hostname:
        raise ValueError(
            "must be mqtt://host or mqtts://host (TLS), with user:password@ before and :port "
            "behind the host if needed; write other signs than letters and digits in %XX"
        )
    user = None if url.username is None else unquote(url.username)
    password = None if url.password is None else unquote(url.password)
    return MqttAddress(url.hostname, port, url.scheme == "mqtts", user, password)
