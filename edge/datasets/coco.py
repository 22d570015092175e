"""Reads COCO's instances: one JSON file with images, annotations and categories.

Source: https://cocodataset.org/#format-data. A box is [x, y, width, height] in pixels, from the top
left. Pictures are looked for next to the file, in `images` there, and, if the file lies in a folder
`annotations`, in the same places around that and in the folder that the file is named after
(`instances_val2017.json`: `val2017`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from edge.datasets.box_values import checked_box, number
from edge.datasets.dataset import LabeledBox, Split
from edge.datasets.index_rows import MAX_BOXES, Row, labels_of, read_examples
from edge.datasets.label_names import clean_label
from edge.datasets.reading import BadEntry, FaultLog
from edge.datasets.text_lines import open_file, read_text
from edge.errors import DataSetError
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.datasets.dataset import Example

MAX_JSON_BYTES: Final = 64 << 20
"""Python needs about eight times as much memory for the values. COCO's val2017 has 20 MB."""

_PARTS: Final = ("images", "annotations", "categories")
_SIDES: Final = 4


def is_coco(file: Path) -> bool:
    """Whether a JSON file is one of COCO's, by the names of its parts. Reads it, but no values."""
    with open_file(file) as stream:
        content = stream.read(MAX_JSON_BYTES)
    return all(f'"{part}"'.encode() in content for part in _PARTS)


def read_coco(
    file: Path, split: Split | None, faults: FaultLog
) -> tuple[list[Example], list[Example]]:
    """The examples, and (none of) the pictures without a label; see `read_examples`.

    Raises:
        DataSetError: the file cannot be read, or is none of COCO's.
    """
    content = _parse(file)
    name = escape(file.name)
    labels = _categories(content["categories"], name, faults)
    boxes = _Boxes(content["images"], labels, name, faults)
    for index, annotation in enumerate(content["annotations"]):
        boxes.add(index, annotation)
    boxes.add_note()
    return read_examples(boxes.rows(split), _folders(file), faults)


def _parse(file: Path) -> dict[str, list[Any]]:
    shown = escape(str(file))
    try:
        content = json.loads(read_text(file, MAX_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        words = escape(str(error)) if isinstance(error, ValueError) else "it is nested too deep"
        raise DataSetError(f"{shown} is no JSON: {words}.") from error
    parts = content if isinstance(content, dict) else {}
    if not all(isinstance(parts.get(part), list) for part in _PARTS):
        raise DataSetError(f"{shown} is not COCO's: it needs the lists {', '.join(_PARTS)}.")
    return parts


def _folders(file: Path) -> list[Path]:
    folders = [file.parent, file.parent / "images"]
    if file.parent.name == "annotations":
        root = file.parent.parent
        folders += [root, root / "images", root / file.stem.rpartition("_")[2]]
    return folders


def _categories(given: list[Any], name: str, faults: FaultLog) -> dict[int, str]:
    labels: dict[int, str] = {}
    for index, category in enumerate(given):
        try:
            key = _id(category, "id")
            labels[key] = clean_label(category.get("name"))
        except BadEntry as bad:
            faults.add(f"{name}, category {index + 1}", bad.reason)
    return labels


def _id(entry: Any, key: str) -> int:
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadEntry(f"It must be an object with a whole number as {key}.")
    return value


class _Boxes:
    """The boxes of all images.

    Args:
        images: COCO's list.
        labels: by the ids of categories.
        name: of the file, for messages.
    """

    def __init__(
        self, images: list[Any], labels: dict[int, str], name: str, faults: FaultLog
    ) -> None:
        self._labels = labels
        self._name = name
        self._faults = faults
        self._crowds = 0
        self._images: dict[int, tuple[str, float, float]] = {}
        self._boxes: dict[int, list[LabeledBox]] = {}
        for index, image in enumerate(images):
            try:
                self._add_image(image)
            except BadEntry as bad:
                faults.add(f"{name}, image {index + 1}", bad.reason)

    def _add_image(self, image: Any) -> None:
        key = _id(image, "id")
        if key in self._images:
            raise BadEntry(f"The id {key} is there twice.")
        file_name = image.get("file_name")
        if not isinstance(file_name, str):
            raise BadEntry("file_name is missing.")
        width, height = (number(image.get(side), side) for side in ("width", "height"))
        if width <= 0 or height <= 0:
            raise BadEntry("width and height must be more than 0.")
        self._images[key] = file_name, width, height
        self._boxes[key] = []

    def add(self, index: int, annotation: Any) -> None:
        """Add the box of the annotation at that index, or note what is wrong with it."""
        try:
            self._add(annotation)
        except BadEntry as bad:
            self._faults.add(f"{self._name}, annotation {index + 1}", bad.reason)

    def _add(self, annotation: Any) -> None:
        key, category = _id(annotation, "image_id"), _id(annotation, "category_id")
        if key not in self._images:
            raise BadEntry(f"There is no image with the id {key}.")
        if category not in self._labels:
            raise BadEntry(f"There is no category with the id {category}.")
        if annotation.get("iscrowd"):
            self._crowds += 1
            return
        box = annotation.get("bbox")
        if not isinstance(box, list) or len(box) != _SIDES:
            raise BadEntry("bbox must be [x, y, width, height].")
        left, top, across, down = (number(value, "bbox") for value in box)
        _, width, height = self._images[key]
        sides = (left / width, top / height, (left + across) / width, (top + down) / height)
        if len(self._boxes[key]) >= MAX_BOXES:
            raise BadEntry(f"The picture has more than {MAX_BOXES:,} boxes.")
        self._boxes[key].append(LabeledBox(self._labels[category], checked_box(*sides)))

    def add_note(self) -> None:
        """Note the regions that have no box for each object."""
        if self._crowds:
            self._faults.notes.append(
                f"{self._crowds} regions of {self._name} are crowds (iscrowd) and left out."
            )

    def rows(self, split: Split | None) -> Iterator[Row]:
        """Yield a row for each image; one without boxes shows nothing."""
        for key, (file_name, width, height) in self._images.items():
            boxes = tuple(self._boxes[key])
            source = f"{self._name}, image {key}"
            yield Row(source, file_name, labels_of(boxes), boxes, split, (width, height))
