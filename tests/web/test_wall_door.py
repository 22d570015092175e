"""The wall's door: what a browser is sent, how many may look, and that one who leaves leaves
nothing behind.
"""

import base64
import io
import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from PIL import Image
from serving.pictures import photo
from serving.process import Server

from edge.web.pages.wall import PHONE


@pytest.fixture(scope="module")
def walled() -> Iterator[Server]:
    with Server() as running:
        yield running


class Events:
    """A wall as a browser opens it: collects its events."""

    def __init__(self, server: Server) -> None:
        self.seen: list[tuple[str, object]] = []
        self.leaving = False
        self._arrived = threading.Condition()
        self._url = f"{server.url}/wall/events"
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.wait("health")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leaving = True
        self._thread.join(10)  # the next event, within a second, ends it

    def frame(self, camera):
        """The newest frame of that camera."""
        found = self.wait("frames", lambda some: any(one["camera"] == camera for one in some))
        return next(one for one in found if one["camera"] == camera)

    def wait(self, name, good=lambda content: True, seconds=10.0):
        """The first event of that name that is good."""

        def found():
            return [content for kind, content in self.seen if kind == name and good(content)]

        with self._arrived:
            assert self._arrived.wait_for(found, seconds), (
                f"no {name} within {seconds} s: {self.seen}"
            )
            return found()[0]

    def _read(self) -> None:
        try:
            with httpx.stream("GET", self._url, timeout=30) as reply:
                name = ""
                for line in reply.iter_lines():
                    if self.leaving:
                        return
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        with self._arrived:
                            self.seen.append((name, json.loads(line.removeprefix("data: "))))
                            self._arrived.notify_all()
        except httpx.HTTPError:
            pass  # the server ended


def test_an_open_wall_gets_a_posted_frame_with_its_answer_and_picture(walled):
    with Events(walled) as events:
        reply = walled.client.post("/predict?camera=line-7", content=photo("coffee")).json()
        found = events.frame("line-7")
        head = {"number", "at", "camera", "picture"}
        assert {key: value for key, value in found.items() if key not in head} == reply
        picture = walled.client.get(f"/wall/pictures/{found['number']}.jpg")
        assert picture.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(picture.content)).size == (600, 400)


def test_a_wall_opened_after_a_frame_shows_it(walled):
    """The newest frame of each camera is kept though no wall is open."""
    walled.client.post("/predict?camera=curl", content=photo("chelsea"))
    walled.client.post("/predict?camera=curl", content=photo("coffee"))
    with Events(walled) as events:
        found = events.frame("curl")
        assert found["predictions"][0]["label"] == "espresso"
        picture = walled.client.get(f"/wall/pictures/{found['number']}.jpg")
        assert picture.content == photo("coffee")  # a small JPEG needs no other


def test_a_camera_whose_frames_only_fail_is_on_the_wall_with_the_reason(walled):
    for _ in range(2):
        reply = walled.client.post("/predict?camera=broken", content=b"\xff\xd8\xff no picture")
        assert reply.status_code == 400
    with Events(walled) as events:
        cameras = events.wait("cameras")
        broken = next(one for one in cameras if one["camera"] == "broken")
        assert (broken["failing"], broken["errors"], broken["frame"]) == (True, 2, False)
        assert broken["failure"]["code"] == "corrupt_image"


def test_the_large_view_has_every_score_and_keeps_its_frame_while_newer_ones_come(walled):
    with Events(walled) as events:
        walled.client.post("/predict?camera=line-8", content=photo("coffee"))
        number = events.frame("line-8")["number"]
        whole = walled.client.get(f"/wall/answers/{number}").json()
        scores = [one["score"] for one in whole["scores"]]
        assert (len(scores), scores) == (1000, sorted(scores, reverse=True))
        assert whole["predictions"] == whole["scores"][:5]
        for _ in range(3):
            walled.client.post("/predict?camera=line-8", content=photo("chelsea"))
        frame = walled.client.get(f"/wall/frames/{number}")
        assert frame.content == photo("coffee")
        assert frame.headers["content-type"] == "image/jpeg"
        assert frame.headers["content-disposition"] == f'attachment; filename="line-8-{number}.jpg"'
        drawn = walled.client.get(f"/wall/annotated/{number}.jpg")
        assert Image.open(io.BytesIO(drawn.content)).size == (600, 400)
        assert drawn.content != photo("coffee")


@pytest.mark.parametrize("path", ["answers/{}", "frames/{}", "annotated/{}.jpg"])
@pytest.mark.parametrize("number", ["0", "-1", "x", "%C2%B2", "9" * 5000])
def test_what_is_not_kept_is_gone_whatever_its_number(walled, path, number):
    reply = walled.client.get(f"/wall/{path.format(number)}")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "picture_gone")


def test_a_camera_s_name_cannot_shape_the_name_of_a_download(walled):
    name = '../"; x=y'
    walled.client.post("/predict", params={"camera": name}, content=photo("coffee"))
    with Events(walled) as events:
        number = events.frame(name)["number"]
        headers = walled.client.get(f"/wall/frames/{number}").headers
        assert headers["content-disposition"] == f'attachment; filename="x-y-{number}.jpg"'


def test_every_door_ends_on_the_wall(walled):
    with Events(walled) as events:
        walled.client.post(
            "/v1/models/objects:predict", json={"instances": [{"b64": _b64(photo("chelsea"))}]}
        )
        assert events.frame("")["model"]["name"] == "objects"


def test_a_wall_is_told_health_and_counts(walled):
    walled.client.post("/predict", content=photo("coffee"))
    with Events(walled) as events:
        health = events.wait("health")
        assert {model["name"]: model["state"] for model in health["models"]} == {
            "imagenet": "AVAILABLE",
            "objects": "AVAILABLE",
        }
        assert health["queue"] == {"size": 64, "waiting": 0}
        assert (health["link"], health["outbox"]) == (None, None)  # no cloud is configured
        counts = events.wait("counts")
        assert "espresso" in [one["label"] for one in counts["labels"]]


def test_a_phone_s_picture_waits_for_the_wall_and_clearing_removes_it(walled):
    reply = walled.client.post("/phone/picture?model=objects", content=photo("chelsea"))
    assert reply.json()["predictions"][0]["label"] == "Cat"
    with Events(walled) as events:
        found = events.wait("answers", lambda some: any(one["camera"] == PHONE for one in some))
        number = next(one["number"] for one in found if one["camera"] == PHONE)
        assert walled.client.get(f"/wall/pictures/{number}.jpg").status_code == 200
        assert (
            walled.client.post("/wall/clear", headers={"Origin": "http://example.com"}).status_code
            == 403
        )
        assert walled.client.post("/wall/clear").json() == {"cleared": True}
        events.wait("clear", lambda content: content == {})
        gone = walled.client.get(f"/wall/pictures/{number}.jpg")
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "picture_gone")


def test_a_camera_s_name_is_bounded(walled):
    reply = walled.client.post(f"/predict?camera={'x' * 65}", content=photo("coffee"))
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "bad_request")


def test_an_open_wall_does_not_hold_up_the_end():
    with Server() as server, Events(server):
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10  # not the 30 s of shutdown_grace_s


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
