"""What a group of routes declares, once: its name, its paths and scopes, and its error format.

Error mapping, key checks and metrics read this table; nothing else branches on a path. A new wire
protocol is one file that builds a `Dialect`, and one line in `edge.web.app.create_app`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from fastapi import APIRouter

from edge.api_key import Scope
from edge.dataplane.answer import error_json
from edge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from http import HTTPStatus

    from starlette.requests import Request
    from starlette.responses import Response

    from edge.errors import EdgeError


def native_status(error: EdgeError) -> HTTPStatus:
    """The error's own status."""
    return error.status


class _ErrorBody(Protocol):
    def __call__(self, error: EdgeError, /) -> Mapping[str, Any]: ...


class FrameRoute(NamedTuple):
    """A route that takes frames by POST, on the hot path.

    Attributes:
        path: as FastAPI has it, such as ``/predict/{model}``.
        endpoint: takes the request and returns the response, or raises an `EdgeError`.
        check: raises the `EdgeError` of a request whose fault shows before it asks for a slot: in
            its path and its query, which are all that it may look at.
    """

    path: str
    endpoint: Callable[[Request], Coroutine[Any, Any, Response]]
    check: Callable[[Request], object]


@dataclass(frozen=True, eq=False)
class Dialect:
    """A group of routes that share a format.

    Attributes:
        name: the tag in the documentation and the ``door`` label of metrics.
        scopes: path to the scope that a key needs for it; ``None`` needs no key. A path that ends
            in ``/`` covers everything below it. Paths are in lower case.
        router: the routes; empty where the framework adds them itself.
        error_body: an error as JSON.
        error_status: an error's HTTP status.
        frame_routes: those of its routes that take frames, in their usual forms.
    """

    name: str
    scopes: Mapping[str, Scope | None]
    router: APIRouter = field(default_factory=APIRouter)
    error_body: _ErrorBody = error_json
    error_status: Callable[[EdgeError], HTTPStatus] = native_status
    frame_routes: tuple[FrameRoute, ...] = ()


class Claim(NamedTuple):
    """The dialect that answers a path, and the scope that a key needs for it."""

    dialect: Dialect
    scope: Scope | None


UNCLAIMED = Claim(Dialect("none", {}), Scope.PREDICT)
"""The claim on paths that no dialect names: errors in the native format, to callers with a key."""


class DialectTable:
    """Finds the dialect and the scope of a path, ignoring case as TensorFlow Serving does.

    Raises:
        ValueError: two dialects claim the same path, or a path is not in lower case.
    """

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        claims: dict[str, Claim] = {}
        for dialect in dialects:
            for path, scope in dialect.scopes.items():
                if path in claims:
                    owner = claims[path].dialect.name
                    raise ValueError(f"{path} is claimed by both {owner} and {dialect.name}")
                if path != path.lower():
                    raise ValueError(f"{path} of {dialect.name} is not in lower case")
                claims[path] = Claim(dialect, scope)
        self._claims = claims
        prefixes = [path for path in claims if path.endswith("/") and path != "/"]
        # The longest prefix is the most specific one.
        self._prefixes = sorted(prefixes, key=len, reverse=True)

    def check_root_path(self, root_path: str) -> None:
        """Refuse a prefix that would make a path ambiguous.

        Raises:
            SettingsError: the prefix begins as a path of the service does.
        """
        first = root_path.strip("/").partition("/")[0].lower()
        if first in {path.strip("/").partition("/")[0] for path in self._claims if path != "/"}:
            raise SettingsError(
                f"root_path = {root_path}: /{first} is a path of the service itself. "
                "Choose another prefix, such as /edge."
            )

    def find(self, path: str) -> Claim:
        """The claim on a path; `UNCLAIMED` where no dialect has one."""
        path = path.lower()
        claim = self._claims.get(path)
        if claim is not None:
            return claim
        for prefix in self._prefixes:
            if path.startswith(prefix):
                return self._claims[prefix]
        return UNCLAIMED
