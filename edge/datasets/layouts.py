"""Decides which layout a data set has, and calls its reader."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from edge.datasets.coco import is_coco, read_coco
from edge.datasets.folder_names import list_names
from edge.datasets.folder_per_label import read_folder
from edge.datasets.index_rows import read_examples
from edge.datasets.label_names import split_of
from edge.datasets.pascal_voc import has_annotations, read_voc, read_voc_pairs, voc_folders
from edge.datasets.vertex_csv import read_csv
from edge.datasets.vertex_jsonl import read_jsonl
from edge.datasets.yolo import IMAGES, LABELS, read_yolo_file, read_yolo_folder
from edge.datasets.yolo_names import is_yolo
from edge.errors import DataSetError
from edge.printable import escape

if TYPE_CHECKING:
    from pathlib import Path

    from edge.datasets.dataset import Example
    from edge.datasets.reading import FaultLog

Layout = tuple[str, list["Example"], list["Example"]]
"""Name of the layout, the examples, and the pictures without a label."""

_ARCHIVES: Final = (".zip", ".tar", ".tgz", ".gz", ".7z")
_ROBOFLOW_COCO: Final = "_annotations.coco.json"


def read_index(file: Path, faults: FaultLog) -> Layout:
    """Read the data set of an index file.

    Raises:
        DataSetError: it is none, or cannot be read.
    """
    suffix = file.suffix.lower()
    if suffix == ".csv":
        return ("Vertex AI CSV", *read_examples(read_csv(file, faults), [file.parent], faults))
    if suffix == ".jsonl":
        return ("Vertex AI JSONL", *read_examples(read_jsonl(file, faults), [file.parent], faults))
    if suffix == ".json":
        return ("COCO", *read_coco(file, None, faults))
    if suffix in {".yaml", ".yml"}:
        return "YOLO", read_yolo_file(file, faults), []
    advice = "Name a folder, or a file that ends with .csv, .jsonl, .json or .yaml."
    if suffix in _ARCHIVES:
        advice = "Unpack it, and name the folder."
    raise DataSetError(f"{escape(str(file))} is no data set that edge reads. {advice}")


def read_layout(folder: Path, faults: FaultLog) -> Layout:
    """Read the data set of a folder.

    Raises:
        DataSetError: it is none, or cannot be read.
    """
    names = list_names(folder)
    index = _index_in(folder, names)
    if index is not None:
        return read_index(index, faults)
    voc = voc_folders(folder)
    if voc is not None:
        return ("Pascal VOC", *read_voc(folder, voc, faults))
    instances = _coco_files(folder, names)
    if instances:
        return _read_parts("COCO", instances, faults)
    if IMAGES in names and LABELS in names:
        return "YOLO", read_yolo_folder(folder, faults), []
    pairs = [folder] if has_annotations(folder) else _split_folders_with_xml(folder, names)
    if pairs:
        return _read_parts("Pascal VOC", pairs, faults)
    return ("folder per label", *read_folder(folder, faults))


def _read_parts(layout: str, parts: list[Path], faults: FaultLog) -> Layout:
    """Read several files or folders as one set; each is the split that it is named after."""
    examples: list[Example] = []
    unlabeled: list[Example] = []
    for part in parts:
        split = None
        if len(parts) > 1:
            own = part.parent.name if part.name == _ROBOFLOW_COCO else part.stem.rpartition("_")[2]
            split = split_of(own.rstrip("0123456789"))
        read = read_coco if layout == "COCO" else read_voc_pairs
        found, waiting = read(part, split, faults)
        examples += found
        unlabeled += waiting
    return layout, examples, unlabeled


def _index_in(folder: Path, names: list[str]) -> Path | None:
    """The index file of a folder; ``None`` if it has none.

    JSON and YAML of other contents often lie in a data set, and are no index.

    Raises:
        DataSetError: it has several.
    """
    found: list[str] = []
    for name in names:
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 -- a name, and no path
        file = folder / name
        is_index = not file.is_dir() and (
            suffix in {".csv", ".jsonl"}
            or (suffix == ".json" and is_coco(file))
            or (suffix in {".yaml", ".yml"} and is_yolo(file))
        )
        if is_index:
            found.append(name)
    if len(found) > 1:
        shown = ", ".join(escape(name) for name in found[:5])
        raise DataSetError(
            f"{escape(str(folder))} has several index files ({shown}): name the one to read."
        )
    return folder / found[0] if found else None


def _coco_files(folder: Path, names: list[str]) -> list[Path]:
    """COCO's files of the splits: `annotations/instances_*.json`, or one in each split's folder."""
    if "annotations" in names and (folder / "annotations").is_dir():
        files = [folder / "annotations" / name for name in list_names(folder / "annotations")]
        return [file for file in files if file.name.startswith("instances_")]
    splits = [folder / name for name in names if split_of(name) is not None]
    return [split / _ROBOFLOW_COCO for split in splits if (split / _ROBOFLOW_COCO).is_file()]


def _split_folders_with_xml(folder: Path, names: list[str]) -> list[Path]:
    splits = [folder / name for name in names if split_of(name) is not None]
    return [split for split in splits if split.is_dir() and has_annotations(split)]
