"""Reads YOLO: a text file of boxes for each picture, and `data.yaml` or `classes.txt` with names.

Source: the documentation of Ultralytics, "Object detection datasets overview". The labels of
`.../images/1.jpg` are in `.../labels/1.txt`, or next to the picture where no folder is called
`images`. A line is `class x_center y_center width height`, relative to the picture. A picture
without a file shows nothing.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from edge.datasets.box_values import checked_box, number
from edge.datasets.dataset import Example, LabeledBox, Split
from edge.datasets.index_rows import MAX_BOXES, labels_of
from edge.datasets.label_names import clean_label, split_of
from edge.datasets.picture_folder import PictureFolder
from edge.datasets.reading import BadEntry, FaultLog
from edge.datasets.text_lines import read_lines
from edge.datasets.yolo_names import YoloFile
from edge.errors import DataSetError
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

IMAGES: Final = "images"
LABELS: Final = "labels"
CLASSES: Final = "classes.txt"
_FIELDS: Final = 5


def read_yolo_file(file: Path, faults: FaultLog) -> list[Example]:
    """The examples of a `data.yaml`.

    The folders that it names often belong to another machine (`../train/images`). The longest
    ending of such a path that is there below the folder of the file is taken.

    Raises:
        DataSetError: the file cannot be read, or names no folder that is there.
    """
    stated = YoloFile(file)
    names = _clean_names(stated.names, file.name, faults)
    reader = _Reader(file.parent, names, faults)
    is_split = len(stated.splits) > 1
    found = False
    for key, folders in stated.splits.items():
        for folder in folders:
            place = _place(file.parent, stated.path, folder)
            if place is None:
                faults.add(escape(file.name), _missing(key, folder, file))
                continue
            found = True
            reader.read(place, split_of(key) if is_split else None)
    if not found and not stated.splits and (file.parent / IMAGES).is_dir():
        reader.read(file.parent / IMAGES, None)
        found = True
    if not found:
        raise DataSetError(f"{escape(str(file))} names no folder of pictures that is here.")
    return reader.finish()


def read_yolo_folder(root: Path, faults: FaultLog) -> list[Example]:
    """The examples of a folder with `images`, `labels` and `classes.txt`.

    Raises:
        DataSetError: there is no `classes.txt`.
    """
    files = [root / CLASSES, root / LABELS / CLASSES]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise DataSetError(
            f"{escape(str(root))} has no names of labels: put data.yaml or {CLASSES} there."
        )
    names = dict(enumerate(line for _, line in read_lines(file, faults)))
    reader = _Reader(root, _clean_names(names, CLASSES, faults), faults)
    reader.read(root / IMAGES, None)
    return reader.finish()


def _clean_names(names: Mapping[int, str], source: str, faults: FaultLog) -> dict[int, str]:
    clean: dict[int, str] = {}
    for key, name in names.items():
        try:
            clean[key] = clean_label(name)
        except BadEntry as bad:
            faults.add(f"{escape(source)}, class {key}", bad.reason)
    return clean


def _place(root: Path, path: str, folder: str) -> Path | None:
    parts = [*PurePosixPath(path).parts, *PurePosixPath(folder).parts]
    parts = [part for part in parts if part not in {"/", "..", "."} and "\0" not in part]
    for start in range(len(parts)):
        place = root.joinpath(*parts[start:])
        if place.is_dir():
            return place
    return None


def _missing(key: str, folder: str, file: Path) -> str:
    shown, here = escape(folder), escape(str(file.parent))
    if folder.endswith(".txt"):
        return f"{key}: {shown} is a list of files; name the folder of the pictures."
    return f"{key}: there is no folder {shown} below {here}."


class _Reader:
    """Reads folders of pictures with their label files.

    Args:
        root: the folder of the data set.
        names: labels by the numbers of classes.
        faults: gets what is wrong.
    """

    def __init__(self, root: Path, names: Mapping[int, str], faults: FaultLog) -> None:
        self._root = root
        self._walk = PictureFolder(root, faults)
        self._names = names
        self._faults = faults
        self._without_file = 0
        self._examples: list[Example] = []

    def read(self, folder: Path, split: Split | None) -> None:
        """Add the pictures below a folder; `train`, `val` and `test` in it are splits."""
        if not self._walk.claim([folder]):
            return
        labels: set[Path] = set()
        for picture in self._walk.pictures_below(folder):
            below = picture.relative_to(folder).parts[:-1]
            own = split or (split_of(below[0]) if below else None)
            file = self._labels_folder(picture.parent) / f"{picture.stem}.txt"
            labels.add(file)
            self._add(picture, file, own)
        for file in sorted(_text_files(self._labels_folder(folder)) - labels):
            self._faults.add(self._walk.relative(file), "There is no picture of the same name.")

    def _labels_folder(self, folder: Path) -> Path:
        """A folder of pictures with its last `images` replaced by `labels`."""
        parts = list(folder.relative_to(self._root).parts)
        for index in reversed(range(len(parts))):
            if parts[index] == IMAGES:
                parts[index] = LABELS
                break
        return self._root.joinpath(*parts)

    def _add(self, picture: Path, file: Path, split: Split | None) -> None:
        source = self._walk.relative(file)
        boxes: dict[LabeledBox, None] = {}
        count = self._faults.count
        if not file.exists():
            self._without_file += 1
        else:
            for place, line in read_lines(file, self._faults):
                try:
                    boxes[self._box(line)] = None
                    _check_count(boxes)
                except BadEntry as bad:
                    number = place.rpartition(", ")[2]
                    self._faults.add(f"{source}, {number}", bad.reason)
        if self._faults.count == count:  # half of the boxes would be a wrong example
            found = tuple(boxes)
            self._examples.append(Example(picture, labels_of(found), found, split, source))

    def _box(self, line: str) -> LabeledBox:
        fields = line.split()
        if len(fields) != _FIELDS:
            raise BadEntry(
                f"A line has {_FIELDS} numbers (class, x_center, y_center, width, height), this "
                f"one {len(fields)}. Polygons are not read."
            )
        label = self._names.get(int(fields[0])) if fields[0].isdecimal() else None
        if label is None:
            raise BadEntry(f"There is no class {escape(fields[0][:20])} in the names.")
        x, y, width, height = (number(field, "A side") for field in fields[1:])
        sides = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        return LabeledBox(label, checked_box(*sides))

    def finish(self) -> list[Example]:
        """The examples; raises ``DataSetError`` if no picture has a label file."""
        if self._without_file and self._without_file == len(self._examples):
            raise DataSetError(
                f"None of {self._without_file} pictures has a label file: those of "
                "images/1.jpg are in labels/1.txt."
            )
        if self._without_file:
            self._faults.notes.append(
                f"{self._without_file} pictures have no label file: they count as showing nothing."
            )
        self._walk.add_notes()
        return self._examples


def _check_count(boxes: Mapping[LabeledBox, None]) -> None:
    if len(boxes) > MAX_BOXES:
        raise BadEntry(f"The picture has more than {MAX_BOXES:,} boxes.")


def _text_files(folder: Path) -> set[Path]:
    return {
        file
        for file in folder.rglob("*.txt")
        if file.name != CLASSES and not file.name.startswith(".")
    }
