"""The wall's events on the wire: how many may look, what each is sent, and that one who leaves
leaves nothing.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

import pytest
from builders.answers import ask
from fastapi import FastAPI
from serving.loop import CALM_S, LoopServer, resources, until
from serving.pictures import photo
from serving.process import MODELS

from edge.dataplane.answer import Answer, InferRequest
from edge.errors import SettingsError
from edge.settings import Settings
from edge.web.dialects.dialect import DialectTable
from edge.web.error_mapping import install_handlers
from edge.web.pages.wall import PHONE, Wall
from edge.web.pages.wall_events import health_json
from edge.web.pages.wall_routes import MAX_WALLS, wall_dialect
from edge.wiring.bootstrap import build_service


class Look:
    """A wall as a browser opens it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.status = 0
        self.headers: dict[str, str] = {}

    @classmethod
    async def open(cls, address: tuple[str, int], path: str = "/wall/events") -> Self:
        look = cls(*await asyncio.open_connection(*address))
        look._writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        look.status = int((await look.line()).split()[1])
        while line := await look.line():
            name, _, value = line.partition(":")
            look.headers[name.lower()] = value.strip()
        return look

    async def line(self) -> str:
        async with asyncio.timeout(CALM_S):
            return (await self._reader.readline()).decode().strip()

    async def event(self, wanted: str = "") -> tuple[str, Any]:
        """The next event, of that name if one is given."""
        while True:
            while not (line := await self.line()).startswith("event: "):
                assert not self._reader.at_eof(), "the stream ended"
            name, data = line.removeprefix("event: "), await self.line()
            if wanted in {"", name}:
                return name, json.loads(data.removeprefix("data: "))

    async def names_until(self, wanted: str, count: int) -> list[str]:
        """The names of the events that come until that one has come so often."""
        found: list[str] = []
        while found.count(wanted) < count:
            found.append((await self.event())[0])
        return found

    async def end(self) -> None:
        """Return when the server ends the stream: with a chunk of no bytes."""
        async with asyncio.timeout(CALM_S):
            while await self.line() != "0":
                pass

    async def gone(self) -> None:
        """Close it, and return when it is closed."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()

    def half_close(self) -> None:
        self._writer.write_eof()


class Door:
    """The wall's door alone, and what stands behind it."""

    def __init__(self, answer: Answer) -> None:
        self.service = build_service(Settings(workers=1))
        self.now = 0.0
        self.wall = Wall(100, 8 << 20, 50_000_000, steady=lambda: self.now)
        self._answer = answer
        self._looks: list[Look] = []
        app = FastAPI()
        install_handlers(app)
        wall_routes = wall_dialect(self.wall, self.service)
        app.include_router(wall_routes.router)
        app.state.dialects = DialectTable([wall_routes])
        self._server = LoopServer(app)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        await (await self.open("/warm-up")).gone()
        await until(lambda: not self._server.server_state.connections)
        return self

    async def __aexit__(self, *_: object) -> None:
        for look in self._looks:
            await look.gone()
        await self._server.__aexit__()
        await self.service.stop()

    def saw(self, image: bytes = b"picture", camera: str = PHONE) -> None:
        """A frame, two seconds after the last: each of a phone's is in the feed."""
        self.now += 2
        self.wall.observe(image, InferRequest(0, camera=camera), self._answer)

    async def open(self, path: str = "/wall/events") -> Look:
        self._looks.append(await Look.open(self._server.address, path))
        return self._looks[-1]

    async def look(self) -> Look:
        """A wall that is open."""
        look = await self.open()
        assert look.status == 200
        await look.event("health")
        return look


@pytest.fixture(scope="module")
def with_door() -> Callable[[Callable[[Door], Awaitable[None]]], None]:
    """Runs a test beside an open door, in one loop."""
    answer = ask(MODELS / "imagenet", photo("coffee"))

    def run(live: Callable[[Door], Awaitable[None]]) -> None:
        async def main() -> None:
            async with Door(answer) as door:
                await live(door)

        asyncio.run(main())

    return run


@pytest.mark.parametrize("leave", [Look.close, Look.abort, Look.half_close])
def test_walls_that_came_and_went_leave_no_watcher_task_or_descriptor(with_door, leave):
    async def live(door: Door) -> None:
        before = resources()
        for _ in range(3):
            looks = [await door.look() for _ in range(MAX_WALLS)]
            assert door.wall.watchers == MAX_WALLS
            door.saw()
            for look in looks:
                leave(look)
            await until(lambda: door.wall.watchers == 0)
            for look in looks:
                await look.gone()
        await until(lambda: resources() <= before)

    with_door(live)


def test_one_wall_too_many_is_refused_and_its_place_comes_back_when_another_leaves(with_door):
    async def live(door: Door) -> None:
        looks = [await door.look() for _ in range(MAX_WALLS)]
        for _ in range(3):
            refused = await door.open()
            assert (refused.status, refused.headers["x-edge-error"]) == (429, "too_many_walls")
        assert door.wall.watchers == MAX_WALLS
        looks.pop().close()
        await until(lambda: door.wall.watchers == MAX_WALLS - 1)
        looks.append(await door.look())
        assert (await door.open()).status == 429

    with_door(live)


