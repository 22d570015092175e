"""A person's corrections: the frame whose answer is wrong goes into the outbox with its true label.

The wall names a picture that it keeps, the kiosk posts the one that it shows. The online model is
never asked about it; `edge outbox export` writes it for training.
"""

from __future__ import annotations

import asyncio
import json
import time
import unicodedata
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from edge.api_key import Scope
from edge.dataplane.cloud_call import consume_exception
from edge.errors import BadRequest, DeadlineExceeded, EdgeError, OutboxFull
from edge.outbox.entry import Correction, NewEntry
from edge.printable import first_unprintable
from edge.vision.decode import decode
from edge.web.access.client import KEY_NAME
from edge.web.access.keys import authorize
from edge.web.body import receive
from edge.web.dialects.dialect import Dialect
from edge.web.dialects.query import camera_name, read_query, shown
from edge.web.error_mapping import json_response
from edge.web.form import find_images
from edge.web.pages.wall_routes import parse_number, picture_gone

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from edge.dataplane.service import InferenceService
    from edge.outbox.outbox import Outbox
    from edge.repository.version import ModelVersion
    from edge.settings import Settings
    from edge.web.pages.wall import Wall
    from edge.web.pages.wall_camera import Seen

MAX_LABEL = 128
"""Characters of a label that the model does not have: Vertex AI's display names have no more."""

_CHECKED_SIDE = 64
"""Pixels per side at which a posted JPEG is decoded to see that it is whole."""

_PARAMETERS = {
    "label": "What the image shows: one of the model's labels, or another one of up to 128 "
    "characters.",
    "none": "`true` in place of a label: the image shows none of the model's labels.",
    "picture": "Number of a picture on the wall. Without it, the body is the image.",
    "model": "Name of the model that answered the image in the body; the default model if not "
    "given.",
    "camera": "Name of the camera that sent the image in the body; up to 64 characters.",
}
_DOCUMENTATION: dict[str, Any] = {
    "parameters": [
        {"name": name, "in": "query", "description": words, "schema": {"type": "string"}}
        for name, words in _PARAMETERS.items()
    ],
    "requestBody": {
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    },
}


class NoOutbox(EdgeError):
    """Corrections cannot be kept: there is no outbox, or it keeps no images."""

    status = HTTPStatus.CONFLICT
    code = "no_outbox"


@dataclass(frozen=True, slots=True)
class _Frame:
    """The frame that a correction is about, and the edge's answer to it as far as it is known."""

    image: bytes
    camera: str
    version: int
    model_digest: str
    items: list[dict[str, Any]]


def correction_dialect(wall: Wall, service: InferenceService, settings: Settings) -> Dialect:
    """`GET /corrections`, whether they can be kept, and `POST /corrections`, which keeps one."""
    router = APIRouter()
    checking = asyncio.Lock()  # one picture at a time, to leave the processors to the workers

    @router.get("/corrections", summary="Whether answers can be corrected")
    async def possible() -> Response:
        try:
            _outbox(service, settings)
        except NoOutbox as error:
            return json_response({"possible": False, "reason": error.message})
        return json_response({"possible": True, "max_label": MAX_LABEL})

    @router.post(
        "/corrections",
        summary="Keep a frame whose answer is wrong, with its true label",
        openapi_extra=_DOCUMENTATION,
    )
    async def correct(request: Request) -> Response:
        deadline = time.monotonic() + settings.deadline_ms / 1000
        outbox = _outbox(service, settings)
        query = read_query(request, _PARAMETERS)
        if "picture" in query:
            seen = _seen(request, query, wall, settings)
            answer = json.loads(seen.answer_json())
            version = service.repository.find(answer["model"]["name"])
            frame = _frame_of(seen, answer)
            correction = _correction(request, query, version)
            return await _keep(outbox, _entry(version, frame, correction), deadline)

        version = service.repository.find(query.get("model"))
        camera = camera_name(query)
        correction = _correction(request, query, version)
        async with receive(request, service, settings, deadline) as body:
            image = await _only_image(request, body)
            async with checking:
                await asyncio.to_thread(
                    decode,
                    image,
                    max_pixels=settings.max_pixels,
                    min_side=_CHECKED_SIDE,
                    deadline=deadline,
                )
            frame = _Frame(image, camera, version.version, version.ref.digest, [])
            return await _keep(outbox, _entry(version, frame, correction), deadline)

    return Dialect("corrections", {"/corrections": Scope.PREDICT}, router)


def canonical_label(text: str, known: Collection[str]) -> str:
    """The label that a person means: the model's own, if only its case or its blanks differ.

    Raises:
        BadRequest: it is empty; or the model does not have it, and it is too long, or has a
            character that does not print, which could command the owner's terminal.
    """
    if text in known:
        return text
    label = unicodedata.normalize("NFC", text).strip()
    if label in known:
        return label
    alike = [one for one in known if one.casefold() == label.casefold()]
    if len(alike) == 1:
        return alike[0]
    if not label:
        raise BadRequest("label is empty. Send none=true if the image shows none of the labels.")
    if len(label) > MAX_LABEL:
        raise BadRequest(f"label has {len(label):,} characters; the maximum is {MAX_LABEL}.")
    if (fault := first_unprintable(label)) is not None:
        position, character = fault
        raise BadRequest(
            f"label has the character {character} at position {position + 1}, which does not "
            "print. Use letters, digits, spaces and punctuation."
        )
    return label


