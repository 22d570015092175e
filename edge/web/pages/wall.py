"""The wall's memory: each camera's latest answers with pictures, and the labels of the last hour.

All of it is in memory, bounded in number and bytes, and gone after a restart. While no wall is
open, an answer only increments a count. Pictures are kept while a wall is open (those of phones
always), and scaled down when a wall asks for one. Used only on the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.dataplane.answer import answer_json
from edge.errors import EdgeError
from edge.vision.thumbnail import thumbnail
from edge.web.error_mapping import json_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.dataplane.answer import Answer, InferRequest

PHONE = "phone"
"""Camera name of the pictures from the phone page."""

MAX_CAMERAS = 32
_HOUR_MIN = 60
_PICTURE_SIDE = 640  # fills a card on a 1080p wall
_TOP_LABELS = 8
_MAX_LABELS = 1000
"""Labels counted per minute: an online model may invent new ones without end."""


@dataclass(slots=True)
class Seen:
    """An answer on the wall.

    Attributes:
        number: ascending over all answers kept.
        at: seconds since 1970.
        camera: name that the frame came with; may be empty.
        answer: as `POST /predict` returns it, as JSON: a tenth of the objects' memory.
        picture: the frame's bytes, later the scaled-down JPEG; ``None`` if too large to keep.
        is_small: whether the picture is the scaled-down JPEG.
    """

    number: int
    at: float
    camera: str
    answer: bytes
    picture: bytes | None
    is_small: bool = False

    @property
    def size(self) -> int:
        """Bytes of its picture and its answer."""
        return len(self.answer) + (len(self.picture) if self.picture else 0)

    def as_json(self) -> bytes:
        """As sent to a wall, which fetches the picture by its number."""
        head = {
            "number": self.number,
            "at": round(self.at, 3),
            "camera": self.camera,
            "picture": self.picture is not None,
        }
        return json_bytes(head)[:-1] + b"," + self.answer[1:]  # two objects in one


class Wall:
    """The latest answers of every camera, within bounds.

    Args:
        size: answers kept per camera.
        max_bytes: of all pictures and answers; beyond it the camera that holds the most loses its
            oldest.
        max_pixels: of the largest picture that is decoded.
        clock: seconds since 1970.
    """

    def __init__(
        self, size: int, max_bytes: int, max_pixels: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._size = size
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._clock = clock
        self._cameras: dict[str, deque[Seen]] = {}  # least recently seen camera first
        self._bytes = 0
        self._number = 0
        self._cleared = 0
        self._minutes: dict[int, Counter[str]] = {}
        self._watchers: set[asyncio.Event] = set()
        self._drawing = asyncio.Lock()

    def __repr__(self) -> str:
        kept = sum(map(len, self._cameras.values()))
        held = f"{kept} answers of {len(self._cameras)} cameras, {self._bytes} bytes"
        return f"<Wall {held}, {self.watchers} watching>"

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
        """Count an answer, and keep it if a wall is open. Called for every frame."""
        if isinstance(outcome, EdgeError):
            return
        minute = int(self._clock() // 60)
        counts = self._minutes.get(minute)
        if counts is None:
            counts = self._new_minute(minute)
        for label in outcome.prediction.task.headline(outcome.items):
            if label in counts or len(counts) < _MAX_LABELS:
                counts[label] += 1
        if self._watchers or request.camera == PHONE:
            self._keep(request.camera, image, json_bytes(answer_json(outcome)))

    def since(self, number: int) -> list[Seen]:
        """The answers after that number that are still kept, oldest first."""
        kept = (
            seen for camera in self._cameras.values() for seen in camera if seen.number > number
        )
        return sorted(kept, key=lambda seen: seen.number)

    async def picture(self, number: int) -> bytes | None:
        """An answer's picture as a small JPEG; ``None`` if no longer kept, or undecodable."""
        seen = self.find(number)
        if seen is None or seen.picture is None:
            return None
        async with self._drawing:  # one at a time, to leave the processors to the workers
            if seen.is_small or seen.picture is None:
                return seen.picture
            before = seen.size
            try:
                small = await asyncio.to_thread(
                    thumbnail, seen.picture, _PICTURE_SIDE, max_pixels=self._max_pixels
                )
            except EdgeError:  # only a graph that decodes by itself accepted this picture
                return None
            seen.picture, seen.is_small = small, True
            if seen in self._cameras.get(seen.camera, ()):
                self._bytes += seen.size - before
                self._evict()  # the JPEG may be larger than a tiny original
            return small

    def clear(self) -> None:
        """Remove all answers and pictures; the counts stay."""
        self._cameras.clear()
        self._bytes = 0
        self._cleared += 1
        self._notify()

    def last_hour(self) -> dict[str, Any]:
        """The most frequent labels of the last hour: sums, and counts per minute, oldest first."""
        now = int(self._clock() // 60)
        hour = range(now - _HOUR_MIN + 1, now + 1)
        minutes = [self._minutes.get(minute, Counter()) for minute in hour]
        sums: Counter[str] = Counter()
        for counts in minutes:
            sums.update(counts)
        top = sums.most_common(_TOP_LABELS)
        return {
            "labels": [
                {"label": label, "sum": total, "minutes": [counts[label] for counts in minutes]}
                for label, total in top
            ],
            "others": sums.total() - sum(total for _, total in top),
        }

    def find(self, number: int) -> Seen | None:
        """The answer with that number; ``None`` if it is no longer kept."""
        for camera in self._cameras.values():
            for seen in camera:
                if seen.number == number:
                    return seen
        return None

    def _new_minute(self, minute: int) -> Counter[str]:
        oldest = minute - _HOUR_MIN
        self._minutes = {
            one: counts for one, counts in self._minutes.items() if oldest < one <= minute
        }
        return self._minutes.setdefault(minute, Counter())

    def _keep(self, camera: str, image: bytes, answer: bytes) -> None:
        if len(answer) > self._max_bytes:
            return
        self._number += 1
        picture = image if len(answer) + len(image) <= self._max_bytes else None
        seen = Seen(self._number, self._clock(), camera, answer, picture)
        kept = self._cameras.pop(camera, None)
        if kept is None:
            kept = deque()
            if len(self._cameras) >= MAX_CAMERAS:
                least_recent = self._cameras.pop(next(iter(self._cameras)))
                self._bytes -= sum(one.size for one in least_recent)
        self._cameras[camera] = kept
        kept.append(seen)
        self._bytes += seen.size
        if len(kept) > self._size:
            self._bytes -= kept.popleft().size
        self._evict()
        self._notify()

    def _evict(self) -> None:
        """Remove the oldest answers of the largest cameras while over the limit of bytes."""
        while self._bytes > self._max_bytes:
            largest = max(
                self._cameras.values(), key=lambda camera: sum(one.size for one in camera)
            )
            self._bytes -= largest.popleft().size

    def _notify(self) -> None:
        for news in self._watchers:
            news.set()
