"""Errors of the transport, and the replies to them, in the documented JSON shape.

They are raised before a path is known, so the shape is the same for every dialect, TensorFlow
Serving's among them.
"""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import TYPE_CHECKING

from edge.dataplane.answer import error_json
from edge.errors import BadRequest, EdgeError, Refusal, RequestError
from edge.web.error_mapping import CODE_HEADER, json_bytes
from edge.web.transport import limits

if TYPE_CHECKING:
    from collections.abc import Iterable


class HeadTooLarge(RequestError):
    """The head of a request, or what surrounds the pieces of its body, exceeds the limit."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    code = "head_too_large"


class UrlTooLong(RequestError):
    """The URL of a request exceeds the limit."""

    status = HTTPStatus.REQUEST_URI_TOO_LONG
    code = "url_too_long"


class HeadTimeout(RequestError):
    """The head of a request did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "head_timeout"


class TooManyConnections(Refusal):
    """All connections are taken, and none of them can be closed in favour of a new one."""

    code = "too_many_connections"


def head_too_large() -> HeadTooLarge:
    """The request has too many bytes before its body or between the pieces of it."""
    return HeadTooLarge(
        f"The head of a request may have {limits.HEAD_BYTES:,} bytes and {limits.HEADER_LINES} "
        "header lines. What surrounds the pieces of a chunked body may be no larger. "
        "Send fewer or shorter headers."
    )


def url_too_long() -> UrlTooLong:
    """The URL has too many bytes."""
    return UrlTooLong(
        f"A URL may have {limits.URL_BYTES:,} bytes. Send what is longer as the body."
    )


def head_timeout() -> HeadTimeout:
    """The head took too long."""
    return HeadTimeout(
        f"The head of the request did not arrive within {limits.HEAD_S:g} s. Send it at once."
    )


def malformed(reason: str) -> BadRequest:
    """The request is not HTTP/1.1 as RFC 9112 has it."""
    return BadRequest(f"This is not a well-formed HTTP request: {reason}.")


def too_many_connections(limit: int) -> TooManyConnections:
    """All places are taken."""
    return TooManyConnections(
        f"All {limit} connections of this service are in use. Retry, and keep a connection open "
        "instead of opening one for each request."
    )


def reply(error: EdgeError, headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """The whole response to an error, after which the connection closes.

    It carries a request id, as every reply does; nothing is logged under it.

    Args:
        headers: more headers, such as the date.
    """
    body = json_bytes(error_json(error))
    lines = [
        f"HTTP/1.1 {error.status.value} {error.status.phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        f"{CODE_HEADER}: {error.code}",
        f"X-Request-ID: {os.urandom(8).hex()}",
    ]
    if isinstance(error, Refusal) and error.retry_after_s is not None:
        lines.append(f"Retry-After: {error.retry_after_s}")
    lines += [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
