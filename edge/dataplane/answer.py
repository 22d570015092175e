"""What goes into the data plane and what comes out: the request, the answer, and the answer's JSON.

All of these are plain values. An answer holds no interpreter, so that a model can be unloaded while
its answers are still being read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from edge.runtime.pipeline import StageTimes

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from edge.errors import EdgeError
    from edge.fallback.policy import Action, BlockedBy
    from edge.model.prediction import Item, Nearest
    from edge.model.rules import Mode, Reason
    from edge.model.tasks.task import Prediction
    from edge.repository.version import ModelRef

BUILTIN_NOTICE = "built-in demonstration model"
"""Said with every answer of a model that serves because the owner has given none."""

_MS_DIGITS = 3


class Source(StrEnum):
    """Who answered."""

    EDGE = "edge"
    CLOUD = "cloud"


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What a caller says besides the image.

    Attributes:
        deadline: on `time.monotonic`, by which the answer is wanted.
        model: name of the model; ``None`` for the default one.
        version: ``None`` for the one that serves.
        top_k: maximum number of items, 1 or more; ``None`` for the model's own.
        threshold: leave out items with a lower score, 0..1; ``None`` for the model's own.
        modes: when to ask the online model, instead of the owner's modes; the entrance has checked
            that the owner allows them. ``None`` for the owner's.
        camera: who sent the image, for the wall and the outbox; empty if unknown.
        client: whose request it is: an API key or an address; empty if unknown.
        sender: which of the client's cameras or streams may repeat itself; empty for a single
            picture.
        caller_gone: returns when the caller has left, so that no paid call is made for a client
            that is gone; ``None`` if that cannot be known.
        batch_slot: semaphore that limits how many images of one request are in the pool at once;
            ``None`` for a single image.
    """

    deadline: float
    model: str | None = None
    version: int | None = None
    top_k: int | None = None
    threshold: float | None = None
    modes: frozenset[Mode] | None = None
    camera: str = ""
    client: str = ""
    sender: str = ""
    caller_gone: Callable[[], Awaitable[None]] | None = None
    batch_slot: asyncio.Semaphore | None = None


class OutboxState(StrEnum):
    """What became of a frame that was handed to the outbox."""

    KEPT = "kept"
    """It is on disk."""
    PENDING = "pending"
    """It is being written; the answer did not wait for the disk."""
    FULL = "full"
    """The outbox is full of more valuable frames."""
    FAILED = "failed"
    """The outbox cannot be written."""


@dataclass(frozen=True, slots=True)
class OutboxReceipt:
    """Whether the outbox has the frame, and under which key."""

    state: OutboxState
    key: str | None = None


@dataclass(frozen=True, slots=True)
class EdgeSide:
    """What the edge answered, if the cloud was asked as well.

    Attributes:
        items: those shown to the caller, best first.
        latency: milliseconds it took.
    """

    items: Sequence[Item]
    latency: float

    def as_json(self) -> dict[str, Any]:
        """As answers show it."""
        return {
            "predictions": [item.as_json() for item in self.items],
            "latency_ms": round(self.latency, _MS_DIGITS),
        }


