"""The wall: what it keeps and shows, and that what leaves it is not counted any more."""

import asyncio
import io
import json
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from builders.images import encode, noise
from hypothesis import given, settings, strategies
from PIL import Image
from serving.pictures import photo

from edge.dataplane.answer import Answer, InferRequest, Source, answer_json
from edge.errors import CorruptImage
from edge.model.prediction import HeatMap, Selection
from edge.model.tasks.anomaly import Anomaly
from edge.repository.version import ModelRef
from edge.settings import Settings
from edge.vision.geometry import WHOLE_IMAGE
from edge.web.error_mapping import json_bytes
from edge.web.pages.wall import PHONE, Wall
from edge.web.pages.wall_camera import FAILING
from edge.web.pages.wall_store import MAX_CAMERAS, MAX_OPENED
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
    """Bytes of an answer as JSON."""
    return len(json_bytes(answer_json(answer)))


def wall(size=4, max_bytes=1 << 20, clock=None, own_selection=None) -> Wall:
    clock = clock or Clock()
    more = {} if own_selection is None else {"own_selection": own_selection}
    return Wall(size, max_bytes, 50_000_000, clock, clock, **more)


def query(camera="", client="", **more) -> InferRequest:
    return InferRequest(0, camera=camera, client=client, **more)


def held(one: Wall) -> list:
    return [seen for camera in one._store for seen in camera]


def numbers(one: Wall) -> set[int]:
    return {seen.number for seen in held(one)}


def newest(one: Wall) -> dict[str, int | None]:
    """Camera to the number of its newest frame."""
    return {camera.name: camera.newest and camera.newest.number for camera in one._store}


def assert_counted(one: Wall) -> None:
    sizes = [seen.size for seen in held(one)]
    assert [seen.counted for seen in held(one)] == sizes
    assert sum(sizes) == one._store.bytes == sum(camera.held for camera in one._store)
    assert one._store.bytes <= one._store.max_bytes


