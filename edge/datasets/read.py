"""Reads a data set, whatever its layout: the one entrance to the readers of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.datasets.dataset import DataSet
from edge.datasets.layouts import read_index, read_layout
from edge.datasets.reading import MAX_LABELS, FaultLog, Reading
from edge.errors import DataSetError
from edge.printable import escape

if TYPE_CHECKING:
    from pathlib import Path

    from edge.datasets.dataset import Example


def read_data_set(path: Path) -> DataSet:
    """Read a data set that is wholly right.

    Args:
        path: a folder or an index file; docs/datasets.md describes the layouts.

    Raises:
        DataSetError: it cannot be read, or parts of it are wrong: it lists the first ones with
            their places.
    """
    reading = read_with_faults(path)
    if reading.fault_count:
        raise _wrong(reading)
    if not reading.data_set.examples:
        raise no_labelled_pictures(reading.data_set)
    return reading.data_set


def no_labelled_pictures(data_set: DataSet) -> DataSetError:
    """The error of a set without examples, with what to do."""
    shown, waiting = escape(str(data_set.path)), len(data_set.unlabeled)
    if not waiting:
        return DataSetError(
            f"{shown} has no labelled pictures. Put pictures into a folder for each label."
        )
    pictures = "1 picture waits" if waiting == 1 else f"{waiting:,} pictures wait"
    return DataSetError(
        f"{shown} has no labelled pictures: {pictures} for a label. Sort them into a folder for "
        "each label, or label them in the index file."
    )


def read_with_faults(path: Path) -> Reading:
    """Read what is right of a data set, and say what is wrong.

    Raises:
        DataSetError: it cannot be read at all.
    """
    faults = FaultLog()
    layout, examples, unlabeled = _read(path, faults)
    labels = sorted({label for example in examples for label in example.labels})
    if len(labels) > MAX_LABELS:
        raise DataSetError(
            f"{escape(str(path))} has {len(labels):,} labels; the limit is {MAX_LABELS:,}. Is "
            "another column taken for labels?"
        )
    data_set = DataSet(
        path, layout, tuple(labels), tuple(examples), tuple(unlabeled), tuple(faults.notes)
    )
    return Reading(data_set, tuple(faults.first), faults.count)


def _wrong(reading: Reading) -> DataSetError:
    shown = escape(str(reading.data_set.path))
    number = reading.fault_count
    title = "1 fault" if number == 1 else f"{number:,} faults"
    faults = [f"{fault.source}: {fault.reason}" for fault in reading.faults]
    if number > len(faults):
        faults.append(f"... and {number - len(faults):,} more.")
    return DataSetError(f"{shown} has {title}:", faults)


def _read(path: Path, faults: FaultLog) -> tuple[str, list[Example], list[Example]]:
    """The name of the layout, the examples, and the pictures without a label."""
    if "\0" in str(path) or not path.exists():
        raise DataSetError(f"There is no data set at {escape(str(path))}.")
    if path.is_dir():
        return read_layout(path, faults)
    return read_index(path, faults)
