"""Random changes of bytes, of JSON and of texts: what turns a good request into a bad one."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

_MAX_BYTES = 1 << 18
_INTERESTING = (0, 1, 127, 128, 255, 256, 32_767, 65_535, 1 << 24, 2**31 - 1, 2**31, 2**32 - 1)
_MAX_CHANGES = 4

ODD_TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "1e309",
    "nan",
    "-inf",
    "0x10",
    "1_000",
    "9" * 19,
    "9" * 5_000,
    "\u0661\u0662",  # digits that are not ASCII
    "null",
    "true",
    "\x00",
    "\x1b]52;c;cGF5bG9hZA==\x07",  # writes the clipboard of a terminal
    "\r\nX-Injected: 1",
    "a" * 65,
    "c" * 9_000,
    "b" * 70_000,
    "../../../etc/passwd",
    "%2e%2e%2f",
    "%",
    "%ff%fe",
    "\ud800",
    "\U0001f600" * 20,
    "<script>alert(1)</script>",
    "{}",
    "[]",
    "off",
    "prefer_cloud,shadow",
    "'; DROP TABLE entries; --",
)
"""Values for a query, a form or a JSON string."""

_ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    10**400,
    1e308,
    float("nan"),
    float("-inf"),
    [],
    {},
    [[]],
    {"b64": 1},
    {"b64": "===="},
    {"b64": ""},
    *ODD_TEXTS,
)


def mutated(random: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """The bytes with one to four random changes.

    Args:
        others: more bytes, from which slices are taken.
    """
    changed = bytearray(data)
    for _ in range(random.randint(1, _MAX_CHANGES)):
        random.choice(_CHANGES)(random, changed)
        if others and random.random() < 0.1:
            _splice(random, changed, random.choice(others))
    return bytes(changed[:_MAX_BYTES])


def _span(random: Random, data: bytearray, longest: int = 64) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.randint(1, longest))


def _flip(random: Random, data: bytearray) -> None:
    for _ in range(random.choice((1, 1, 1, 8))):
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _flip_early(random: Random, data: bytearray) -> None:
    """Most of what a format decides by stands at its beginning."""
    if data:
        data[random.randrange(min(len(data), 64))] = random.randrange(256)


def _delete(random: Random, data: bytearray) -> None:
    start, end = _span(random, data)
    del data[start:end]


def _insert(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.randbytes(random.choice((1, 4, 64)))


def _repeat(random: Random, data: bytearray) -> None:
    start, end = _span(random, data, 512)
    times = random.choice((1, 1, 1, 2, 2, 4, 16, 100))
    data[start:start] = bytes(data[start:end]) * times


def _cut(random: Random, data: bytearray) -> None:
    del data[random.randrange(len(data) + 1) :]


def _number(random: Random, data: bytearray) -> None:
    form = random.choice(("<H", ">H", "<I", ">I"))
    value = random.choice(_INTERESTING)
    written = struct.pack(form, value & (0xFFFF if form[1] == "H" else 0xFFFFFFFF))
    at = random.randrange(len(data) + 1)
    data[at : at + len(written)] = written


def _splice(random: Random, data: bytearray, other: bytes) -> None:
    start, end = _span(random, bytearray(other), 4_096)
    at = random.randrange(len(data) + 1)
    data[at : at + end - start] = other[start:end]


_CHANGES: tuple[Callable[[Random, bytearray], None], ...] = (
    _flip,
    _flip_early,
    _delete,
    _insert,
    _repeat,
    _cut,
    _number,
)


def mutated_json(random: Random, value: Any) -> bytes:
    """JSON text of the value with some parts replaced, removed or added; at times not JSON."""
    for _ in range(random.randint(1, 2)):
        value = _replaced(random, value)
    text = json.dumps(value, ensure_ascii=random.random() < 0.5)
    how = random.random()
    if how < 0.05:
        return text.encode(random.choice(("utf-16", "utf-8-sig", "utf-32")), "surrogatepass")
    data = text.encode("utf-8", "surrogatepass")
    if how < 0.3:
        return mutated(random, data)
    if how < 0.33:
        return b'{"instances":' + b"[" * random.choice((10, 1_000, 100_000)) + data
    if how < 0.36 and data.startswith(b"{"):
        return data[:-1] + b"," + data[1:]  # every name twice
    return data


def _replaced(random: Random, value: Any) -> Any:
    """The value with one part of it changed, chosen by descending at random."""
    if isinstance(value, dict) and value and random.random() < 0.8:
        name = random.choice(list(value))
        changed = dict(value)
        how = random.random()
        if how < 0.1:
            del changed[name]
        elif how < 0.2:
            changed[random.choice(ODD_TEXTS)] = changed.pop(name)
        else:
            changed[name] = _replaced(random, value[name])
        return changed
    if isinstance(value, list) and value and random.random() < 0.8:
        at = random.randrange(len(value))
        if random.random() < 0.1:
            return value * random.choice((0, 2, 300))
        return [*value[:at], _replaced(random, value[at]), *value[at + 1 :]]
    if isinstance(value, str) and random.random() < 0.5:
        kept = mutated(random, value.encode("utf-8", "surrogatepass"))
        return kept.decode("latin-1")
    return random.choice(_ODD_VALUES)