BOUND, SIZE = 40_000, 3
PICTURES = (
    encode(noise(8, 8), "PNG"),  # its small JPEG is larger
    encode(noise(40, 24), "PNG"),  # and this one's smaller
    b"no picture at all",
    bytes(1),
    bytes(2500),
    bytes(BOUND // 2),
    bytes(BOUND + 1),
)
ACTS = strategies.one_of(
    strategies.tuples(
        strategies.just("saw"), strategies.integers(0, 5), strategies.sampled_from(PICTURES)
    ),
    strategies.tuples(strategies.just("failed"), strategies.integers(0, 5)),
    strategies.tuples(strategies.just("passed"), strategies.floats(0, 3)),
    strategies.tuples(strategies.just("shown"), strategies.integers(0, 8)),
    strategies.tuples(strategies.just("asked for"), strategies.integers(0, 8)),
    strategies.tuples(strategies.just("looked at"), strategies.integers(0, 8)),
    strategies.tuples(strategies.sampled_from(["opened", "closed", "cleared", "ticked"])),
)


class Life:
    """A wall that things happen to."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.clock = Clock()
        self.wall = wall(SIZE, BOUND, self.clock)
        self._answers = answers
        self._walls: list[ExitStack] = []
        self._asked: list[asyncio.Task[bytes | None]] = []

    async def happen(self, name: str, *what) -> None:
        await getattr(self, f"_{name.replace(' ', '_')}")(*what)
        await asyncio.sleep(0)
        self.check()

    def _latest(self) -> int:
        return max(numbers(self.wall), default=0)

    async def _saw(self, camera: int, picture: bytes) -> None:
        answer = self._answers["coffee" if self._latest() % 2 else "cat"]
        request = query(f"camera {camera}", f"client {camera % 2}")
        self.wall.observe(picture, request, answer)

    async def _failed(self, camera: int) -> None:
        self.wall.observe(b"", query(f"camera {camera}"), CorruptImage("broken"))

    async def _passed(self, seconds: float) -> None:
        self.clock.now += seconds

    async def _looked_at(self, ago: int) -> None:
        self.wall.open(self._latest() - ago)

    async def _cleared(self) -> None:
        self.wall.clear()

    async def _ticked(self) -> None:
        self.wall.show_newest()
        for _, seen in self.wall.shown_since(0):
            self.wall.written(seen)

    async def _opened(self) -> None:
        self._walls.append(ExitStack())
        self._walls[-1].enter_context(self.wall.watch())

    async def _closed(self) -> None:
        if self._walls:
            self._walls.pop().close()

    async def _shown(self, ago: int) -> None:
        await self.wall.picture(self._latest() - ago)

    async def _asked_for(self, ago: int) -> None:
        self._asked.append(asyncio.create_task(self.wall.picture(self._latest() - ago)))

    async def end(self) -> None:
        await asyncio.gather(*self._asked)
        self.check()
        while self._walls:
            self._walls.pop().close()
        assert self.wall.watchers == 0

    def check(self) -> None:
        assert_counted(self.wall)
        assert self.wall.watchers == len(self._walls)
        assert all(len(camera.feed) <= SIZE for camera in self.wall._store)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(acts=strategies.lists(ACTS, max_size=40))
def test_the_counted_bytes_are_those_held_and_under_the_bound_whatever_happens(answers, acts):
    """Answers and failures, pictures that are made small meanwhile or cannot be, frames that are
    looked at, walls opened and closed, clearings.
    """

    async def live() -> None:
        life = Life(answers)
        await life.happen("opened")
        for act in acts:
            await life.happen(*act)
        await life.end()

    asyncio.run(live())


def test_a_wall_that_ran_for_long_is_no_larger_than_one_that_ran_for_a_while(answers):
    """Ten times the minutes, the cameras, the answers and the walls that came and went."""
    clock = Clock()
    one = wall(size=2, max_bytes=30_000, clock=clock)

    def live(minutes: int) -> tuple[int, ...]:
        for number in range(minutes):
            clock.now += MINUTE
            with one.watch():
                name = f"camera {number % 50}"
                one.observe(bytes(900), query(name), answers["coffee"])
                one.observe(bytes(100), query("always"), answers["cat"])
                one.show_newest()
        labels = sum(len(camera.appearances._counts) for camera in one._store)
        return len(held(one)), len(list(one._store)), one._store.bytes, labels, one.watchers

    assert live(1500) == live(300) == live(300)


# The newest frames


def test_the_newest_frame_of_each_camera_is_kept_though_nobody_watches(answers):
    one = wall()
    one.observe(photo("chelsea"), query("a"), answers["cat"])
    one.observe(photo("coffee"), query("a"), answers["coffee"])
    one.observe(photo("coffee"), query(), answers["coffee"])
    assert newest(one) == {"a": 2, "": 3}
    assert numbers(one) == {2, 3}
    one.show_newest()
    assert [seen.number for _, seen in one.shown_since(0)] == [2, 3]


def test_a_frame_is_kept_without_copying_or_writing_anything(answers):
    one = wall()
    image = photo("coffee")
    one.observe(image, query("a"), answers["coffee"])
    [seen] = held(one)
    assert seen.picture is image
    assert seen._json is None


def test_feeds_give_way_before_the_newest_frame_of_any_camera(answers):
    clock = Clock()
    one = wall(size=100, max_bytes=150_000, clock=clock)
    with one.watch():
        for number in range(30):
            clock.now += 2
            one.observe(bytes(9000), query("busy"), answers["coffee" if number % 2 else "cat"])
            if number == 3:
                one.observe(bytes(9000), query("slow"), answers["coffee"])
    assert newest(one) == {"slow": 5, "busy": 31}
    assert all(camera.newest.picture for camera in one._store)
    assert_counted(one)


def test_of_newest_frames_too_large_together_the_largest_loses_its_picture(answers):
    one = wall(max_bytes=200_000)
    for camera, size in (("a", 20_000), ("b", 90_000), ("c", 30_000)):
        one.observe(bytes(size), query(camera), answers["cat"])
    pictures = {camera.name: camera.newest.picture is not None for camera in one._store}
    assert pictures == {"a": True, "b": True, "c": True}
    one.observe(bytes(50_000), query("d"), answers["cat"])
    pictures = {camera.name: camera.newest.picture is not None for camera in one._store}
    assert pictures == {"a": True, "b": False, "c": True, "d": True}
    assert_counted(one)


def test_a_picture_larger_than_the_bound_is_not_kept_its_answer_is(answers):
    one = wall(max_bytes=60_000)
    one.observe(bytes(60_001), query("a"), answers["coffee"])
    [seen] = held(one)
    assert (seen.picture, json.loads(seen.as_json())["picture"]) == (None, False)


def test_a_client_that_floods_takes_no_room_from_others(answers):
    """Its pictures go first, though others keep more frames."""
    one = wall(max_bytes=400_000)
    for number in range(4):
        one.observe(bytes(30_000), query(f"good {number}", "good"), answers["cat"])
    for number in range(200):
        one.observe(bytes(90_000), query(f"bad {number}", "bad"), answers["cat"])
    kept = {camera.name: camera.newest for camera in one._store}
    assert all(kept[f"good {number}"].picture for number in range(4))
    assert_counted(one)


def test_thousands_of_names_of_one_client_push_out_no_camera_of_another(answers):
    one = wall(max_bytes=32 << 20)
    good = [f"good {number}" for number in range(MAX_CAMERAS // 2)]
    for camera in good:
        one.observe(b"x", query(camera, "good"), answers["cat"])
    for number in range(3000):
        one.observe(b"x", query(f"bad {number}", "bad"), answers["cat"])
    names = set(newest(one))
    assert set(good) <= names
    assert len(names) == MAX_CAMERAS
    hour = {told["camera"] for told in one.last_hour()["cameras"] if told["labels"]}
    assert set(good) <= hour


def test_thousands_of_names_that_fail_push_out_no_camera_of_another(answers):
    one = wall()
    one.observe(b"x", query("good", "good"), answers["cat"])
    for number in range(3000):
        one.observe(b"x", query(f"bad {number}", "bad"), CorruptImage("no"))
    assert newest(one)["good"] == 1
    assert len(newest(one)) == MAX_CAMERAS


def test_cameras_of_one_client_are_bounded_and_the_one_silent_longest_gives_way(answers):
    one = wall()
    for number in range(MAX_CAMERAS):
        one.observe(b"x", query(f"camera {number}"), answers["coffee"])
    one.observe(b"x", query("camera 0"), answers["coffee"])
    one.observe(b"x", query("another"), answers["coffee"])
    names = set(newest(one))
    assert "camera 1" not in names
    assert {"camera 0", "another"} <= names
    assert len(names) == MAX_CAMERAS
    assert_counted(one)


def test_a_camera_belongs_to_who_sent_its_first_frame(answers):
    """So that naming another's cameras makes nobody their owner, who would lose them."""
    one = wall()
    one.observe(b"x", query("line", "good"), answers["cat"])
    one.observe(b"x", query("line", "bad"), answers["cat"])
    for number in range(100):
        one.observe(b"x", query(f"bad {number}", "bad"), answers["cat"])
    assert "line" in newest(one)


# What walls show


def test_walls_show_a_frame_of_a_fast_camera_once_a_second(answers):
    clock = Clock()
    one = wall(clock=clock)
    shown, order = [], 0
    with one.watch():
        for _ in range(13 * 5):
            one.observe(b"x", query("fast"), answers["coffee"])
            one.show_newest()
            news = one.shown_since(order)
            shown += [seen.number for _, seen in news]
            order = news[-1][0] if news else order
            clock.now += 1 / 13
    assert len(shown) == 5
    assert len(held(one)) <= 4  # the newest, the shown, the one before, and one of the feed


def test_many_cameras_are_shown_five_a_second_and_each_of_them(answers):
    clock = Clock()
    one = wall(clock=clock, max_bytes=32 << 20)
    shown: Counter[str] = Counter()
    order = 0
    with one.watch():
        for _ in range(20 * 10):
            for camera in range(20):
                one.observe(b"x", query(f"camera {camera}"), answers["coffee"])
            one.show_newest()
            news = one.shown_since(order)
            shown.update(seen.camera for _, seen in news)
            order = news[-1][0] if news else order
            clock.now += 0.1
    assert set(shown.values()) == {5}  # in 20 s


def test_costly_pictures_slow_the_walls_down(answers):
    clock = Clock()
    one = wall(clock=clock)
    one._picture_s = 0.05  # of a processor
    with one.watch():
        one.observe(b"x", query("a"), answers["coffee"])
        one.show_newest()
        one.observe(b"x", query("a"), answers["coffee"])
        clock.now += 4.9
        one.show_newest()
        assert [seen.number for _, seen in one.shown_since(0)] == [1]
        clock.now += 0.2
        one.show_newest()
        assert [seen.number for _, seen in one.shown_since(0)] == [2]


def test_several_walls_show_the_same_frames_written_once(answers):
    one = wall()
    with one.watch(), one.watch():
        one.observe(b"x", query("a"), answers["coffee"])
        for _ in range(2):
            one.show_newest()
        [(_, seen)] = one.shown_since(0)
        one.written(seen)
        assert seen.answer_json() is seen.answer_json()


def test_an_answer_is_sent_as_the_camera_door_gives_it(answers):
    one = wall()
    one.observe(b"x", query("döor"), answers["cat"])
    [seen] = held(one)
    told = json.loads(seen.as_json())
    head = {"number": 1, "at": seen.at, "camera": "döor", "picture": True}
    assert told == head | json.loads(json_bytes(answer_json(answers["cat"])))


def test_every_score_of_the_model_is_told_whatever_the_request_selects(answers):
    one = wall()
    coffee = answers["coffee"]
    one.observe(b"x", query("a"), replace(coffee, items=coffee.items[:1]))
    [seen] = held(one)
    for _ in range(2):  # as well after its answer is written
        told = json.loads(seen.with_all_scores())
        assert len(told["predictions"]) == 1
        assert len(told["scores"]) == 1000
        assert told["scores"][:5] == [item.as_json() for item in coffee.items]


def anomaly(score=0.9, side=14):
    """An answer of a model of good parts, which is odd at one place."""
    heat = np.full((side, side), 0.1, np.float32)
    heat[0, 0] = score
    prediction = Anomaly(np.float32([1 - score, score]), HeatMap(heat, WHOLE_IMAGE))
    items = prediction.select(Selection(1, 0.5, {}))
    return Answer(
        prediction, items, Source.EDGE, ModelRef("parts", 1, "0" * 64), 9, 9, certain=True
    )


def test_a_heat_map_is_sent_as_the_answer_has_it_and_stays_for_the_annotated_picture():
    one = wall()
    one.observe(b"x", query("a"), anomaly())
    [seen] = held(one)
    told = json.loads(one.written(seen))
    assert {name: told[name] for name in ("heat_map", "heat_region")} == {
        name: answer_json(anomaly())[name] for name in ("heat_map", "heat_region")
    }
    assert seen.heat_map.scores.shape == (14, 14)


@pytest.mark.parametrize("side", [14, 64])
def test_heat_maps_are_counted_among_the_bytes_of_the_wall(side):
    heat = anomaly(side=side)
    cold = replace(heat, prediction=replace(heat.prediction, heat_map=None))
    one = wall(max_bytes=1 << 20)
    one.observe(b"x", query("cold"), cold)
    one.observe(b"x", query("heat"), heat)
    cold_seen, seen = sorted(held(one), key=lambda frame: frame.number)
    assert seen.size - cold_seen.size == 4 * side * side
    for frame in (cold_seen, seen):
        one.written(frame)
    longer = len(seen.answer_json()) - len(cold_seen.answer_json())
    assert seen.size - cold_seen.size == 4 * side * side + longer
    assert_counted(one)


def test_a_wall_full_of_heat_maps_stays_within_its_bytes():
    """Maps of the largest size that a model may have: 20 kB each as JSON."""
    one = wall(size=48, max_bytes=300_000)
    with one.watch():
        for number in range(120):
            one.observe(b"x", query(f"camera {number % 6}"), anomaly(0.4 + number % 2 / 2, side=64))
            one.show_newest()
            for _, seen in one.shown_since(0):
                one.written(seen)
            assert_counted(one)
    assert len(held(one)) > 6


def test_the_large_view_has_both_scores_of_a_part_the_likelier_first():
    one = wall()
    for score, labels in ((0.1, ["good", "anomaly"]), (0.9, ["anomaly", "good"])):
        one.observe(b"x", query("a"), anomaly(score))
        told = json.loads(one._store.camera("a", "").newest.with_all_scores())
        assert [item["label"] for item in told["scores"]] == labels
        assert told["predictions"] == told["scores"][:1]


def test_a_frame_that_is_looked_at_is_kept_while_newer_ones_come(answers):
    one = wall()
    for number in range(1, 10):
        one.observe(bytes([number]), query("a"), answers["coffee"])
        assert one.open(number).picture == bytes([number])
    kept = range(9 - MAX_OPENED + 1, 10)
    assert sorted(numbers(one)) == list(kept)
    assert one.open(1) is None
    one.open(9)
    one.open(9)
    assert sorted(numbers(one)) == list(kept)
    assert_counted(one)


# The feed


def test_the_feed_has_the_changes_of_a_camera_s_answer(answers):
    clock = Clock()
    one = wall(size=10, clock=clock)
    with one.watch():
        for name in ("coffee", "coffee", "cat", "cat", "coffee"):
            one.observe(b"x", query("a"), answers[name])
            clock.now += 2
    assert [seen.number for seen in one.fed_since(0)] == [1, 3, 5]


def test_a_change_of_certainty_or_of_the_number_of_objects_is_a_change(answers):
    clock = Clock()
    one = wall(size=10, clock=clock)
    cat = answers["cat"]
    variants = (cat, replace(cat, certain=not cat.certain), replace(cat, items=[*cat.items] * 2))
    with one.watch():
        for variant in variants:
            one.observe(b"x", query("a"), variant)
            clock.now += 2
    assert [seen.number for seen in one.fed_since(0)] == [1, 2, 3]


def test_an_answer_that_flickers_is_fed_once_a_second_at_most(answers):
    clock = Clock()
    one = wall(size=100, clock=clock)
    with one.watch():
        for number in range(130):
            one.observe(b"x", query("a"), answers["coffee" if number % 2 else "cat"])
            clock.now += 1 / 13
    assert 9 <= len(one.fed_since(0)) <= 10


def test_a_change_within_the_second_is_fed_after_it_though_no_more_frames_come(answers):
    clock = Clock()
    one = wall(clock=clock)
    with one.watch():
        one.observe(b"x", query("a"), answers["coffee"])
        clock.now += 0.1
        one.observe(b"x", query("a"), answers["cat"])
        one.show_newest()
        assert [seen.number for seen in one.fed_since(0)] == [1]
        clock.now += 1
        one.show_newest()
        assert [seen.number for seen in one.fed_since(0)] == [1, 2]


def test_what_is_fed_late_comes_after_what_was_fed_before(answers):
    """A wall asks for what is new by its order, not by the number of the frame."""
    clock = Clock()
    one = wall(clock=clock)
    with one.watch():
        one.observe(b"x", query("a"), answers["coffee"])
        one.observe(b"x", query("a"), answers["cat"])
        one.observe(b"x", query("b"), answers["cat"])
        before = one.fed_since(0)
        assert [seen.number for seen in before] == [1, 3]
        clock.now += 1
        one.show_newest()
        assert [seen.number for seen in one.fed_since(before[-1].order)] == [2]


def test_each_picture_of_a_phone_is_fed_though_nobody_watches(answers):
    clock = Clock()
    one = wall(clock=clock)
    for _ in range(3):
        one.observe(photo("coffee"), query(PHONE), answers["coffee"])
        clock.now += 2
    assert [seen.number for seen in one.fed_since(0)] == [1, 2, 3]


def test_a_feed_is_no_longer_than_its_size_and_a_fast_camera_takes_none_of_a_slow_one(answers):
    clock = Clock()
    one = wall(size=3, clock=clock)
    with one.watch():
        one.observe(b"slow", query("slow"), answers["coffee"])
        for number in range(10):
            clock.now += 2
            one.observe(b"fast", query("fast"), answers["coffee" if number % 2 else "cat"])
    assert [seen.camera for seen in one.fed_since(0)] == ["slow", "fast", "fast", "fast"]


# How a camera does


def status(one: Wall, camera="a") -> dict:
    return next(told for told in one.statuses() if told["camera"] == camera)


def test_a_camera_s_silence_rate_and_errors_are_told(answers):
    clock = Clock()
    one = wall(clock=clock)
    for _ in range(20):
        one.observe(b"x", query("a"), answers["coffee"])
        clock.now += 0.5
    told = status(one)
    assert told["rate"] == pytest.approx(2, rel=0.1)
    assert (told["silent_s"], told["errors"], told["failing"]) == (0.5, 0, False)
    assert (told["failure"], told["frame"]) == (None, True)
    clock.now += 50
    assert status(one)["silent_s"] == 50.5
    assert status(one)["rate"] < 0.3
    clock.now += 20
    assert status(one)["rate"] == 0


def test_one_frame_has_no_rate(answers):
    one = wall()
    one.observe(b"x", query("a"), answers["coffee"])
    assert status(one)["rate"] == 0


@pytest.mark.parametrize(
    ("what", "outcomes", "failing"),
    [
        ("never answered", "f", True),
        ("never failed", "a", False),
        ("one bad moment", "af", False),
        ("failed at first", "fffa", False),
        ("fails of late", "a" + FAILING * "f", True),
        ("failed for a while", "a" + FAILING * "f" + "a", False),
        ("fails now and then", "afafaff", False),
    ],
)
def test_a_camera_that_only_fails_is_told_from_one_that_fails_now_and_then(
    answers, what, outcomes, failing
):
    one = wall()
    for outcome in outcomes:
        failed = CorruptImage(f"broken {'x' * 1000}")
        one.observe(b"x", query("a"), answers["coffee"] if outcome == "a" else failed)
    told = status(one)
    assert (told["failing"], told["errors"]) == (failing, outcomes.count("f"))
    if told["errors"]:
        assert told["failure"]["code"] == "corrupt_image"
        assert len(told["failure"]["message"]) == 200


# Pictures


def test_a_small_jpeg_is_shown_as_it_is(answers):
    one = wall()
    image = photo("coffee")
    one.observe(image, query("a"), answers["coffee"])
    assert asyncio.run(one.picture(1)) is image


def png(name: str, size=None) -> bytes:
    file = io.BytesIO()
    picture = Image.open(io.BytesIO(photo(name)))
    picture.resize(size or picture.size).save(file, "PNG")
    return file.getvalue()


def large_jpeg(size) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("image", "size"),
    [
        (png("coffee", (1800, 1200)), (640, 427)),
        (large_jpeg((3000, 2000)), (640, 427)),  # few bytes, which a browser unpacks to many
        (encode(noise(1500, 1000), "JPEG", quality=100), (640, 427)),
    ],
    ids=["PNG", "many pixels", "many bytes"],
)
def test_other_pictures_are_made_small_once_and_the_frame_is_kept(answers, image, size):
    one = wall(max_bytes=32 << 20)
    width, height = Image.open(io.BytesIO(image)).size
    answer = replace(answers["coffee"], width=width, height=height)
    one.observe(image, query("a"), answer)
    small = asyncio.run(one.picture(1))
    picture = Image.open(io.BytesIO(small))
    assert (picture.format, picture.size) == ("JPEG", size)
    assert asyncio.run(one.picture(1)) is small
    assert one.find(1).picture is image
    assert_counted(one)
    assert asyncio.run(one.picture(2)) is None


