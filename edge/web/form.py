"""Finds the images of a multipart body."""

from __future__ import annotations

import asyncio
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

_CHARSET = "latin-1"
"""Of the parts' headers: every byte is a character, so that no name of a file makes one unreadable.
The names are not used."""


async def find_images(content_type: str, body: bytes) -> list[bytes] | None:
    """As `multipart_images`; takes a large body apart on a thread."""
    if len(body) <= _ON_LOOP_BYTES or not content_type.lower().lstrip().startswith(_FORM):
        return multipart_images(content_type, body)
    return await asyncio.to_thread(multipart_images, content_type, body)


def multipart_images(content_type: str, body: bytes) -> list[bytes] | None:
    """The images of a multipart body; ``None`` if the content type is a different one.

    A part with a file name is an image, and one whose content type says so; text fields of the form
    are skipped, and so is the field of a file that the user did not choose: browsers send it empty.

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
    images, fields = [], []
    try:
        for segment, content in _segments(boundary, body):
            if _is_image(segment, content):
                images.append(content)
            else:
                fields.append(_shown_name(segment))
    except (MultipartError, UnicodeError) as error:
        reason = error.args[0] if error.args else "it cannot be read"
        raise BadRequest(f"The multipart body is malformed: {reason}.") from error
    if not images:
        names = ", ".join(fields)[:_MAX_SHOWN]
        named = f" Its fields {names} have no file." if fields else ""
        raise BadRequest(
            f"The multipart body holds no image.{named} Send it as curl -F image=@photo.jpg does."
        )
    return images


def _is_image(segment: MultipartSegment, content: bytes) -> bool:
    kind = segment.content_type or ""
    if kind == "application/json":  # a page's `Blob` of JSON has the file name "blob"
        return False
    if segment.filename is not None:
        return bool(segment.filename or content)
    return kind.startswith("image/") or kind.endswith("/octet-stream")


def _shown_name(segment: MultipartSegment) -> str:
    """The field's name for a message, in UTF-8 as browsers and curl send it."""
    return (segment.name or "").encode(_CHARSET, "replace").decode("utf-8", "replace")


def _segments(boundary: str, body: bytes) -> Iterator[tuple[MultipartSegment, bytes]]:
    """Each segment with its content: one event, since the body is complete; none if empty.

    Strict, because the parser joins the continued lines of a header in quadratic time: 11 MB of
    them took 10 s. RFC 7578 has no such lines.
    """
    with PushMultipartParser(
        boundary, max_segment_count=MAX_IMAGES, header_charset=_CHARSET, strict=True
    ) as parser:
        segment, content = None, b""
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                segment, content = event, b""
            elif event is not None:
                content = bytes(event)  # multipart 1 gives a bytearray
            elif segment is not None:
                yield segment, content
