"""Finds the label file that belongs to a model, in a folder that may hold several of both."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.folder import is_tflite, read_manifest, visible
from edge.export.labels import match_classes, read_label_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SUFFIXES: Final = {".txt", ".pbtxt"}
_NAME_RULES: Final[tuple[Callable[[str], bool], ...]] = (
    lambda name: name == "dict.txt",
    lambda name: name in {"labels.txt", "labelmap.txt", "label_map.pbtxt"},
    lambda name: "label" in name or "dict" in name,
    lambda name: not name.startswith(("readme", "license", "notice", "requirements")),
)
"""From the surest to the vaguest; the first rule that any file fits decides."""

_KIND_WORDS = re.compile(r"label_?map|labels?|dict|classes|names|model|[\W_]")
_MAX_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A label file and the labels of the model's classes in it."""

    file: Path
    labels: tuple[str, ...]


def has_other_models(model: Path) -> bool:
    """Whether other TFLite files lie next to a model: a label file may then be another's."""
    return bool(_other_models(model))


def labels_beside(model: Path, classes: int | None) -> LabelFile | None:
    """The labels next to a model: the manifest's file, else the one that goes with the model.

    Of several, a file goes with the model by its name (`flowers.tflite`, `flowers_labels.txt`),
    else by the number of its labels.

    Args:
        model: a TFLite file, or the folder of a SavedModel.
        classes: how many the model has; ``None`` if it does not say.

    Returns:
        ``None`` if no file may hold labels.

    Raises:
        ExportError: the manifest names a file that is missing; the only file does not fit; or of
            several files not exactly one does.
    """
    others = _other_models(model)
    named = _named_by_manifest(model, others)
    if named is not None:
        return _read(named, classes)
    candidates = _candidates(model, others)
    if len(candidates) == 1 and not others:
        return _read(candidates[0], classes)
    return _the_one_that_fits(model, candidates, classes) if candidates else None


def _folder_of(model: Path) -> Path:
    return model if model.is_dir() else model.parent


def _other_models(model: Path) -> list[Path]:
    files = [file for file in visible(_folder_of(model)) if file.is_file() and is_tflite(file)]
    return [file for file in files if file != model and "edgetpu" not in file.name.lower()]


def _named_by_manifest(model: Path, others: list[Path]) -> Path | None:
    folder = _folder_of(model)
    manifest = read_manifest(folder)
    name = manifest.get("labelsFile")
    if not isinstance(name, str) or not name:
        return None
    if others and manifest.get("modelFile") != model.name:
        return None  # it speaks of another model
    file = folder / name
    if not file.is_file() or file.resolve().parent != folder.resolve():
        reason = f"it names the label file {name!r}, which is not next to it"
        raise ExportError(folder / "manifest.json", reason, "Put it there.")
    return file


def _candidates(model: Path, others: list[Path]) -> list[Path]:
    files = [entry for entry in visible(_folder_of(model)) if entry.is_file()]
    texts = [file for file in files if file.suffix.lower() in _SUFFIXES]
    own = [file for file in texts if _kind(file) == _kind(model)]
    of_others = {_kind(other) for other in others} - {_kind(model)}
    texts = [file for file in texts if _kind(file) not in of_others]
    if own and others:
        return own
    for fits in _NAME_RULES:
        fitting = [file for file in texts if fits(file.name.lower())]
        if fitting:
            return fitting
    return []


def _kind(file: Path) -> str:
    """The part of a name that goes with a model: ``flowers`` of `flowers_labels`."""
    stem = file.stem.lower()
    return _KIND_WORDS.sub("", stem) or stem


def _the_one_that_fits(model: Path, files: list[Path], classes: int | None) -> LabelFile:
    fitting = []
    for file in files:
        with suppress(ExportError):
            fitting.append(_read(file, classes))
    if len(fitting) == 1:
        return fitting[0]
    count = "" if classes is None else f" {classes}"
    names = ", ".join(file.name for file in files[:_MAX_SHOWN])
    if fitting:
        could = ", ".join(found.file.name for found in fitting[:_MAX_SHOWN])
        reason = f"several files could hold the labels of its{count} classes: {could}"
    else:
        reason = f"no labels for its{count} classes were found: none of {names} fits"
    remedy = f"Name its label file {model.stem}.txt, or put the model and its labels alone"
    raise ExportError(model, reason, f"{remedy} into a folder")


def _read(file: Path, classes: int | None) -> LabelFile:
    return LabelFile(file, match_classes(read_label_file(file), classes, file))