def test_a_picture_pushed_off_while_it_is_made_small_is_shown_and_not_counted(answers):
    one = wall(size=1, max_bytes=32 << 20)

    async def ask() -> bytes | None:
        one.observe(png("coffee"), query("a"), answers["coffee"])
        asked = asyncio.create_task(one.picture(1))
        await asyncio.sleep(0)  # it has asked for a thread
        one.observe(b"another", query("a"), answers["coffee"])
        return await asked

    assert Image.open(io.BytesIO(asyncio.run(ask()))).size == (600, 400)
    assert numbers(one) == {2}
    assert_counted(one)


def test_a_picture_that_several_walls_ask_for_at_once_is_made_small_once(answers):
    one = wall(max_bytes=32 << 20)

    async def ask() -> list[bytes | None]:
        one.observe(png("coffee"), query("a"), answers["coffee"])
        return await asyncio.gather(*(one.picture(1) for _ in range(3)))

    first, *others = asyncio.run(ask())
    assert all(other is first for other in others)
    assert_counted(one)


@pytest.mark.parametrize(
    "picture", [b"no picture", encode(noise(400, 300), "PNG")], ids=["broken", "too many pixels"]
)
def test_a_picture_that_cannot_be_shown_is_none_and_the_next_one_is_shown(answers, picture):
    one = Wall(4, 1 << 20, 100_000, Clock(), Clock())
    one.observe(picture, query("a"), answers["coffee"])
    one.observe(encode(noise(20, 20), "PNG"), query("b"), answers["coffee"])
    assert asyncio.run(one.picture(1)) is None
    assert Image.open(io.BytesIO(asyncio.run(one.picture(2)))).size == (20, 20)
    assert_counted(one)


