"""The rows of an index file (CSV, JSONL, COCO, ...), and the pictures that they name.

An index names pictures relative to a folder, or by the place in Google's cloud that they were
uploaded to. Pictures lie below the folder of the index: a data set that came from elsewhere must
not make this machine open whatever it names.

A URI ``gs://bucket/a/b/c.jpg`` is looked for as ``bucket/a/b/c.jpg``, ``a/b/c.jpg``, ``b/c.jpg``
and ``c.jpg`` below that folder. All URIs of one file must be found in the same way, with as many
leading parts taken off, so that ``gs://bucket/cats/1.jpg`` and ``gs://bucket/dogs/1.jpg`` never
become the same picture.
"""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from edge.datasets.dataset import Example, LabeledBox, Split
from edge.datasets.reading import MAX_EXAMPLES, BadEntry, FaultLog
from edge.datasets.upright_boxes import with_upright_boxes
from edge.errors import DataSetError
from edge.printable import escape
from edge.vision.picture_files import UNREADABLE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_GCS: Final = "gs://"
_MAX_PARTS: Final = 32
"""Parts of a path. Each is tried as the beginning of a URI's path here."""


MAX_BOXES: Final = 5_000
"""Boxes of one picture. Vertex AI takes 500; they are compared with each other when joined."""


class Row(NamedTuple):
    """What one line says about a picture.

    Attributes:
        source: file and line.
        name: path or URI of the picture, as it is written.
        labels: of the whole picture; ``None`` if it waits for a label.
        boxes: its objects; ``None`` where the source knows no boxes.
        split: that the line states.
        size: width and height in pixels of the picture that the boxes were drawn on, if stated.
    """

    source: str
    name: str
    labels: tuple[str, ...] | None
    boxes: tuple[LabeledBox, ...] | None = None
    split: Split | None = None
    size: tuple[float, float] | None = None


def read_examples(
    rows: Iterable[Row], folders: Sequence[Path], faults: FaultLog
) -> tuple[list[Example], list[Example]]:
    """Find the pictures of the rows.

    Args:
        rows: several may name the same picture: their boxes are added up.
        folders: where the names may start; the one where most of them are found is taken.
        faults: gets what is wrong.

    Returns:
        The examples, and the pictures without a label, in the order of the rows.

    Raises:
        DataSetError: more than `MAX_EXAMPLES` pictures.
    """
    merged = _merge(rows, faults)
    places = {name: _parts(name, row.source, faults) for name, row in merged.items()}
    folder, dropped = _best_start(places.values(), folders)
    examples: list[Example] = []
    unlabeled: list[Example] = []
    seen: dict[Path, str] = {}
    sizes: dict[Path, tuple[float, float]] = {}
    for name, row in merged.items():
        parts = places[name]
        if parts is None:
            continue
        is_uri = name.startswith(_GCS)
        image = folder.joinpath(*(parts[dropped:] if is_uri else parts))
        try:
            _check_file(image, name, folder)
            _check_new(image, seen)
        except BadEntry as bad:
            faults.add(row.source, bad.reason)
            continue
        seen[image] = row.source
        labels = row.labels if row.labels is not None else ()
        example = Example(image, labels, row.boxes, row.split, row.source)
        (examples if row.labels is not None else unlabeled).append(example)
        if row.size is not None:
            sizes[image] = row.size
    return with_upright_boxes(examples, sizes, faults), unlabeled


def _merge(rows: Iterable[Row], faults: FaultLog) -> dict[str, Row]:
    merged: dict[str, Row] = {}
    repeats = 0
    for row in rows:
        known = merged.get(row.name)
        if known is None:
            if len(merged) >= MAX_EXAMPLES:
                raise DataSetError(
                    f"{row.source}: the data set has more than {MAX_EXAMPLES:,} pictures. Split it."
                )
            merged[row.name] = row
            continue
        try:
            merged[row.name] = _joined(known, row)
        except BadEntry as bad:
            faults.add(row.source, bad.reason)
            continue
        repeats += row.boxes is None
    if repeats:
        faults.notes.append(f"{repeats} lines repeat earlier ones and count once.")
    return merged


def _joined(known: Row, row: Row) -> Row:
    """One row for two of the same picture; raises ``BadEntry`` if they contradict each other."""
    if known.split is not row.split:
        raise BadEntry(f"The picture is in another split in {known.source}.")
    if (known.boxes is None) != (row.boxes is None):
        raise BadEntry(f"The picture has boxes in one line and none in the other: {known.source}.")
    if row.boxes is None or known.boxes is None:
        if set(known.labels or ()) != set(row.labels or ()):
            shown = ", ".join(escape(label) for label in known.labels or ()) or "no label"
            raise BadEntry(
                f"The picture has other labels in {known.source}: {shown}. Put all labels of a "
                "picture on one line."
            )
        return known
    boxes = tuple(dict.fromkeys(known.boxes + row.boxes))
    if len(boxes) > MAX_BOXES:
        raise BadEntry(f"The picture has more than {MAX_BOXES:,} boxes.")
    return known._replace(boxes=boxes, labels=labels_of(boxes))


