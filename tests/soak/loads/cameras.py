"""Cameras that post frames of all sizes and formats, and look at what the answers say."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from serving.pictures import encoded, every_format, picture

from soak.load import all_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soak.load import Load
    from soak.replies import Reply

CAMERAS = 6
_SIZES = ((320, 240), (320, 240), (640, 480), (640, 480), (1920, 1080))
_PHOTOS = ("coffee", "chelsea", "astronaut")
_CLOUD = "daisy"  # what the double of the online model sees in every frame
_MAX_WAIT_S = 2.0


@dataclass
class _Frame:
    """A picture, and the best label that each model's first answer gave it."""

    name: str
    content: bytes
    labels: dict[str, str] = field(default_factory=dict)


async def run(load: Load) -> None:
    """Six cameras, each on its own connection, as fast as they are answered."""
    frames = _frames()
    await all_of(_camera(load, number, frames) for number in range(CAMERAS))


def _frames() -> list[_Frame]:
    frames = [
        _Frame(f"{photo} {size}", encoded(picture(photo, size), "JPEG"))
        for photo in _PHOTOS
        for size in _SIZES
    ]
    for name, content in every_format(picture("coffee", (200, 150))).items():
        frames.append(_Frame(name, content))
    return frames


async def _camera(load: Load, number: int, frames: Sequence[_Frame]) -> None:
    connection = await load.connect()
    asked = 0
    while True:
        asked += 1
        frame = load.random.choice(frames)
        post = load.random.choices((_raw, _multipart, _tf_serving), (6, 2, 2))[0]
        if connection.closed or load.random.random() < 0.002:
            connection.abort()
            connection = await load.connect()
        reply = await post(load, connection, f"cam-{number}", frame, asked)
        if reply is None:
            continue
        if reply.status >= 500:
            retry_after = (reply.header(b"retry-after") or b"1").decode()
            wait_s = float(retry_after) if retry_after.isdecimal() else 1.0
            await asyncio.sleep(min(_MAX_WAIT_S, wait_s) * (0.5 + load.random.random()))
        elif reply.status != 200:
            load.fault(f"a good frame was refused: {reply.status}", f"{frame.name}: {reply.body!r}")


async def _raw(load: Load, connection: Any, camera: str, frame: _Frame, asked: int) -> Reply | None:
    model = load.random.choice(("imagenet", "imagenet", "objects"))
    content = frame.content
    if frame.name.startswith(_PHOTOS):
        content += b"%s %d" % (camera.encode(), asked)  # a new frame to the outbox; the same pixels
    request = load.post(f"/predict/{model}?camera={camera}", "image/jpeg", content)
    reply = await load.ask("raw frame", connection, request)
    if reply is not None and reply.status == 200:
        _check(load, frame, model, json.loads(reply.body))
    return reply


async def _multipart(
    load: Load, connection: Any, camera: str, frame: _Frame, _: int
) -> Reply | None:
    count = load.random.choice((1, 1, 3))
    part = (
        b'--cut\r\nContent-Disposition: form-data; name="image"; filename="f"\r\n\r\n'
        + frame.content
        + b"\r\n"
    )
    body = part * count + b"--cut--\r\n"
    request = load.post(
        f"/predict?model=imagenet&camera={camera}", "multipart/form-data; boundary=cut", body
    )
    reply = await load.ask("multipart", connection, request)
    if reply is not None and reply.status == 200:
        content = json.loads(reply.body)
        answers = content["answers"] if count > 1 else [content]
        if len(answers) != count:
            load.fault("multipart: not one answer a picture", f"{len(answers)} of {count}")
        for answer in answers:
            if "error" not in answer:  # one of several may have been refused: overload
                _check(load, frame, "imagenet", answer)
    return reply


async def _tf_serving(
    load: Load, connection: Any, _: str, frame: _Frame, asked: int
) -> Reply | None:
    image = {"b64": base64.b64encode(frame.content).decode()}
    keys = [f"{asked}-{number}" for number in range(load.random.choice((1, 1, 4)))]
    instances = [{"image_bytes": image, "key": key} for key in keys]
    body = json.dumps({"instances": instances}).encode()
    request = load.post("/v1/models/imagenet:predict", "application/json", body)
    reply = await load.ask("tf serving", connection, request)
    if reply is not None and reply.status == 200:
        answered = [row["key"] for row in json.loads(reply.body)["predictions"]]
        if answered != keys:
            load.fault("tf serving: other keys", f"{keys} came back as {answered}")
    return reply


def _check(load: Load, frame: _Frame, model: str, answer: dict[str, Any]) -> None:
    """A frame has the same best label each time, unless the online model answered."""
    predictions = answer["predictions"]
    label = predictions[0]["label"] if predictions else "nothing"
    expected = _CLOUD if answer["source"] == "cloud" else frame.labels.setdefault(model, label)
    if label != expected:
        load.fault("wrong answer", f"{frame.name} to {model}: not {expected}: {answer}")
