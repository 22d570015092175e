"""Runs the application under uvicorn until it is told to stop; then what was accepted is answered, and it returns."""

from __future__ import annotations

import ipaddress
import logging
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from edge.errors import SettingsError
from edge.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from edge.service import InferenceService
    from edge.settings import Settings

_log = logging.getLogger(__name__)

_BACKLOG = 2048
_KEEP_ALIVE_S = 75  # a camera that posts once a minute keeps its connection


def serve(service: InferenceService, settings: Settings, *, on_listening: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        on_listening: called with the service's URL once connections are taken.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    listener = _listen(settings.host, settings.port)
    config = uvicorn.Config(
        create_app(service, settings),
        access_log=False,
        log_config=None,
        lifespan="on",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=round(settings.shutdown_grace_s),
    )
    _Server(config, service, lambda: on_listening(_url(listener))).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Uvicorn, ended by a signal with exit code 0 (its own raises the signal again) and with no new frames taken."""

    def __init__(self, config: uvicorn.Config, service: InferenceService, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._service = service
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()  # not before: from here on a signal ends it as it should

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.refuse_new()
        super().handle_exit(sig, frame)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}. Choose others with --host and --port."
        ) from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = "localhost"
    elif address.version == 6:  # noqa: PLR2004 -- IPv6
        host = f"[{host}]"
    return f"http://{host}:{port}"
