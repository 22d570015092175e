"""How many objects of a label a prediction shows. Pure, and cheap: it looks at every answer.

It counts in all that the model answered, not in what the request's threshold and top-k selected:
how a client asks must neither raise nor hide an alert.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.model.rules import judged_score

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from edge.model.tasks.task import Prediction

_CLOSE = 1e-5
"""Scores are rounded to six digits where they are shown: no score below the minimum by more than
this reaches it."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a frame shows of one label.

    Attributes:
        count: how many reach the score.
        score: the best one's, 0..1; 0 if there is none.
    """

    count: int
    score: float


NOTHING = Sighting(0, 0.0)


def sighting(scores: Sequence[float], min_score: float) -> Sighting:
    """Count the scores of one label that reach a minimum, compared as they are shown.

    Args:
        scores: of the label's rows, in ascending order, as `LabelScores` finds them.
        min_score: 0..1.
    """
    first = bisect_left(scores, min_score - _CLOSE)
    while first < len(scores) and judged_score(scores[first]) < min_score:
        first += 1  # only the few that are close
    count = len(scores) - first
    return Sighting(count, judged_score(scores[-1])) if count else NOTHING


class LabelScores:
    """Finds the scores of the wanted labels; remembers where labels stand that stay the same.

    Args:
        wanted: the labels.
    """

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = frozenset(wanted)
        self._known: dict[str, tuple[tuple[str, ...], Mapping[str, Sequence[int]]]] = {}

    def find(self, model: str, prediction: Prediction) -> dict[str, list[float]]:
        """Label to the scores of its rows, ascending, of the wanted labels that the prediction has.

        The NaN of a broken model is left out.

        Args:
            model: name of a model of the repository, which bounds what is remembered.
        """
        score_of = prediction.scores.item
        rows = self._rows(model, prediction.labels)
        found = {}
        for label, of in rows.items():
            scores = [score for row in of if (score := score_of(row)) >= 0]
            scores.sort()
            found[label] = scores
        return found

    def _rows(self, model: str, labels: tuple[str, ...]) -> Mapping[str, Sequence[int]]:
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
