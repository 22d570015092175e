"""What to train, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from edge.datasets.dataset import DataSet
    from edge.export.read import Export


class Progress(Protocol):
    """Shows how far the training is."""

    def stage(self, words: str) -> None:
        """A step begins: a few words, such as ``reading pictures``."""

    def advance(self, done: int, total: int) -> None:
        """So many of all pictures, or tries, of this step are done."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to train, and how.

    Attributes:
        base: the data set.
        added: further data sets, which do not change the splits of the first.
        out: the folder to write.
        backbone: the built-in classifier.
        max_pixels: of a picture.
        workers: pictures at a time.
        saved_model: also write the SavedModel.
        seconds: in which all should be done, with the last layers of the backbone fine-tuned;
            ``None`` for quick training.
    """

    base: DataSet
    added: tuple[DataSet, ...]
    out: Path
    backbone: Export
    max_pixels: int
    workers: int
    saved_model: bool = True
    seconds: float | None = None
