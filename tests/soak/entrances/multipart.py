"""`POST /predict` with a multipart form: odd parts, odd heads of parts, odd boundaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soak.corpus import pictures
from soak.mutate import mutated

if TYPE_CHECKING:
    from random import Random

    from soak.shot import Pen, Shot

_BOUNDARIES = (b"x", b"----WebKitFormBoundary7MA4YWxk", b"a" * 70, b"a" * 300, b"--", b"0", b'"q"')
_PARTS = (0, 1, 1, 1, 2, 4)
_MANY = 300  # more than are taken


def make(pen: Pen) -> Shot:
    """A form of some parts, mutated in most cases."""
    random = pen.random
    boundary = random.choice(_BOUNDARIES)
    count = _MANY if random.random() < 0.01 else random.choice(_PARTS)
    picture = random.choice(pictures()) if count < _MANY else b"x"
    parts = [_part(random, boundary, picture, number) for number in range(count)]
    body = b"".join(parts) + b"--" + boundary + b"--\r\n"
    if random.random() < 0.7:
        body = mutated(random, body, pictures())
    declared = boundary if random.random() < 0.9 else mutated_value(random, boundary)
    content_type = b"multipart/form-data; boundary=" + declared
    if random.random() < 0.05:
        content_type = b"multipart/form-data; charset=\xff; boundary*=utf-8''" + declared
    return pen.whole("POST", "/predict", [(b"Content-Type", content_type)], body)


def mutated_value(random: Random, value: bytes) -> bytes:
    """The value with changes that a header may have: no line ends and no zero."""
    changed = mutated(random, value)[:4_000]
    return bytes(byte for byte in changed if byte >= 0x20 and byte != 0x7F)


def _part(random: Random, boundary: bytes, picture: bytes, number: int) -> bytes:
    content = mutated(random, picture) if random.random() < 0.5 else picture
    name = random.choice((b"image", b"image", b"", b"a" * 5_000, b"\xff\xfe", b'a"b', b"a%0d%0ab"))
    filename = random.choice((b'; filename="p.jpg"', b"", b'; filename=""', b"; filename*=x''%ff"))
    head = b'Content-Disposition: form-data; name="' + name + b'"' + filename
    more = random.choice(
        (
            b"\r\nContent-Type: image/jpeg",
            b"",
            b"\r\nContent-Transfer-Encoding: base64",
            b"\r\nContent-Length: %d" % number,
            b"\r\nX: " + b"y" * 9_000,
        )
    )
    return b"--" + boundary + b"\r\n" + head + more + b"\r\n\r\n" + content + b"\r\n"
