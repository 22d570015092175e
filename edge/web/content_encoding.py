"""Unpacks compressed bodies (``Content-Encoding``), piece by piece and bounded while it does.

A bomb of 32 KB unpacks to 32 MB, so the output counts, not the input. The output of one step is
bounded, so that the caller sees it grow before it is in memory.
"""

from __future__ import annotations

import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from edge.errors import BadRequest, BodyTooLarge, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCEPTED = "gzip, deflate"
"""Codings that are taken, as ``Accept-Encoding`` names them (RFC 9110, 12.5.3)."""

STEP_BYTES = 256 << 10
"""Bytes that one step unpacks, in about 1 ms."""

FREE_BYTES = 1 << 20
MAX_RATIO = 100
"""A body may unpack to `FREE_BYTES`, and beyond that to this many times what has arrived.

Base64 unpacks to 1.3 times its size, a scanned page as a bitmap to 50 times; DEFLATE ends at 1,032.
"""

MAX_MEMBERS = 1024
"""Members of a gzip file (RFC 1952, 2.2): each costs 7 us, whatever is in it. Tools that compress
in parallel make one for every 64 KiB or more."""

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
_ZLIB_HEADER_BYTES = 2
_MAX_SHOWN = 64  # characters of a caller's header in a message


class UnsupportedEncoding(RequestError):
    """The body is compressed in a way that is not known here."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_encoding"


def unpacker_for(codings: list[str]) -> Unpacker | None:
    """The unpacker that a body needs; ``None`` for one that is not compressed.

    Args:
        codings: the values of its ``Content-Encoding`` headers.

    Raises:
        UnsupportedEncoding: a coding that is not known, or several on top of each other.
    """
    if not codings:
        return None
    given = ", ".join(codings)
    names = [name.strip().lower() for name in given.split(",")]
    names = [name for name in names if name not in {"", "identity"}]
    if not names:
        return None
    if len(names) > 1 or names[0] not in {"gzip", "x-gzip", "deflate"}:
        raise UnsupportedEncoding(
            f"The body has the Content-Encoding {given[:_MAX_SHOWN]!r}. "
            "Send it as it is, or compressed once with gzip or deflate."
        )
    return Unpacker(is_gzip=names[0] != "deflate")


class Unpacker:
    """Unpacks one body.

    Args:
        is_gzip: gzip (RFC 1952); else DEFLATE, with zlib's header as RFC 9110 has it or without, as
            some clients send it.
    """

    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._member = zlib.decompressobj(_GZIP) if is_gzip else None
        self._members = 1
        self._head = b""  # the first byte of a deflate body, until there are two
        self._taken = 0
        self._made = 0

    def unpack(self, chunk: bytes) -> Iterator[bytes]:
        """Unpack what has arrived, `STEP_BYTES` at a time at most.

        Raises:
            BadRequest: it is not compressed as its header says, or is damaged.
            BodyTooLarge: it unpacks to more than `MAX_RATIO` times its size.
        """
        self._taken += len(chunk)
        if not chunk:
            return
        if self._member is None:
            chunk = self._head + chunk
            if len(chunk) < _ZLIB_HEADER_BYTES:
                self._head = chunk
                return
            self._member = zlib.decompressobj(_ZLIB if _has_zlib_header(chunk) else _RAW)
        while True:
            piece = self._step(chunk)
            if piece:
                yield piece
            if self._member.eof:
                chunk = self._member.unused_data
                if not chunk:
                    return
                self._begin_member()
                continue
            chunk = self._member.unconsumed_tail
            if not chunk and len(piece) < STEP_BYTES:  # nothing waits inside of zlib either
                return

    def finish(self) -> None:
        """Check that the body is complete; no bytes at all are an empty body.

        Raises:
            BadRequest: it ends too early.
        """
        if self._taken and (self._member is None or not self._member.eof):
            raise _damaged("it ends too early")

    def _step(self, chunk: bytes) -> bytes:
        assert self._member is not None
        try:
            piece = self._member.decompress(chunk, STEP_BYTES)
        except zlib.error as error:
            raise _damaged(str(error)) from None
        self._made += len(piece)
        if self._made > max(FREE_BYTES, MAX_RATIO * self._taken):
            raise BodyTooLarge(
                f"The compressed body unpacks to more than {MAX_RATIO} times its size. "
                "Send it as it is, without compressing it."
            )
        return piece

    def _begin_member(self) -> None:
        """Go on with the next member of a gzip file; anything else has only one."""
        self._members += 1
        if not self._is_gzip or self._members > MAX_MEMBERS:
            raise _damaged("something comes after its end")
        self._member = zlib.decompressobj(_GZIP)


def _has_zlib_header(head: bytes) -> bool:
    """Whether a deflate body begins as RFC 1950, 2.2 has it."""
    return head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2], "big") % 31 == 0


def _damaged(reason: str) -> BadRequest:
    return BadRequest(
        f"The body cannot be unpacked as its Content-Encoding says: {reason}. "
        "Send it as it is, without that header."
    )
