"""Reads a request's body into memory within bounds, and finds the images of a multipart body."""

from __future__ import annotations

import asyncio
import io
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from edge.errors import BadRequest, BodyTimeout, BodyTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

    from edge.dataplane.admission import AdmissionSlot
    from edge.dataplane.service import InferenceService
    from edge.settings import Settings

_MAX_PARTS = 256
_MAX_DIGITS = 18
"""Of a length; Python refuses to parse thousands."""


@dataclass(frozen=True, slots=True)
class Part:
    """An image of a multipart body: the form field's name, the file's if any, and the bytes."""

    name: str
    filename: str | None
    content: bytes


@asynccontextmanager
async def receive(
    request: Request, service: InferenceService, settings: Settings, deadline: float
) -> AsyncIterator[bytes]:
    """Admit a request and read its body; release its slot and its bytes when the context ends.

    Args:
        deadline: time on `time.monotonic` by which the body must have arrived.

    Raises:
        EdgeError: as `Admission.admit` and `read_body` do.
    """
    with service.admit(request.scope.get("client")) as slot:
        yield await read_body(
            request,
            slot,
            max_bytes=settings.max_body_bytes,
            seconds=deadline - time.monotonic(),
        )


async def read_body(
    request: Request, slot: AdmissionSlot, *, max_bytes: int, seconds: float
) -> bytes:
    """Read the whole body.

    Raises:
        BodyTooLarge: more than ``max_bytes``; raised before reading if the header says so.
        Overloaded: too many bytes are held in memory already.
        BodyTimeout: it did not arrive within ``seconds``.
        BadRequest: the length in the header is not a number.
        ClientDisconnect: the caller disconnected.
    """
    declared = request.headers.get("content-length")
    if declared is not None:
        if not (declared.isascii() and declared.isdecimal() and len(declared) <= _MAX_DIGITS):
            raise BadRequest("Content-Length is not a number of bytes.")
        if int(declared) > max_bytes:
            raise _too_large(int(declared), max_bytes)
        slot.hold(int(declared))
    # Grows in place and hands over its bytes: half the memory of joining a list of chunks.
    body = io.BytesIO()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                length = body.tell() + len(chunk)
                if length > max_bytes:
                    raise _too_large(length, max_bytes)
                if length > slot.held:  # the length was not declared
                    slot.hold(len(chunk))
                body.write(chunk)
    except TimeoutError:
        raise BodyTimeout(
            f"After {seconds:.1f} s only {body.tell():,} bytes of the body had arrived."
        ) from None
    return body.getvalue()


async def caller_gone(request: Request) -> None:
    """Return when the caller disconnects: after the body, no other message arrives."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def multipart_images(content_type: str, body: bytes) -> list[Part] | None:
    """The images of a multipart body; ``None`` if the content type is a different one.

    A part with a file name or a content type is an image; plain form fields are skipped.

    Raises:
        BadRequest: the body is malformed, or holds no image.
    """
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data":
        return None
    boundary = options.get("boundary")
    if not boundary:
        raise BadRequest("The multipart content type has no boundary.")
    parts, fields = [], []
    try:
        for segment, content in _segments(boundary, body):
            if segment.filename is not None or segment.content_type:
                parts.append(Part(segment.name or "", segment.filename, content))
            else:
                fields.append(segment.name or "")
    except (MultipartError, UnicodeError) as error:
        raise BadRequest(f"The multipart body is malformed: {error}.") from error
    if not parts:
        named = f" Its fields {', '.join(fields)} have no file." if fields else ""
        raise BadRequest(
            f"The multipart body holds no image.{named} Send it as curl -F image=@photo.jpg does."
        )
    return parts


def _segments(boundary: str, body: bytes) -> Iterator[tuple[MultipartSegment, bytes]]:
    """Each segment with its content: one event, since the body is complete; none if empty."""
    with PushMultipartParser(boundary, max_segment_count=_MAX_PARTS) as parser:
        segment, content = None, b""
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                segment, content = event, b""
            elif event is not None:
                content = event
            elif segment is not None:
                yield segment, content


def _too_large(length: int, max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"The body has at least {length:,} bytes; at most {max_bytes:,} are taken here."
    )
