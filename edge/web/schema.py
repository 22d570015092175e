"""The documentation of an answer's JSON and an error's.

`edge.dataplane.answer` builds the JSON by hand, since that is the hot path; a test holds the two together.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from edge.dataplane.answer import OutboxState, Source  # noqa: TC001 -- pydantic reads them
from edge.fallback.policy import Action, BlockedBy  # noqa: TC001 -- pydantic reads them
from edge.model.rules import Reason  # noqa: TC001 -- pydantic reads them
from edge.model.tasks.registry import TASKS


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
    postprocess: float


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


class OutboxSchema(_Schema):
    """What became of a frame that was to be kept."""

    state: OutboxState
    key: str | None = Field(
        description="Of the entry, as `GET /outbox/{key}` takes it; null while it is pending."
    )


class AnswerSchema(_Schema):
    """The answer to one image."""

    task: str = Field(json_schema_extra={"enum": list(TASKS)})
    predictions: list[PredictionSchema] = Field(description="Best first.")
    source: Source
    model: ModelSchema
    image: ImageSchema
    timing_ms: TimingSchema
    decision: Action | None = Field(
        None, description="What was done, where a fallback is configured."
    )
    reason: Reason | None = Field(None, description="Why the online model was wanted.")
    blocked_by: BlockedBy | None = Field(None, description="Why it did not answer though wanted.")
    edge: EdgeSchema | None = Field(
        None, description="What the edge said, where the online model answers."
    )
    cloud: CloudSchema | None = Field(None, description="What the online model said.")
    cloud_wait_ms: float | None = Field(None, description="How long it was waited for in vain.")
    outbox: OutboxSchema | None = Field(None, description="Whether the frame was kept for later.")


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
