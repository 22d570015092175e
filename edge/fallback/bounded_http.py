"""Replies of the online model and of its token server, read within bounds of bytes and time.

`requests` reads a reply to its end, whatever that takes, and a compressed one may be a thousand
times as large as what was sent.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_REPLY_BYTES = 1 << 20
"""Bytes of a reply. A hundred detections have 20 kB, the scores of 20,000 classes 500 kB."""

_DEFAULT_S = 30.0  # for a caller that sets no time-out
_AT_ONCE = 64 << 10


class ReplyTooLarge(ValueError):
    """The reply is larger than any answer of an online model, or compressed."""


class BoundedAdapter(HTTPAdapter):  # type: ignore[misc]  # untyped
    """Reads each reply to its end, within `MAX_REPLY_BYTES` and the request's time-out in all.

    Raises:
        ReplyTooLarge: the reply has more bytes, or is compressed although that was not asked for.
        requests.exceptions.RequestException: as `HTTPAdapter` does.
    """

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 -- the base class's signature
        timeout: Any = None,
        verify: bool | str = True,  # noqa: FBT001, FBT002
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send the request and read its reply."""
        del stream  # every reply is read here
        seconds = timeout if isinstance(timeout, (int, float)) else _DEFAULT_S
        end = time.monotonic() + seconds
        request.headers["Accept-Encoding"] = "identity"
        response = super().send(
            request, stream=True, timeout=timeout, verify=verify, cert=cert, proxies=proxies
        )
        try:
            response._content = _read(response, end)  # noqa: SLF001 -- as `requests` keeps it
            response._content_consumed = True  # noqa: SLF001
        except ReadTimeoutError as error:
            raise requests.exceptions.ReadTimeout(error, request=request) from error
        except HTTPError as error:
            raise requests.exceptions.ConnectionError(error, request=request) from error
        finally:
            response.close()
        return response


def _read(response: requests.Response, end: float) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise ReplyTooLarge("the reply is compressed, which was not asked for")
    content = bytearray()
    # `read1` returns what has arrived: whoever sends a byte a second is cut off as well.
    while piece := response.raw.read1(_AT_ONCE, decode_content=False):
        content += piece
        if len(content) > MAX_REPLY_BYTES:
            raise ReplyTooLarge(f"the reply has more than {MAX_REPLY_BYTES:,} bytes")
        if time.monotonic() > end:
            raise requests.exceptions.ReadTimeout("the reply did not end in time")
    return bytes(content)


def bound(session: requests.Session) -> requests.Session:
    """Let a session read replies within the bounds; returns it."""
    session.mount("http://", BoundedAdapter())
    session.mount("https://", BoundedAdapter())
    return session
