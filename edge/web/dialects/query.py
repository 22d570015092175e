"""Query parameters that several dialects share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import BadRequest
from edge.printable import first_unprintable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_CAMERA_NAME = 64


def check_parameters(query: Mapping[str, str], known: Iterable[str]) -> None:
    """Raise ``BadRequest`` if the query has a parameter that is not known."""
    names = list(known)
    for name in query:
        if name not in names:
            raise BadRequest(f"There is no query parameter {name!r}. Known: {', '.join(names)}.")


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