def test_walls_that_are_opened_all_at_once_are_bounded_too(with_door):
    async def live(door: Door) -> None:
        looks = await asyncio.gather(*(door.open() for _ in range(2 * MAX_WALLS)))
        assert [look.status for look in looks].count(200) == MAX_WALLS == door.wall.watchers

    with_door(live)


def test_a_service_that_stops_ends_its_walls(with_door):
    async def live(door: Door) -> None:
        looks = [await door.look() for _ in range(3)]
        door.service.refuse_new()
        for look in looks:
            await look.end()
        await until(lambda: door.wall.watchers == 0)

    with_door(live)


def test_a_browser_is_told_to_keep_nothing_and_when_to_come_back(with_door):
    async def live(door: Door) -> None:
        look = await door.open()
        assert look.headers["content-type"].startswith("text/event-stream")
        assert (look.headers["cache-control"], look.headers["x-accel-buffering"]) == (
            "no-store",
            "no",
        )
        assert [await look.line() for _ in range(3)][1] == "retry: 1000"  # after the chunk's length

    with_door(live)


def test_each_answer_is_sent_once_and_a_new_wall_gets_the_newest(with_door):
    async def live(door: Door) -> None:
        for _ in range(60):
            door.saw()
        look = await door.open()
        _, first = await look.event("answers")
        assert [one["number"] for one in first] == list(range(21, 61))
        door.saw()
        door.saw()
        _, second = await look.event("answers")
        assert [one["number"] for one in second] == [61, 62]
        assert "answers" not in await look.names_until("health", 2)

    with_door(live)


def test_the_newest_frame_of_each_camera_is_sent_once(with_door):
    async def live(door: Door) -> None:
        for camera in ("a", "b", "a"):
            door.saw(camera=camera)
        look = await door.open()
        _, frames = await look.event("frames")
        assert [(one["camera"], one["number"]) for one in frames] == [("b", 2), ("a", 3)]
        door.saw(camera="b")
        _, frames = await look.event("frames")
        assert [(one["camera"], one["number"]) for one in frames] == [("b", 4)]
        assert "frames" not in await look.names_until("health", 2)

    with_door(live)


def test_frames_that_are_too_large_for_one_event_come_in_the_next(with_door, monkeypatch):
    monkeypatch.setattr("edge.web.pages.wall_events._MAX_EVENT_BYTES", 2000)

    async def live(door: Door) -> None:
        for number in range(7):
            door.saw(camera=f"camera {number}")
        look = await door.open()
        cameras: list[str] = []
        while len(cameras) < 7:
            _, frames = await look.event("frames")
            assert 1 <= len(frames) < 7
            cameras += [one["camera"] for one in frames]
        assert cameras == [f"camera {number}" for number in range(7)]

    with_door(live)


def test_a_wall_is_told_every_second_how_each_camera_does(with_door):
    async def live(door: Door) -> None:
        door.saw(camera="a")
        look = await door.look()
        door.now += 40
        _, cameras = await look.event("cameras")
        assert [(one["camera"], one["silent_s"]) for one in cameras] == [("a", 40.0)]

    with_door(live)


def test_a_wall_sleeps_until_there_is_more(with_door):
    async def live(door: Door) -> None:
        look = await door.look()
        door.saw()
        await look.event("answers")
        [news] = door.wall._watchers
        await until(lambda: not news.is_set())

    with_door(live)


def test_a_clearing_is_told_once_and_only_to_the_walls_that_were_open(with_door):
    async def live(door: Door) -> None:
        door.wall.clear()
        look = await door.open()
        assert "clear" not in await look.names_until("counts", 1)
        door.saw()
        await look.event("answers")
        door.wall.clear()
        door.saw()
        names = await look.names_until("answers", 1)
        assert [name for name in names if name in {"clear", "answers"}] == ["clear", "answers"]
        door.saw()
        assert "clear" not in await look.names_until("answers", 1)

    with_door(live)


@pytest.mark.slow
def test_health_is_told_each_second_and_the_counts_each_five(with_door):
    async def live(door: Door) -> None:
        look = await door.look()
        began = time.monotonic()
        names = await look.names_until("counts", 2)
        assert 4.5 < time.monotonic() - began < CALM_S
        assert 3 <= names.count("health") <= 7

    with_door(live)


@pytest.mark.parametrize("number", ["0", "7", "-1", "x", "1.5", "%C2%B2", "9" * 5000])
def test_a_picture_that_is_not_there_is_gone_whatever_its_number(with_door, number):
    async def live(door: Door) -> None:
        door.saw(photo("coffee"))
        reply = await door.open(f"/wall/pictures/{number}.jpg")
        assert (reply.status, reply.headers["x-edge-error"]) == (404, "picture_gone")
        shown = await door.open("/wall/pictures/1.jpg")
        assert (shown.status, shown.headers["cache-control"]) == (200, "no-store")

    with_door(live)


def test_the_health_names_refused_models_and_how_many_workers_are_busy():
    service = build_service(Settings(workers=2, queue_size=5))
    service.repository.refused["lilies"] = SettingsError("no labels")
    told = health_json(service)
    assert (told["workers"], told["queue"]) == ({"all": 2, "busy": 0}, {"size": 5, "waiting": 0})
    assert told["models"][-1] == {
        "name": "lilies",
        "version": None,
        "state": "END",
        "fault": "no labels",
    }
    assert told["stopping"] is False
    service.refuse_new()
    assert health_json(service)["stopping"] is True
    asyncio.run(service.stop())
