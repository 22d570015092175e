"""Runs the application under uvicorn until it is told to stop; then what was accepted is answered, and it returns."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from edge.errors import SettingsError
from edge.web.addresses import is_loopback
from edge.web.app import create_app
from edge.web.pairing import pairing_app
from edge.web.tls import RENEWAL_S, authority_file, certificate, keep_renewed, server_context, uses_tls

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import FrameType

    from edge.service import InferenceService
    from edge.settings import Settings

    Beside = Callable[[], Coroutine[None, None, None]]

_log = logging.getLogger(__name__)

_BACKLOG = 2048
_KEEP_ALIVE_S = 75  # a camera that posts once a minute keeps its connection
_PLAIN_GRACE_S = 1  # nobody may hold up the end by not reading the pairing page


def serve(
    service: InferenceService,
    settings: Settings,
    *,
    on_listening: Callable[[str, Settings], None],
    renewal_s: float = RENEWAL_S,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        on_listening: called once connections are taken, with the service's URL and the settings with the ports taken.
        renewal_s: how often the certificate's end is looked at.

    Raises:
        SettingsError: the address cannot be listened on, is open to the network without a key or a word that it
            shall be, or the certificate is no good.
    """
    _check_open(settings)
    context = server_context(certificate(settings)) if uses_tls(settings) else None
    listener = _listen(settings.host, settings.port)
    plain = _listen_plain(settings)
    ports = {"port": listener.getsockname()[1], "pairing_port": plain.getsockname()[1] if plain else 0}
    settings = settings.model_copy(update=ports)
    beside: list[Beside] = []
    if context is not None:
        beside.append(partial(keep_renewed, context, settings, renewal_s))
    if plain is not None:
        beside.append(partial(_serve_plain, plain, settings))
    config = uvicorn.Config(
        create_app(service, settings),
        access_log=False,
        log_config=None,
        lifespan="on",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=round(settings.shutdown_grace_s),
        ws_max_size=settings.max_body_bytes,
        ws_per_message_deflate=False,  # what comes is compressed already
        ws="websockets-sansio",
    )
    config.load()
    config.ssl = context  # the one that `keep_renewed` fills anew
    url = _url(listener, "https" if context else "http")
    _Server(config, service, beside, lambda: on_listening(url, settings)).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Uvicorn, ended by a signal with exit code 0 (its own raises the signal again) and with no new frames taken.

    Args:
        beside: what runs as long as the server does.
        on_listening: called once connections are taken.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        service: InferenceService,
        beside: list[Beside],
        on_listening: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._service = service
        self._beside = beside
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()  # not before: from here on a signal ends it as it should

    async def main_loop(self) -> None:
        tasks = [asyncio.create_task(one()) for one in self._beside]
        try:
            await super().main_loop()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.refuse_new()
        super().handle_exit(sig, frame)


class _PlainServer(uvicorn.Server):
    """Uvicorn beside another: the signals are the other's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve_plain(listener: socket.socket, settings: Settings) -> None:
    """The pairing page over plain HTTP, until it is cancelled."""
    config = uvicorn.Config(
        pairing_app(settings),
        access_log=False,
        log_config=None,
        lifespan="off",
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_PLAIN_GRACE_S,
    )
    server = _PlainServer(config)
    try:
        await server.serve(sockets=[listener])
    except asyncio.CancelledError:
        await server.shutdown(sockets=[listener])
        raise


def _check_open(settings: Settings) -> None:
    if settings.api_keys or settings.allow_open or is_loopback(settings.host):
        return
    raise SettingsError(
        f"Without API keys everyone who reaches {settings.host} could use the service; without them it listens on this "
        "machine only. Make a key with `edge key NAME` and set EDGE_API_KEYS, or say --allow-open."
    )


def _listen_plain(settings: Settings) -> socket.socket | None:
    """For the pairing page, where there is an authority to hand out; the service goes on without."""
    if authority_file(settings) is None or not settings.pairing_port:
        return None
    with suppress(SettingsError):
        return _listen(settings.host, settings.pairing_port)
    _log.warning("port %d is taken: no pairing page over plain HTTP; see --pairing-port", settings.pairing_port)
    return None


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}. Choose others with --host and --port."
        ) from error


def _url(listener: socket.socket, scheme: str) -> str:
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = "localhost"
    elif address.version == 6:  # noqa: PLR2004 -- IPv6
        host = f"[{host}]"
    return f"{scheme}://{host}:{port}"
