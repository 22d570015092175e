"""Reads a request's body into memory, bounded in bytes and in time."""

from __future__ import annotations

import asyncio
import io
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from edge.errors import BadRequest, BodyTimeout, BodyTooLarge, Overloaded
from edge.web.content_encoding import FREE_BYTES, unpacker_for
from edge.web.pace import GAP_S, MIN_BYTES, Pace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from edge.dataplane.admission import AdmissionSlot
    from edge.dataplane.service import InferenceService
    from edge.settings import Settings
    from edge.web.content_encoding import Unpacker

_MAX_DIGITS = 18  # of a length: more bytes than any machine holds


@asynccontextmanager
async def receive(
    request: Request, service: InferenceService, settings: Settings, deadline: float
) -> AsyncIterator[bytes]:
    """Read a request's body, then admit its frame; release both when the context ends.

    The body has as long as the owner's deadline gives every frame; a caller can only shorten that.

    Args:
        deadline: of the caller, on `time.monotonic`.

    Raises:
        EdgeError: as `Admission.receive`, `read_body` and `AdmissionSlot.start` do.
    """
    with service.receive(request.scope.get("client")) as slot:
        seconds = min(deadline - time.monotonic(), settings.deadline_ms / 1000)
        yield await _read_frame(request, slot, settings.max_body_bytes, seconds)


async def _read_frame(
    request: Request, slot: AdmissionSlot, max_bytes: int, seconds: float
) -> bytes:
    """The whole body, once its frame has a slot. A function, so that nothing else keeps it."""
    body = await read_body(request, slot, max_bytes=max_bytes, seconds=seconds)
    slot.start()
    return body


async def read_body(
    request: Request, slot: AdmissionSlot, *, max_bytes: int, seconds: float
) -> bytes:
    """Read the whole body, unpacked; its bytes count as held from when they arrive.

    Raises:
        UnsupportedEncoding: it is compressed in a way that is not known here.
        BodyTooLarge: more than ``max_bytes``, unpacked or not; raised before reading if the header
            says so. Or it unpacks to far more than has arrived.
        Overloaded: too many bytes are held in memory already, or it gave way to others.
        BodyTimeout: it did not arrive within ``seconds``, or more slowly than `Pace` allows.
        BadRequest: the length in the header is not a number, or the body cannot be unpacked.
        ClientDisconnect: the caller disconnected.
    """
    _check_length(request, max_bytes)
    began = time.monotonic()
    pace = Pace(began)
    end = began + seconds
    gave_way = False

    def cut() -> None:
        nonlocal gave_way
        gave_way = True
        if not timer.expired():
            timer.reschedule(began)

    body = _Body(slot, max_bytes, unpacker_for(request.headers.getlist("content-encoding")))
    try:
        # The loop's clock is `time.monotonic`.
        async with asyncio.timeout_at(min(end, pace.limit)) as timer:
            slot.cut = cut
            async for chunk in request.stream():
                await body.take(chunk)
                if pace.add(len(chunk), time.monotonic()):
                    timer.reschedule(min(end, pace.limit))
    except TimeoutError:
        waited = time.monotonic() - began
        if gave_way:
            raise Overloaded(
                f"The body had been arriving for {waited:.1f} s when its memory was needed for "
                "others. Send smaller images, or try again in a moment."
            ) from None
        raise BodyTimeout(
            f"After {waited:.1f} s only {body.length:,} bytes of the body had arrived. "
            f"It has {seconds:.1f} s, and must bring {MIN_BYTES:,} bytes in every {GAP_S:g} s."
        ) from None
    finally:
        slot.cut = None
    return body.finish()


class _Body:
    """A body that grows.

    Args:
        slot: which counts its bytes as held.
        max_bytes: it may have, unpacked.
        unpacker: for what arrives; ``None`` if it is not compressed.

    Attributes:
        length: bytes so far, unpacked.
    """

    def __init__(self, slot: AdmissionSlot, max_bytes: int, unpacker: Unpacker | None) -> None:
        self._slot = slot
        self._max_bytes = max_bytes
        self._unpacker = unpacker
        self.length = 0
        self._only = b""  # the first piece, which often is the whole body
        # Grows in place and hands over its bytes: half the memory of joining a list of chunks.
        self._content: io.BytesIO | None = None

    async def take(self, chunk: bytes) -> None:
        """Add what has arrived; a large body is unpacked on a thread, to keep the loop free."""
        if self._unpacker is None:
            self._keep(chunk)
            return
        pieces = self._unpacker.unpack(chunk)
        while True:
            if self.length < FREE_BYTES:
                piece = next(pieces, None)
            else:
                piece = await asyncio.to_thread(next, pieces, None)
            if piece is None:
                return
            self._keep(piece)

    def finish(self) -> bytes:
        """The whole body; raises `BadRequest` if it cannot be unpacked to its end."""
        if self._unpacker is not None:
            self._unpacker.finish()
        return self._only if self._content is None else self._content.getvalue()

    def _keep(self, piece: bytes) -> None:
        length = self.length + len(piece)
        if length > self._max_bytes:
            raise _too_large(length, self._max_bytes)
        self._slot.hold(len(piece))
        if self.length == 0:
            self._only = piece
        else:
            if self._content is None:
                self._content = io.BytesIO()
                self._content.write(self._only)
                self._only = b""
            self._content.write(piece)
        self.length = length


def _check_length(request: Request, max_bytes: int) -> None:
    """Refuse a body by its header, before any of it is read."""
    declared = request.headers.get("content-length")
    if declared is not None:
        # Python refuses to convert thousands of digits.
        if not declared.isdecimal() or len(declared) > _MAX_DIGITS:
            raise BadRequest("Content-Length is not a number of bytes.")
        if int(declared) > max_bytes:
            raise _too_large(int(declared), max_bytes)


async def caller_gone(request: Request) -> None:
    """Return when the caller disconnects: after the body, no other message arrives."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _too_large(length: int, max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"The body has at least {length:,} bytes; at most {max_bytes:,} are taken here."
    )
