"""`WS /stream`: good handshakes with mutated pictures, odd frames, and odd handshakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soak.corpus import pictures
from soak.mutate import mutated
from soak.websocket import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame, handshake_headers

if TYPE_CHECKING:
    from random import Random

    from soak.shot import Headers, Pen, Shot

_NAMES = ("model", "camera")


def make(pen: Pen) -> Shot:
    """One stream of up to six messages, then anything."""
    random = pen.random
    headers = handshake_headers(random)
    good = {"model": (pen.model,), "camera": ("door", "line-1")}
    query = pen.query(_NAMES, good) if random.random() < 0.2 else "?camera=fuzz"
    if random.random() < 0.1:
        headers = _odd_headers(random, headers)
    messages = tuple(_message(random) for _ in range(random.randint(0, 6)))
    return pen.stream("/stream" + query, headers, messages, _tail(random))


def _odd_headers(random: Random, headers: Headers) -> Headers:
    if random.random() < 0.2:
        return [*headers, *((b"X-%d" % number, b"") for number in range(130))]
    changed = list(headers)
    del changed[random.randrange(2, len(changed))]
    odd = (
        (b"Origin", b"http://["),
        (b"Origin", b"http://elsewhere.example"),
        (b"Sec-WebSocket-Key", b"short"),
        (b"Sec-WebSocket-Version", b"12"),
        (b"Sec-WebSocket-Extensions", b"permessage-deflate; " * 50),
        (b"Sec-WebSocket-Protocol", b"a, b, " * 50),
    )
    return [*changed, random.choice(odd)]


def _message(random: Random) -> bytes:
    picture = mutated(random, random.choice(pictures()), pictures())
    mask = random.randbytes(4)
    if random.random() < 0.1 and len(picture) > 3:  # in three fragments
        third = len(picture) // 3
        return (
            frame(BINARY, picture[:third], mask, fin=False)
            + frame(CONTINUATION, picture[third : 2 * third], mask, fin=False)
            + frame(CONTINUATION, picture[2 * third :], mask)
        )
    return frame(BINARY, picture, mask)


def _tail(random: Random) -> bytes:
    mask = random.randbytes(4)
    tails = (
        frame(CLOSE, b"\x03\xe8", mask),
        frame(CLOSE, b"\x00", mask),
        frame(TEXT, b"a frame?", mask),
        frame(TEXT, b"\xff\xfe", mask),
        frame(PING, b"p" * 125, mask) * 20,
        frame(PING, b"p" * 200, mask),
        frame(CONTINUATION, b"x", mask),
        frame(BINARY, b"x", mask, fin=False) * 2,
        bytes([0xC2, 0x81]) + mask + b"x",  # a reserved bit
        bytes([0x82, 0x01]) + b"x",  # not masked
        bytes([0x82, 0xFF]) + b"\xff" * 8 + mask,  # 2**64 bytes long
        mutated(random, frame(BINARY, pictures()[0], mask)),
        random.randbytes(64),
        b"",
    )
    return random.choice(tails)
