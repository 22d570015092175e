"""Finds the pictures below a folder, in the order of their names."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Final

from edge.datasets.reading import MAX_EXAMPLES
from edge.errors import DataSetError
from edge.printable import escape
from edge.vision.picture_files import READABLE_SUFFIXES, UNREADABLE_SUFFIXES, is_left_behind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from edge.datasets.reading import FaultLog

_MAX_DEPTH: Final = 32
"""Folders below each other."""

_MAX_FOLDERS: Final = 100_000


class PictureFolder:
    """Walks through folders once; links are followed, but no folder is entered twice.

    What is hidden is passed over (`.git`, `._photo.jpg`), and files that are no pictures are
    counted.

    Args:
        root: the folder of the data set; faults name paths relative to it.
        faults: gets what cannot be read.
    """

    def __init__(self, root: Path, faults: FaultLog) -> None:
        self._root = root
        self._faults = faults
        self._entered: dict[tuple[int, int], Path] = {}
        self._other_files: Counter[str] = Counter()
        self._pictures = 0
        self.claim([root])

    def subfolders(self, folder: Path) -> list[Path]:
        """The folders directly in a folder, sorted by name."""
        return [entry for entry in self._entries(folder) if entry.is_dir()]

    def pictures_in(self, folder: Path) -> list[Path]:
        """The pictures directly in a folder, sorted by name."""
        entries = [entry for entry in self._entries(folder) if not entry.is_dir()]
        return [entry for entry in entries if self._is_picture(entry)]

    def claim(self, folders: Iterable[Path]) -> list[Path]:
        """Return the folders that are new, and keep other folders from leading into them."""
        return [folder for folder in folders if self._enter(folder)]

    def pictures_below(self, folder: Path, depth: int = 0) -> Iterator[Path]:
        """Yield the pictures in a folder that was claimed, and below it.

        Raises:
            DataSetError: too many pictures or folders.
        """
        if depth > _MAX_DEPTH:
            raise DataSetError(f"{escape(str(folder))} is nested too deep.")
        for entry in self._entries(folder):
            if not entry.is_dir():
                if self._is_picture(entry):
                    yield entry
            elif self._enter(entry):
                yield from self.pictures_below(entry, depth + 1)

    def add_notes(self) -> None:
        """Note the files that were passed over."""
        if not self._other_files:
            return
        kinds = ", ".join(
            f"{count} {escape(suffix) or 'without a suffix'}"
            for suffix, count in self._other_files.most_common(4)
        )
        total = self._other_files.total()
        self._faults.notes.append(f"{total} files are no pictures and are passed over: {kinds}.")

    def relative(self, path: Path) -> str:
        """The path from the data set's folder, for messages."""
        return escape(os.path.relpath(path, self._root))

    def _entries(self, folder: Path) -> list[Path]:
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 -- names, to be sorted as such
        except OSError as error:
            self._faults.add(self.relative(folder), f"The folder cannot be read: {error.strerror}.")
            return []
        return [folder / name for name in names if not is_left_behind(name)]

    def _enter(self, folder: Path) -> bool:
        """Whether the folder is new; a link may lead back to one that was entered."""
        status = folder.stat()
        key = status.st_dev, status.st_ino
        known = self._entered.get(key)
        if known is not None:
            self._faults.add(
                self.relative(folder),
                f"The folder is a link to {self.relative(known)}, which is read already. "
                "Remove the link.",
            )
            return False
        if len(self._entered) >= _MAX_FOLDERS:
            raise DataSetError(f"{escape(str(self._root))} has too many folders.")
        self._entered[key] = folder
        return True

    def _is_picture(self, file: Path) -> bool:
        suffix = file.suffix.lower()
        if suffix in UNREADABLE_SUFFIXES:
            reason = "The format cannot be read here: convert it to JPEG or PNG."
            self._faults.add(self.relative(file), reason)
            return False
        if suffix not in READABLE_SUFFIXES:
            self._other_files[suffix] += 1
            return False
        if not file.is_file():
            self._faults.add(self.relative(file), "It is not a file, or a link to nothing.")
            return False
        self._pictures += 1
        if self._pictures > MAX_EXAMPLES:
            raise DataSetError(
                f"{escape(str(self._root))} has more than {MAX_EXAMPLES:,} pictures. Split it."
            )
        return True