def _outbox(service: InferenceService, settings: Settings) -> Outbox:
    """Where corrections go; raises `NoOutbox`."""
    outbox = None if service.cloud is None else service.cloud.outbox
    if outbox is None or settings.outbox is None:
        raise NoOutbox(
            "Corrections are kept in the outbox, and none is configured. Its owner starts one with "
            "--outbox-dir (EDGE_OUTBOX_DIR)."
        )
    if not settings.outbox.images:
        raise NoOutbox(
            "The outbox keeps no images (EDGE_OUTBOX_IMAGES=false), and a correction without its "
            "image trains nothing."
        )
    return outbox


def _correction(request: Request, query: Mapping[str, str], version: ModelVersion) -> Correction:
    by = request.scope.get(KEY_NAME, "")
    if "none" in query:
        if query["none"] != "true":
            raise BadRequest(f"none={shown(query['none'])!r} is not none=true.")
        if "label" in query:
            raise BadRequest("The query has a label and none=true. Send one of them.")
        return Correction("", by)
    if "label" not in query:
        raise BadRequest("The query needs label=..., or none=true.")
    return Correction(canonical_label(query["label"], version.labels or ()), by)


def _seen(request: Request, query: Mapping[str, str], wall: Wall, settings: Settings) -> Seen:
    """The picture on the wall that the query names, with its answer.

    Raises:
        KeyForbidden: who asks may not see the wall.
        BadRequest: there is something besides the picture's number.
        PictureGone: the wall no longer has it.
    """
    if settings.api_keys:
        authorize(settings.api_keys, request, Scope.VIEW)
    for name in ("model", "camera"):
        if name in query:
            raise BadRequest(f"The query names a picture on the wall, whose {name} is known.")
    length = request.headers.get("content-length", "0")
    if length != "0" or "transfer-encoding" in request.headers:
        raise BadRequest("The query names a picture on the wall, and the body holds another one.")
    text = query["picture"]
    seen = wall.find(parse_number(text))
    if seen is None or seen.picture is None:
        raise picture_gone(text)
    return seen


def _frame_of(seen: Seen, answer: Mapping[str, Any]) -> _Frame:
    assert seen.picture is not None
    model = answer["model"]
    # Of the answer, only the edge's own part; none of it if the online model stood in for it.
    edge = answer.get("edge", {"predictions": []} if answer["source"] == "cloud" else answer)
    return _Frame(seen.picture, seen.camera, model["version"], model["digest"], edge["predictions"])


async def _only_image(request: Request, body: bytes) -> bytes:
    """The image in the body, as the camera door takes it."""
    images = await find_images(request.headers.get("content-type", ""), body)
    if images is not None and len(images) != 1:
        raise BadRequest(f"The form holds {len(images)} images. Correct one at a time.")
    image = body if images is None else images[0]
    if not image:
        raise BadRequest("The body is empty. Send the image, or picture=... of one on the wall.")
    return image


def _entry(version: ModelVersion, frame: _Frame, correction: Correction) -> NewEntry:
    best: dict[str, Any] = frame.items[0] if frame.items else {"score": 0.0, "label": ""}
    return NewEntry(
        image=frame.image,
        task=version.contract.task.name,
        model=version.name,
        version=frame.version,
        model_digest=frame.model_digest,
        camera=frame.camera,
        reason="",
        blocked_by="",
        items=frame.items,
        confidence=best["score"],
        label=best["label"],
        multi_label=version.contract.multi_label,
        correction=correction,
    )


async def _keep(outbox: Outbox, entry: NewEntry, deadline: float) -> Response:
    """Store the correction and answer once it is on the disk.

    Raises:
        OutboxError: it cannot be written.
        OutboxFull: it takes more than corrections may.
        DeadlineExceeded: the disk was too slow.
    """
    written = asyncio.wrap_future(outbox.put(entry))
    written.add_done_callback(consume_exception)
    await asyncio.wait({written}, timeout=max(deadline - time.monotonic(), 0))
    if not written.done():
        raise DeadlineExceeded(
            "The outbox's disk is slow: it is not known yet whether the correction is kept. "
            "Send it again: it is kept once."
        )
    receipt = written.result()
    if not receipt.kept:
        raise OutboxFull(
            "The outbox has no room for this correction: corrections take up to half of it. Its "
            "owner makes room with `edge outbox export` and `edge outbox purge --state corrected`."
        )
    correction = entry.correction
    assert correction is not None
    return json_response(
        {"key": receipt.key, "label": correction.label or None, "model": entry.model}
    )
