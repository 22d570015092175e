"""Reads Pascal VOC: an XML file for each picture.

Source: the VOC development kit. `Annotations/1.xml` belongs to `JPEGImages/1.jpg`; LabelImg and
others put both into one folder. Pixels count from 1, and the last one belongs to the box.
`ImageSets/Main/train.txt`, `val.txt` and `test.txt` state the splits.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from edge.datasets.box_values import checked_box, number
from edge.datasets.dataset import LabeledBox, Split
from edge.datasets.folder_names import list_names
from edge.datasets.index_rows import MAX_BOXES, Row, labels_of, read_examples
from edge.datasets.label_names import clean_label, split_of
from edge.datasets.reading import MAX_EXAMPLES, BadEntry, FaultLog
from edge.datasets.text_lines import read_lines, read_text
from edge.errors import DataSetError
from edge.printable import escape
from edge.vision.picture_files import READABLE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.datasets.dataset import Example

_FOLDERS: Final = (("Annotations", "JPEGImages"), ("annotations", "images"))
"""Of the XML files, and of the pictures: VOC's own names, and those of others."""

_SETS: Final = ("ImageSets", "Main")
_SIDES: Final = ("xmin", "ymin", "xmax", "ymax")
_MAX_XML_BYTES: Final = 4 << 20
"""A picture with 5,000 boxes has 1.5 MB."""


def has_annotations(folder: Path) -> bool:
    """Whether XML files lie directly in the folder."""
    return any(name.lower().endswith(".xml") for name in _names(folder))


def voc_folders(root: Path) -> tuple[Path, Path] | None:
    """The folders of the XML files and of the pictures; ``None`` if they are not there."""
    for xml_folder, picture_folder in _FOLDERS:
        folders = root / xml_folder, root / picture_folder
        if all(folder.is_dir() for folder in folders) and has_annotations(folders[0]):
            return folders
    return None


def read_voc(
    root: Path, folders: tuple[Path, Path], faults: FaultLog
) -> tuple[list[Example], list[Example]]:
    """Read XML files and pictures of two folders; see `read_examples`.

    Raises:
        DataSetError: too many files.
    """
    splits = _splits(root.joinpath(*_SETS), faults)
    xml_folder, pictures = folders
    rows = _rows(xml_folder, pictures, faults)
    stated = (row._replace(split=splits.get(_stem(row.name))) for row in rows)
    return read_examples(stated, [pictures], faults)


def read_voc_pairs(
    folder: Path, split: Split | None, faults: FaultLog
) -> tuple[list[Example], list[Example]]:
    """Read a folder where pictures and XML files lie side by side; see `read_examples`.

    Raises:
        DataSetError: too many files.
    """
    rows = (row._replace(split=split) for row in _rows(folder, folder, faults))
    return read_examples(rows, [folder], faults)


def _names(folder: Path) -> list[str]:
    names = list_names(folder)
    if len(names) > 2 * MAX_EXAMPLES:
        raise DataSetError(f"{escape(str(folder))} has too many files. Split it.")
    return names


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122 -- a name, and no path


def _splits(folder: Path, faults: FaultLog) -> dict[str, Split]:
    """The splits of the pictures, by their names without suffix."""
    splits: dict[str, Split] = {}
    for word in ("train", "val", "test"):
        file = folder / f"{word}.txt"
        split = split_of(word)
        if split is None or not file.is_file():
            continue
        for source, line in read_lines(file, faults):
            stem = line.split()[0]
            if splits.setdefault(stem, split) is not split:
                faults.add(source, f"{escape(stem)} is in {splits[stem]} as well.")
    return splits


def _rows(xml_folder: Path, pictures: Path, faults: FaultLog) -> Iterator[Row]:
    """Yield a row for each XML file, and one for each picture that has none."""
    by_stem: defaultdict[str, list[str]] = defaultdict(list)
    for name in _names(pictures):
        if os.path.splitext(name)[1].lower() in READABLE_SUFFIXES:  # noqa: PTH122 -- as above
            by_stem[_stem(name)].append(name)
    taken: set[str] = set()
    for name in _names(xml_folder):
        if not name.lower().endswith(".xml"):
            continue
        source = escape(name)
        try:
            root = _parse(xml_folder / name)
            picture = _picture(root, by_stem.get(_stem(name), []))
            size = _size(root)
            boxes = tuple(_boxes(root, *size))
        except BadEntry as bad:
            faults.add(source, bad.reason)
            taken.update(by_stem.get(_stem(name), []))
            continue
        taken.add(picture)
        yield Row(source, picture, labels_of(boxes), boxes, size=size)
    for names in by_stem.values():
        for name in names:
            if name not in taken:
                yield Row(escape(name), name, None)


def _parse(file: Path) -> ET.Element:
    try:
        text = read_text(file, _MAX_XML_BYTES)
    except DataSetError as error:
        raise BadEntry(error.message) from error
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BadEntry("It declares a document type, which an annotation does not need.")
    try:
        # An encoding that the text states was decoded already.
        return ET.fromstring(text.encode())  # noqa: S314 -- entities are refused above
    except (ET.ParseError, ValueError, LookupError) as error:
        raise BadEntry(f"It is no XML: {escape(str(error))}.") from error


def _picture(root: ET.Element, candidates: list[str]) -> str:
    """The picture of the same name; the file states its own name, too, but renaming is common."""
    stated = (root.findtext("filename") or "").strip()
    if len(candidates) == 1:
        return candidates[0]
    if stated in candidates:
        return stated
    if candidates:
        shown = ", ".join(escape(name) for name in candidates[:4])
        raise BadEntry(f"Several pictures have its name: {shown}. Keep one.")
    raise BadEntry("There is no picture of the same name.")


def _size(root: ET.Element) -> tuple[float, float]:
    size = root.find("size")
    width, height = (_number(size, side) for side in ("width", "height"))
    if width <= 0 or height <= 0:
        raise BadEntry("size must have a width and a height of more than 0.")
    return width, height


def _boxes(root: ET.Element, width: float, height: float) -> Iterator[LabeledBox]:
    objects = root.findall("object")
    if len(objects) > MAX_BOXES:
        raise BadEntry(f"The picture has more than {MAX_BOXES:,} boxes.")
    for one in objects:
        label = clean_label(one.findtext("name") or "")
        left, top, right, bottom = (_number(one.find("bndbox"), side) for side in _SIDES)
        # From pixels that count from 1 to edges that count from 0.
        sides = ((left - 1) / width, (top - 1) / height, right / width, bottom / height)
        yield LabeledBox(label, checked_box(*sides))


def _number(parent: ET.Element | None, tag: str) -> float:
    text = None if parent is None else parent.findtext(tag)
    if text is None:
        raise BadEntry(f"{tag} is missing.")
    return number(text.strip(), tag)
