"""Runs the application under uvicorn until a signal; then answers what was accepted, and returns.

In order: refuse an address that is open to the network without a key, load the certificate, listen,
listen for the pairing page, start uvicorn, report the URL. Connections are accepted and bounded by
`edge.web.transport`, at both ports together.
"""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn

from edge.errors import SettingsError
from edge.metrics import ConnectionFigures
from edge.tls.addresses import is_loopback
from edge.tls.certificate import server_context
from edge.tls.provisioning import (
    RENEWAL_S,
    authority_file,
    certificate,
    keep_renewed,
    name_learner,
    uses_tls,
)
from edge.web.app import create_app
from edge.web.hangup import hangup_handled
from edge.web.https_redirect import HttpsRedirect
from edge.web.pages.pairing import pairing_app
from edge.web.transport import limits
from edge.web.transport.acceptor import Acceptor
from edge.web.transport.http_protocol import BoundedHttp
from edge.web.transport.places import Places
from edge.web.transport.refusing_http import RefusingHttp
from edge.web.transport.websocket_protocol import BoundedWebSocket

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine, Iterator
    from types import FrameType

    from edge.dataplane.service import InferenceService
    from edge.settings import Settings
    from edge.tls.seen_names import NameLearner
    from edge.web.early_refusal import EarlyRefusals

    Companion = Callable[[], Coroutine[None, None, None]]

_log = logging.getLogger(__name__)

_BACKLOG = 2048
_KEEP_ALIVE_S = 75  # a camera that posts once a minute keeps its connection
_LAST_CALL_S = 1.0  # to write the refusals of what was not answered in time
_PLAIN_GRACE_S = 1  # a client that does not read the pairing page must not delay the shutdown


def serve(
    service: InferenceService,
    settings: Settings,
    *,
    on_listening: Callable[[str, Settings], None],
    renewal_s: float = RENEWAL_S,
) -> None:
    """Serve until SIGINT or SIGTERM, or until the terminal closes in which it was started.

    Args:
        on_listening: called once connections are accepted, with the service's URL and the settings
            with the actual ports.
        renewal_s: seconds between two looks at the certificate's expiry.

    Raises:
        SettingsError: the address cannot be listened on, is open to the network without keys or
            ``allow_open``, or the certificate cannot be used.
    """
    _check_open(settings)
    context = server_context(certificate(settings)) if uses_tls(settings) else None
    listener = _listen(settings.host, settings.port)
    pairing_listener = _listen_for_pairing(settings)
    ports = {
        "port": listener.getsockname()[1],
        "pairing_port": pairing_listener.getsockname()[1] if pairing_listener else 0,
    }
    settings = settings.model_copy(update=ports)

    figures = ConnectionFigures()
    places = Places(
        limits.connection_limit(limits.raise_file_limit(), settings.max_held_bytes), figures
    )
    companions: list[Companion] = [places.watch]
    if context is not None:
        companions.append(partial(keep_renewed, context, settings, renewal_s))
    if pairing_listener is not None:
        learner = name_learner(context, settings) if context is not None else None
        companions.append(partial(_serve_pairing, pairing_listener, settings, places, learner))

    config = _config(service, settings, context, figures)
    url = _url(listener, "https" if context else "http")
    server = _Server(
        config,
        places,
        service,
        companions,
        lambda: on_listening(url, settings),
        settings.shutdown_grace_s,
        HttpsRedirect(settings) if context is not None else None,
    )
    server.run(sockets=[listener])


def _config(
    service: InferenceService,
    settings: Settings,
    context: ssl.SSLContext | None,
    figures: ConnectionFigures,
) -> uvicorn.Config:
    make_websocket: Any = partial(  # uvicorn only calls it
        BoundedWebSocket, admission=service.admission, message_s=settings.deadline_ms / 1000
    )
    config = uvicorn.Config(
        create_app(service, settings, figures),
        access_log=False,
        log_config=None,
        lifespan="on",
        server_header=False,
        proxy_headers=False,  # `edge.web.access.forwarded` believes only those that are trusted
        timeout_keep_alive=_KEEP_ALIVE_S,
        ws_max_size=settings.max_body_bytes,
        ws_per_message_deflate=False,  # images are compressed already
        ws=make_websocket,
    )
    config.load()
    config.ssl = context  # the same object that `keep_renewed` reloads
    return config


