"""Uvicorn's HTTP/1.1 protocol with bounds on what comes before and beside a request's body.

Bytes go to the parser in slices, so that no more of a connection is parsed than is needed: one head
after the other, and a body to its end. `_budget` falls with each byte that is no body.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, cast

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from edge.errors import RequestError
from edge.web.transport import limits
from edge.web.transport.flow import TwoReasonFlow
from edge.web.transport.head import CHUNKED, read_head
from edge.web.transport.parse_queue import SLICE_S
from edge.web.transport.progress import WriteProgress
from edge.web.transport.refusals import head_timeout, head_too_large, malformed, reply, url_too_long

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvicorn import Config
    from uvicorn.server import ServerState

    from edge.errors import EdgeError
    from edge.web.transport.places import Places

_SLICE = 8 * 1024
_WEBSOCKET_PATHS = (b"/stream",)  # their ends, since a proxy may put a prefix before them


class BoundedHttp(HttpToolsProtocol):
    """One connection.

    Args:
        places: where the connection has entered already, and which it leaves at its end.

    Attributes:
        opening: the task that makes the connection, as long as it does.
        is_made: whether it can carry requests.
    """

    flow: TwoReasonFlow

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        places: Places,
    ) -> None:
        super().__init__(config, server_state, app_state)
        if self.ws_protocol_class is not None:
            in_its_place: Any = partial(cast("Any", self.ws_protocol_class), places=places)
            self.ws_protocol_class = in_its_place  # uvicorn only calls it
        self.opening: asyncio.Task[None] | None = None
        self._places = places
        self._opened_at: float | None = None
        self.is_made = False
        self._budget = limits.HEAD_BYTES
        self._since: float | None = None  # a head, or the rest of an unwanted body, is arriving
        self._has_begun = False  # at least one byte of a head has come
        self._in_body = False
        self._body_left = 0  # bytes, or CHUNKED
        self._skips_parser = False  # the rest of the body, whose length is known
        self._is_handshake = False
        self._unread: list[bytes] = []
        self._fault: EdgeError | None = None  # found by a callback of the parser
        self._refusal: EdgeError | None = None  # nothing is parsed any more
        self._lingering: asyncio.TimerHandle | None = None  # ends what was answered and half closed
        self._discarded = 0
        self._progress = WriteProgress()

    # The connection's life

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self.is_made = True
        self.flow = TwoReasonFlow(transport)
        self._answers: Any = _Answers(transport, self.finish)
        self._since = self._places.clock() if self._opened_at is None else self._opened_at

    def answer_with(self, app: Any, opened_at: float) -> None:
        """Let another ASGI application answer this connection, and nothing else; before it is made.

        Args:
            opened_at: on the clock of `Places`, from when the first head has its time.
        """
        self.app = app
        self.ws_protocol_class = None
        self._opened_at = opened_at

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the place."""
        self._places.leave(self)
        self._unread.clear()
        self._unset_keepalive_if_required()
        if self._lingering is not None:
            self._lingering.cancel()
        super().connection_lost(exc)

    def cut(self) -> None:
        """Close at once, whatever is still to send."""
        if self.is_made:
            self.transport.abort()
        elif self.opening is not None:
            self.opening.cancel()

    def check(self, now: float) -> None:
        """Close if a time limit has passed."""
        if not self.is_made:  # the handshake of TLS has its own limit
            return
        if self._progress.is_stalled(self.transport, now):
            self._places.count("unread_reply")
            self.transport.abort()
        elif self._since is not None and now - self._since > limits.HEAD_S:
            self._time_out()

    def shutdown(self) -> None:
        """Close, after the answer if one is due."""
        if self._lingering is not None:
            return
        if self.cycle is not None and self.cycle.response_complete:
            self.finish()
        else:
            super().shutdown()

    def finish(self) -> None:
        """Close after an answer; a client that is still sending its body gets to read it first."""
        if self._in_body and not self.transport.is_closing():
            self._unread.clear()
            self.flow.release()
            self._linger()
        else:
            self.transport.close()

    def _time_out(self) -> None:
        if self._has_begun and not self._in_body:
            self._refuse(head_timeout())
        else:  # a silent connection, or one whose request was answered long ago
            self._places.count("silent")
            self.transport.abort()

    # Bytes in

    def data_received(self, data: bytes) -> None:
        """Parse the bytes now, or keep them until earlier requests are answered."""
        self._unset_keepalive_if_required()
        if self._refusal is not None or self._lingering is not None:
            self._discard(len(data))
            return
        if self._unread:
            self._unread.append(data)
            self.flow.hold()
        else:
            self._parse(data)

    def _discard(self, length: int) -> None:
        self._discarded += length
        if self._discarded > limits.LINGER_BYTES:
            self.transport.abort()

    def go_on(self) -> None:
        """Parse what was kept."""
        if self.transport.is_closing() or self._refusal is not None or self.pipeline:
            return
        unread, self._unread = b"".join(self._unread), []
        self._parse(unread)
        if not self._unread:
            self.flow.release()

    def _keep(self, data: memoryview) -> None:
        self._unread.append(bytes(data))
        self.flow.hold()

    def _parse(self, data: bytes) -> None:
        view = memoryview(data)
        at, end = 0, len(view)
        began: float | None = None
        while at < end:
            if self.pipeline:  # goes on when the earlier requests are answered
                self._keep(view[at:])
                return
            if at:  # most requests are one piece or two, and need no clock
                if began is None:
                    began = time.thread_time()
                elif time.thread_time() - began > SLICE_S:
                    self._keep(view[at:])
                    self._places.parse_queue.ask(self)
                    return
            if self._skips_parser:
                at += self._take_body(data, at)
                continue
            length = self._body_left if self._in_body and self._body_left > 0 else _SLICE
            taken = self._feed(view[at : at + length])
            if taken is None:
                return
            at += taken
            self._skips_parser = self._body_left > _SLICE and not self.parser.should_upgrade()
        if self._since is None and not self._in_body and self._is_within_head():
            self._since = self._places.clock()

    def _is_within_head(self) -> bool:
        return self._has_begun or self._budget < limits.HEAD_BYTES

    def _feed(self, piece: memoryview) -> int | None:
        """Give a piece to the parser; return how much it took, ``None`` if parsing has ended."""
        self._budget -= len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            if self._is_handshake:
                self.handle_websocket_upgrade()
                return None
            self._ignore_upgrade()
            return int(upgrade.args[0])
        except httptools.HttpParserError as error:
            self._refuse(self._fault or malformed(_reason(error)))
            return None
        if self._budget < 0:
            self._refuse(head_too_large())
            return None
        return len(piece)

    def _take_body(self, data: bytes, at: int) -> int:
        """Take the part of a body of known length past the parser; return its length.

        The parser would copy it. It is left within this body, so a new one reads the next head.
        """
        length = min(self._body_left, len(data) - at)
        if self.cycle.response_complete:  # nobody wants it
            self._body_left -= length
        else:
            self.on_body(data if length == len(data) else data[at : at + length])
        if self._body_left == 0:
            self._skips_parser = False
            self.parser = self._new_parser()
            self.on_message_complete()
        return length

    def _new_parser(self) -> httptools.HttpRequestParser:
        """A parser as uvicorn makes it."""
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _ignore_upgrade(self) -> None:
        """Let a new parser read the body, since llhttp takes it for another protocol's bytes."""
        if not self._in_body:
            return
        if self._body_left == CHUNKED:
            framing = b"Transfer-Encoding: chunked"
        else:
            framing = b"Content-Length: %d" % self._body_left
        self.parser = self._new_parser()
        self.parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")

    # The parser's callbacks. While a body is read, all but its own are muted: trailers, and the
    # head that `_ignore_upgrade` makes up.

    def on_message_begin(self) -> None:
        """A head begins."""
        if not self._in_body:
            self._has_begun = True
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the URL."""
        if not self._in_body:
            super().on_url(url)
            if len(self.url) > limits.URL_BYTES:
                self._fail(url_too_long())

    def on_header(self, name: bytes, value: bytes) -> None:
        """A complete header line."""
        if self._in_body:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is complete: judge it, and start the request."""
        if self._in_body:
            return
        try:
            head = read_head(
                self.parser.get_method(),
                self.url,
                self.parser.get_http_version(),
                self.headers,
                _WEBSOCKET_PATHS if self.ws_protocol_class is not None else (),
            )
        except RequestError as error:
            self._fail(error)
        self._is_handshake = head.is_handshake
        early_reply = self._early_reply()
        if early_reply is None:
            super().on_headers_complete()
            if not self._is_handshake:
                self.cycle.transport = self._answers
        self._budget = limits.HEAD_BYTES
        self._since = None
        self._has_begun = False
        self._in_body = head.length != 0
        self._body_left = head.length
        self._places.work(self)
        if early_reply is not None:
            self._answer_at_once(early_reply)

    def on_body(self, body: bytes) -> None:
        """A piece of the body, which pays for the bytes around it."""
        length = len(body)
        if self._body_left != CHUNKED:
            self._body_left -= length
        self._budget = min(limits.HEAD_BYTES, self._budget + 2 * length)
        cycle: Any = self.cycle
        if cycle.response_complete:
            return
        if not cycle.body:
            cycle.body = body  # handed on as it is, where uvicorn would copy it twice
        elif isinstance(cycle.body, bytes):
            cycle.body = bytearray(cycle.body) + body
        else:
            cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The body is complete."""
        if self._in_body and self.parser.should_upgrade():  # it is still to come
            return
        self._in_body = False
        self._budget = limits.HEAD_BYTES
        super().on_message_complete()
        if not self._is_handshake and self.cycle.response_complete:
            self._since = None
            self._keep_alive()

    def _fail(self, error: EdgeError) -> NoReturn:
        """Leave a callback; the parser raises an error of its own."""
        self._fault = error
        raise error

    def _should_upgrade(self) -> bool:
        return self._is_handshake

    # Answers

    def _early_reply(self) -> bytes | None:
        """The reply to the head just read, if it needs no application; for subclasses."""
        return None

    def _is_idle(self) -> bool:
        """Whether the next byte begins a head, and a reply to it may be sent at once."""
        is_within_request = self._in_body or self._unread or self._is_within_head()
        return not is_within_request and self._may_reply()

    def _may_reply(self) -> bool:
        """Whether a reply may be sent: earlier ones are complete, and the client reads them."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        return not is_answering and not self.flow.write_paused

    def _answer_unparsed(self, answer: bytes, body_left: int) -> None:
        """Send the whole answer to a request whose head no parser has seen.

        Args:
            body_left: bytes of its body that are still to come; they are discarded.
        """
        self._since = None
        self._in_body = self._skips_parser = body_left > 0
        self._body_left = body_left
        self._places.work(self)
        self._answer_at_once(answer)
        if not self._in_body:
            self._keep_alive()

    def _answer_at_once(self, answer: bytes) -> None:
        """Send the whole answer; a body that follows is read and discarded."""
        self.cycle = _ANSWERED
        self.server_state.total_requests += 1
        self.transport.write(answer)
        self._places.wait(self)
        if self._in_body:
            self._since = self._places.clock()

    def _keep_alive(self) -> None:
        """Close the connection unless another request comes in time."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def on_response_complete(self) -> None:
        """Go on with what came meanwhile, or wait for the next request."""
        super().on_response_complete()
        if self.transport.is_closing() or self._lingering is not None:
            return
        if self._unread and not self.pipeline:
            self.loop.call_soon(self.go_on)
        if self.pipeline or not self.cycle.response_complete:
            return
        if self._refusal is not None:
            self._send_refusal(self._refusal)
            return
        self._places.wait(self)
        if self._in_body:  # nobody wants the rest of it
            self._since = self._places.clock()

    def _refuse(self, error: EdgeError) -> None:
        """Parse nothing more, and send the error once earlier requests are answered."""
        self._refusal = error
        self._places.count(error.code)
        self._unread.clear()
        self.flow.release()
        self.flow.resume_reading()  # else the end of the connection would go unnoticed
        cycle = self.cycle
        if self._in_body:
            if cycle.response_started or self.pipeline:
                self.transport.abort()
                return
            cycle.disconnected = True
            cycle.message_event.set()
            self._send_refusal(error)
        elif cycle is None or cycle.response_complete:
            self._send_refusal(error)

    def _send_refusal(self, error: EdgeError) -> None:
        """Reply, and end the connection."""
        if self.transport.is_closing():
            return
        self.transport.write(reply(error, self.server_state.default_headers))
        self._linger()

    def _linger(self) -> None:
        """Send no more; read and discard for a moment, since a reset could undo the answer."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()  # TLS says goodbye, and waits for the client to do so
        self._since = None
        # A timer of its own, since a stop ends the watch over all connections.
        self._lingering = self.loop.call_later(limits.LINGER_S, self.transport.abort)
        self._places.wait(self)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, with its place."""
        self._places.leave(self)
        super().handle_websocket_upgrade()


class _AnsweredCycle:
    """Stands for uvicorn's cycle of a request that was answered without one."""

    response_started = response_complete = True

    def __init__(self) -> None:
        self.message_event = asyncio.Event()  # nobody waits for it


_ANSWERED: Any = _AnsweredCycle()


class _Answers:
    """The transport as uvicorn writes answers to it: closing it may take a moment."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


def _reason(error: httptools.HttpParserError) -> str:
    if isinstance(error, httptools.HttpParserInvalidURLError):
        return f"{error}; percent-encode what is not ASCII"
    if isinstance(error, httptools.HttpParserCallbackError):  # of uvicorn's own
        return "the URL cannot be read"
    return str(error) or "it cannot be parsed"