# Watching and clearing


def test_a_watcher_is_told_of_news(answers):
    one = wall()
    with one.watch() as news:
        one.observe(photo("coffee"), query("a"), answers["coffee"])
        assert news.is_set()
        assert one.watchers == 1
    assert one.watchers == 0


def test_clearing_forgets_frames_and_tells_the_watchers_the_counts_stay(answers):
    clock = Clock()
    one = wall(clock=clock)
    with one.watch() as news:
        one.observe(photo("coffee"), query("a"), answers["coffee"])
        one.show_newest()
        one.open(1)
        news.clear()
        one.clear()
        assert news.is_set()
    assert held(one) == one.fed_since(0) == one.shown_since(0) == []
    assert status(one)["frame"] is False
    assert asyncio.run(one.picture(1)) is None
    assert one.last_hour()["labels"][0]["label"] == "espresso"
    assert_counted(one)
    clock.now += 2
    with one.watch():
        one.observe(photo("coffee"), query("a"), answers["coffee"])
        assert [seen.number for seen in one.fed_since(0)] == [2], "the same answer is news again"


# What counts


def counted(one: Wall) -> dict[str, int]:
    return {told["label"]: told["sum"] for told in one.last_hour()["labels"]}


def test_appearances_are_counted_by_camera_and_not_by_frame(answers):
    clock = Clock()
    one = wall(clock=clock)
    for _ in range(200):
        one.observe(b"", query("a"), answers["coffee"])
        one.observe(b"", query("b"), answers["coffee"])
        clock.now += 0.1
    assert counted(one) == {"espresso": 2}
    told = {one["camera"]: one["labels"][0]["sum"] for one in one.last_hour()["cameras"]}
    assert told == {"a": 1, "b": 1}


