"""The wall: what it keeps, what it counts, and that what leaves it is not counted any more."""

import asyncio
import io
import json
import re
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest
from builders.images import encode, noise
from hypothesis import given, settings, strategies
from PIL import Image
from serving.pictures import photo

from edge.dataplane.answer import Answer, InferRequest, answer_json
from edge.settings import Settings
from edge.web.error_mapping import json_bytes
from edge.web.pages.wall import MAX_CAMERAS, PHONE, Wall
from edge.wiring.bootstrap import build_service

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
        service.load_models()
        coffee = await service.infer(
            photo("coffee"), InferRequest(time.monotonic() + 30, "imagenet")
        )
        cat = await service.infer(photo("chelsea"), InferRequest(time.monotonic() + 30, "objects"))
        await service.stop()
        return {"coffee": coffee, "cat": cat}

    return asyncio.run(ask())


def answer_bytes(answer: Answer) -> int:
    """Bytes that an answer takes on the wall."""
    return len(json_bytes(answer_json(answer)))


def wall(size=4, max_bytes=1 << 20, clock=None) -> Wall:
    return Wall(size, max_bytes, 50_000_000, clock or Clock())


def query(camera="") -> InferRequest:
    return InferRequest(0, camera=camera)


def counted_bytes(one: Wall) -> int:
    return int(re.search(r"(\d+) bytes", repr(one))[1])


def held_bytes(one: Wall) -> int:
    return sum(len(seen.picture or b"") + len(seen.answer) for seen in one.since(0))


BOUND, SIZE = 9000, 3
PICTURES = (
    encode(noise(8, 8), "PNG"),  # its small JPEG is larger
    encode(noise(40, 24), "PNG"),  # and this one's smaller
    b"no picture at all",
    bytes(1),
    bytes(2500),
    bytes(BOUND),
    bytes(BOUND + 1),
)
ACTS = strategies.one_of(
    strategies.tuples(
        strategies.just("saw"), strategies.integers(0, 5), strategies.sampled_from(PICTURES)
    ),
    strategies.tuples(strategies.just("shown"), strategies.integers(0, 8)),
    strategies.tuples(strategies.just("asked for"), strategies.integers(0, 8)),
    strategies.tuples(strategies.sampled_from(["opened", "closed", "cleared"])),
)


class Life:
    """A wall that things happen to."""

    def __init__(self, answer: Answer) -> None:
        self.wall = wall(SIZE, BOUND)
        self._answer = answer
        self._walls: list[ExitStack] = []
        self._asked: list[asyncio.Task[bytes | None]] = []

    async def happen(self, name: str, *what) -> None:
        latest = max((seen.number for seen in self.wall.since(0)), default=0)
        if name == "saw":
            self.wall.observe(what[1], query(f"camera {what[0]}"), self._answer)
        elif name == "cleared":
            self.wall.clear()
        elif name == "opened":
            self._walls.append(ExitStack())
            self._walls[-1].enter_context(self.wall.watch())
        elif name == "closed" and self._walls:
            self._walls.pop().close()
        elif name == "shown":
            await self.wall.picture(latest - what[0])
        elif name == "asked for":
            self._asked.append(asyncio.create_task(self.wall.picture(latest - what[0])))
        await asyncio.sleep(0)
        self.check()

    async def end(self) -> None:
        await asyncio.gather(*self._asked)
        self.check()
        while self._walls:
            self._walls.pop().close()
        assert self.wall.watchers == 0

    def check(self) -> None:
        assert counted_bytes(self.wall) == held_bytes(self.wall) <= BOUND
        assert self.wall.watchers == len(self._walls)
        cameras = [seen.camera for seen in self.wall.since(0)]
        assert all(cameras.count(camera) <= SIZE for camera in cameras)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(acts=strategies.lists(ACTS, max_size=40))
