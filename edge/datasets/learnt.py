"""The pictures that a model has learnt from, kept with it: nobody shall judge it by them later.

`learnt_pictures.tsv` next to the model has a line for each: the digest of the file's bytes, a tab,
and what it was used for, ``training`` or ``validation``. So a picture is known again wherever it
lies and whatever it is called. Near duplicates need no lines of their own: `edge train` keeps them
together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.datasets.dataset import Split
from edge.export.regular_file import read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE_NAME: Final = "learnt_pictures.tsv"
_MAX_FILE_BYTES: Final = 128 << 20
"""Two million pictures."""

_FOLDERS_UP: Final = 2
"""A SavedModel stands in `saved_model/0001/` of its export."""


def write_learnt(folder: Path, pictures: Iterable[tuple[str, Split]]) -> None:
    """Write the digests of pictures and what each was used for; test pictures are left out.

    Args:
        pictures: `picture_digest` of each in hex, and its split.

    Raises:
        OSError: it cannot be written.
    """
    learnt = [(digest, split) for digest, split in pictures if split is not Split.TEST]
    lines = [f"{digest}\t{split}\n" for digest, split in learnt]
    (folder / FILE_NAME).write_text("".join(sorted(lines)), "ascii")


def read_learnt(folder: Path) -> frozenset[str]:
    """The digests of the pictures that the model in a folder has learnt from; empty if unknown.

    Raises:
        ExportError: the file is too large, or no regular file.
        OSError: it cannot be read.
    """
    for place in (folder, *folder.resolve().parents[:_FOLDERS_UP]):
        file = place / FILE_NAME
        if file.is_file():
            text = read_bounded(file, _MAX_FILE_BYTES).decode("ascii", "replace")
            return frozenset(line.partition("\t")[0] for line in text.splitlines())
    return frozenset()
