"""An answer in words, for one line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from edge.dataplane.answer import Answer
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.errors import EdgeError
    from edge.model.prediction import Item, Nearest

_DIGITS: Final = 2
_MAX_DIGITS: Final = 6  # of a score, as answers round it

_ALTERNATIVES: Final = 2
"""Classes that an unsure classifier names: the two between which it cannot decide."""


def describe(result: Answer | EdgeError, max_labels: int | None = None) -> str:
    """Say on one line what an image shows, or why it could not be answered.

    Args:
        max_labels: name no more labels than these, and count the rest; ``None`` names all.
    """
    if not isinstance(result, Answer):
        return escape(result.message)
    if not result.items:
        return _nothing(result.nearest)
    labels = _labels(result)
    named = labels if max_labels is None else labels[:max_labels]
    listed = ", ".join(named)
    if rest := len(labels) - len(named):
        listed += f", +{rest}" if named else f"{rest} labels"
    if result.certain:
        return listed
    doubt = "unlike its training" if result.prediction.unlike_training else "not sure"
    return f"{doubt} ({listed})"


def count_labels(result: Answer | EdgeError) -> int:
    """Return how many labels `describe` can name."""
    return len(_labels(result)) if isinstance(result, Answer) else 0


def visible(items: Sequence[Item]) -> list[Item]:
    """Return the items whose score does not read as 0.00; the best one if all do."""
    return [item for item in items if _rounded(item.score) > 0] or list(items[:1])


def percent(score: float) -> str:
    """Write a score of 0..1 as `17 %`."""
    return f"{_rounded(score) * 100:.0f} %"


def _rounded(score: float) -> float:
    return float(f"{score:.{_DIGITS}f}")


def _labels(answer: Answer) -> list[str]:
    """The labels with their best scores, best first; of objects also how many there are."""
    shown = visible(answer.items)
    if shown and shown[0].box is None:
        alternatives = shown if answer.certain else shown[:_ALTERNATIVES]
        return [f"{escape(item.label)} {percent(item.score)}" for item in alternatives]
    counts = Counter(item.label for item in shown)
    best: dict[str, float] = {}
    for item in shown:
        best.setdefault(item.label, item.score)
    return [
        f"{counts[label]} x {escape(label)} {percent(score)}"
        if counts[label] > 1
        else f"{escape(label)} {percent(score)}"
        for label, score in best.items()
    ]


def _nothing(nearest: Nearest | None) -> str:
    if nearest is None:
        return "nothing found"
    score, threshold = nearest.item.score, nearest.threshold
    digits = _DIGITS
    # 0.296 did not reach 0.3, and must not read as if it had.
    while f"{score:.{digits}f}" == f"{threshold:.{digits}f}" and digits < _MAX_DIGITS:
        digits += 1
    nothing = f"nothing over {threshold:.{digits}f}"
    if _rounded(score) <= 0:
        return nothing
    return f"{nothing}; best: {escape(nearest.item.label)} {score:.{digits}f}"