def test_the_counted_bytes_are_those_held_and_under_the_bound_whatever_happens(answers, acts):
    """Answers, pictures that are made small meanwhile or cannot be, walls opened and closed,
    clearings.
    """

    async def live() -> None:
        life = Life(answers["coffee"])
        await life.happen("opened")
        for act in acts:
            await life.happen(*act)
        await life.end()

    asyncio.run(live())


def test_a_wall_that_ran_for_long_is_no_larger_than_one_that_ran_for_a_while(answers):
    """Ten times the minutes, the cameras, the answers and the walls that came and went."""
    clock = Clock()
    one = wall(size=2, max_bytes=10_000, clock=clock)

    def live(minutes: int) -> tuple[int, ...]:
        for number in range(minutes):
            clock.now += MINUTE if number % 7 else -3 * MINUTE
            with one.watch():
                one.observe(bytes(900), query(f"camera {number % 50}"), answers["coffee"])
                one.observe(bytes(100), query("always"), answers["cat"])
        kept = one.since(0)
        return (
            len(kept),
            len({seen.camera for seen in kept}),
            counted_bytes(one),
            len(one._minutes),
            one.watchers,
        )

    assert live(3000) == live(300) == live(300)
    assert len(one._minutes) <= 60


def test_a_clock_set_back_leaves_no_minutes_of_the_future(answers):
    clock = Clock()
    one = wall(clock=clock)
    for _ in range(5):
        one.observe(b"", query(), answers["coffee"])
        clock.now += MINUTE
    clock.now -= 24 * 60 * MINUTE
    one.observe(b"", query(), answers["coffee"])
    assert len(one._minutes) == 1


def test_a_picture_pushed_off_while_it_is_made_small_is_shown_and_not_counted(answers):
    """The wall is filled anew while the thread draws."""
    one = wall(size=1, max_bytes=32 << 20)

    async def ask() -> bytes | None:
        with one.watch():
            one.observe(photo("coffee"), query("a"), answers["coffee"])
            asked = asyncio.create_task(one.picture(1))
            await asyncio.sleep(0)  # it has asked for a thread
            one.observe(b"another", query("a"), answers["coffee"])
            return await asked

    assert Image.open(io.BytesIO(asyncio.run(ask()))).size == (600, 400)
    assert counted_bytes(one) == len(b"another") + answer_bytes(answers["coffee"])


def test_a_picture_that_several_walls_ask_for_at_once_is_made_small_once(answers):
    one = wall(max_bytes=32 << 20)

    async def ask() -> list[bytes | None]:
        with one.watch():
            one.observe(photo("coffee"), query("a"), answers["coffee"])
        return await asyncio.gather(*(one.picture(1) for _ in range(3)))

    first, *others = asyncio.run(ask())
    assert all(other is first for other in others)
    assert counted_bytes(one) == held_bytes(one) == len(first) + answer_bytes(answers["coffee"])


@pytest.mark.parametrize(
    "picture", [b"no picture", encode(noise(400, 300), "PNG")], ids=["broken", "too many pixels"]
)
def test_a_picture_that_cannot_be_shown_is_none_and_the_next_one_is_shown(answers, picture):
    one = Wall(4, 1 << 20, 100_000, Clock())
    with one.watch():
        one.observe(picture, query("a"), answers["coffee"])
        one.observe(encode(noise(20, 20), "PNG"), query("a"), answers["coffee"])
    assert asyncio.run(one.picture(1)) is None
    assert Image.open(io.BytesIO(asyncio.run(one.picture(2)))).size == (20, 20)
    assert counted_bytes(one) == held_bytes(one)


def test_a_picture_of_exactly_the_bound_is_kept(answers):
    one = wall(max_bytes=10 + answer_bytes(answers["coffee"]))
    with one.watch():
        one.observe(bytes(10), query("a"), answers["coffee"])
    assert one.since(0)[0].picture == bytes(10)


