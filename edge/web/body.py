"""A request's body into memory, bounded in bytes and time; and the images of a multipart body, without a file."""

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


@dataclass(frozen=True, slots=True)
class Part:
    """An image of a multipart body: the form field's name and the file's, if any, and its bytes."""

    name: str
    filename: str | None
    content: bytes


@asynccontextmanager
async def receive(
    request: Request, service: InferenceService, settings: Settings, deadline: float
) -> AsyncIterator[bytes]:
    """Admit a request and read its body; its slot and its bytes are returned at the end of the context.

    Args:
        deadline: on `time.monotonic`, by which the body must be here.

    Raises:
        EdgeError: as `Admission.admit` and `read_body` do.
    """
    with service.admit() as slot:
        yield await read_body(
            request,
            slot,
            max_bytes=settings.max_body_bytes,
            seconds=deadline - time.monotonic(),
        )


async def read_body(
    request: Request, slot: AdmissionSlot, *, max_bytes: int, seconds: float
) -> bytes:
    """The whole body.

    Raises:
        BodyTooLarge: more than ``max_bytes``, told from the header where there is one, before anything is read.
        Overloaded: too many bytes are held in memory already.
        BodyTimeout: it did not arrive within ``seconds``.
        BadRequest: the length in the header is no number.
        ClientDisconnect: the caller went away.
    """
    declared = request.headers.get("content-length")
    if declared is not None:
        if not declared.isdecimal():
            raise BadRequest("Content-Length is not a number.")
        if int(declared) > max_bytes:
            raise _too_large(int(declared), max_bytes)
        slot.hold(int(declared))
    body = (
        io.BytesIO()
    )  # grows in place and gives its bytes away: half the memory of a list of chunks, joined
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                length = body.tell() + len(chunk)
                if length > max_bytes:
                    raise _too_large(length, max_bytes)
                if length > slot.held:  # its length was not declared
                    slot.hold(len(chunk))
                body.write(chunk)
    except TimeoutError:
        raise BodyTimeout(
            f"After {seconds:.1f} s only {body.tell():,} bytes of the body had arrived."
        ) from None
    return body.getvalue()


async def caller_gone(request: Request) -> None:
    """Return when the caller has hung up. Once the body was read, nothing else comes."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def multipart_images(content_type: str, body: bytes) -> list[Part] | None:
    """The images of a multipart body; ``None`` where the content type is another.

    A part is an image where it has a file name or a content type; plain form fields are passed over.

    Raises:
        BadRequest: the body is not multipart after all, or holds no image.
    """
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data":
        return None
    boundary = options.get("boundary")
    if not boundary:
        raise BadRequest("The multipart content type names no boundary.")
    parts, fields = [], []
    try:
        for segment, content in _segments(boundary, body):
            if segment.filename is not None or segment.content_type:
                parts.append(Part(segment.name or "", segment.filename, content))
            else:
                fields.append(segment.name or "")
    except (MultipartError, UnicodeError) as error:
        raise BadRequest(f"The multipart body is broken: {error}.") from error
    if not parts:
        named = f" Its fields {', '.join(fields)} have no file." if fields else ""
        raise BadRequest(
            f"The multipart body holds no image.{named} Send it as curl -F image=@photo.jpg does."
        )
    return parts


def _segments(boundary: str, body: bytes) -> Iterator[tuple[MultipartSegment, bytes]]:
    """Each segment with its content: the whole body is here, so that it comes in one piece (or none if empty)."""
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
