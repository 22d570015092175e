"""JSON from a stranger: bounded in what it becomes before it becomes anything.

An object or a list takes up to 200 times the bytes of its text, and Python's parser holds the
interpreter's lock to its end. So the signs that make values are counted first, at the speed of
memory.
"""

from __future__ import annotations

import json
from typing import Any

from edge.errors import BadRequest

MAX_SIGNS = 1 << 16
"""Signs ``[ { , :`` in a body, inside strings as well. A request of 256 images has 2,600."""

_SIGNS = (b"[", b"{", b",", b":")
_COUNTED_AT_ONCE = 1 << 20
_FEW_SIGNS = 32
"""A request of one image has fewer of each."""

_MAX_SHOWN = 64  # characters of a caller's name in a message

_UTF8_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def parse_json(body: bytes) -> Any:
    """Parse a body; numbers become 0, since no member that means anything is a number.

    So a number of a million digits costs nothing, and NaN and Infinity are taken as TensorFlow
    Serving takes them.

    Raises:
        BadRequest: not JSON in UTF-8, more than `MAX_SIGNS` signs, nested too deeply, or a name
            twice in one object.
    """
    _check_signs(body)
    text = _decode(body)
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_no_number,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except RecursionError as error:
        raise BadRequest("JSON Parse error: it is nested too deeply.") from error
    except ValueError as error:
        raise BadRequest(f"JSON Parse error: {error}.") from error


def _check_signs(body: bytes) -> None:
    signs = 0
    for sign in _SIGNS:
        signs += _count(body, sign)
        if signs > MAX_SIGNS:
            raise BadRequest(
                f"The body has more than {MAX_SIGNS:,} lists, objects, commas and colons. "
                "A request needs a few for each image."
            )


def _count(body: bytes, sign: bytes) -> int:
    """How often the sign occurs; not exact beyond `MAX_SIGNS`.

    In the usual body, an image as one long string, looking for the next one is 20 times as fast as
    counting.
    """
    position = -1
    for number in range(_FEW_SIGNS):
        position = body.find(sign, position + 1)
        if position < 0:
            return number
    signs = _FEW_SIGNS
    for start in range(position + 1, len(body), _COUNTED_AT_ONCE):
        signs += body.count(sign, start, start + _COUNTED_AT_ONCE)
        if signs > MAX_SIGNS:
            break
    return signs


def _decode(body: bytes) -> str:
    if body.startswith(_OTHER_MARKS) or b"\0" in body[:4]:
        raise BadRequest("JSON Parse error: the body is in UTF-16 or UTF-32; JSON is in UTF-8.")
    try:
        return body.removeprefix(_UTF8_MARK).decode()
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"JSON Parse error: the body is not UTF-8 at byte {error.start:,}."
        ) from None


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; a name twice is refused, since readers differ in which of the two they take."""
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise BadRequest(f"JSON Parse error: an object names {name[:_MAX_SHOWN]!r} twice.")
        found[name] = value
    return found


def _no_number(_: str) -> int:
    return 0
