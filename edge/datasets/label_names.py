"""Checks the names of labels, and reads the words for splits; the same in all layouts."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from edge.datasets.dataset import Split
from edge.datasets.reading import BadEntry
from edge.printable import escape, first_unprintable

MAX_LABEL_LENGTH: Final = 256
"""Characters of a label. Vertex AI takes 128; a longer one is a sentence in the wrong column."""

_SPLIT_WORDS: Final = {
    "train": Split.TRAINING,
    "training": Split.TRAINING,
    "val": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "validation": Split.VALIDATION,
    "test": Split.TEST,
    "testing": Split.TEST,
}

SPLIT_FOLDERS: Final = frozenset(_SPLIT_WORDS)
"""Names of folders, in lower case, that hold a split."""


def split_of(word: str) -> Split | None:
    """The split that a folder's name or an ``ML_USE`` means; ``None`` for any other word."""
    return _SPLIT_WORDS.get(word.strip().lower())


def clean_label(label: Any) -> str:
    """Return a label without blanks around it, in Unicode's composed form (NFC).

    macOS writes the names of folders decomposed: the same word would otherwise be two labels.

    Raises:
        BadEntry: no text, empty, too long, or with characters that do not print: `dict.txt` has a
            line for each label.
    """
    if not isinstance(label, str):
        raise BadEntry(f"A label must be text, not {type(label).__name__}.")
    text = unicodedata.normalize("NFC", label.strip())
    if not text:
        raise BadEntry("The label is empty.")
    if len(text) > MAX_LABEL_LENGTH:
        start = escape(text[:20])
        raise BadEntry(f"The label {start}... has more than {MAX_LABEL_LENGTH} characters.")
    found = first_unprintable(text)
    if found is not None:
        position, name = found
        raise BadEntry(
            f"The label {escape(text)} has {name} as character {position + 1}, which does not "
            "print. Rename it."
        )
    return text
