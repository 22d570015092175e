"""Judges a request's complete head: what llhttp lets pass, but a proxy in front may read otherwise.

llhttp itself refuses folded headers, bare line feeds, control characters, blanks before a colon,
two lengths, and a length next to a transfer coding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge.web.transport import limits
from edge.web.transport.refusals import head_too_large, malformed, url_too_long

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERSIONS = ("1.1", "1.0")
_LINE_OVERHEAD = 4  # ": " and CR LF
_MAX_WEBSOCKET_LINE = 8000  # websockets refuses lines above 8,192 bytes, and 128 of any length
_MAX_WEBSOCKET_LINES = 100

CHUNKED = -1
"""Length of a body that comes in chunks."""


class Head(NamedTuple):
    """What of a head decides how the bytes after it are read.

    Attributes:
        length: bytes of the body, or ``CHUNKED``.
        is_handshake: whether it opens a WebSocket.
    """

    length: int
    is_handshake: bool


def read_head(
    method: bytes,
    url: bytes,
    version: str,
    headers: Sequence[tuple[bytes, bytes]],
    websocket_paths: Sequence[bytes],
) -> Head:
    """Check a head and find the length of the body.

    Args:
        url: as in the request line.
        version: such as "1.1".
        headers: their names in lower case.
        websocket_paths: the ends of the paths at which a WebSocket may be opened.

    Raises:
        RequestError: with the status of the reply.
    """
    _check_request_line(method, url, version)
    size = len(url)
    hosts = length = 0
    has_upgrade = False
    for name, value in headers:
        size += len(name) + len(value) + _LINE_OVERHEAD
        if name == b"host":
            hosts += 1
        elif name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            _check_coding(value, version)
            length = CHUNKED
        elif name == b"upgrade":
            has_upgrade = True
    if size > limits.HEAD_BYTES or len(headers) > limits.HEADER_LINES:
        raise head_too_large()
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        raise malformed(f"it has {hosts} Host headers instead of one")
    is_handshake = (
        has_upgrade
        and method == b"GET"
        and version == "1.1"
        and length == 0
        and url.partition(b"?")[0].endswith(tuple(websocket_paths))
        and _asks_for_websocket(headers)
    )
    if is_handshake:
        _check_handshake_size(url, headers)
    return Head(length, is_handshake)


def _check_request_line(method: bytes, url: bytes, version: str) -> None:
    if len(url) > limits.URL_BYTES:
        raise url_too_long()
    if version not in _VERSIONS:
        raise malformed(f"HTTP/{version} is not spoken here, send HTTP/1.1")
    if method == b"CONNECT":
        raise malformed("CONNECT is for proxies")


def _check_coding(value: bytes, version: str) -> None:
    if version == "1.0" or value.strip().lower() != b"chunked":
        raise malformed("the only transfer coding taken is chunked, in HTTP/1.1")


def _asks_for_websocket(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether the head upgrades to WebSocket and to nothing else (RFC 6455, 4.2.1)."""
    upgrades = [value.strip().lower() for name, value in headers if name == b"upgrade"]
    options = b",".join(value.lower() for name, value in headers if name == b"connection")
    names = [option.strip() for option in options.split(b",")]
    return upgrades == [b"websocket"] and b"upgrade" in names


def _check_handshake_size(url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Keep within what `websockets` takes, which would otherwise fail without a reply."""
    longest = max((len(name) + len(value) for name, value in headers), default=0)
    if len(url) > _MAX_WEBSOCKET_LINE:
        raise url_too_long()
    if longest > _MAX_WEBSOCKET_LINE or len(headers) > _MAX_WEBSOCKET_LINES:
        raise head_too_large()
