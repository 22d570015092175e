"""Answers plain HTTP on the port of HTTPS: a redirect to the same path over HTTPS.

Who types the address without ``https://`` would otherwise see a broken connection. The acceptor
tells the two apart by the first byte.
"""

from __future__ import annotations

import asyncio
import os
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from edge.dataplane.answer import error_json
from edge.errors import BadRequest, EdgeError, SettingsError
from edge.origins import parse_host
from edge.tls.certificate import certified_names, is_certified
from edge.tls.provisioning import certificate_file
from edge.web.access.hosts import ANY, host_policy
from edge.web.error_mapping import CODE_HEADER, json_response

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from edge.origins import Host
    from edge.settings import Settings


class HttpsNeeded(EdgeError):
    """The port speaks HTTPS, and the request came without it."""

    status = HTTPStatus.TEMPORARY_REDIRECT
    code = "https_needed"


class HttpsRedirect:
    """ASGI application: redirects every request, with its method, path and query.

    Temporarily, since a browser remembers a permanent redirect after the owner has turned TLS off.
    A host that is not the service's own gets 400: with keys as well, where the service itself
    answers to every host, so that no link leads through it to somewhere else.
    """

    def __init__(self, settings: Settings) -> None:
        self._any_host = ANY in settings.allowed_hosts
        self._hosts = host_policy(settings.model_copy(update={"api_keys": {}}))
        self._certificate = certificate_file(settings)
        self._names = lru_cache(maxsize=1)(self._read_names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whose body stays unread, and close."""
        headers = {"Connection": "close", "X-Request-ID": os.urandom(8).hex()}
        host = await self._own_host(scope)
        error: EdgeError
        if host is None:
            error = BadRequest(
                "This port speaks HTTPS, and the Host header of this request is malformed or names "
                "another machine. Use https:// and the service's address or own name."
            )
        else:
            origin = f"https://{_written(host)}"
            error = HttpsNeeded(f"This port speaks HTTPS. Use {origin} instead.")
            headers |= {"Location": origin + _target(scope), "Cache-Control": "no-store"}
        headers[CODE_HEADER] = error.code
        await json_response(error_json(error), error.status, headers)(scope, receive, send)

    async def _own_host(self, scope: Scope) -> Host | None:
        """The host that is asked for; ``None`` if it is malformed, or not the service's own."""
        given = [value for name, value in scope["headers"] if name == b"host"]
        host = parse_host(given[0].decode("latin-1")) if len(given) == 1 else None
        if host is None or self._any_host or self._hosts.allows(host.name):
            return host
        try:
            changed = self._certificate.stat().st_mtime_ns
            names = await asyncio.to_thread(self._names, self._certificate, changed)
        except (OSError, ValueError, SettingsError):  # it is being replaced
            return None
        return host if is_certified(host.name, names) else None

    @staticmethod
    def _read_names(file: Path, changed: int) -> frozenset[str]:
        """The names in the certificate; ``changed`` has them read again after a renewal."""
        del changed
        return certified_names(file)


def _written(host: Host) -> str:
    name = f"[{host.name}]" if ":" in host.name else host.name
    return name if host.port is None else f"{name}:{host.port}"


def _target(scope: Scope) -> str:
    """Path and query as they came; "/" where the request line has another form."""
    path = scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    if not path.startswith("/"):
        path = "/"
    return f"{path}?{query}" if query else path
