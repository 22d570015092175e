"""Query parameters that several dialects share."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from edge.errors import BadRequest
from edge.printable import first_unprintable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import HTTPConnection

MAX_CAMERA_NAME = 64

_MAX_QUERY = 8 << 10
"""Bytes of a query. All parameters at their longest, percent-encoded, have 2,000."""

_MAX_REMEMBERED = 256
_REMEMBERED = 256
"""Bytes of a query that is remembered, as a camera sends the same each time, and how many are."""

_MAX_SHOWN = 64


def read_query(connection: HTTPConnection, known: Iterable[str]) -> Mapping[str, str]:
    """The parameters of a request, by name.

    Raises:
        BadRequest: the query is too long, or has a parameter that is not known, or one twice:
            readers differ in which of the two they take.
    """
    text: bytes = connection.scope["query_string"]
    size = len(text)
    if size > _MAX_QUERY:
        raise BadRequest(f"The query has {size:,} bytes; the maximum is {_MAX_QUERY:,}.")
    names = list(known)
    query: dict[str, str] = {}
    pairs = _remembered_pairs(text) if size <= _MAX_REMEMBERED else _pairs(text)
    for name, value in pairs:
        if name not in names:
            raise BadRequest(
                f"There is no query parameter {shown(name)!r}. Known: {', '.join(names)}."
            )
        if name in query:
            raise BadRequest(f"The query names {name} twice.")
        query[name] = value
    return query


def _pairs(query: bytes) -> list[tuple[str, str]]:
    """Names and values as Starlette reads them, in their order."""
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)


_remembered_pairs = lru_cache(_REMEMBERED)(_pairs)


def camera_name(query: Mapping[str, str]) -> str:
    """The camera's name in a query; empty if missing.

    Raises:
        BadRequest: it is too long, or has a character that does not print, which could command the
            terminal of the owner who lists the outbox.
    """
    name = query.get("camera", "")
    if len(name) > MAX_CAMERA_NAME:
        raise BadRequest(f"camera has {len(name)} characters; the maximum is {MAX_CAMERA_NAME}.")
    if (fault := first_unprintable(name)) is not None:
        position, character = fault
        raise BadRequest(
            f"camera has the character {character} at position {position + 1}, which does not "
            "print. Use letters, digits, spaces and punctuation."
        )
    return name


def shown(text: str) -> str:
    """A caller's text for a message: its beginning, if it is long."""
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
