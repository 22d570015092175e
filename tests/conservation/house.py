"""A whole service in this process, with what is counted in it, to be compared before and after."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builders.asgi import Request, Stream
from builders.odd_models import Gated, odd_repository
from builders.waiting import until

from edge.bootstrap import build_service
from edge.settings import Settings
from edge.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from fastapi import FastAPI

    from edge.service import InferenceService

MAX_BODY = 50_000
MAX_HELD = 200_000


@dataclass(frozen=True)
class State:
    """All that is counted, and all that runs."""

    in_flight: int
    held_bytes: int
    busy: int
    waiting: int
    gauges: dict[str, float]
    tasks: frozenset[asyncio.Task[Any]]
    timers: int
    threads: frozenset[str]


@dataclass(frozen=True)
class House:
    """A service that is ready, and its application."""

    service: InferenceService
    app: FastAPI
    gated: Gated

    def state(self) -> State:
        service, pool = self.service, self.service.pool
        gauges = ("requests_in_flight", "held_bytes", "queue_frames", "workers_busy", "queue_oldest_age_seconds")
        loop = asyncio.get_running_loop()
        return State(
            in_flight=service.in_flight,
            held_bytes=service.held_bytes,
            busy=pool.busy,
            waiting=pool.waiting,
            gauges={name: self.value(f"edge_{name}") for name in gauges},
            tasks=frozenset(asyncio.all_tasks()),
            timers=sum(not timer.cancelled() for timer in loop._scheduled),
            threads=frozenset(thread.name for thread in threading.enumerate()),
        )

    async def is_again(self, before: State) -> None:
        """Wait until everything is as it was; it must be."""
        with suppress(AssertionError):
            await until(lambda: self.state() == before, seconds=5)
        assert self.state() == before

    def value(self, name: str, **labels: str) -> float:
        return self.service.watcher._metrics.registry.get_sample_value(name, labels) or 0.0

    def requests(self, outcome: str | None = None) -> int:
        """Requests that were counted, with this outcome or in all."""
        (family,) = (one for one in self.service.watcher._metrics.registry.collect() if one.name == "edge_requests")
        return sum(
            int(sample.value)
            for sample in family.samples
            if sample.name.endswith("_total") and outcome in {None, sample.labels["outcome"]}
        )

    async def computing(self, frames: int = 1) -> None:
        """Return once the gated model has so many frames, or more waiting for a worker."""
        await until(lambda: self.gated.begun + self.service.pool.waiting >= frames)

    def shut_gate(self) -> None:
        self.gated.gate.clear()
        self.gated.begun = 0

    def open_stream(self, query: str = "", client: str = "192.0.2.1") -> Stream:
        return Stream(self.app, query, client)


@asynccontextmanager
async def house(folder: Path, **settings: Any) -> AsyncIterator[House]:
    """The service from its start to its stop; two workers and two that wait, if nothing else is said."""
    defaults = {
        "workers": 2, "queue_size": 2, "max_body_bytes": MAX_BODY, "max_held_bytes": MAX_HELD, "deadline_ms": 30_000,
        "log_requests": False, "max_streams": 2, "max_streams_per_client": 2,
    }  # fmt: skip
    wanted = Settings(**(defaults | settings))
    repository = odd_repository(folder / "models")
    service = build_service(wanted, repository)
    app = create_app(service, wanted)
    gated = repository.find("gated")
    assert isinstance(gated, Gated)
    async with app.router.lifespan_context(app):
        await until(lambda: all(one.state == "AVAILABLE" for one in repository.servables))
        await until(lambda: "to_thread" not in repr(asyncio.all_tasks()))  # the task that loads
        try:
            yield House(service, app, gated)
        finally:
            gated.gate.set()  # else the stop would wait for what it keeps


@dataclass(frozen=True)
class Entrance:
    """A way for one image into the service.

    Attributes:
        url: model to the path.
        pack: image to headers and the chunks of the body.
    """

    name: str
    url: Callable[[str], str]
    pack: Callable[[bytes], tuple[dict[str, str], list[bytes]]]

    def open(self, house: House, model: str, image: bytes, *, query: str = "") -> tuple[Request, list[bytes]]:
        """A request whose head is sent, and the body that it wants."""
        headers, chunks = self.pack(image)
        return Request(house.app, self.url(model) + query, headers), chunks

    def post(self, house: House, model: str, image: bytes, *, query: str = "") -> Request:
        """A request, sent whole."""
        request, chunks = self.open(house, model, image, query=query)
        request.body(*chunks)
        return request

    def size(self, image: bytes) -> int:
        """Bytes of the body."""
        return sum(map(len, self.pack(image)[1]))


def _raw(image: bytes) -> tuple[dict[str, str], list[bytes]]:
    return {"content-length": str(len(image))}, [image]


def _in_parts(body: bytes) -> list[bytes]:
    third = len(body) // 3 + 1
    return [body[start : start + third] for start in range(0, len(body), third)] or [b""]


def _chunked(image: bytes) -> tuple[dict[str, str], list[bytes]]:
    return {"transfer-encoding": "chunked"}, _in_parts(image)


def _form(image: bytes) -> tuple[dict[str, str], list[bytes]]:
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    body = head + image + b"\r\n--x--\r\n"
    return {"content-type": "multipart/form-data; boundary=x", "content-length": str(len(body))}, _in_parts(body)


def _rows(image: bytes) -> tuple[dict[str, str], list[bytes]]:
    body = json.dumps({"instances": [{"image_bytes": {"b64": base64.b64encode(image).decode()}}]}).encode()
    return {"content-length": str(len(body))}, _in_parts(body)


def _rows_chunked(image: bytes) -> tuple[dict[str, str], list[bytes]]:
    return {"transfer-encoding": "chunked"}, _rows(image)[1]


def _camera(model: str) -> str:
    return f"/predict/{model}"


def _tf_serving(model: str) -> str:
    return f"/v1/models/{model}:predict"


ENTRANCES = [
    Entrance("raw body", _camera, _raw),
    Entrance("chunked body", _camera, _chunked),
    Entrance("multipart form", _camera, _form),
    Entrance("TensorFlow Serving rows", _tf_serving, _rows),
    Entrance("TensorFlow Serving rows, chunked", _tf_serving, _rows_chunked),
]
