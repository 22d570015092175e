"""The wall's memory: each camera's newest frame, the changes of its answer, and its appearances.

All of it is in memory, bounded in number and bytes, and gone after a restart. The newest frame of
each camera is always kept, by reference: a frame's path copies and encodes nothing. Answers become
JSON and pictures small when a wall asks for them, at a pace that leaves the processors to the
workers. Used only on the event loop.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edge.errors import EdgeError
from edge.vision.thumbnail import thumbnail
from edge.web.pages.appearances import ABSENT_S, HOUR_MIN, hours_json
from edge.web.pages.wall_camera import Seen
from edge.web.pages.wall_store import WallStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge.dataplane.answer import Answer, InferRequest
    from edge.model.prediction import Item, Selection
    from edge.repository.version import ModelRef
    from edge.web.pages.wall_camera import Camera

PHONE = "phone"
"""Camera name of the pictures from the phone page."""

_PICTURE_SIDE = 640  # fills a tile on a 1080p wall
_AS_IT_IS_BYTES = 1 << 20
_AS_IT_IS_PIXELS = 2560 * 1440
"""A JPEG of up to these bytes and pixels is shown as it is: making one of 1080p smaller takes as
long as a frame, sending it a fiftieth."""

_JPEG = b"\xff\xd8\xff"

_TILE_S = 1.0
"""Least seconds between two frames of a camera on the walls."""

_EACH_S = 0.2
"""Seconds between two frames of any cameras on the walls, on average: each costs a request."""

_PICTURE_SHARE = 0.01
"""Of one processor, that small pictures may take."""

_COST_WEIGHT = 0.25  # of the latest picture in the mean of their costs


def _no_selection(model: ModelRef) -> Selection | None:
    del model
    return None


class Wall:
    """What all cameras saw, for the walls that are open or will be.

    Args:
        size: entries kept in a camera's feed.
        max_bytes: of all pictures and answers; see `WallStore`.
        max_pixels: of the largest picture that is decoded.
        clock: seconds since 1970.
        steady: seconds of a steady clock.
        own_selection: what a model shows by its own settings, whatever a request selects.
    """

    def __init__(
        self,
        size: int,
        max_bytes: int,
        max_pixels: int,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        own_selection: Callable[[ModelRef], Selection | None] = _no_selection,
    ) -> None:
        self._size = size
        self.max_pixels = max_pixels
        self._clock = clock
        self._steady = steady
        self._own_selection = own_selection
        self._began_s = steady()
        self._store = WallStore(max_bytes)
        self._number = 0
        self._order = 0
        self._cleared = 0
        self._picture_s = 0.0
        self._watchers: set[asyncio.Event] = set()
        self._drawing = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Wall {self._store}, {self.watchers} watching>"

    @property
    def watchers(self) -> int:
        """Number of open walls."""
        return len(self._watchers)

    @property
    def cleared(self) -> int:
        """How many times the operator has cleared the wall."""
        return self._cleared

    @contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever there is news, while the wall is open."""
        news = asyncio.Event()
        self._watchers.add(news)
        try:
            yield news
        finally:
            self._watchers.discard(news)

    def observe(self, image: bytes, request: InferRequest, outcome: Answer | EdgeError) -> None:
        """Keep a frame as its camera's newest, and count what appears. Called for every frame."""
        now = self._steady()
        name = request.camera
        camera = self._store.camera(name, request.client, every_frame_is_news=name == PHONE)
        if isinstance(outcome, EdgeError):
            camera.failed_with(outcome, now)
            return
        camera.answered(now)
        labels = self._labels(outcome, request)
        camera.appearances.see(labels, now)
        self._number += 1
        seen = Seen(self._number, self._clock(), camera.name, image, outcome, labels)
        self._store.replace_newest(camera, seen)
        if self._watchers or camera.name == PHONE:
            self._feed(camera, seen, now)
        self._store.make_room()
        for news in self._watchers:
            news.set()

    def show_newest(self) -> None:
        """Let walls show the newest frames, of each camera once a second or, if many, less often.

        Walls show the same frames, so that each is written and made small once for all of them.
        """
        now = self._steady()
        waiting = [one for one in self._store if one.newest is not one.shown]
        pause = max(_TILE_S, len(waiting) * max(_EACH_S, self._picture_s / _PICTURE_SHARE))
        for camera in self._store:
            newest = camera.newest
            if newest is None:
                continue
            self._feed(camera, newest, now)
            if newest is not camera.shown and now - camera.shown_s >= pause:
                self._store.show(camera, newest)
                self._order += 1
                camera.shown_order, camera.shown_s = self._order, now
        self._store.make_room()

    def shown_since(self, order: int) -> list[tuple[int, Seen]]:
        """The frames that are shown since that order, each with its own, in that order."""
        found = [
            (camera.shown_order, camera.shown)
            for camera in self._store
            if camera.shown is not None and camera.shown_order > order
        ]
        return sorted(found, key=lambda pair: pair[0])

    def fed_since(self, order: int) -> list[Seen]:
        """The entries of all feeds after that order, oldest first."""
        found: list[Seen] = []
        for camera in self._store:
            for seen in reversed(camera.feed):
                if seen.order <= order:
                    break
                found.append(seen)
        return sorted(found, key=lambda seen: seen.order)

    def written(self, seen: Seen) -> bytes:
        """A frame's answer as JSON, which is kept in place of its objects."""
        content = seen.as_json()
        self._store.recount(seen)
        return content

    def statuses(self) -> list[dict[str, Any]]:
        """Of every camera; see `Camera.status`."""
        now = self._steady()
        return [
            {**camera.status(now), "frame": camera.newest is not None} for camera in self._store
        ]

    def find(self, number: int) -> Seen | None:
        """A frame that is still kept."""
        for camera in self._store:
            for seen in camera:
                if seen.number == number:
                    return seen
        return None

    def open(self, number: int) -> Seen | None:
        """The same, which is kept from now on though newer ones come."""
        seen = self.find(number)
        if seen is not None:
            self._store.keep_open(seen)
        return seen

    async def picture(self, number: int) -> bytes | None:
        """A frame's picture as a JPEG for a tile; ``None`` if not kept, or undecodable."""
        seen = self.find(number)
        if seen is None:
            return None
        if _is_shown_as_it_is(seen):
            self._note_cost(0.0)
            return seen.picture
        async with self._drawing:  # one at a time, to leave the processors to the workers
            if seen.small is None and seen.picture is not None:
                try:
                    made = await asyncio.to_thread(self._make_small, seen.picture)
                except EdgeError:  # only a graph that decodes by itself accepted this picture
                    return None
                seen.small, cost_s = made
                self._note_cost(cost_s)
                self._store.recount(seen)
                self._store.make_room()
            return seen.small

    def clear(self) -> None:
        """Remove all frames; the counts stay."""
        self._store.clear()
        self._cleared += 1
        for news in self._watchers:
            news.set()

    def last_hour(self) -> dict[str, Any]:
        """Appearances in the last hour; see `hours_json`.

        With ``up_min``, the minutes that were counted, the current one included, and
        ``absent_s``.
        """
        now = self._steady()
        up_min = int(now // 60) - int(self._began_s // 60) + 1
        hours = {one.name: one.appearances.last_hour(now) for one in self._store}
        return {
            "up_min": min(up_min, HOUR_MIN),
            "absent_s": ABSENT_S,
            **hours_json(hours),
        }

    def _labels(self, answer: Answer, request: InferRequest) -> list[str]:
        """The labels that count: those above the model's own threshold.

        A detector's items each reached it. A classifier always names a best class, which counts
        only if the answer is certain.
        """
        task = answer.prediction.task
        if not (task.has_boxes or answer.certain):
            return []
        return list(task.headline(self._own_items(answer, request)))

    def _own_items(self, answer: Answer, request: InferRequest) -> Sequence[Item]:
        if request.threshold is None and request.top_k is None:
            return answer.items
        selection = self._own_selection(answer.model)
        return answer.items if selection is None else answer.prediction.select(selection)

    def _feed(self, camera: Camera, seen: Seen, now: float) -> None:
        if seen.order or not camera.is_news(seen, now):
            return
        self._order += 1
        seen.order = self._order
        self._store.feed(camera, seen, now, self._size)

    def _make_small(self, picture: bytes) -> tuple[bytes, float]:
        began = time.thread_time()
        small = thumbnail(picture, _PICTURE_SIDE, max_pixels=self.max_pixels)
        return small, time.thread_time() - began

    def _note_cost(self, seconds: float) -> None:
        self._picture_s += (seconds - self._picture_s) * _COST_WEIGHT


def _is_shown_as_it_is(seen: Seen) -> bool:
    picture = seen.picture
    return (
        picture is not None
        and len(picture) <= _AS_IT_IS_BYTES
        and seen.pixels <= _AS_IT_IS_PIXELS
        and picture.startswith(_JPEG)
    )