def labels_of(boxes: Iterable[LabeledBox]) -> tuple[str, ...]:
    """The labels of some boxes, without repeats."""
    return tuple(dict.fromkeys(box.label for box in boxes))


def _parts(name: str, source: str, faults: FaultLog) -> tuple[str, ...] | None:
    try:
        return _path_parts(name)
    except BadEntry as bad:
        faults.add(source, bad.reason)
        return None


def _path_parts(name: str) -> tuple[str, ...]:
    """The parts of a path or a URI; raises ``BadEntry`` if it does not stay below its folder."""
    shown = escape(name[:200])
    if not name or not name.isprintable():
        raise BadEntry(f"The path {shown} is empty or has characters that do not print.")
    scheme = _SCHEME.match(name)
    if scheme is not None and scheme[0] != _GCS:
        raise BadEntry(f"{shown} is not on this machine: download it, and give its path.")
    if name.startswith("/"):
        raise BadEntry(
            f"{shown} is an absolute path: put the index into the folder of the pictures, and give "
            "paths relative to it."
        )
    parts = tuple(part for part in name.removeprefix(_GCS).split("/") if part not in {"", "."})
    if ".." in parts:
        raise BadEntry(f"{shown} leads out of the folder: `..` is not followed.")
    if not parts or len(parts) > _MAX_PARTS:
        raise BadEntry(f"{shown} names no picture: it needs 1 to {_MAX_PARTS} parts.")
    return (_GCS, *parts) if scheme is not None else parts


def _best_start(
    places: Iterable[tuple[str, ...] | None], folders: Sequence[Path]
) -> tuple[Path, int]:
    """The folder where most pictures are found, and how many parts of a URI to take off."""
    known = [parts for parts in places if parts is not None]
    found: defaultdict[tuple[int, int], set[tuple[str, ...]]] = defaultdict(set)
    for index, folder in enumerate(folders):
        for parts in known:
            is_uri = parts[0] == _GCS
            for dropped in range(1, len(parts)) if is_uri else (0,):
                rest = parts[dropped:]
                if os.path.exists(folder.joinpath(*rest)):  # noqa: PTH110 -- never raises
                    found[index, dropped].add(rest)
    # Pictures are counted, not names: a start that makes one picture of several names is none.
    counts = {start: len(pictures) for start, pictures in found.items()}
    # A file may name some pictures by path and some by URI: those with a path count for each.
    best = max(
        ((index, dropped) for index, dropped in counts if dropped),
        key=lambda start: (counts[start] + counts.get((start[0], 0), 0), -start[0], -start[1]),
        default=None,
    )
    if best is not None:
        return folders[best[0]], best[1]
    paths = [(counts.get((index, 0), 0), -index) for index in range(len(folders))]
    return folders[-max(paths)[1]], 1


def _check_file(image: Path, name: str, folder: Path) -> None:
    """Raise ``BadEntry`` if there is no regular file."""
    try:
        mode = image.stat().st_mode
    except (OSError, ValueError) as error:
        raise BadEntry(_not_found(name, folder, error)) from error
    if not stat.S_ISREG(mode):
        raise BadEntry(f"{escape(name)} is not a file.")
    if image.suffix.lower() in UNREADABLE_SUFFIXES:
        raise BadEntry(f"{escape(name)} cannot be read here: convert it to JPEG or PNG.")


def _check_new(image: Path, seen: Mapping[Path, str]) -> None:
    """Raise ``BadEntry`` if two names lead to the same file: `1.jpg` and `./1.jpg`."""
    if image in seen:
        raise BadEntry(f"It names the same picture as {seen[image]}.")


def _not_found(name: str, folder: Path, error: Exception) -> str:
    shown, here = escape(name), escape(os.fspath(folder.resolve()))
    if name.startswith(_GCS):
        bucket = escape(name.removeprefix(_GCS).split("/")[0])
        return (
            f"{shown} is not below {here}. Copy the pictures there first: "
            f"gcloud storage cp -r gs://{bucket} {here}"
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        is_file_name = "." in name.rpartition("/")[2]
        hint = "" if is_file_name else " If the line names columns, remove it."
        return f"No picture {shown} is in {here}.{hint}"
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return f"{shown} cannot be read: {reason}."
