"""How many objects of a label a prediction shows. Pure, and cheap: it looks at every answer.

It counts in all that the model answered, not in what the request's threshold and top-k selected:
how a client asks must neither raise nor hide an alert.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.model.rules import judged_score

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from edge.model.tasks.task import Prediction


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a frame shows of one label.

    Attributes:
        count: how many reach the score.
        score: the best one's, 0..1; 0 if there is none.
    """

    count: int
    score: float


def sighting(prediction: Prediction, rows: Sequence[int], min_score: float) -> Sighting:
    """Count the rows of one label that reach a score.

    Args:
        rows: where the label stands in the prediction, as `LabelRows` finds it.
        min_score: 0..1; compared with scores as they are shown.
    """
    count, best = 0, 0.0
    for row in rows:
        score = judged_score(prediction.scores[row])
        if score >= min_score:  # false for the NaN of a broken model
            count += 1
            best = max(best, score)
    return Sighting(count, best)


class LabelRows:
    """Finds the rows of the wanted labels; remembers those of models whose labels stay the same.

    Args:
        wanted: the labels.
    """

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = frozenset(wanted)
        self._known: dict[str, tuple[tuple[str, ...], Mapping[str, Sequence[int]]]] = {}

    def find(self, model: str, prediction: Prediction) -> Mapping[str, Sequence[int]]:
        """Label to its rows, of the wanted labels that the prediction has.

        Args:
            model: name of a model of the repository, which bounds what is remembered.
        """
        labels = prediction.labels
        known = self._known.get(model)
        # A classifier's labels are one tuple for all answers, a detector's differ in each.
        if known is not None and known[0] is labels:
            return known[1]
        rows: dict[str, list[int]] = {}
        for row, label in enumerate(labels):
            if label in self._wanted:
                rows.setdefault(label, []).append(row)
        self._known[model] = (labels, rows)
        return rows
