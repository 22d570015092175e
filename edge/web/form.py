"""Finds the images of a multipart body."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from edge.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_IMAGES = 256
"""Images of one request, at every door."""

_MAX_BOUNDARY = 70  # characters; RFC 2046, 5.1.1
_MAX_CONTENT_TYPE = 1024
_MAX_SHOWN = 100  # characters of the fields' names in a message
_FORM = "multipart/form-data"

_ON_LOOP_BYTES = 1 << 20
"""Smaller bodies are taken apart on the event loop, which takes under 3 ms."""


@dataclass(frozen=True, slots=True)
class Part:
    """An image of a multipart body: the form field's name, the file's if any, and the bytes."""

    name: str
    filename: str | None
    content: bytes


async def find_images(content_type: str, body: bytes) -> list[Part] | None:
    """As `multipart_images`; takes a large body apart on a thread."""
    if len(body) <= _ON_LOOP_BYTES or not content_type.lower().lstrip().startswith(_FORM):
        return multipart_images(content_type, body)
    return await asyncio.to_thread(multipart_images, content_type, body)


def multipart_images(content_type: str, body: bytes) -> list[Part] | None:
    """The images of a multipart body; ``None`` if the content type is a different one.

    A part with a file name or a content type is an image; plain form fields are skipped.

    Raises:
        BadRequest: the body is malformed, or holds no image, or more than `MAX_IMAGES` parts.
    """
    if len(content_type) > _MAX_CONTENT_TYPE:
        raise BadRequest(
            f"Content-Type has {len(content_type):,} characters; at most {_MAX_CONTENT_TYPE:,}."
        )
    kind, options = parse_options_header(content_type)
    if kind != _FORM:
        return None
    boundary = options.get("boundary")
    if not boundary:
        raise BadRequest("The multipart content type has no boundary.")
    if len(boundary) > _MAX_BOUNDARY:
        raise BadRequest(
            f"The multipart boundary has {len(boundary)} characters; at most {_MAX_BOUNDARY}."
        )
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
        names = ", ".join(fields)[:_MAX_SHOWN]
        named = f" Its fields {names} have no file." if fields else ""
        raise BadRequest(
            f"The multipart body holds no image.{named} Send it as curl -F image=@photo.jpg does."
        )
    return parts


def _segments(boundary: str, body: bytes) -> Iterator[tuple[MultipartSegment, bytes]]:
    """Each segment with its content: one event, since the body is complete; none if empty.

    Strict, because the parser joins the continued lines of a header in quadratic time: 11 MB of
    them took 10 s. RFC 7578 has no such lines.
    """
    with PushMultipartParser(boundary, max_segment_count=MAX_IMAGES, strict=True) as parser:
        segment, content = None, b""
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                segment, content = event, b""
            elif event is not None:
                content = bytes(event)  # multipart 1 gives a bytearray
            elif segment is not None:
                yield segment, content
