"""Reads HTTP/1.1 replies from the bytes of a connection, as they arrive."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD_END = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+) *\r\n", re.IGNORECASE)
_BODILESS = {204, 304}
_SWITCHING = 101
_FINAL = 200


class NotHttp(Exception):
    """What the server sent is no HTTP reply."""


@dataclass(slots=True)
class Reply:
    """A reply.

    Attributes:
        head: status line and headers.
        endless: its body has no stated length, so it is not read.
    """

    status: int
    head: bytes
    body: bytes = b""
    endless: bool = False

    def header(self, name: bytes) -> bytes | None:
        """The value of the first header of that name; ``None`` if it is missing."""
        found = re.search(rb"\r\n%s: *([^\r]*)\r\n" % re.escape(name), self.head, re.IGNORECASE)
        return found[1] if found else None


class Replies:
    """Splits what a connection receives into replies.

    Attributes:
        bodiless: the next reply answers HEAD, so that no body follows whatever its length says.
        rest: bytes after a reply that ended HTTP on this connection (101, or an endless body).
    """

    def __init__(self) -> None:
        self.bodiless = False
        self.rest = bytearray()
        self._buffer = bytearray()
        self._ended_http = False

    @property
    def pending(self) -> bytes:
        """Bytes of a reply that is not complete."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[Reply]:
        """Take received bytes; returns the replies that they complete.

        Raises:
            NotHttp: they are none.
        """
        if self._ended_http:
            self.rest += data
            return []
        self._buffer += data
        replies = []
        while (reply := self._next()) is not None:
            if reply.status >= _FINAL or reply.status == _SWITCHING:
                replies.append(reply)
            if self._ended_http:
                self.rest += self._buffer
                self._buffer.clear()
                break
        return replies

    def _next(self) -> Reply | None:
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return None
        head = bytes(self._buffer[: end + len(_HEAD_END)])
        found = _STATUS.match(head)
        if found is None:
            raise NotHttp(repr(head[:200]))
        status = int(found[1])
        length = self._body_length(status, head)
        if length is None:
            self._ended_http = True
            del self._buffer[: len(head)]
            return Reply(status, head, endless=status != _SWITCHING)
        if len(self._buffer) < len(head) + length:
            return None
        body = bytes(self._buffer[len(head) : len(head) + length])
        del self._buffer[: len(head) + length]
        if status >= _FINAL:
            self.bodiless = False
        return Reply(status, head, body)

    def _body_length(self, status: int, head: bytes) -> int | None:
        """Bytes of the body; ``None`` if HTTP ends with this head."""
        if status == _SWITCHING:
            return None
        if status < _FINAL or status in _BODILESS or self.bodiless:
            return 0
        found = _LENGTH.search(head)
        return int(found[1]) if found else None
