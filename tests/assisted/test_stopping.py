"""What the outbox was handed is on the disk when the service has stopped, and what is stopped is stopped in order."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from dataclasses import replace

import pytest
from builders.outbox import frame
from builders.waiting import wait

from edge.assistance import assisted_service, open_store
from edge.assisted import AssistedService
from edge.bootstrap import build_repository, serving_service
from edge.errors import OutboxError, ShuttingDown
from edge.outbox.store import FILE_NAME
from edge.settings import Settings

UNSURE = {"models": "models/imagenet", "cloud_mode": "low_confidence", "cloud_threshold": 1.0}


class BusyDisk:
    """Keeps everybody else from writing to an outbox while it is entered."""

    def __init__(self, folder):
        self._database = sqlite3.connect(folder / FILE_NAME, isolation_level=None)

    def __enter__(self):
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_):
        self._database.execute("COMMIT")
        self._database.close()


def images(folder):
    store = open_store(Settings(outbox_dir=folder), create=False)
    there = {store.image(entry.key) for entry in store.entries()}
    store.close()
    return there


def test_frames_that_are_pending_when_the_service_is_stopped_are_there_after_a_restart(serve, frames, tmp_path):
    first, *pending = frames(3)
    with serve(**UNSURE, outbox_dir=tmp_path) as server:
        server.post(first)
        server.wait(lambda: len(server.get("/outbox")["entries"]) == 1)
        with BusyDisk(tmp_path):
            for image in pending:
                assert server.post(image)["outbox"]["state"] == "pending"
            server.process.send_signal(signal.SIGTERM)
            until = time.monotonic() + 1.5  # it has stopped by then, if it does not wait for the disk
            while server.process.poll() is None and time.monotonic() < until:
                time.sleep(0.02)
        assert server.process.wait(20) == 0
    assert images(tmp_path) == {first, *pending}


def test_kill_9_loses_no_frame_that_was_said_to_be_kept(serve, frames, tmp_path):
    sent = frames(5)
    with serve(**UNSURE, outbox_dir=tmp_path, outbox_ack_ms=3_000) as server:
        assert {server.post(image)["outbox"]["state"] for image in sent} == {"kept"}
        server.kill()
    assert images(tmp_path) == set(sent)


def test_a_disk_that_is_busy_holds_up_an_answer_as_long_as_the_owner_allows_and_no_longer(serve, frames, tmp_path):
    first, *more = frames(3)
    with serve(**UNSURE, outbox_dir=tmp_path, outbox_ack_ms=300) as server:
        wait(lambda: server.post(first)["outbox"]["state"] == "kept")
        with BusyDisk(tmp_path):
            for image in more:
                began = time.monotonic()
                answer = server.post(image)
                assert 0.3 <= time.monotonic() - began < 3
                assert (answer["source"], answer["outbox"]) == ("edge", {"state": "pending", "key": None})
            assert server.get("/health/ready")["ready"]
        server.wait(lambda: len(server.get("/outbox")["entries"]) == 3)
        assert server.get("/fallback")["outbox"]["queued_bytes"] == 0


@pytest.fixture
def service(embedded_models, tmp_path):
    """An assisted service that was not started, with an outbox and no link."""
    settings = Settings(models=embedded_models / "imagenet", workers=1, outbox_dir=tmp_path)
    one = serving_service(settings, build_repository(settings))
    assert isinstance(one, AssistedService)
    yield one
    one.pool.close()


def test_the_outbox_is_stopped_with_the_service(service, tmp_path):
    outbox = service.assistance.outbox

    async def run():
        service.start()
        with service.admit():
            futures = [outbox.put(frame(f"{number}")) for number in range(40)]
        await service.stop()
        return futures

    futures = asyncio.run(run())
    assert all(future.done() and future.result().kept for future in futures)
    with pytest.raises(OutboxError, match="closed"):
        outbox.put(frame("late")).result(10)
    assert len(images(tmp_path)) == 40
    assert outbox.status()["queued_bytes"] == 0


class Part:
    """Stands where the link or the outbox does; says when it was stopped."""

    def __init__(self, name, stopped):
        self.name, self.stopped = name, stopped
        self.fault = self.hindrance = self.state = None

    def stop(self):
        self.stopped.append(self.name)


def test_frames_are_answered_before_the_link_ends_and_the_outbox_last(service):
    """The link's last answers are still stored, and the frames' last are still kept."""
    stopped = []
    parts = {name: Part(name, stopped) for name in ("link", "outbox")}
    service.assistance = replace(service.assistance, **parts)

    async def run():
        with service.admit():
            stopping = asyncio.ensure_future(service.stop())
            await asyncio.sleep(0.1)
            assert not stopping.done()
            assert stopped == []
            with pytest.raises(ShuttingDown), service.admit():
                pass
        await asyncio.wait_for(stopping, 10)

    asyncio.run(run())
    assert stopped == ["link", "outbox"]


@pytest.mark.parametrize("missing", ["link", "outbox"])
def test_a_service_with_one_of_the_two_is_stopped_as_well(service, missing):
    stopped = []
    parts = {name: Part(name, stopped) if name != missing else None for name in ("link", "outbox")}
    service.assistance = replace(service.assistance, **parts)
    asyncio.run(service.stop())
    assert stopped == [name for name in parts if name != missing]


def test_an_outbox_without_a_link_is_opened_with_the_service(embedded_models, tmp_path):
    settings = Settings(models=embedded_models / "imagenet", workers=1, outbox_dir=tmp_path / "box")
    repository = build_repository(settings)
    service = assisted_service(settings, serving_service(settings, repository))

    async def run():
        service.start()
        wait((tmp_path / "box" / FILE_NAME).exists)
        await service.stop()

    asyncio.run(run())
