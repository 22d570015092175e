"""OpenAPI schemas of an answer's and an error's JSON.

`edge.dataplane.answer` builds the JSON by hand, since that is the hot path; a test compares both.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from edge.dataplane.answer import OutboxState, Source  # noqa: TC001 -- pydantic reads it
from edge.fallback.policy import Action, BlockedBy  # noqa: TC001 -- pydantic reads it
from edge.model.rules import Reason  # noqa: TC001 -- pydantic reads it
from edge.model.tasks.registry import TASKS


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BoxSchema(_Schema):
    """A box in the upright image, relative 0..1, origin top left."""

    x_min: float = Field(ge=0, le=1)
    y_min: float = Field(ge=0, le=1)
    x_max: float = Field(ge=0, le=1)
    y_max: float = Field(ge=0, le=1)


class PredictionSchema(_Schema):
    """One class or object in the image."""

    label: str
    index: int = Field(description="Index of the class in the model's labels, from 0.")
    score: float
    box: BoxSchema | None = Field(None, description="Detection only.")


class NearestSchema(PredictionSchema):
    """What came nearest to being shown, where nothing is."""

    threshold: float = Field(description="The score that it did not reach.")


class ModelSchema(_Schema):
    """The model that answered."""

    name: str
    version: int
    digest: str = Field(description="SHA-256 of the model file.")


class ImageSchema(_Schema):
    """Size of the image in pixels, after its orientation was applied."""

    width: int
    height: int


class TimingSchema(_Schema):
    """Milliseconds per stage."""

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
    model: str = Field(description="Name of the model in the cloud.")
    unknown_labels: list[str] = Field(description="Labels that the edge's model lacks.")


class OutboxSchema(_Schema):
    """State of a frame for the outbox."""

    state: OutboxState
    key: str | None = Field(
        description="Key of the entry for `GET /outbox/{key}`; null while pending."
    )


class AnswerSchema(_Schema):
    """The answer to one image."""

    task: str = Field(json_schema_extra={"enum": list(TASKS)})
    predictions: list[PredictionSchema] = Field(description="Best first.")
    certain: bool = Field(
        description="Whether the answer is good enough by the rules of its model: its scores "
        "against a threshold and a margin. Does not depend on what the request selects."
    )
    unlike_training: bool | None = Field(
        None,
        description="Whether the image is unlike all that the model was trained on; certain is "
        "then false. Only of models that can tell: those made by `edge train`.",
    )
    heat_map: list[list[float]] | None = Field(
        None,
        description="Anomaly only: for each place of a grid over the part of the image that the "
        "model saw, rows from the top, how odd it looks: 0..1, as the score of anomaly.",
    )
    heat_region: BoxSchema | None = Field(
        None, description="Set with heat_map: the part of the image that the grid covers."
    )
    source: Source
    model: ModelSchema
    image: ImageSchema
    timing_ms: TimingSchema
    nearest: NearestSchema | None = Field(
        None, description="The best of all scores, if nothing is shown."
    )
    notice: str | None = Field(
        None, description="Set if a built-in model answered because the owner has given none."
    )
    decision: Action | None = Field(None, description="What was done, if a fallback is configured.")
    reason: Reason | None = Field(None, description="Why the online model was wanted.")
    blocked_by: BlockedBy | None = Field(
        None, description="Why the online model was not used although wanted."
    )
    edge: EdgeSchema | None = Field(
        None, description="The edge's own answer, if the online model answered."
    )
    cloud: CloudSchema | None = Field(None, description="The online model's answer.")
    cloud_wait_ms: float | None = Field(
        None, description="Milliseconds spent waiting for the online model in vain."
    )
    outbox: OutboxSchema | None = Field(None, description="Whether the frame was stored for later.")


class FaultSchema(_Schema):
    """What went wrong."""

    code: str = Field(description="Stable code of the error.")
    message: str


class ErrorSchema(_Schema):
    """An error."""

    error: FaultSchema


class ManySchema(_Schema):
    """Answers to the images of a multipart request, in order; an error for a faulty image."""

    answers: list[AnswerSchema | ErrorSchema]
