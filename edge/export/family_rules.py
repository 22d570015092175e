"""What a family knows of its exports beyond what stands in the model file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.export.model_toml import tuning_origins

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.export.pixels import StatedPixels
    from edge.model.contract import Tuning


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of the model's classes, where they were read, and what a person should know."""

    names: tuple[str, ...]
    origin: str
    note: str | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """The note, if there is one, as `Contract.notes` has them."""
        return (self.note,) if self.note else ()


@dataclass(frozen=True, slots=True)
class FamilyRules:
    """How a family's files are read beyond what stands in them.

    Attributes:
        stated: what is known of the pixels; ``None`` if nothing.
        labels: the labels for a number of classes, which is ``None`` if the model does not say.
        tuning: with `model.toml` applied.
        defaults: without it.
        resize_origin: where the defaults for ``resize`` were read.
        recognised: by what the family knows its file; empty if it is read as any file is.
        scores: name of the output with the scores; empty if only the model itself tells.
    """

    stated: StatedPixels | None
    labels: Callable[[int | None], Labels]
    tuning: Tuning
    defaults: Tuning
    resize_origin: str = "default"
    recognised: str = ""
    scores: str = ""

    def origins(
        self, labels: Labels, *, task: str, image: str, pixels: str, outputs: str
    ) -> dict[str, str]:
        """Fact to the place where it was read, as `Contract.origins` has it."""
        return {
            "family": self.recognised,
            "task": task,
            "input": image,
            "pixels": pixels,
            "labels": labels.origin,
            "outputs": outputs,
            **tuning_origins(self.tuning, self.defaults, self.resize_origin),
        }
