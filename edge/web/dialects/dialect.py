"""What a group of routes states about itself, once: its name, its paths and their scopes, and how it tells errors.

The mapping of errors, the check of keys and the metrics read this table; nothing else branches on a path. A new wire
protocol is one file with a `Dialect` and a router, and one line in `registry`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from edge.dataplane.answer import error_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from http import HTTPStatus

    from edge.api_key import Scope
    from edge.errors import EdgeError


def native_status(error: EdgeError) -> HTTPStatus:
    """The error's own status."""
    return error.status


class _ErrorBody(Protocol):
    def __call__(self, error: EdgeError, /) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Dialect:
    """A group of routes that speak alike.

    Attributes:
        name: in the documentation and as the ``door`` label of metrics.
        scopes: path to the scope that a key needs for it; ``None`` is open to all. A path that ends
            in ``/`` stands for everything below it. Paths are in lower case.
        error_body: an error as JSON.
        error_status: an error's HTTP status.
    """

    name: str
    scopes: Mapping[str, Scope | None]
    error_body: _ErrorBody = field(default=error_json)
    error_status: Callable[[EdgeError], HTTPStatus] = field(default=native_status)


class DialectTable:
    """Finds the dialect and the scope of a path; without regard to case, as some protocols want it."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self._exact: dict[str, tuple[Dialect, Scope | None]] = {}
        prefixes: list[tuple[str, Dialect, Scope | None]] = []
        for dialect in dialects:
            for path, scope in dialect.scopes.items():
                if path.endswith("/") and path != "/":
                    prefixes.append((path, dialect, scope))
                else:
                    self._exact[path] = dialect, scope
        # The longest prefix is the most specific one.
        self._prefixes = sorted(prefixes, key=lambda entry: len(entry[0]), reverse=True)

    def find(self, path: str) -> tuple[Dialect, Scope | None] | None:
        """The dialect of a path and the scope it needs; ``None`` where no dialect claims the path."""
        path = path.lower()
        found = self._exact.get(path)
        if found is not None:
            return found
        for prefix, dialect, scope in self._prefixes:
            if path.startswith(prefix):
                return dialect, scope
        return None
