"""The wall's routes: events, pictures, all scores of a frame, downloads, and the clearing."""

from __future__ import annotations

import asyncio
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from starlette.responses import StreamingResponse

from edge.api_key import Scope
from edge.errors import EdgeError, Refusal
from edge.vision.draw import Mark, draw_jpeg
from edge.vision.formats import sniff
from edge.web.dialects.dialect import Dialect
from edge.web.error_mapping import json_response
from edge.web.pages.wall_events import wall_events

if TYPE_CHECKING:
    from starlette.types import Receive, Send
    from starlette.types import Scope as AsgiScope

    from edge.dataplane.service import InferenceService
    from edge.repository.repository import ModelRepository
    from edge.web.pages.wall import Wall
    from edge.web.pages.wall_camera import Seen

MAX_WALLS = 16
_BINARY = {"type": "string", "format": "binary"}
_MAX_DIGITS = 18  # of a picture's number; Python refuses to parse thousands
_NO_STORE = {"Cache-Control": "no-store"}
_SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "GIF": "gif", "TIFF": "tif"}
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
"""Of a camera's name, in the name of a file."""


class TooManyWalls(Refusal):
    """The maximum number of walls is open."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_walls"


class PictureGone(EdgeError):
    """The wall no longer keeps the picture, or never did."""

    status = HTTPStatus.NOT_FOUND
    code = "picture_gone"


def wall_dialect(wall: Wall, service: InferenceService) -> Dialect:
    """`GET /wall/events`, the pictures and answers below `/wall/`, and `POST /wall/clear`."""
    router = APIRouter()
    drawing = asyncio.Lock()

    @router.get(
        "/wall/events",
        summary="Frames, answers, cameras, counts and health as server-sent events",
        response_class=Response,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def events() -> Response:
        return _OpenWall(wall, service)

    @router.get(
        "/wall/pictures/{number}.jpg",
        summary="The small picture of a frame on the wall",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {"schema": _BINARY}}}},
    )
    async def picture(number: str) -> Response:
        small = await wall.picture(parse_number(number))
        if small is None:
            raise picture_gone(number)
        return Response(small, media_type="image/jpeg", headers=_NO_STORE)

    @router.get(
        "/wall/answers/{number}",
        summary="The answer of a frame with every score; the frame is kept for a while",
        response_class=Response,
        responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
    )
    async def answer(number: str) -> Response:
        seen = wall.open(parse_number(number))
        if seen is None:
            raise picture_gone(number)
        return Response(seen.with_all_scores(), media_type="application/json", headers=_NO_STORE)

    @router.get(
        "/wall/frames/{number}",
        summary="The frame itself, as its camera sent it",
        response_class=Response,
        responses={200: {"content": {"image/*": {"schema": _BINARY}}}},
    )
    async def frame(number: str) -> Response:
        seen = _find(wall, number)
        image = _image(seen)
        try:
            kind = sniff(image)
        except EdgeError:  # only a graph that decodes by itself accepted it
            return _download(image, "application/octet-stream", _file_name(seen, "bin"))
        suffix = _SUFFIXES[kind]
        return _download(image, f"image/{kind.lower()}", _file_name(seen, suffix))

    @router.get(
        "/wall/annotated/{number}.jpg",
        summary="The frame with its answer drawn on it",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {"schema": _BINARY}}}},
    )
    async def annotated(number: str) -> Response:
        seen = _find(wall, number)
        image = _image(seen)
        marks = _marks(seen, service.repository)
        async with drawing:  # one at a time, to leave the processors to the workers
            drawn = await asyncio.to_thread(
                draw_jpeg, image, marks, max_pixels=wall.max_pixels, heat=seen.heat_map
            )
        return _download(drawn, "image/jpeg", _file_name(seen, "jpg", "-annotated"))

    @router.post("/wall/clear", summary="Remove all pictures and answers from the wall")
    async def clear() -> Response:
        wall.clear()
        return json_response({"cleared": True})

    return Dialect("wall", {"/wall/": Scope.VIEW, "/wall/clear": Scope.ADMIN}, router)


def parse_number(number: str) -> int:
    """The number of a frame; -1, which none has, for what is no number."""
    is_number = number.isascii() and number.isdecimal() and len(number) <= _MAX_DIGITS
    return int(number) if is_number else -1


def picture_gone(number: str) -> PictureGone:
    """The error for a frame that the wall no longer has."""
    return PictureGone(f"Picture {number[:_MAX_DIGITS]} is no longer kept.")


def _find(wall: Wall, number: str) -> Seen:
    seen = wall.find(parse_number(number))
    if seen is None:
        raise picture_gone(number)
    return seen


def _image(seen: Seen) -> bytes:
    if seen.picture is None:
        raise picture_gone(str(seen.number))
    return seen.picture


def _marks(seen: Seen, repository: ModelRepository) -> list[Mark]:
    """What is drawn of an answer, in the words that its model has for people."""
    answer = json.loads(seen.answer_json())
    words_for = repository.find(answer["model"]["name"]).contract.tuning.words_for
    return [
        Mark(words_for(one["label"]), one["index"], one["score"], _corners(one.get("box")))
        for one in answer["predictions"]
    ]


def _corners(box: dict[str, float] | None) -> tuple[float, float, float, float] | None:
    return None if box is None else (box["x_min"], box["y_min"], box["x_max"], box["y_max"])


def _file_name(seen: Seen, suffix: str, what: str = "") -> str:
    camera = _UNSAFE.sub("-", seen.camera).strip("-") or "camera"
    return f"{camera}-{seen.number}{what}.{suffix}"


def _download(content: bytes, media_type: str, name: str) -> Response:
    headers = {
        **_NO_STORE,
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type=media_type, headers=headers)


class _OpenWall(StreamingResponse):
    """The events of one wall, which counts as open from before the first byte until the end."""

    def __init__(self, wall: Wall, service: InferenceService) -> None:
        headers = {**_NO_STORE, "X-Accel-Buffering": "no"}
        super().__init__((), headers=headers, media_type="text/event-stream")
        self._wall = wall
        self._service = service

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if self._wall.watchers >= MAX_WALLS:
            raise TooManyWalls(f"{MAX_WALLS} walls are open already. Close one.")
        with self._wall.watch() as news:
            self.body_iterator = wall_events(self._wall, self._service, news)
            await super().__call__(scope, receive, send)
