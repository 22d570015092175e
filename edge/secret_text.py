"""Checks settings that hold a secret, or in whose place a secret may be given. Pure.

No message quotes the value: it would end up in a log.
"""

from __future__ import annotations

import re
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
