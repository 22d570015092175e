"""The outbox as a training set: images and Vertex AI's import files.

``classification.jsonl``, ``classification_multi_label.jsonl`` and ``detection.jsonl`` follow Vertex AI's schemas
`image_classification_(single|multi)_label_io_format` and `image_bounding_box_io_format`. An image without a trusted
label is imported unlabelled, for a person to label. Images are upright and of a format that Vertex AI takes.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from edge.errors import EntryUnreadable, OutputError, RequestError
from edge.outbox.entry import State
from edge.vision.formats import sniff
from edge.vision.graph_input import for_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import TextIO

    from edge.outbox.entry import Entry
    from edge.outbox.store import Store

_KINDS = ("classification", "classification_multi_label", "detection")
_PAGE = 200
_MULTI_LABEL_SCORE = 0.5


class Labels(StrEnum):
    """Whose labels are trusted."""

    CLOUD = "cloud"
    """The online model's, where it answered."""
    EDGE = "edge"
    """The online model's, else the edge's."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: images, of them with labels, and those left out for their fault."""

    images: int
    labelled: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How the export is made.

    Attributes:
        folder: where it is written; made where it is not there.
        prefix: where the images will lie, such as ``gs://bucket/uncertain``; ``None`` names them as they lie here.
        labels: whose labels are trusted.
        threshold: scores under it give no label, 0..1.
        max_pixels: as for `edge.vision.decode`.
        model: only frames of the model of that name, as one data set has one list of labels; ``None`` for all.
    """

    folder: Path
    prefix: str | None
    labels: Labels
    threshold: float
    max_pixels: int
    model: str | None = None


def export(store: Store, plan: Plan, *, advance: Callable[[], None] = lambda: None) -> Exported:
    """Write every entry that has an image.

    Raises:
        OutputError: the folder cannot be written.
        OutboxError: the outbox cannot be read.
    """
    images = plan.folder / "images"
    found = {"images": 0, "labelled": 0, "left_out": 0}
    try:
        images.mkdir(parents=True, exist_ok=True)
        for kind in _KINDS:
            _file(plan, kind).unlink(missing_ok=True)
        with ExitStack() as stack:
            files: dict[str, TextIO] = {}
            for entry in _all(store, plan.model):
                try:
                    name, content = _picture(store, entry, plan.max_pixels)
                except (RequestError, EntryUnreadable):
                    found["left_out"] += 1
                    continue
                (images / name).write_bytes(content)
                line, kind = _line(entry, name, plan), _kind(entry)
                if kind not in files:
                    files[kind] = stack.enter_context(_file(plan, kind).open("w", encoding="utf-8"))
                files[kind].write(json.dumps(line, ensure_ascii=False) + "\n")
                found["images"] += 1
                found["labelled"] += any("nnotation" in key for key in line)
                advance()
    except OSError as error:
        raise OutputError(f"The export cannot be written to {plan.folder}: {error.strerror or error}.") from error
    return Exported(**found)


def _file(plan: Plan, kind: str) -> Path:
    return plan.folder / f"{kind}.jsonl"


def _kind(entry: Entry) -> str:
    if entry.task == "detection":
        return "detection"
    return "classification_multi_label" if entry.multi_label else "classification"


def _all(store: Store, model: str | None) -> Iterable[Entry]:
    after = 0
    while page := store.entries(after=after, limit=_PAGE):
        yield from (one for one in page if one.state is not State.RECORD and model in {None, one.model})
        after = page[-1].sequence


def _picture(store: Store, entry: Entry, max_pixels: int) -> tuple[str, bytes]:
    """A file's name and its bytes: the original where it is upright JPEG, PNG or GIF, else a PNG."""
    content = for_graph(store.image(entry.key), max_pixels=max_pixels).encoded
    suffix = {"JPEG": "jpg", "PNG": "png", "GIF": "gif"}.get(sniff(content))
    if suffix is None:
        raise EntryUnreadable(f"{entry.key} is of no format that Vertex AI takes.")
    return f"{entry.key}.{suffix}", content


def _line(entry: Entry, name: str, plan: Plan) -> dict[str, Any]:
    uri = f"{plan.prefix.rstrip('/')}/images/{name}" if plan.prefix else f"images/{name}"
    line: dict[str, Any] = {"imageGcsUri": uri, "dataItemResourceLabels": _resource_labels(entry)}
    items = [item for item in _trusted(entry, plan.labels) if item["score"] >= plan.threshold]
    if entry.task == "detection":
        if items:
            line["boundingBoxAnnotations"] = [_box(item) for item in items]
    elif entry.multi_label:
        several = [item for item in items if item["score"] >= _MULTI_LABEL_SCORE]
        if several:
            line["classificationAnnotations"] = [{"displayName": item["label"]} for item in several]
    elif items:
        line["classificationAnnotation"] = {"displayName": items[0]["label"]}
    return line


def _trusted(entry: Entry, labels: Labels) -> Sequence[Mapping[str, Any]]:
    if labels is Labels.NONE:
        return ()
    if entry.result is not None:
        found: Sequence[Mapping[str, Any]] = entry.result["predictions"]
        return found
    return entry.items if labels is Labels.EDGE else ()


def _box(item: Mapping[str, Any]) -> dict[str, Any]:
    box = item["box"]
    return {
        "displayName": item["label"],
        "xMin": box["x_min"],
        "yMin": box["y_min"],
        "xMax": box["x_max"],
        "yMax": box["y_max"],
    }


def _resource_labels(entry: Entry) -> dict[str, str]:
    """Google's labels are of lower-case letters, digits, dashes and underscores, 63 at most."""
    labels = {"edge-reason": entry.reason, "edge-model": entry.model, "edge-camera": entry.camera}
    return {name: _plain(value) for name, value in labels.items() if value}


def _plain(text: str) -> str:
    return "".join(one if one.isalnum() or one in "-_" else "-" for one in text.lower())[:63]
