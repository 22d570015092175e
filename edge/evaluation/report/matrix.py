"""The confusion matrix on a page: what is there by what was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.evaluation.report.words import NOTHING_WORDS, confused_pairs
from edge.report_page import cell, table, titled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

MAX_MATRIX: Final = 26
"""Labels of a confusion matrix; above that the most frequent pairs are listed instead."""

MAX_PAIRS: Final = 40
"""Pairs on the page: a model may know a thousand labels."""


def confusion_matrix(counts: NDArray[np.intp], names: Sequence[str]) -> str:
    """The matrix of those rows and columns that occur, or the most frequent pairs of many.

    Args:
        counts: intp [labels, or one more, labels, or one more]: what is there by what was answered.
        names: of the columns, and of the rows.
    """
    height, width = counts.shape
    rows = [row for row in range(height) if counts[row].any()]
    columns = [
        column
        for column in range(width)
        if counts[:, column].any() or (column in rows and names[column] != NOTHING_WORDS)
    ]
    if max(len(rows), len(columns)) > MAX_MATRIX:
        return _pairs(counts, names)
    body = []
    for row in rows:
        total = int(counts[row].sum())
        cells = [_cell(int(counts[row, c]), total, is_own=row == c) for c in columns]
        body.append([titled(names[row]), *cells])
    head = ["", *(titled(names[column]) for column in columns)]
    words = "<p>Rows: what is there. Columns: what the model answered.</p>"
    return words + table("What is taken for what", head, body, "matrix")


def _cell(count: int, total: int, *, is_own: bool) -> str:
    if not count:
        return "·"
    kind = "own" if is_own else "other"
    return cell(f"{count:,}", f"some {kind}", f"--share:{count / total:.3f}")


def _pairs(counts: NDArray[np.intp], names: Sequence[str]) -> str:
    pairs = confused_pairs(counts, names)
    if not pairs:
        return "<p>Nothing is taken for anything else.</p>"
    rows = [
        [titled(true), titled(answered), f"{count:,}"]
        for count, true, answered in pairs[:MAX_PAIRS]
    ]
    more = (
        f" The {MAX_PAIRS} most frequent of {len(pairs)} pairs." if len(pairs) > MAX_PAIRS else ""
    )
    return (
        f"<p>What was taken for another, most often first.{more}</p>"
        f"{table('What is taken for what', ('there', 'answered', 'times'), rows, 'pairs')}"
    )
