"""A data set: pictures on disk, and what a person says they show.

Boxes are (x_min, y_min, x_max, y_max), relative 0..1 to the upright image, origin top left, as in
``edge.model.prediction``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Split(StrEnum):
    """What an example is for; the names are those of Vertex AI's ``ML_USE``."""

    TRAINING = "training"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class LabeledBox:
    """One object in a picture.

    Attributes:
        label: name of its class.
        box: (x_min, y_min, x_max, y_max), 0..1.
    """

    label: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Example:
    """One picture and what it shows.

    Attributes:
        image: file of the picture. It is opened when it is needed, one batch at a time.
        labels: of the whole picture, without repeats, in the order of the source. For detection:
            the labels of its boxes. Empty if the source says that it shows nothing.
        boxes: objects in the picture; ``None`` where the source knows no boxes.
        split: that the source states; ``None`` if it leaves the choice open.
        source: where the example was read, for messages: ``"labels.csv, line 12"``.
    """

    image: Path
    labels: tuple[str, ...]
    boxes: tuple[LabeledBox, ...] | None = None
    split: Split | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class DataSet:
    """Examples that belong together.

    Attributes:
        path: what the user named: a folder or a file.
        layout: what it was read as: ``"folder per label"``, ``"Vertex AI CSV"``, ``"COCO"``, ...
        labels: of all examples, sorted.
        examples: in the order of the source; a folder's are sorted by name.
        unlabeled: pictures that wait for a person to label them. They are no examples: what they
            show is unknown, whereas an example without labels is known to show nothing.
        notes: what was read otherwise than one might think, or passed over; a sentence each.
    """

    path: Path
    layout: str
    labels: tuple[str, ...]
    examples: tuple[Example, ...]
    unlabeled: tuple[Example, ...] = ()
    notes: tuple[str, ...] = ()
