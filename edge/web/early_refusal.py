"""Refuses frames in an overload before the framework has seen them, with a prepared reply.

Most requests of an overload are refused, so a refusal must cost little of what the frames need. A
request is refused here only if the framework would come to the same refusal: its path, its query,
its host and its key are good, and no page sent it. Everything else goes to the framework, which
says what is wrong. So a caller without a key learns nothing, and takes nobody's turn.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from starlette.requests import HTTPConnection, Request

from edge import logs
from edge.errors import EdgeError, Overloaded
from edge.web.access.forwarded import apply_forwarded
from edge.web.access.guard import read_page_headers
from edge.web.access.keys import authorize
from edge.web.error_mapping import CODE_HEADER, json_bytes
from edge.web.request_log import given_request_id, new_request_id
from edge.web.root_path import apply_root_path, route_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Scope as AsgiScope

    from edge.api_key import Scope
    from edge.dataplane.service import InferenceService
    from edge.metrics import Metrics
    from edge.settings import Settings
    from edge.web.access.hosts import HostPolicy
    from edge.web.dialects.dialect import Dialect, DialectTable
    from edge.web.frame_routes import FrameRoutes

_log = logging.getLogger("edge.requests")

_REPORT_S = 1.0
"""Seconds between two log lines: a line for each refusal would cost as much as the refusal."""

_MAX_URL = 256
_REMEMBERED_URLS = 512
"""Bytes of a URL that is remembered with what it means, and how many are: 128 KiB of them. Cameras
send the same one each time; an overload by others goes through the framework, or is read anew."""

_REMEMBERED_HEADS = 512
"""Of the cameras that were refused lately, one each; at most 1 KiB of bytes and as much again of
what they mean."""

_REMEMBERED_REPLIES = 64
"""They differ by dialect and by the number of requests in flight, which the message names."""


class _Target(NamedTuple):
    """Where a URL leads.

    Attributes:
        needed: the scope that a key needs for it.
        model: the label of the model in its path; empty if it names none.
    """

    dialect: Dialect
    needed: Scope | None
    model: str


class RefusableHead(NamedTuple):
    """A head with which nothing is wrong, so that its request may be refused here.

    Attributes:
        scope: its ASGI scope; of another connection, if the head was remembered.
        identity: of the request, if the caller gives one.
    """

    scope: AsgiScope
    target: _Target
    identity: bytes | None


class EarlyRefusals:
    """Decides about each request for a frame, once its head is complete.

    Args:
        hosts: to which the service answers.
        notice: header that every reply carries, if any.
    """

    def __init__(
        self,
        service: InferenceService,
        settings: Settings,
        metrics: Metrics,
        dialects: DialectTable,
        routes: FrameRoutes,
        *,
        hosts: HostPolicy,
        notice: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self._admission = service.admission
        self._keys = settings.api_keys
        self._proxies = settings.trusted_proxies
        self._root_path = settings.root_path
        self._metrics = metrics
        self._dialects = dialects
        self._routes = routes
        self._hosts = hosts
        self._more_headers = [(b"vary", b"Origin")] if settings.allowed_origins else []
        self._more_headers += notice
        self._target = lru_cache(_REMEMBERED_URLS)(self._read_url)
        self._prepared = lru_cache(_REMEMBERED_REPLIES)(self._prepare)
        self._known_heads: dict[bytes, RefusableHead] = {}
        self._unreported = 0

    def __repr__(self) -> str:
        return f"<EarlyRefusals of {self._admission}>"

    @property
    def may_refuse(self) -> bool:
        """Whether a request could be refused here at the moment."""
        return self._admission.may_refuse and not self._admission.stopping

    def read_head(self, scope: AsgiScope, url: bytes) -> RefusableHead | None:
        """Find out where a POST leads; ``None`` if the framework has to answer it.

        Args:
            scope: its ASGI scope, which need not have a path yet.
            url: as in the request line.
        """
        if len(url) > _MAX_URL:
            return None
        target = self._target(url)
        if target is None or not self._is_from_no_page(scope):
            return None
        return RefusableHead(scope, target, given_request_id(scope))

    def refuse(
        self,
        head: RefusableHead,
        client: tuple[str, int] | None,
        headers: Sequence[tuple[bytes, bytes]],
    ) -> bytes | None:
        """The whole reply to a request, after which its connection stays open; often ``None``.

        Args:
            client: address and port of its connection.
            headers: that every reply has, such as the date.
        """
        if not self.may_refuse:
            return None
        began = time.perf_counter()
        if self._proxies or self._keys:
            scope = {**head.scope, "client": client}
            apply_forwarded(scope, self._proxies)
            client = scope["client"]
            if not self._has_good_key(scope, head.target):
                return None
        error = self._admission.refusal(client)
        if error is None:
            return None
        self._count(head.target, error, began)
        start, rest = self._prepared(head.target.dialect, error.message)
        lines = [b"%b: %b\r\n" % header for header in headers]
        retry_after = b"retry-after: %d\r\n" % (error.retry_after_s or 1)
        identity = b"x-request-id: %b\r\n" % (head.identity or new_request_id())
        return b"".join([start, *lines, retry_after, identity, rest])

    def remember(self, head: bytes, meaning: RefusableHead) -> None:
        """Remember what the bytes of a head mean."""
        if len(self._known_heads) >= _REMEMBERED_HEADS:
            del self._known_heads[next(iter(self._known_heads))]
        self._known_heads[head] = meaning

    def recall(self, head: bytes) -> RefusableHead | None:
        """What the bytes of a head mean, if it was remembered."""
        return self._known_heads.get(head)

    def _is_from_no_page(self, scope: AsgiScope) -> bool:
        """Whether the request has a host of ours, and no page sent it."""
        page = read_page_headers(scope)
        if page.host is None or page.origin is not None or page.fetch_site is not None:
            return False
        try:
            self._hosts.check(page.host)
        except EdgeError:
            return False
        return True

    def _has_good_key(self, scope: AsgiScope, target: _Target) -> bool:
        if not self._keys or target.needed is None:
            return True
        try:
            authorize(self._keys, HTTPConnection(scope), target.needed)
        except EdgeError:
            return False
        return True

    def _read_url(self, url: bytes) -> _Target | None:
        """Where a URL leads; ``None`` if it takes no frames, or the route would find a fault."""
        raw_path, _, query = url.partition(b"?")
        if not url.startswith(b"/") or b"#" in url:
            return None
        scope: AsgiScope = {
            "type": "http",
            "method": "POST",
            "path": unquote(raw_path.decode("latin-1")),
            "raw_path": raw_path,
            "root_path": "",
            "query_string": query,
            "headers": [],
        }
        if self._root_path:
            apply_root_path(scope, self._root_path)
        path = route_path(scope)
        found = self._routes.find(path)
        if found is None:
            return None
        scope["path_params"] = found.path_params
        try:
            found.route.check(Request(scope))
        except EdgeError:
            return None
        name = found.path_params.get("model")
        model = "" if name is None else self._metrics.label(name)
        return _Target(found.dialect, self._dialects.find(path).scope, model)

    def _prepare(self, dialect: Dialect, message: str) -> tuple[bytes, bytes]:
        """The reply up to its date, and what follows the headers that differ."""
        error = Overloaded(message)
        status = dialect.error_status(error)
        body = json_bytes(dialect.error_body(error))
        more = b"".join(b"%b: %b\r\n" % header for header in self._more_headers)
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\n{CODE_HEADER.lower()}: {error.code}\r\n"
        rest = b"content-length: %d\r\ncontent-type: application/json\r\n" % len(body)
        return head.encode(), b"".join([rest, more, b"\r\n", body])

    def _count(self, target: _Target, error: Overloaded, began: float) -> None:
        seconds = time.perf_counter() - began
        self._metrics.replied(target.dialect.name, target.model, error.code, seconds)
        if not self._unreported:
            asyncio.get_running_loop().call_later(_REPORT_S, self._report)
        self._unreported += 1

    def _report(self) -> None:
        count, self._unreported = self._unreported, 0
        _log.warning("frames refused: the service is overloaded", extra=logs.facts(count=count))