def test_what_came_since_is_in_the_order_of_time_whichever_camera_it_is_of(answers):
    one = wall()
    with one.watch():
        for camera in ("a", "b", "a", "c", "b", "a"):
            one.observe(b"", query(camera), answers["coffee"])
    assert [seen.number for seen in one.since(1)] == [2, 3, 4, 5, 6]
    assert [seen.camera for seen in one.since(0)] == ["a", "b", "a", "c", "b", "a"]


def test_each_box_of_a_detector_counts_and_an_answer_without_items_counts_nothing(answers):
    one = wall()
    cat = answers["cat"]
    box = cat.items[0]
    one.observe(b"", query(), replace(cat, items=[box, replace(box, label="Dog"), box]))
    one.observe(b"", query(), replace(cat, items=[]))
    one.observe(b"", query(), replace(answers["coffee"], items=[]))
    assert {label["label"]: label["sum"] for label in one.last_hour()["labels"]} == {
        box.label: 2,
        "Dog": 1,
    }


def test_of_a_classifier_s_labels_the_best_alone_counts(answers):
    one = wall()
    coffee = answers["coffee"]
    one.observe(
        b"",
        query(),
        replace(coffee, items=[coffee.items[0], replace(coffee.items[0], label="tea")]),
    )
    assert [label["label"] for label in one.last_hour()["labels"]] == ["espresso"]


def test_while_nobody_watches_nothing_is_kept_but_counted(answers):
    one = wall()
    one.observe(photo("coffee"), query("a"), answers["coffee"])
    assert one.since(0) == []
    assert one.last_hour()["labels"][0]["label"] == "espresso"
    assert repr(one) == "<Wall 0 answers of 0 cameras, 0 bytes, 0 watching>"


def test_pictures_of_phones_are_kept_though_nobody_watches(answers):
    one = wall()
    one.observe(photo("coffee"), query(PHONE), answers["coffee"])
    assert [seen.camera for seen in one.since(0)] == [PHONE]


def test_a_watcher_is_told_and_finds_what_came_since(answers):
    one = wall()
    with one.watch() as news:
        one.observe(photo("coffee"), query("a"), answers["coffee"])
        one.observe(photo("chelsea"), query(), answers["cat"])
        assert news.is_set()
        assert one.watchers == 1
    assert [(seen.number, seen.camera) for seen in one.since(0)] == [(1, "a"), (2, "")]
    assert [seen.number for seen in one.since(1)] == [2]
    assert one.watchers == 0


def test_a_fast_camera_does_not_push_out_a_slow_one(answers):
    one = wall(size=3)
    with one.watch():
        one.observe(b"slow", query("slow"), answers["coffee"])
        for _ in range(10):
            one.observe(b"fast", query("fast"), answers["coffee"])
    kept = [seen.camera for seen in one.since(0)]
    assert kept == ["slow", "fast", "fast", "fast"]


def test_bytes_are_bounded_and_the_camera_that_holds_most_gives_way(answers):
    size = answer_bytes(answers["coffee"])
    one = wall(size=100, max_bytes=4 * size + 1000)
    with one.watch():
        one.observe(bytes(100), query("small"), answers["coffee"])
        for _ in range(50):
            one.observe(bytes(300), query("large"), answers["coffee"])
    sizes = [(seen.camera, seen.size - size) for seen in one.since(0)]
    assert sizes == [("small", 100)] + [("large", 300)] * 3
    assert counted_bytes(one) == 4 * size + 1000


def test_a_picture_larger_than_the_bound_is_not_kept_its_answer_is(answers):
    one = wall(max_bytes=10 + answer_bytes(answers["coffee"]))
    with one.watch():
        one.observe(bytes(11), query("a"), answers["coffee"])
    [seen] = one.since(0)
    assert (seen.picture, json.loads(seen.as_json())["picture"]) == (None, False)


def test_an_answer_larger_than_the_bound_is_not_kept(answers):
    one = wall(max_bytes=answer_bytes(answers["coffee"]) - 1)
    with one.watch():
        one.observe(b"", query("a"), answers["coffee"])
    assert one.since(0) == []


