"""Recognises a request by the bytes of its head, as cameras send the same one with every frame."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_HEAD = 1024
"""Bytes of a head that is worth remembering; a camera's has about 150, a browser's about 700."""

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,18})\r\n", re.IGNORECASE)


class SplitRequest(NamedTuple):
    """A POST whose head is complete.

    Attributes:
        head: its bytes but for the digits of its length. Two equal heads say the same, and a valid
            one stays valid with other digits: a second length, or a transfer coding, is in it.
        length: bytes of the body.
        body_at: where the body starts.
    """

    head: bytes
    length: int
    body_at: int


def split_request(data: bytes) -> SplitRequest | None:
    """Find the head and the body's length at the start of ``data``, without validating them.

    Returns ``None`` if the head is incomplete or long, states no length, or is not a POST's.
    """
    end = data.find(_HEAD_END, 0, MAX_HEAD)
    if end < 0 or not data.startswith(b"POST "):
        return None
    found = _LENGTH.search(data, 0, end + 2)
    if found is None:
        return None
    start, stop = found.span(1)
    return SplitRequest(data[:start] + data[stop:end], int(found[1]), end + len(_HEAD_END))
