"""The outbox as a training set: images and Vertex AI's import files.

Each task says how its import file is called and what a line of it contains
(`edge.model.tasks.task`). An image without a trusted label is imported unlabelled, for a person to
label. Images are upright and in a format that Vertex AI accepts.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from edge.errors import EntryDamaged, EntryUnreadable, OutputError, RequestError
from edge.model.tasks.detection import DETECTION
from edge.model.tasks.registry import TASKS
from edge.outbox.entry import EntryState
from edge.outbox.rows import is_item
from edge.vision.formats import sniff
from edge.vision.graph_input import for_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TextIO

    from edge.outbox.entry import Entry
    from edge.outbox.store import Store

_PAGE = 200
_MAX_LABEL_LENGTH = 63
NONE_OF_THESE = "none-of-these"
"""The correction of an image that shows none of the model's labels."""
_SUFFIXES = {"JPEG": "jpg", "PNG": "png", "GIF": "gif"}
"""Formats that Vertex AI accepts."""


class Labels(StrEnum):
    """Whose labels are trusted."""

    CLOUD = "cloud"
    """A person's correction, otherwise the online model's, for entries that it has answered."""
    EDGE = "edge"
    """A person's correction, otherwise the online model's, otherwise the edge's."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        images: number of images.
        labelled: of these, the ones with labels.
        left_out: entries that are damaged, or whose image cannot be read.
    """

    images: int
    labelled: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How to export.

    Attributes:
        folder: to write to; created if it is missing.
        prefix: where the images will be uploaded, such as ``gs://bucket/uncertain``; ``None``
            names them relative to ``folder``.
        labels: whose labels are trusted.
        threshold: minimum score for a label to be exported, 0..1.
        max_pixels: as for `edge.vision.decode`.
        model: export the frames of this model only, since one data set has one list of labels;
            ``None`` for all.
        none_of_the_above: whether an image of which a person has said that it shows none of the
            labels is exported as that, to be learnt; otherwise it waits for a label.
    """

    folder: Path
    prefix: str | None
    labels: Labels
    threshold: float
    max_pixels: int
    model: str | None = None
    none_of_the_above: bool = False


def export(store: Store, plan: Plan, *, advance: Callable[[], None] = lambda: None) -> Exported:
    """Write every entry that has an image; ``advance`` is called after each.

    Raises:
        OutputError: the folder cannot be written.
        OutboxError: the outbox cannot be read.
    """
    try:
        return _write(store, plan, advance)
    except OSError as error:
        raise OutputError(
            f"The export cannot be written to {plan.folder}: {error.strerror or error}."
        ) from error


def _write(store: Store, plan: Plan, advance: Callable[[], None]) -> Exported:
    folder = plan.folder / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for name in _import_files():
        (plan.folder / name).unlink(missing_ok=True)
    images = labelled = left_out = 0
    with ExitStack() as stack:
        files: dict[str, TextIO] = {}
        for entry in _exported_entries(store, plan.model):
            try:
                if not _is_readable(entry):
                    raise EntryDamaged(f"{entry.key} is damaged.")
                name, content = _picture(store, entry, plan.max_pixels)
            except (RequestError, EntryUnreadable):
                left_out += 1
                continue
            (folder / name).write_bytes(content)

            file_name = _import_file(entry.task, multi_label=entry.multi_label)
            if file_name not in files:
                path = plan.folder / file_name
                files[file_name] = stack.enter_context(path.open("w", encoding="utf-8"))
            annotations = _annotations(entry, plan)
            line = {
                "imageGcsUri": _uri(name, plan.prefix),
                "dataItemResourceLabels": _resource_labels(entry),
                **annotations,
            }
            files[file_name].write(json.dumps(line, ensure_ascii=False) + "\n")

            images += 1
            if annotations:
                labelled += 1
            advance()
    return Exported(images, labelled, left_out)


def _import_files() -> set[str]:
    """Names of all import files, so that those of an earlier export can be removed."""
    return {
        _import_file(task, multi_label=multi_label)
        for task in TASKS
        for multi_label in (False, True)
    }


def _import_file(task: str, *, multi_label: bool) -> str:
    return f"{TASKS[task].import_file(multi_label=multi_label)}.jsonl"


def _exported_entries(store: Store, model: str | None) -> Iterator[Entry]:
    """The entries that have an image, of one model if it is given."""
    after = 0
    while page := store.entries(after=after, limit=_PAGE):
        for entry in page:
            has_image = entry.state is not EntryState.PREDICTION_ONLY
            if has_image and model in {None, entry.model}:
                yield entry
        after = page[-1].sequence


def _picture(store: Store, entry: Entry, max_pixels: int) -> tuple[str, bytes]:
    """A file's name and content: the original if it is an upright JPEG, PNG or GIF, else a PNG."""
    content = for_graph(store.image(entry.key), max_pixels=max_pixels).encoded
    suffix = _SUFFIXES.get(sniff(content))
    if suffix is None:
        raise EntryUnreadable(f"Vertex AI does not accept the image format of {entry.key}.")
    return f"{entry.key}.{suffix}", content


def _uri(name: str, prefix: str | None) -> str:
    if not prefix:
        return f"images/{name}"
    return f"{prefix.rstrip('/')}/images/{name}"


def _annotations(entry: Entry, plan: Plan) -> dict[str, Any]:
    """The annotations of an import line; empty if no trusted label reaches the threshold.

    A person's label is for the whole image. A task with boxes takes none from it: the image is
    imported unlabelled, for its boxes to be drawn.
    """
    task = TASKS[entry.task]
    if entry.correction is not None:
        if plan.labels is Labels.NONE:
            return {}
        if not entry.correction:
            is_learnt = plan.none_of_the_above
            return task.import_nothing(multi_label=entry.multi_label) if is_learnt else {}
        if task.has_boxes:
            return {}
        said = [{"label": entry.correction, "score": 1.0}]
        return task.import_annotations(said, multi_label=entry.multi_label)
    items = _trusted_items(entry, plan.labels)
    items = [item for item in items if item["score"] >= plan.threshold]
    return task.import_annotations(items, multi_label=entry.multi_label)


def _is_readable(entry: Entry) -> bool:
    """Whether the entry can be written as it was stored, its result included."""
    if entry.damaged:
        return False
    predictions = (entry.result or {}).get("predictions", ())
    needs_box = entry.task == DETECTION.name
    return all(is_item(item) and bool(item.get("box") or not needs_box) for item in predictions)


def _trusted_items(entry: Entry, labels: Labels) -> Sequence[Mapping[str, Any]]:
    if labels is Labels.NONE:
        return ()
    if entry.result is not None:
        predictions: Sequence[Mapping[str, Any]] = entry.result.get("predictions", ())
        return predictions
    return entry.items if labels is Labels.EDGE else ()


def _resource_labels(entry: Entry) -> dict[str, str]:
    """Labels in the form that Google Cloud accepts, without empty ones."""
    labels = {"edge-reason": entry.reason, "edge-model": entry.model, "edge-camera": entry.camera}
    if entry.correction is not None:
        labels["edge-correction"] = entry.correction or NONE_OF_THESE
    return {name: _label_value(value) for name, value in labels.items() if value}


def _label_value(text: str) -> str:
    """Lower-case letters, digits, dashes and underscores, at most 63 of them."""
    allowed = (char if char.isalnum() or char in "-_" else "-" for char in text.lower())
    return "".join(allowed)[:_MAX_LABEL_LENGTH]