def test_an_answer_is_sent_as_the_camera_door_gives_it(answers):
    one = wall()
    with one.watch():
        one.observe(b"x", query("döor"), answers["cat"])
    [seen] = one.since(0)
    told = json.loads(seen.as_json())
    head = {"number": 1, "at": seen.at, "camera": "döor", "picture": True}
    assert told == head | json.loads(json_bytes(answer_json(answers["cat"])))


def test_labels_without_end_are_counted_up_to_a_thousand_a_minute(answers):
    one = wall()
    coffee = answers["coffee"]
    for number in range(1200):
        item = replace(coffee.items[0], label=f"label {number}")
        one.observe(b"", query(), replace(coffee, items=[item]))
    one.observe(b"", query(), replace(coffee, items=[replace(coffee.items[0], label="label 7")]))
    hour = one.last_hour()
    assert hour["labels"][0]["label"] == "label 7"
    assert hour["others"] + sum(label["sum"] for label in hour["labels"]) == 1001


def test_cameras_are_bounded_and_the_one_silent_longest_gives_way(answers):
    one = wall()
    with one.watch():
        for number in range(MAX_CAMERAS):
            one.observe(b"x", query(f"camera {number}"), answers["coffee"])
        one.observe(b"x", query("camera 0"), answers["coffee"])
        one.observe(b"x", query("another"), answers["coffee"])
    cameras = {seen.camera for seen in one.since(0)}
    assert "camera 1" not in cameras
    assert {"camera 0", "another"} <= cameras
    assert len(cameras) == MAX_CAMERAS
    assert len(one.since(0)) == MAX_CAMERAS + 1
    assert counted_bytes(one) == (MAX_CAMERAS + 1) * (1 + answer_bytes(answers["coffee"]))


def test_a_picture_is_made_small_when_asked_for_and_takes_the_place_of_the_large_one(answers):
    large = io.BytesIO()
    Image.open(io.BytesIO(photo("coffee"))).resize((1800, 1200)).save(large, "PNG")
    one = wall(max_bytes=32 << 20)
    with one.watch():
        one.observe(large.getvalue(), query("a"), answers["coffee"])
    small = asyncio.run(one.picture(1))
    picture = Image.open(io.BytesIO(small))
    assert (picture.format, picture.size) == ("JPEG", (640, 427))
    assert counted_bytes(one) == len(small) + answer_bytes(answers["coffee"])
    assert asyncio.run(one.picture(1)) is small
    assert asyncio.run(one.picture(2)) is None


def test_clearing_forgets_answers_and_pictures_and_tells_the_watchers(answers):
    one = wall()
    with one.watch() as news:
        one.observe(photo("coffee"), query("a"), answers["coffee"])
        news.clear()
        one.clear()
        assert news.is_set()
    assert one.since(0) == []
    assert "0 answers of 0 cameras, 0 bytes" in repr(one)
    assert asyncio.run(one.picture(1)) is None


def test_the_last_hour_is_counted_by_minute_and_forgotten_after_it(answers):
    clock = Clock()
    one = wall(clock=clock)
    one.observe(b"", query(), answers["coffee"])
    clock.now += 59 * MINUTE
    one.observe(b"", query(), answers["coffee"])
    one.observe(b"", query(), answers["cat"])
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
    one.observe(b"", query(), answers["coffee"])
    clock.now -= 24 * 60 * MINUTE
    one.observe(b"", query(), answers["coffee"])
    assert one.last_hour()["labels"][0]["sum"] == 1


def test_labels_beyond_the_shown_ones_are_summed(answers):
    one = wall()
    coffee = answers["coffee"]
    for number in range(10):
        item = replace(coffee.items[0], label=f"label {number}")
        one.observe(b"", query(), replace(coffee, items=[item]))
    hour = one.last_hour()
    assert len(hour["labels"]) == 8
    assert hour["others"] == 2