class _BoundedServer(uvicorn.Server):
    """Uvicorn on top of our transport.

    Args:
        places: for its connections.
        early_refusals: of frames; ``None`` for an application that takes none.
        plain_app: answers plain HTTP on the port of TLS.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        places: Places,
        early_refusals: EarlyRefusals | None = None,
        plain_app: HttpsRedirect | None = None,
    ) -> None:
        super().__init__(config)
        self._places = places
        self._plain_app = plain_app
        self._early_refusals = early_refusals

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])  # it starts the application; the accepting is ours
        for listener in sockets or []:
            acceptor = Acceptor(
                listener, self._make_protocol, self._places, self.config.ssl, self._plain_app
            )
            self.servers.append(acceptor)  # type: ignore[arg-type]

    def _make_protocol(self) -> BoundedHttp:
        state = self.lifespan.state
        if self._early_refusals is None:
            return BoundedHttp(self.config, self.server_state, state, self._places)
        return RefusingHttp(
            self.config, self.server_state, state, self._places, self._early_refusals
        )


class _Server(_BoundedServer):
    """Refuses new frames on a signal and exits with code 0; uvicorn would raise the signal again.

    Args:
        places: for its connections.
        companions: coroutines that run as long as the server does.
        on_listening: called once connections are accepted.
        grace_s: seconds in which accepted requests are answered; the others then get 503.
        plain_app: answers plain HTTP on the port of TLS.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        places: Places,
        service: InferenceService,
        companions: list[Companion],
        on_listening: Callable[[], None],
        grace_s: float = 0.0,
        plain_app: HttpsRedirect | None = None,
    ) -> None:
        early_refusals: EarlyRefusals = config.app.state.early_refusals  # type: ignore[union-attr]
        super().__init__(config, places, early_refusals, plain_app)
        self._service = service
        self._companions = companions
        self._on_listening = on_listening
        self._grace_s = grace_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()  # not earlier: only from here on does a signal shut down cleanly

    async def main_loop(self) -> None:
        # What exists now stays for good. Scanning it would stop all threads for 40 ms every few
        # seconds; it costs the garbage of the start, which is not collected any more.
        gc.freeze()
        tasks = [asyncio.create_task(companion()) for companion in self._companions]
        try:
            await super().main_loop()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        admission = self._service.admission
        accepted = admission.in_flight + admission.receiving
        _log.info("stopping: %d requests in flight", accepted)
        await super().shutdown(sockets)
        answered, refused = admission.answered_at_end, admission.refused_at_end
        _log.info("stopped: %d requests answered, %d refused", answered, refused)

    async def _wait_tasks_to_complete(self) -> None:
        try:
            async with asyncio.timeout(self._grace_s):
                await super()._wait_tasks_to_complete()
        except TimeoutError:
            unanswered = self.server_state.tasks.copy()
            for request in unanswered:
                request.cancel()
            if unanswered:
                await asyncio.wait(unanswered, timeout=_LAST_CALL_S)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # signals come to no other
            yield
            return
        hang_up = partial(self.handle_exit, signal.SIGTERM, None)
        with super().capture_signals(), hangup_handled(hang_up):
            yield
            self._captured_signals.clear()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.refuse_new()
        super().handle_exit(sig, frame)


class _PlainServer(_BoundedServer):
    """A second uvicorn in the process: the first one handles the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve_pairing(
    listener: socket.socket, settings: Settings, places: Places, learner: NameLearner | None
) -> None:
    """The pairing page over plain HTTP, until it is cancelled."""
    config = uvicorn.Config(
        pairing_app(settings, learner),
        access_log=False,
        log_config=None,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=_PLAIN_GRACE_S,
    )
    server = _PlainServer(config, places)
    try:
        await server.serve(sockets=[listener])
    except asyncio.CancelledError:
        await server.shutdown(sockets=[listener])
        raise


def _check_open(settings: Settings) -> None:
    if settings.api_keys or settings.allow_open or is_loopback(settings.host):
        return
    raise SettingsError(
        f"Without API keys, everyone who reaches {settings.host} could use the service, so it then "
        "listens on this machine only. Make a key with `edge key NAME --save`, or pass "
        "--allow-open."
    )


def _listen_for_pairing(settings: Settings) -> socket.socket | None:
    """A plain port for the pairing page, if there is an authority to hand out.

    The service runs without it if the port is taken.
    """
    if authority_file(settings) is None or not settings.pairing_port:
        return None
    with suppress(SettingsError):
        return _listen(settings.host, settings.pairing_port)
    _log.warning(
        "port %d is taken: no pairing page over plain HTTP; choose another with --pairing-port",
        settings.pairing_port,
    )
    return None


def _listen(host: str, port: int) -> socket.socket:
    """A socket at the first address of a host; that of ``::`` takes IPv4 as well."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(
            address,
            family=family,
            backlog=_BACKLOG,
            dualstack_ipv6=_takes_both(str(address[0])),
        )
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}. "
            "Choose others with --host and --port."
        ) from error


def _takes_both(address: str) -> bool:
    """Whether a socket at this address takes IPv6 and IPv4: ``::`` does, where the system can."""
    return address == "::" and socket.has_dualstack_ipv6()


def _url(listener: socket.socket, scheme: str) -> str:
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if host == "0.0.0.0" or _takes_both(host):  # noqa: S104 -- a name reaches it by either family
        host = "localhost"
    elif address.is_unspecified:
        host = "[::1]"
    elif address.version == 6:  # noqa: PLR2004 -- IPv6
        host = f"[{host}]"
    return f"{scheme}://{host}:{port}"
