"""What the wall knows of one camera: its newest frame, its feed, its pace and its failures."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edge.dataplane.answer import answer_json
from edge.web.error_mapping import json_bytes
from edge.web.pages.appearances import Appearances

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.dataplane.answer import Answer
    from edge.errors import EdgeError
    from edge.model.prediction import HeatMap
    from edge.model.tasks.task import Prediction

MAX_SCORES = 1000
"""Scores in the large view: as many as a request may ask for."""

FAILING = 3
"""Failures in a row that make a camera one that only fails; one alone may be a bad moment."""

_FEED_S = 1.0
"""Least seconds between two entries of a camera's feed."""

_RATE_S = 60.0
"""Seconds that the rate looks back; a camera may send a frame every half minute."""

_RATE_FRAMES = 16
_SEEN_BYTES = 512  # of the objects around a picture and an answer
_ITEM_BYTES = 512  # of one item as objects
_BOX_BYTES = 10  # of an object's box, class and label, for each byte of its score
_MAX_ERROR = 200  # characters of a failure's message


class Seen:
    """An answered frame on the wall.

    Attributes:
        number: ascending over all frames.
        at: seconds since 1970.
        camera: name that the frame came with; may be empty.
        picture: the frame's bytes; ``None`` if there was no room for them.
        small: a small JPEG of it, once a wall has asked for it.
        pixels: of the picture.
        state: what the feed compares: whether the answer is certain, and its labels.
        order: of its entry in the feed, ascending over all entries; 0 before it has one.
        counted: bytes that the wall counts for it.
        uses: how many places of its camera hold it.
    """

    __slots__ = (
        "_answer",
        "_json",
        "_prediction",
        "at",
        "camera",
        "counted",
        "number",
        "order",
        "picture",
        "pixels",
        "small",
        "state",
        "uses",
    )

    def __init__(
        self, number: int, at: float, camera: str, image: bytes, answer: Answer, labels: list[str]
    ) -> None:
        self.number = number
        self.at = at
        self.camera = camera
        self.picture: bytes | None = image
        self.small: bytes | None = None
        self.pixels = answer.width * answer.height
        self.state: tuple[bool | str, ...] = (answer.certain, *sorted(labels))
        self.order = self.counted = self.uses = 0
        # A SavedModel's own outputs are for other protocols, and may be large.
        self._answer = answer if answer.outputs is None else replace(answer, outputs=None)
        self._prediction: Prediction = answer.prediction
        self._json: bytes | None = None

    def __repr__(self) -> str:
        return f"<Seen {self.number} of {self.camera!r}, {self.size} bytes>"

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        has_boxes = self._prediction.task.has_boxes
        size = _SEEN_BYTES + self._prediction.scores.nbytes * (_BOX_BYTES if has_boxes else 1)
        size += len(self._answer.items) * _ITEM_BYTES if self._json is None else len(self._json)
        size += 0 if self.heat_map is None else self.heat_map.scores.nbytes
        return size + len(self.picture or b"") + len(self.small or b"")

    @property
    def heat_map(self) -> HeatMap | None:
        """Where it looks odd; ``None`` if the model does not say."""
        return self._prediction.heat_map

    def answer_json(self) -> bytes:
        """The answer as `POST /predict` returns it; written once, when a wall asks first."""
        if self._json is None:
            self._json = json_bytes(answer_json(self._answer))
            self._answer = replace(self._answer, items=())  # a tenth of the objects' memory is left
        return self._json

    def as_json(self) -> bytes:
        """As sent to a wall, which fetches the picture by its number."""
        return self._head_json() + b"," + self.answer_json()[1:]  # two objects in one

    def with_all_scores(self) -> bytes:
        """The same with ``scores``: every item of the model, shown or not, the best first."""
        everything = self._prediction.best(MAX_SCORES)
        scores = json_bytes([item.as_json() for item in everything])
        return self.as_json()[:-1] + b',"scores":' + scores + b"}"

    def _head_json(self) -> bytes:
        head = {
            "number": self.number,
            "at": round(self.at, 3),
            "camera": self.camera,
            "picture": self.picture is not None or self.small is not None,
        }
        return json_bytes(head)[:-1]


