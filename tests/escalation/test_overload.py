"""Frames beyond the edge's own places: the online model takes them, or the outbox."""

from __future__ import annotations

import concurrent.futures
import io

import pytest
from PIL import Image

OVERLOAD = {
    "cloud_mode": "overload",
    "queue_size": 0,
    "models": "models/imagenet",
    "exact_decode": True,
}


@pytest.fixture(scope="module")
def large():
    """Different photos that keep the one worker busy for a while each."""
    file = io.BytesIO()
    Image.effect_noise((3000, 2000), 50).convert("RGB").save(file, "JPEG")
    return [file.getvalue() + bytes([number]) for number in range(6)]


def all_at_once(server, images):
    with concurrent.futures.ThreadPoolExecutor(len(images)) as many:
        return list(many.map(server.post, images))


def test_the_cloud_takes_what_is_too_much_for_the_edge(serve, cloud, vertex, large):
    vertex.behave()
    with serve(**OVERLOAD, **cloud, cloud_timeout_ms=8000) as server:
        server.link_is("up")
        answers = all_at_once(server, large)
    taken = [answer for answer in answers if answer.get("source") == "cloud"]
    assert taken
    assert {answer["reason"] for answer in taken} == {"edge_overloaded"}
    assert taken[0]["image"] == {"width": 3000, "height": 2000}


@pytest.mark.slow
def test_without_a_link_they_wait_in_the_outbox_and_are_resolved_later(
    serve, cloud, vertex, large, tmp_path
):
    vertex.behave()
    with serve(**OVERLOAD, outbox_dir=tmp_path, outbox_ack_ms=3000) as server:
        answers = all_at_once(server, large)
        refused = [answer["error"] for answer in answers if "error" in answer]
        assert refused
        assert {error["code"] for error in refused} == {"overloaded"}
        assert all("is kept in the outbox" in error["message"] for error in refused)
        kept = server.get("/outbox")["entries"]
    assert [entry["reason"] for entry in kept] == ["edge_overloaded"] * len(refused)
    with serve(**OVERLOAD, **cloud, outbox_dir=tmp_path) as server:
        server.wait(lambda: server.get("/outbox?state=waiting")["entries"] == [])
        settled = server.get("/outbox?state=resolved")["entries"]
    assert {entry["key"] for entry in settled} == {entry["key"] for entry in kept}
    assert {entry["cloud"]["predictions"][0]["label"] for entry in settled} == {"daisy"}
