"""What the service tells of the link, the budget and the outbox, over HTTP in this process."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from builders.cloud import Cloud
from builders.escalation import PHOTO, build, kept_in, running, small_repository, until

from edge.dataplane.answer import InferRequest
from edge.errors import CloudUnreachable
from edge.settings import Settings
from edge.web.app import create_app


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "models").mkdir()
    return small_repository(tmp_path / "models")


def asked(service, *paths, frames=0):
    """The replies to these paths, after so many frames were kept."""

    async def run():
        app = create_app(service, Settings())
        async with (
            running(service),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://localhost"
            ) as one,
        ):
            for number in range(frames):
                camera = f"camera {number}"
                await service.infer(
                    PHOTO + bytes([number]), InferRequest(time.monotonic() + 60, camera=camera)
                )
            return [await one.get(path) for path in paths]

    return asyncio.run(run())


@pytest.fixture
def keeping(repository, tmp_path):
    return build(repository, None, outbox=kept_in(tmp_path / "box"), ack_s=5.0)


def test_the_status_shows_all_parts_behind_the_edge(repository, tmp_path):
    service = build(repository, Cloud(), outbox=kept_in(tmp_path / "box"))
    (reply,) = asked(service, "/fallback")
    assert reply.status_code == 200
    told = reply.json()
    assert set(told) == {"modes", "link", "shadow", "outbox"}
    assert (told["modes"], told["link"]["state"]) == ({"flowers": ["low_confidence"]}, "up")
    assert told["outbox"]["folder"] == str(tmp_path / "box")


def test_without_an_outbox_there_is_no_list_of_it(repository):
    status, entries, one = asked(build(repository, Cloud()), "/fallback", "/outbox", "/outbox/abc")
    assert (status.status_code, entries.status_code, one.status_code) == (200, 404, 404)
    assert status.json()["outbox"] is None


def test_entries_are_listed_in_their_order_and_page_by_page(keeping):
    everything, first, rest, none = asked(
        keeping,
        "/outbox",
        "/outbox?limit=2",
        "/outbox?after=2&limit=1000",
        "/outbox?after=5",
        frames=5,
    )
    entries = everything.json()["entries"]
    assert [entry["sequence"] for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry["camera"] for entry in entries] == [f"camera {n}" for n in range(5)]
    assert everything.json()["status"]["waiting"] == 5
    assert first.json()["entries"] == entries[:2]
    assert rest.json()["entries"] == entries[2:]
    assert none.json()["entries"] == []


def test_no_more_than_a_hundred_are_listed_unasked(keeping):
    (usual,) = asked(keeping, "/outbox", frames=105)
    assert len(usual.json()["entries"]) == 100


def test_entries_are_listed_by_their_state(keeping):
    waiting, settled, wrong = asked(
        keeping,
        "/outbox?state=waiting",
        "/outbox?state=resolved",
        "/outbox?state=nonsense",
        frames=2,
    )
    assert len(waiting.json()["entries"]) == 2
    assert settled.json()["entries"] == []
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "limits", ["limit=0", "limit=1001", "after=-1", f"after={2**63}", "limit=x"]
)
def test_a_page_that_makes_no_sense_is_refused(keeping, limits):
    (reply,) = asked(keeping, f"/outbox?{limits}")
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize("limits", ["limit=1", "limit=1000", "after=0", f"after={2**63 - 1}"])
def test_the_widest_page_is_one(keeping, limits):
    (reply,) = asked(keeping, f"/outbox?{limits}")
    assert reply.status_code == 200


def test_an_entry_is_found_by_its_key_and_an_unknown_key_is_not_found(repository, tmp_path):
    cloud = Cloud()
    cloud.usual = CloudUnreachable("busy")
    service = build(repository, cloud, outbox=kept_in(tmp_path / "box"), ack_s=5.0)

    async def run():
        app = create_app(service, Settings())
        async with (
            running(service),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://localhost"
            ) as one,
        ):
            answer = await service.infer(PHOTO, InferRequest(time.monotonic() + 60))
            key = answer.escalation.outbox.key
            await until(lambda: service.cloud.outbox.status().counts.get("waiting") == 1)
            return key, await one.get(f"/outbox/{key}"), await one.get("/outbox/nothing")

    key, found, missing = asyncio.run(run())
    assert (found.status_code, found.json()["key"], found.json()["state"]) == (200, key, "waiting")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "entry_not_found")
    assert "nothing" in missing.json()["error"]["message"]
