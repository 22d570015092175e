"""The interface of a task: everything that the rest of the service needs to know about it.

No other room branches on a task's name. A new task is one file with a class derived from `Task`,
and one line in `registry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge.model.good_parts import GoodParts
    from edge.model.prediction import HeatMap, Item, Selection
    from edge.model.rules import Reason, Rules
    from edge.model.training_distribution import TrainingDistribution
    from edge.vision.geometry import Region

    Outputs = Mapping[str, NDArray[Any]]
    RealOutputs = Mapping[str, NDArray[np.float32]]

TensorInfo = tuple[str, tuple[int, ...]]
"""A dtype such as ``DT_FLOAT`` and a shape with -1 for what varies."""


@dataclass(frozen=True, slots=True)
class Classes:
    """What is known of a model's classes.

    Attributes:
        labels: one per class, in the model's order, without background. ``None`` if only the
            model's own answer names them (a SavedModel without a label file).
        multi_label: the scores are independent of each other.
        distribution: where the features of the training pictures lie; ``None`` if that is unknown.
        good_parts: how good parts look; ``None`` for a model that did not learn from such.
    """

    labels: tuple[str, ...] | None
    multi_label: bool = False
    distribution: TrainingDistribution | None = None
    good_parts: GoodParts | None = None

    @property
    def count(self) -> int:
        """Number of labels; 0 if they are unknown."""
        return len(self.labels or ())


@dataclass(frozen=True, slots=True)
class CloudRows:
    """The rows of an online model's answer, whatever its response format.

    Attributes:
        labels: one per row; translated to the edge model's labels where `model.toml` maps them.
        scores: one per row, 0..1.
        boxes: x_min, y_min, x_max, y_max per row, relative 0..1; ``None`` if the answer has none.
        edge_labels: of the edge's model, in its order; empty if it names only what it sees.
        foreign_labels: the labels that the edge's model does not have, each once.
    """

    labels: Sequence[str]
    scores: Sequence[float]
    boxes: Sequence[Sequence[float]] | None
    edge_labels: tuple[str, ...]
    foreign_labels: tuple[str, ...]

    @property
    def indices(self) -> list[int]:
        """Class index of each row; foreign labels are numbered after the edge's own."""
        every = (*self.edge_labels, *self.foreign_labels)
        index_of = {label: index for index, label in enumerate(every)}
        return [index_of[label] for label in self.labels]


class WrongCloudAnswer(ValueError):
    """An online model's answer belongs to another task; the message says why."""


class Prediction(Protocol):
    """Everything that a model answered for one image."""

    @property
    def task(self) -> Task:
        """The task of the model."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """One label per score."""
        ...

    @property
    def scores(self) -> NDArray[np.float32]:
        """float32 [labels], 0..1."""
        ...

    @property
    def unlike_training(self) -> bool | None:
        """Whether the picture is unlike all training pictures; ``None`` if the model cannot say."""
        ...

    @property
    def heat_map(self) -> HeatMap | None:
        """Where in the picture it is seen; ``None`` if the model does not say."""
        ...

    def select(self, selection: Selection) -> list[Item]:
        """Return the items to show, best first."""
        ...

    def best(self, count: int) -> list[Item]:
        """Return the ``count`` best of all items, whatever their scores."""
        ...


class Task(ABC):
    """What a model does with an image, such as classification.

    Attributes:
        name: as in answers, the outbox and `edge inspect`.
        default_threshold: minimum score of a shown item by default, 0..1.
        default_top_k: maximum number of shown items by default.
        has_boxes: whether its items have boxes.
        cloud_side: longer side, in pixels, of an image for an online model, as Google advises.
        signature_outputs: the outputs that identify a SavedModel's signature as of this task.
        signature_labels: the output in which a SavedModel names its classes.
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
        """Read a TFLite model's outputs.

        Args:
            outputs: role to dequantised values, batch dimension included.
            classes: what is known about the model's classes.
            region: the part of the image that the model saw.
        """

    @abstractmethod
    def read_signature(self, outputs: Outputs, classes: Classes) -> Prediction:
        """Read a SavedModel's outputs by name, batch dimension included."""

    @abstractmethod
    def read_cloud(self, rows: CloudRows) -> Prediction:
        """Read an online model's answer; raises ``WrongCloudAnswer`` if it is of another task."""

    @abstractmethod
    def class_labels(self, prediction: Prediction) -> tuple[str, ...] | None:
        """Return all labels of the model from one answer; ``None`` if it names only what it sees.

        Raises:
            ValueError: the answer has more or fewer scores than labels.
        """

    @abstractmethod
    def uncertainty(self, prediction: Prediction, shown: Selection, rules: Rules) -> Reason | None:
        """Return why the answer is unsure; ``None`` if it is sure.

        Args:
            prediction: everything that the model answered.
            shown: what the model's own settings show, whatever the request selects.
            rules: when an answer is good enough.
        """

    @abstractmethod
    def agrees(self, edge: Prediction, cloud: Prediction, shown: Selection) -> bool:
        """Whether two predictions for one image agree."""

    @abstractmethod
    def seen_labels(self, prediction: Prediction, shown: Selection) -> tuple[str, ...]:
        """Return the labels, sorted, whose change means that the camera sees something else."""

    @abstractmethod
    def headline(self, items: Sequence[Item]) -> Sequence[str]:
        """Return the labels by which the wall and the outbox count an answer.

        Args:
            items: as shown, best first.
        """

    @abstractmethod
    def tf_serving_outputs(
        self, prediction: Prediction, classes: Classes, input_size: tuple[int, int]
    ) -> dict[str, Any]:
        """Return the outputs that a SavedModel of this task has for one image, as JSON values.

        Args:
            prediction: of the image.
            classes: of the model.
            input_size: height and width of its input in pixels; zeros if the graph resizes.
        """

    @abstractmethod
    def tf_serving_signature(self, classes: Classes) -> dict[str, TensorInfo]:
        """Return name to dtype and shape of the outputs that a SavedModel of this task has."""

    @abstractmethod
    def import_file(self, *, multi_label: bool) -> str:
        """Return the name, without suffix, of the Vertex AI import file for images of this task."""

    @abstractmethod
    def import_annotations(
        self, items: Sequence[Mapping[str, Any]], *, multi_label: bool
    ) -> dict[str, Any]:
        """Return the annotations in an import line for an image with these items, best first."""

    @abstractmethod
    def import_nothing(self, *, multi_label: bool) -> dict[str, Any]:
        """Return the annotations of an image that shows none of the labels; empty if none can."""