def test_the_hour_says_since_when_it_is_counted(answers):
    clock = Clock()
    one = wall(clock=clock)
    assert one.last_hour()["up_min"] == 1
    clock.now += 7 * MINUTE
    assert (one.last_hour()["up_min"], one.last_hour()["absent_s"]) == (8, 5)
    clock.now += 100 * MINUTE
    assert one.last_hour()["up_min"] == 60


def test_a_wall_clock_that_is_set_moves_no_count(answers):
    clock, steady = Clock(), Clock()
    one = Wall(4, 1 << 20, 1 << 20, clock, steady)
    one.observe(b"", query(), answers["coffee"])
    clock.now -= 24 * 60 * MINUTE
    one.observe(b"", query(), answers["coffee"])
    clock.now += 48 * 60 * MINUTE
    one.observe(b"", query(), answers["coffee"])
    assert counted(one) == {"espresso": 1}


def test_an_unsure_classification_counts_nothing(answers):
    one = wall()
    one.observe(b"", query(), replace(answers["coffee"], certain=False))
    assert counted(one) == {}


def test_of_a_detector_every_label_counts_once_though_the_answer_is_unsure(answers):
    one = wall()
    cat = answers["cat"]
    box = cat.items[0]
    items = [box, replace(box, label="Dog"), box]
    one.observe(b"", query(), replace(cat, items=items, certain=False))
    one.observe(b"", query(), replace(cat, items=[]))
    one.observe(b"", query(), replace(answers["coffee"], items=[]))
    assert counted(one) == {box.label: 1, "Dog": 1}


@pytest.mark.parametrize("asked", [{"threshold": 0.01}, {"threshold": 0.99}, {"top_k": 1}])
def test_what_counts_is_above_the_model_s_own_threshold_whatever_a_request_shows(answers, asked):
    cat = answers["cat"]
    own = Selection(100, 0.3, {})
    one = wall(own_selection=lambda model: own if model is cat.model else None)
    noise_too = cat.prediction.select(Selection(100, 0.0, {}))
    shown = noise_too if asked.get("threshold") == 0.01 else []
    one.observe(b"", query(**asked), replace(cat, items=shown))
    assert counted(one) == {"Cat": 1}


def test_an_answer_of_a_model_that_has_gone_counts_as_it_is_shown(answers):
    one = wall()
    one.observe(b"", query(threshold=0.2), answers["cat"])
    assert counted(one) == {"Cat": 1}
