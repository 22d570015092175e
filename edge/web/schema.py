"""The JSON of an answer and of an error: one schema for the camera door and the command line.

`answer_json` builds it by hand, since that is the hot path; the pydantic models document it and a test holds the two
together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.model.contract import Task
from edge.model.prediction import Classification

if TYPE_CHECKING:
    from edge.errors import EdgeError
    from edge.service import Answer

_SCORE_DIGITS = 6
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


class AnswerSchema(_Schema):
    """The answer to one image."""

    task: Task
    predictions: list[PredictionSchema] = Field(description="Best first.")
    source: Literal["edge"]
    model: ModelSchema
    image: ImageSchema
    timing_ms: TimingSchema


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
    predictions: list[dict[str, Any]] = []
    for item in answer.items:
        found: dict[str, Any] = {"label": item.label, "index": item.index, "score": round(item.score, _SCORE_DIGITS)}
        if item.box is not None:
            x_min, y_min, x_max, y_max = (round(edge, _SCORE_DIGITS) for edge in item.box)
            found["box"] = {"x_min": x_min, "y_min": y_min, "x_max": x_max, "y_max": y_max}
        predictions.append(found)
    return {
        "task": Task.CLASSIFICATION if isinstance(answer.prediction, Classification) else Task.DETECTION,
        "predictions": predictions,
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


def error_json(error: EdgeError) -> dict[str, Any]:
    """The error, as `ErrorSchema` describes it."""
    return {"error": {"code": error.code, "message": error.message}}
