"""The JSON of an answer and of an error: one schema for the camera door and the command line.

`answer_json` builds it by hand, since that is the hot path; the pydantic models document it and a test holds the two
together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.fallback.policy import Action, Hindrance, Reason  # noqa: TC001 -- pydantic reads them
from edge.fallback.verdict import KeptState  # noqa: TC001 -- pydantic reads it
from edge.model.contract import Task
from edge.model.prediction import Classification

if TYPE_CHECKING:
    from edge.errors import EdgeError
    from edge.fallback.verdict import Verdict
    from edge.service import Answer

_MS_DIGITS = 3


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BoxSchema(_Schema):
    """A box, relative 0..1 to the upright image, origin top left."""

    x_min: float = Field(ge=0, le=1)
    y_min: float = Field(ge=0, le=1)
    x_max: float = Field(ge=0, le=1)
    y_max: float = Field(ge=0, le=1)


class PredictionSchema(_Schema):
    """One thing that was seen."""

    label: str
    index: int = Field(description="The class's place in the model's labels, from 0.")
    score: float
    box: BoxSchema | None = Field(None, description="In detection only.")


class ModelSchema(_Schema):
    """Which model answered."""

    name: str
    version: int
    digest: str = Field(description="SHA-256 of the model file.")


class ImageSchema(_Schema):
    """The image as a person sees it, turned upright."""

    width: int
    height: int


class TimingSchema(_Schema):
    """Milliseconds of each stage."""

    queue: float
    decode: float
    preprocess: float
    infer: float
    read_out: float


class EdgeSchema(_Schema):
    """The edge's own answer."""

    predictions: list[PredictionSchema]
    latency_ms: float


class CloudSchema(_Schema):
    """The online model's answer."""

    predictions: list[PredictionSchema]
    latency_ms: float
    model: str = Field(description="As the cloud names it.")
    unknown_labels: list[str] = Field(description="Labels that the edge's model does not have.")


class KeptSchema(_Schema):
    """What became of a frame that was to be kept."""

    state: KeptState
    key: str | None = Field(description="Of the entry, as `GET /outbox/{key}` takes it; null while it is pending.")


class AnswerSchema(_Schema):
    """The answer to one image."""

    task: Task
    predictions: list[PredictionSchema] = Field(description="Best first.")
    source: Literal["edge", "cloud"]
    model: ModelSchema
    image: ImageSchema
    timing_ms: TimingSchema
    decision: Action | None = Field(None, description="What was done, where a fallback is configured.")
    reason: Reason | None = Field(None, description="Why the online model was wanted.")
    hindrance: Hindrance | None = Field(None, description="Why it did not answer though wanted.")
    edge: EdgeSchema | None = Field(None, description="What the edge said, where the online model answers.")
    cloud: CloudSchema | None = Field(None, description="What the online model said.")
    cloud_wait_ms: float | None = Field(None, description="How long it was waited for in vain.")
    outbox: KeptSchema | None = Field(None, description="Whether the frame was kept for later.")


class FaultSchema(_Schema):
    """What went wrong."""

    code: str = Field(description="A word that never changes.")
    message: str


class ErrorSchema(_Schema):
    """An error."""

    error: FaultSchema


class ManySchema(_Schema):
    """Answers to the images of one multipart request, in their order; an image at fault has an error in its place."""

    answers: list[AnswerSchema | ErrorSchema]


def answer_json(answer: Answer) -> dict[str, Any]:
    """The answer, as `AnswerSchema` describes it."""
    stages = answer.stages
    body = {
        "task": Task.CLASSIFICATION if isinstance(answer.prediction, Classification) else Task.DETECTION,
        "predictions": [item.as_json() for item in answer.items],
        "source": answer.source,
        "model": {"name": answer.model.name, "version": answer.model.version, "digest": answer.model.export.digest},
        "image": {"width": answer.width, "height": answer.height},
        "timing_ms": {
            "queue": round(answer.queue, _MS_DIGITS),
            "decode": round(stages.decode, _MS_DIGITS),
            "preprocess": round(stages.preprocess, _MS_DIGITS),
            "infer": round(stages.infer, _MS_DIGITS),
            "read_out": round(stages.read_out, _MS_DIGITS),
        },
    }
    return body if answer.verdict is None else body | _verdict_json(answer.verdict)


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    """What the fallback adds; only what there is."""
    added: dict[str, Any] = {"decision": verdict.action, "reason": verdict.reason, "hindrance": verdict.hindrance}
    if verdict.edge is not None:
        added["edge"] = verdict.edge.as_json()
    if verdict.cloud is not None:
        added["cloud"] = verdict.cloud.as_json()
    if verdict.waited is not None:
        added["cloud_wait_ms"] = round(verdict.waited, _MS_DIGITS)
    if verdict.outbox is not None:
        added["outbox"] = {"state": verdict.outbox.state, "key": verdict.outbox.key}
    return {name: value for name, value in added.items() if value is not None}


def error_json(error: EdgeError) -> dict[str, Any]:
    """The error, as `ErrorSchema` describes it."""
    return {"error": {"code": error.code, "message": error.message}}
