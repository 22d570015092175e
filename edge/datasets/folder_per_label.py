"""Reads a folder for each label, with or without a folder for each split around them.

set/daisy/1.jpg  set/tulip/2.jpg
set/train/daisy/1.jpg  set/val/tulip/2.jpg  set/test/...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.datasets.dataset import Example, Split
from edge.datasets.label_names import SPLIT_FOLDERS, clean_label, split_of
from edge.datasets.picture_folder import PictureFolder
from edge.datasets.reading import BadEntry
from edge.errors import DataSetError
from edge.printable import escape

if TYPE_CHECKING:
    from pathlib import Path

    from edge.datasets.reading import FaultLog

_MAX_WRAPPERS: Final = 8
"""Folders around the labels' ones that hold nothing else, as archives have them."""


def read_folder(root: Path, faults: FaultLog) -> tuple[list[Example], list[Example]]:
    """The examples and, from beside the labels' folders, the pictures without a label.

    Raises:
        DataSetError: there are no folders in it, or too many pictures.
    """
    walk = PictureFolder(root, faults)
    top = _unwrap(root, walk)
    labels = walk.claim(walk.subfolders(top))
    if not labels:
        raise DataSetError(
            f"{escape(str(root))} is no data set: it has neither an index file (CSV, JSONL, JSON, "
            "YAML) nor a folder for each label. Make one folder a label, and put its pictures "
            "there."
        )
    unlabeled = [Example(picture, ()) for picture in walk.pictures_in(top)]
    examples: list[Example] = []
    if _are_splits(labels):
        for folder in labels:
            unlabeled += [Example(picture, ()) for picture in walk.pictures_in(folder)]
            split = split_of(folder.name)
            for label in walk.claim(walk.subfolders(folder)):
                examples += _label_examples(label, split, walk, faults)
    else:
        for label in labels:
            examples += _label_examples(label, None, walk, faults)
    walk.add_notes()
    return examples, unlabeled


def _unwrap(root: Path, walk: PictureFolder) -> Path:
    """The folder that holds the labels': one that holds only one folder of folders is its wrapper.

    A single folder with pictures is a label, not a wrapper.
    """
    top = root
    for _ in range(_MAX_WRAPPERS):
        folders = walk.subfolders(top)
        if len(folders) != 1 or not walk.subfolders(folders[0]):
            break
        if walk.pictures_in(top) or walk.pictures_in(folders[0]):
            break
        top = folders[0]
    return top


def _are_splits(folders: list[Path]) -> bool:
    """Whether all folders are named after splits; `test` alone could be a label."""
    names = {folder.name.lower() for folder in folders}
    splits = {split_of(name) for name in names}
    return names <= SPLIT_FOLDERS and Split.TRAINING in splits


def _label_examples(
    folder: Path, split: Split | None, walk: PictureFolder, faults: FaultLog
) -> list[Example]:
    try:
        label = clean_label(folder.name)
    except BadEntry as bad:
        faults.add(walk.relative(folder), bad.reason)
        return []
    source = walk.relative(folder)
    faults_before = faults.count
    pictures = walk.pictures_below(folder)
    examples = [Example(picture, (label,), None, split, source) for picture in pictures]
    if not examples and faults.count == faults_before:
        faults.notes.append(f"The folder {source} has no pictures: the label is left out.")
    return examples