@dataclass(slots=True)
class Failure:
    """The last failure of a camera's frames."""

    code: str
    message: str


class Camera:
    """What is known of one camera.

    Attributes:
        name: may be empty.
        client: who sent its first frame, whose cameras share the wall with those of others.
        newest: its newest answered frame; ``None`` before the first and after a clearing.
        shown: the frame that open walls show; follows the newest at the walls' pace.
        shown_before: the one before it.
        shown_order: ascending over all frames shown.
        shown_s: when that was, on the steady clock.
        feed: changes of its answer, oldest first.
        opened: frames that somebody looks at, the last one last.
        held: bytes of all of these.
        appearances: of labels before it.
        errors: its failures since the service started.
        failed: how many of them since its last answer.
        failure: the last one.
        every_frame_is_news: whether an answer like the one before belongs into the feed too.
    """

    def __init__(self, name: str, client: str, *, every_frame_is_news: bool = False) -> None:
        self.name = name
        self.client = client
        self.newest: Seen | None = None
        self.shown: Seen | None = None
        self.shown_before: Seen | None = None
        self.shown_order = 0
        self.shown_s = float("-inf")
        self.feed: deque[Seen] = deque()
        self.opened: deque[Seen] = deque()
        self.held = 0
        self.appearances = Appearances()
        self.errors = 0
        self.failed = 0
        self.failure: Failure | None = None
        self.every_frame_is_news = every_frame_is_news
        self._answered = False
        self._fed_s = float("-inf")
        self._fed_state: tuple[bool | str, ...] | None = None
        self._arrivals: deque[float] = deque(maxlen=_RATE_FRAMES)

    def __repr__(self) -> str:
        return f"<Camera {self.name!r}, {len(self.feed)} in its feed, {self.held} bytes>"

    def __iter__(self) -> Iterator[Seen]:
        """The frames that it holds, each once, the newest first."""
        three = (self.newest, self.shown, self.shown_before)
        newest = [seen for seen in three if seen is not None]
        yield from dict.fromkeys([*newest, *self.opened, *reversed(self.feed)])

    @property
    def only_fails(self) -> bool:
        """Whether its frames have failed of late, or ever."""
        return self.failed >= (FAILING if self._answered else 1)

    def answered(self, now: float) -> None:
        """Note a frame that was answered."""
        self._arrivals.append(now)
        self._answered = True
        self.failed = 0

    def failed_with(self, error: EdgeError, now: float) -> None:
        """Note a frame that was not."""
        self._arrivals.append(now)
        self.errors += 1
        self.failed += 1
        self.failure = Failure(error.code, error.message[:_MAX_ERROR])

    def is_news(self, seen: Seen, now: float) -> bool:
        """Whether the frame's answer differs from the last entry, which is a second old."""
        return self._fed_state != seen.state and now - self._fed_s >= _FEED_S

    def feed_with(self, seen: Seen, now: float) -> None:
        """Make the frame the last entry of the feed."""
        self.feed.append(seen)
        self._fed_s = now
        self._fed_state = None if self.every_frame_is_news else seen.state

    def clear(self) -> None:
        """Let go of all frames; what was counted stays."""
        for seen in self:
            seen.uses = seen.counted = 0
        self.newest = self.shown = self.shown_before = self._fed_state = None
        self.feed.clear()
        self.opened.clear()
        self.held = 0

    def status(self, now: float) -> dict[str, Any]:
        """As a tile shows it: name, seconds since its last frame, frames a second, failures."""
        return {
            "camera": self.name,
            "silent_s": round(now - self._arrivals[-1], 1) if self._arrivals else None,
            "rate": round(self.rate(now), 3),
            "errors": self.errors,
            "failing": self.only_fails,
            "failure": None if self.failure is None else self._failure_json(self.failure),
        }

    def rate(self, now: float) -> float:
        """Frames a second, of the last sixteen within a minute; falls while none come."""
        recent = [at for at in self._arrivals if now - at < _RATE_S]
        if len(recent) < 2 or now <= recent[0]:  # noqa: PLR2004  a rate needs a beginning and an end
            return 0.0
        return (len(recent) - 1) / (now - recent[0])

    def _failure_json(self, failure: Failure) -> dict[str, str]:
        return {"code": failure.code, "message": failure.message}
