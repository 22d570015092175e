"""What an evaluation says: plain values, for the text, the JSON and the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge.datasets.dataset import Example
    from edge.evaluation.calibration import Bin
    from edge.evaluation.classification import LabelFigures
    from edge.evaluation.comparison import Comparison
    from edge.evaluation.curves import Curve
    from edge.evaluation.gate import Verdict
    from edge.evaluation.roc import Roc
    from edge.evaluation.thresholds import LabelThreshold
    from edge.evaluation.truth import Selected
    from edge.model.prediction import Item


@dataclass(frozen=True, slots=True)
class Mistake:
    """A picture that the model has wrong.

    Attributes:
        example: the picture and what it shows.
        said: what the model says, best first; empty if nothing reaches its threshold.
        weight: by which mistakes are sorted, the worst first.
        why: what is wrong, in words.
    """

    example: Example
    said: Sequence[Item]
    weight: float
    why: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that could not be answered."""

    example: Example
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What a judge finds after the last picture.

    Attributes:
        figures: name to value, 0..1; ``None`` where the set does not say it.
        labels: figures of each label that occurs, in the set or in an answer.
        confusion: rows are what is there, columns what was answered, the last column nothing; for
            a detector the last row is for what was found where nothing is. ``None`` for a
            multi-label model.
        confusion_labels: of the rows and columns.
        curves: label to precision and recall over the threshold; only labels that are there.
        calibration: of the best label's scores; empty for a detector.
        mistakes: the worst ones first, bounded.
        right: number of each answered picture to whether it is all right.
        threshold_words: which threshold an answer had to reach, for people.
        roc: of a model of good parts; ``None`` for other tasks.
    """

    figures: Mapping[str, float | None]
    labels: Sequence[LabelFigures]
    confusion: NDArray[np.intp] | None
    confusion_labels: tuple[str, ...]
    curves: Mapping[str, Curve]
    calibration: Sequence[Bin]
    mistakes: Sequence[Mistake]
    right: Mapping[int, bool]
    threshold_words: str
    roc: Roc | None = None


def learners(*, compared: bool) -> str:
    """Who has learnt from the pictures that are left out, in words."""
    return "one or the other model" if compared else "the model"


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One model on one set.

    Attributes:
        model: name, path, family and digest, as the report shows them.
        task: name of the task.
        multi_label: the model's scores are independent of each other.
        data_set: path and layout.
        selected: which pictures of the set, and notes.
        done: number of pictures that were looked at.
        failures: those that could not be answered.
        learnt: number of those that were left out because the model has learnt from them, or the
            one that it is compared with.
        compared: there is one that it is compared with.
        seconds: that the pictures took.
    """

    model: Mapping[str, Any]
    task: str
    multi_label: bool
    data_set: Mapping[str, Any]
    selected: Selected
    done: int
    failures: Sequence[Failure]
    learnt: int
    compared: bool
    seconds: float
    judgement: Judgement

    @property
    def planned(self) -> int:
        """Number of pictures chosen."""
        return len(self.selected.examples)

    @property
    def answered(self) -> int:
        """Number of pictures that have an answer."""
        return self.done - len(self.failures) - self.learnt


@dataclass(frozen=True, slots=True, eq=False)
class ThresholdReport:
    """Thresholds for a wanted precision, and what becomes of `model.toml`.

    Attributes:
        wanted: precision, 0..1.
        diff: unified diff of the file; empty if nothing changes.
        file: of the model's settings; ``None`` if the export has no place for one.
        written: whether the file was changed.
        note: why it was not, or what to do.
        failed: it could not be changed although it was to be.
    """

    wanted: float
    thresholds: Sequence[LabelThreshold]
    diff: str
    file: str | None
    written: bool
    note: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Everything that one run of `edge evaluate` has to say.

    Attributes:
        evaluation: of the model.
        other: of the model it is compared with.
        comparison: of both; pictures are numbers in ``evaluation.selected.examples``.
        verdicts: of the demands.
    """

    evaluation: Evaluation
    other: Evaluation | None = None
    comparison: Comparison | None = None
    thresholds: ThresholdReport | None = None
    verdicts: Sequence[Verdict] = field(default_factory=tuple)
