"""What every task has in common: the one object that the rest of the service asks about a task.

No other room branches on a task's name. A new task is one file that derives from `Task`, and one line in `registry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge.model.prediction import Item, Selection
    from edge.model.rules import Reason, Rules
    from edge.vision.geometry import Region

    Outputs = Mapping[str, NDArray[Any]]
    RealOutputs = Mapping[str, NDArray[np.float32]]

TensorInfo = tuple[str, tuple[int, ...]]
"""A dtype such as ``DT_FLOAT`` and a shape with -1 for what varies."""


@dataclass(frozen=True, slots=True)
class Classes:
    """What is known of a model's classes.

    Attributes:
        labels: one per class, in the model's order, without background. ``None`` where only the
            model's own answer tells (a SavedModel without a label file).
        multi_label: the scores are independent of each other.
    """

    labels: tuple[str, ...] | None
    multi_label: bool = False

    @property
    def count(self) -> int:
        """Number of labels; 0 where none are known."""
        return len(self.labels or ())


@dataclass(frozen=True, slots=True)
class CloudRows:
    """What an online model returned, brought into one form.

    Attributes:
        labels: in the edge's words where it knows them, one per row.
        scores: 0..1, one per row.
        boxes: x_min, y_min, x_max, y_max per row, relative 0..1; ``None`` where it sent none.
        edge_labels: of the edge's model, in its order; empty where it names only what it sees.
        foreign_labels: those of ``labels`` that the edge's model does not have, without repetition.
    """

    labels: Sequence[str]
    scores: Sequence[float]
    boxes: Sequence[Sequence[float]] | None
    edge_labels: tuple[str, ...]
    foreign_labels: tuple[str, ...]

    @property
    def indices(self) -> list[int]:
        """Of each row's class; foreign labels stand behind the edge's own."""
        every = (*self.edge_labels, *self.foreign_labels)
        index_of = {label: index for index, label in enumerate(every)}
        return [index_of[label] for label in self.labels]


class WrongCloudAnswer(ValueError):
    """An online model's answer is not of the task that was asked; the message says why."""


class Prediction(Protocol):
    """All that a model said of one image."""

    @property
    def task(self) -> Task:
        """What the model was asked."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """A label for each score."""
        ...

    @property
    def scores(self) -> NDArray[np.float32]:
        """float32 [labels], 0..1."""
        ...

    def select(self, selection: Selection) -> list[Item]:
        """The shown items, best first."""
        ...


class Task(ABC):
    """A kind of question that a model answers.

    Attributes:
        name: as answers, the outbox and `edge inspect` show it.
        default_threshold: scores under it are not shown where nobody says otherwise, 0..1.
        default_top_k: number of items shown where nobody says otherwise.
        has_boxes: whether its items say where they are.
        cloud_side: pixels of the longer side that an online model makes use of, as Google advises.
        signature_outputs: outputs by which a SavedModel's signature is recognised.
        signature_labels: the output in which a SavedModel names its classes itself.
    """

    name: ClassVar[str]
    default_threshold: ClassVar[float]
    default_top_k: ClassVar[int]
    has_boxes: ClassVar[bool]
    cloud_side: ClassVar[int]
    signature_outputs: ClassVar[frozenset[str]]
    signature_labels: ClassVar[str]

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    @abstractmethod
    def read_tensors(self, outputs: RealOutputs, classes: Classes, region: Region) -> Prediction:
        """Read a TFLite model's outputs, role to dequantised float32.

        Args:
            outputs: batch dimension included.
            classes: what is known of the model's classes.
            region: the part of the image that the model saw.
        """

    @abstractmethod
    def read_signature(self, outputs: Outputs, classes: Classes) -> Prediction:
        """Read a SavedModel's outputs by name, batch dimension included."""

    @abstractmethod
    def read_cloud(self, rows: CloudRows) -> Prediction:
        """Read an online model's answer; raises ``WrongCloudAnswer`` where it is not of this task."""

    @abstractmethod
    def class_labels(self, prediction: Prediction) -> tuple[str, ...] | None:
        """All the model's labels as one answer shows them; ``None`` where it names only what it sees.

        Raises:
            ValueError: the answer has more or fewer scores than labels.
        """

    @abstractmethod
    def uncertainty(self, prediction: Prediction, shown: Selection, rules: Rules) -> Reason | None:
        """Why the answer is unsure; ``None`` where it is sure.

        Args:
            prediction: all the model said.
            shown: what the model shows by its own settings, whatever the caller asked for.
            rules: when an answer is good enough.
        """

    @abstractmethod
    def agrees(self, edge: Prediction, cloud: Prediction, shown: Selection) -> bool:
        """Whether two predictions for one image say the same."""

    @abstractmethod
    def headline(self, items: Sequence[Item]) -> Sequence[str]:
        """The labels that a shown answer counts as, one for each thing seen; ``items`` are best first."""

    @abstractmethod
    def tf_serving_outputs(
        self, prediction: Prediction, classes: Classes, input_size: tuple[int, int]
    ) -> dict[str, Any]:
        """Output name to the JSON value that a SavedModel of this task would answer for one image.

        Args:
            prediction: what is answered.
            classes: of the model.
            input_size: height and width of its input in pixels; zeros where the graph resizes.
        """

    @abstractmethod
    def tf_serving_signature(self, classes: Classes) -> dict[str, TensorInfo]:
        """Name to dtype and shape of the outputs that a SavedModel of this task has."""

    @abstractmethod
    def import_file(self, *, multi_label: bool) -> str:
        """Name, without its suffix, of the Vertex AI import file for pictures of this task."""

    @abstractmethod
    def import_annotations(
        self, items: Sequence[Mapping[str, Any]], *, multi_label: bool
    ) -> dict[str, Any]:
        """What a line of the import file says of a picture with these trusted items, best first."""
