"""The wall: what it keeps, what it counts, and that what leaves it is not counted any more."""

import asyncio
import io
import time
from dataclasses import replace

import pytest
from PIL import Image
from serving.pictures import photo

from edge.bootstrap import build_service, load_models
from edge.service import Answer, Query
from edge.settings import Settings
from edge.web.wall import MAX_CAMERAS, PHONE, Wall

MINUTE = 60.0


class Clock:
    """Seconds that pass when told."""

    def __init__(self, now: float = 1_000_000 * MINUTE) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def answers() -> dict[str, Answer]:
    """Real answers: the classifier's for the coffee, the detector's for the cat."""

    async def ask() -> dict[str, Answer]:
        service = build_service(Settings(workers=1))
        load_models(service)
        coffee = await service.infer(photo("coffee"), Query(time.monotonic() + 30, "imagenet"))
        cat = await service.infer(photo("chelsea"), Query(time.monotonic() + 30, "objects"))
        await service.stop()
        return {"coffee": coffee, "cat": cat}

    return asyncio.run(ask())


def wall(size=4, max_bytes=1 << 20, clock=None) -> Wall:
    return Wall(size, max_bytes, 50_000_000, clock or Clock())


def query(camera="") -> Query:
    return Query(0, camera=camera)


def test_while_nobody_watches_nothing_is_kept_but_counted(answers):
    one = wall()
    one.saw(photo("coffee"), query("a"), answers["coffee"])
    assert one.since(0) == []
    assert one.last_hour()["labels"][0]["label"] == "espresso"
    assert repr(one) == "<Wall 0 answers of 0 cameras, 0 bytes, 0 watching>"


def test_pictures_of_phones_are_kept_though_nobody_watches(answers):
    one = wall()
    one.saw(photo("coffee"), query(PHONE), answers["coffee"])
    assert [seen.camera for seen in one.since(0)] == [PHONE]


def test_a_watcher_is_told_and_finds_what_came_since(answers):
    one = wall()
    with one.watch() as news:
        one.saw(photo("coffee"), query("a"), answers["coffee"])
        one.saw(photo("chelsea"), query(), answers["cat"])
        assert news.is_set()
    assert [(seen.number, seen.camera) for seen in one.since(0)] == [(1, "a"), (2, "")]
    assert [seen.number for seen in one.since(1)] == [2]
    assert one.watchers == 0


def test_a_fast_camera_does_not_push_out_a_slow_one(answers):
    one = wall(size=3)
    with one.watch():
        one.saw(b"slow", query("slow"), answers["coffee"])
        for _ in range(10):
            one.saw(b"fast", query("fast"), answers["coffee"])
    kept = [seen.camera for seen in one.since(0)]
    assert kept == ["slow", "fast", "fast", "fast"]


def test_bytes_are_bounded_and_the_camera_that_holds_most_gives_way(answers):
    one = wall(size=100, max_bytes=1000)
    with one.watch():
        one.saw(bytes(100), query("small"), answers["coffee"])
        for _ in range(50):
            one.saw(bytes(300), query("large"), answers["coffee"])
    sizes = [(seen.camera, seen.size) for seen in one.since(0)]
    assert sizes == [("small", 100)] + [("large", 300)] * 3
    assert "400 bytes" not in repr(one)
    assert "1000 bytes" in repr(one)


def test_a_picture_larger_than_the_bound_is_not_kept_its_answer_is(answers):
    one = wall(max_bytes=10)
    with one.watch():
        one.saw(bytes(11), query("a"), answers["coffee"])
    [seen] = one.since(0)
    assert (seen.picture, seen.as_json()["picture"]) == (None, False)


def test_cameras_are_bounded_and_the_one_silent_longest_gives_way(answers):
    one = wall()
    with one.watch():
        for number in range(MAX_CAMERAS):
            one.saw(b"x", query(f"camera {number}"), answers["coffee"])
        one.saw(b"x", query("camera 0"), answers["coffee"])
        one.saw(b"x", query("another"), answers["coffee"])
    cameras = {seen.camera for seen in one.since(0)}
    assert "camera 1" not in cameras
    assert {"camera 0", "another"} <= cameras
    assert len(cameras) == MAX_CAMERAS
    assert f"{MAX_CAMERAS + 1} bytes" in repr(one)


def test_a_picture_is_made_small_when_asked_for_and_takes_the_place_of_the_large_one(answers):
    large = io.BytesIO()
    Image.open(io.BytesIO(photo("coffee"))).resize((1800, 1200)).save(large, "PNG")
    one = wall(max_bytes=32 << 20)
    with one.watch():
        one.saw(large.getvalue(), query("a"), answers["coffee"])
    small = asyncio.run(one.picture(1))
    picture = Image.open(io.BytesIO(small))
    assert (picture.format, picture.size) == ("JPEG", (640, 427))
    assert f"{len(small)} bytes" in repr(one)
    assert asyncio.run(one.picture(1)) is small
    assert asyncio.run(one.picture(2)) is None


def test_clearing_forgets_answers_and_pictures_and_tells_the_watchers(answers):
    one = wall()
    with one.watch() as news:
        one.saw(photo("coffee"), query("a"), answers["coffee"])
        news.clear()
        one.clear()
        assert news.is_set()
    assert one.since(0) == []
    assert "0 answers of 0 cameras, 0 bytes" in repr(one)
    assert asyncio.run(one.picture(1)) is None


def test_the_last_hour_is_counted_by_minute_and_forgotten_after_it(answers):
    clock = Clock()
    one = wall(clock=clock)
    one.saw(b"", query(), answers["coffee"])
    clock.now += 59 * MINUTE
    one.saw(b"", query(), answers["coffee"])
    one.saw(b"", query(), answers["cat"])
    espresso, cat = one.last_hour()["labels"]
    assert (espresso["label"], espresso["sum"]) == ("espresso", 2)
    assert espresso["minutes"] == [1] + [0] * 58 + [1]
    assert (cat["label"], cat["sum"]) == ("Cat", 1)
    clock.now += MINUTE
    assert one.last_hour()["labels"][0]["minutes"] == [0] * 58 + [1, 0]
    clock.now += 60 * MINUTE
    assert one.last_hour() == {"labels": [], "others": 0}


def test_a_clock_set_back_loses_no_later_counts(answers):
    clock = Clock()
    one = wall(clock=clock)
    one.saw(b"", query(), answers["coffee"])
    clock.now -= 24 * 60 * MINUTE
    one.saw(b"", query(), answers["coffee"])
    assert one.last_hour()["labels"][0]["sum"] == 1


def test_labels_beyond_the_shown_ones_are_summed(answers):
    one = wall()
    coffee = answers["coffee"]
    for number in range(10):
        item = replace(coffee.items[0], label=f"label {number}")
        one.saw(b"", query(), replace(coffee, items=[item]))
    hour = one.last_hour()
    assert len(hour["labels"]) == 8
    assert hour["others"] == 2
