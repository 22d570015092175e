"""The client's side of a WebSocket (RFC 6455), as bytes, so that each of them can be wrong."""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

CONTINUATION, TEXT, BINARY, CLOSE, PING = 0, 1, 2, 8, 9
NORMAL_END = struct.pack(">H", 1000)
_SHORT, _MEDIUM = 126, 127
_MAX_MEDIUM = 1 << 16


def handshake_headers(random: Random) -> list[tuple[bytes, bytes]]:
    """The headers that ask for a WebSocket."""
    return [
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Key", base64.b64encode(random.randbytes(16))),
        (b"Sec-WebSocket-Version", b"13"),
    ]


def frame(opcode: int, payload: bytes, mask: bytes, *, fin: bool = True) -> bytes:
    """A masked frame.

    Args:
        mask: four bytes.
    """
    first = opcode | (0x80 if fin else 0)
    if len(payload) < _SHORT:
        head = bytes([first, 0x80 | len(payload)])
    elif len(payload) < _MAX_MEDIUM:
        head = bytes([first, 0x80 | _SHORT]) + struct.pack(">H", len(payload))
    else:
        head = bytes([first, 0x80 | _MEDIUM]) + struct.pack(">Q", len(payload))
    return head + mask + _masked(payload, mask)


def _masked(payload: bytes, mask: bytes) -> bytes:
    if not payload:
        return b""
    whole = (mask * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")
    return mixed.to_bytes(len(payload), "big")


def take_frames(received: bytearray) -> list[tuple[int, bytes]]:
    """Remove the complete frames of a server from what was received: opcode and payload of each."""
    frames = []
    while (found := _first(received)) is not None:
        opcode, start, end = found
        frames.append((opcode, bytes(received[start:end])))
        del received[:end]
    return frames


def _first(received: bytearray) -> tuple[int, int, int] | None:
    """Opcode of the first frame and the bounds of its payload; ``None`` if it is not complete."""
    if len(received) < 2:
        return None
    length, start = received[1] & 0x7F, 2
    for marker, form in ((_SHORT, ">H"), (_MEDIUM, ">Q")):
        if length == marker:
            start = 2 + struct.calcsize(form)
            if len(received) < start:
                return None
            (length,) = struct.unpack(form, received[2:start])
            break
    if len(received) < start + length:
        return None
    return received[0] & 0x0F, start, start + length