@dataclass(frozen=True, slots=True)
class CloudSide:
    """What the online model answered.

    Attributes:
        items: those shown to the caller, best first.
        latency: milliseconds it took.
        model: as the cloud names it.
        unknown_labels: labels that the edge's model does not have.
    """

    items: Sequence[Item]
    latency: float
    model: str
    unknown_labels: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As answers and the outbox show it."""
        return {
            "predictions": [item.as_json() for item in self.items],
            "latency_ms": round(self.latency, _MS_DIGITS),
            "model": self.model,
            "unknown_labels": list(self.unknown_labels),
        }


@dataclass(frozen=True, slots=True)
class Escalation:
    """What was decided about the online model for one frame.

    Attributes:
        action: what was done.
        reason: why the cloud was wanted; ``None`` if it was not.
        blocked_by: why the cloud did not answer although it was wanted.
        edge: the edge's answer, if the cloud's replaces it.
        cloud: the cloud's answer, if it came in time.
        waited: milliseconds that the caller waited for the cloud in vain; ``None`` if it was not
            called, or answered.
        outbox: the outbox's receipt, if the frame was handed to it.
    """

    action: Action
    reason: Reason | None = None
    blocked_by: BlockedBy | None = None
    edge: EdgeSide | None = None
    cloud: CloudSide | None = None
    waited: float | None = None
    outbox: OutboxReceipt | None = None

    def as_json(self) -> dict[str, Any]:
        """The keys it adds to an answer; leaves out those without a value."""
        added: dict[str, Any] = {
            "decision": self.action,
            "reason": self.reason,
            "blocked_by": self.blocked_by,
        }
        if self.edge is not None:
            added["edge"] = self.edge.as_json()
        if self.cloud is not None:
            added["cloud"] = self.cloud.as_json()
        if self.waited is not None:
            added["cloud_wait_ms"] = round(self.waited, _MS_DIGITS)
        if self.outbox is not None:
            added["outbox"] = {"state": self.outbox.state, "key": self.outbox.key}
        return {name: value for name, value in added.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service says of one frame, and where it came from.

    Attributes:
        prediction: everything that was predicted.
        items: those shown to the caller, best first.
        source: who answered.
        model: the version that was asked for.
        width: of the upright image in pixels.
        height: of the upright image in pixels.
        queue: milliseconds from the submission until a worker took the frame.
        stages: milliseconds on the worker.
        outputs: a SavedModel's own outputs, for protocols that pass them on unchanged.
        escalation: what was decided about the online model; ``None`` if no mode asks for one.
        certain: whether ``prediction`` is good enough by the rules of its model, whatever the
            request selects (`Task.uncertainty`).
        nearest: what came nearest to being shown, if nothing is.
    """

    prediction: Prediction
    items: Sequence[Item]
    source: Source
    model: ModelRef
    width: int
    height: int
    queue: float = 0.0
    stages: StageTimes = field(default_factory=StageTimes)
    outputs: Mapping[str, NDArray[Any]] | None = None
    escalation: Escalation | None = None
    certain: bool = False
    nearest: Nearest | None = None


class Answerer(Protocol):
    """Answers one frame: the edge alone, or something that wraps another answerer."""

    async def answer(self, image: bytes, request: InferRequest) -> Answer:
        """Answer one frame.

        Raises:
            RequestError: the image or the request is at fault.
            Refusal: no slot, no model, or no time.
            InferenceFailed: the model failed.
        """
        ...


def answer_json(answer: Answer) -> dict[str, Any]:
    """The answer as the camera route, the stream and the command line give it.

    Built by hand, since it is on the hot path; `edge.web.schema` documents it.
    """
    stages = answer.stages
    body: dict[str, Any] = {
        "task": answer.prediction.task.name,
        "predictions": [item.as_json() for item in answer.items],
        "certain": answer.certain,
        "source": answer.source,
        "model": {
            "name": answer.model.name,
            "version": answer.model.version,
            "digest": answer.model.digest,
        },
        "image": {"width": answer.width, "height": answer.height},
        "timing_ms": {
            "queue": round(answer.queue, _MS_DIGITS),
            "decode": round(stages.decode, _MS_DIGITS),
            "preprocess": round(stages.preprocess, _MS_DIGITS),
            "infer": round(stages.infer, _MS_DIGITS),
            "postprocess": round(stages.postprocess, _MS_DIGITS),
        },
    }
    unlike_training = answer.prediction.unlike_training
    if unlike_training is not None:
        body["unlike_training"] = unlike_training
    heat_map = answer.prediction.heat_map
    if heat_map is not None:
        body["heat_map"] = heat_map.as_json()
        body["heat_region"] = heat_map.region_json()
    if answer.nearest is not None:
        body["nearest"] = answer.nearest.as_json()
    if answer.model.builtin:
        body["notice"] = BUILTIN_NOTICE
    return body if answer.escalation is None else body | answer.escalation.as_json()


def error_json(error: EdgeError) -> dict[str, Any]:
    """An error as the same entrances give it."""
    return {"error": {"code": error.code, "message": error.message}}
