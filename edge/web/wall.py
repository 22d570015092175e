"""What the wall knows: the latest answers of every camera with their pictures, and what was seen in the last hour.

All of it in memory, bounded in number and bytes, gone on restart. While nobody watches, an answer costs a count;
pictures are kept only while a wall is open (and those of phones always), and made small only when a wall asks for one.
Lives on the event loop alone.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.errors import EdgeError
from edge.model.prediction import Detections
from edge.vision.thumbnail import thumbnail
from edge.web.schema import answer_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.service import Answer, Query

PHONE = "phone"
"""The camera name of pictures sent by the phone page."""

MAX_CAMERAS = 32
_HOUR_MIN = 60
_PICTURE_SIDE = 640  # fills a card on a 1080p wall
_TOP_LABELS = 8


@dataclass(slots=True)
class Seen:
    """An answer on the wall.

    Attributes:
        number: counts all answers kept, upwards.
        at: seconds since 1970.
        camera: as the frame named it; empty where it did not.
        answer: as `POST /predict` gave it.
        picture: the frame's bytes, or the small JPEG once that was made; ``None`` if too large to keep.
    """

    number: int
    at: float
    camera: str
    answer: dict[str, Any]
    picture: bytes | None
    is_small: bool = False

    @property
    def size(self) -> int:
        """Bytes of its picture."""
        return len(self.picture) if self.picture else 0

    def as_json(self) -> dict[str, Any]:
        """What a wall is sent; the picture it fetches by the number."""
        return {
            "number": self.number,
            "at": round(self.at, 3),
            "camera": self.camera,
            "picture": self.picture is not None,
            **self.answer,
        }


class Wall:
    """The latest answers of every camera, within bounds.

    Args:
        size: answers kept of each camera.
        max_bytes: of pictures in all; beyond them the camera that holds the most loses its oldest.
        max_pixels: largest picture that is decoded.
        clock: seconds since 1970.
    """

    def __init__(self, size: int, max_bytes: int, max_pixels: int, clock: Callable[[], float] = time.time) -> None:
        self._size = size
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._clock = clock
        self._cameras: dict[str, deque[Seen]] = {}  # the camera that was silent the longest first
        self._bytes = 0
        self._number = 0
        self._cleared = 0
        self._minutes: dict[int, Counter[str]] = {}
        self._watchers: set[asyncio.Event] = set()
        self._drawing = asyncio.Lock()

    def __repr__(self) -> str:
        kept = sum(map(len, self._cameras.values()))
        return f"<Wall {kept} answers of {len(self._cameras)} cameras, {self._bytes} bytes, {self.watchers} watching>"

    @property
    def watchers(self) -> int:
        """Walls that are open."""
        return len(self._watchers)

    @property
    def cleared(self) -> int:
        """How often the operator cleared the wall."""
        return self._cleared

    @contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever there is something new, for as long as the wall is open."""
        news = asyncio.Event()
        self._watchers.add(news)
        try:
            yield news
        finally:
            self._watchers.discard(news)

    def saw(self, image: bytes, query: Query, answer: Answer) -> None:
        """Take an answer in; called for every frame of the service, so that it does little while nobody watches."""
        minute = int(self._clock() // 60)
        counts = self._minutes.get(minute)
        if counts is None:
            counts = self._new_minute(minute)
        if isinstance(answer.prediction, Detections):
            for item in answer.items:
                counts[item.label] += 1
        elif answer.items:
            counts[answer.items[0].label] += 1
        if self._watchers or query.camera == PHONE:
            self._keep(query.camera, image, answer_json(answer))

    def since(self, number: int) -> list[Seen]:
        """What came after that number and is still kept, oldest first."""
        kept = (seen for camera in self._cameras.values() for seen in camera if seen.number > number)
        return sorted(kept, key=lambda seen: seen.number)

    async def picture(self, number: int) -> bytes | None:
        """The answer's picture as a small JPEG; ``None`` if it is not kept any more, or cannot be shown."""
        seen = next((one for camera in self._cameras.values() for one in camera if one.number == number), None)
        if seen is None or seen.picture is None:
            return None
        async with self._drawing:  # one at a time: walls must not take the workers' processors
            if seen.is_small or seen.picture is None:
                return seen.picture
            before = seen.size
            try:
                small = await asyncio.to_thread(thumbnail, seen.picture, _PICTURE_SIDE, max_pixels=self._max_pixels)
            except EdgeError:  # it was decoded once; only an odd one a graph decoded by itself ends here
                return None
            seen.picture, seen.is_small = small, True
            if seen in self._cameras.get(seen.camera, ()):
                self._bytes += seen.size - before
                self._push_off()  # a small JPEG may be larger than a tiny picture was
            return small

    def clear(self) -> None:
        """Forget all answers and pictures; the counts stay."""
        self._cameras.clear()
        self._bytes = 0
        self._cleared += 1
        self._tell()

    def last_hour(self) -> dict[str, Any]:
        """The labels seen most in the last hour, each with its sum and its counts by minute, oldest first."""
        now = int(self._clock() // 60)
        minutes = [self._minutes.get(minute, Counter()) for minute in range(now - _HOUR_MIN + 1, now + 1)]
        sums: Counter[str] = Counter()
        for counts in minutes:
            sums.update(counts)
        top = sums.most_common(_TOP_LABELS)
        return {
            "labels": [{"label": label, "sum": total, "minutes": [m[label] for m in minutes]} for label, total in top],
            "others": sums.total() - sum(total for _, total in top),
        }

    def _new_minute(self, minute: int) -> Counter[str]:
        oldest = minute - _HOUR_MIN
        self._minutes = {one: counts for one, counts in self._minutes.items() if oldest < one <= minute}
        return self._minutes.setdefault(minute, Counter())

    def _keep(self, camera: str, image: bytes, answer: dict[str, Any]) -> None:
        self._number += 1
        picture = image if len(image) <= self._max_bytes else None
        seen = Seen(self._number, self._clock(), camera, answer, picture)
        kept = self._cameras.pop(camera, None)
        if kept is None:
            kept = deque()
            if len(self._cameras) >= MAX_CAMERAS:
                silent = self._cameras.pop(next(iter(self._cameras)))
                self._bytes -= sum(one.size for one in silent)
        self._cameras[camera] = kept
        kept.append(seen)
        self._bytes += seen.size
        if len(kept) > self._size:
            self._bytes -= kept.popleft().size
        self._push_off()
        self._tell()

    def _push_off(self) -> None:
        """Come back under the bound of bytes."""
        while self._bytes > self._max_bytes:
            largest = max(self._cameras.values(), key=lambda some: sum(one.size for one in some))
            self._bytes -= largest.popleft().size

    def _tell(self) -> None:
        for news in self._watchers:
            news.set()
