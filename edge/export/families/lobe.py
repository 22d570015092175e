"""Lobe: a `signature.json` that names the model, its input and output, and the labels in order.

The models take floats 0..1 (the graph itself goes on to -1..1) of the centred square. Lobe's own
Python package scales the image to fill the input, bicubic, and cuts the centre.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from edge.errors import ExportError
from edge.export.family_rules import FamilyRules, Labels
from edge.export.folder import SAVED_MODEL, is_tflite, tflite_models
from edge.export.labels import match_classes, read_label_file
from edge.export.model_toml import read_model_toml
from edge.export.pixel_range import UNIT
from edge.export.pixels import StatedPixels
from edge.export.saved_model_pixels import PixelSavedModel
from edge.export.text_file import read_json
from edge.export.tflite_graph import refuse_if_broken
from edge.export.tflite_model import TFLiteModel
from edge.model.contract import ChannelOrder, Resize, Tuning
from edge.vision.resize import Kernel

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.contract import Contract

NAME = "Lobe"
HOW_TO_EXPORT = 'from Lobe as "TensorFlow Lite" or "TensorFlow"'

DEFAULTS: Final = Tuning(resize=Resize.CENTER_CROP, kernel=Kernel.BICUBIC)

SIGNATURE: Final = "signature.json"
_LABEL_FILE: Final = "labels.txt"
_FORMATS: Final = {"tf", "tf_lite"}
_IMAGE: Final = "Image"
_SCORES: Final = "Confidences"


def find(path: Path) -> list[Path]:
    """The model that a folder's `signature.json` names, or the TFLite file if that was renamed.

    Raises:
        ExportError: it names a format that is not served, or a model that is missing.
    """
    folder = path if path.is_dir() else path.parent
    signature = _read_signature(folder)
    if signature is None:
        return []
    kind, name = signature["format"], signature.get("filename")
    file = folder / SIGNATURE
    is_whole_export = path in {folder, file}
    if kind not in _FORMATS and is_whole_export:
        words = f"it is of a Lobe export in the format {kind!r}, which is not served here"
        raise ExportError(file, words, f"Export the model again {HOW_TO_EXPORT}")
    model = _model(folder, kind, name)
    if model is None and is_whole_export:
        reason = f"it names the model {name!r}, which is not next to it"
        raise ExportError(file, reason, "Put it there")
    is_model = model is not None and path in {model, model / SAVED_MODEL}
    return [model] if model is not None and (is_whole_export or is_model) else []


def read(model: Path) -> Contract:
    """The contract of a SavedModel or a TFLite file.

    Raises:
        ExportError: broken, or contradicted by `signature.json`.
    """
    folder = model if model.is_dir() else model.parent
    signature = _read_signature(folder)
    if signature is None:
        reason = f"it was changed while the export was read: {SIGNATURE} is gone"
        raise ExportError(folder, reason, "Try again")
    file = folder / SIGNATURE
    _refuse_other_inputs(file, signature["inputs"])
    rules = FamilyRules(
        StatedPixels(UNIT, ChannelOrder.RGB, "Lobe's models take 0..1", check_quantization=True),
        partial(_labels, folder, tuple(signature["classes"]["Label"])),
        read_model_toml(folder, DEFAULTS),
        DEFAULTS,
        resize_origin="as Lobe's own code",
        recognised=SIGNATURE,
        scores=_scores(signature, model),
    )
    if model.is_dir():
        return PixelSavedModel(model).contract(rules)
    with refuse_if_broken(model):
        return TFLiteModel(model).contract(rules)


def _read_signature(folder: Path) -> dict[str, Any] | None:
    """Lobe's `signature.json`; ``None`` if there is none, or if it is of something else."""
    file = folder / SIGNATURE
    if not file.is_file():
        return None
    try:
        signature = read_json(file)
    except ExportError:
        return None
    if not isinstance(signature, dict) or not isinstance(signature.get("format"), str):
        return None
    inputs, classes = signature.get("inputs"), signature.get("classes")
    if not isinstance(inputs, dict) or _IMAGE not in inputs or not isinstance(classes, dict):
        return None
    labels = classes.get("Label")
    if not isinstance(labels, list) or not labels:
        return None
    return signature if all(isinstance(label, str) for label in labels) else None


def _model(folder: Path, kind: str, name: object) -> Path | None:
    if kind not in _FORMATS:
        return None
    if kind == "tf":
        return folder if (folder / SAVED_MODEL).is_file() else None
    if isinstance(name, str) and name and "/" not in name and (folder / name).is_file():
        return folder / name if is_tflite(folder / name) else None
    renamed = tflite_models(folder)
    return renamed[0] if len(renamed) == 1 else None


def _refuse_other_inputs(file: Path, inputs: dict[str, Any]) -> None:
    others = [name for name in inputs if name != _IMAGE]
    if others:
        reason = f"besides the image the model takes {', '.join(others)}"
        raise ExportError(file, reason, f"Export the model again {HOW_TO_EXPORT}")


def _scores(signature: dict[str, Any], model: Path) -> str:
    """The output with the scores: its name in a SavedModel's signature, or its tensor's name."""
    outputs = signature.get("outputs")
    described = outputs.get(_SCORES) if isinstance(outputs, dict) else None
    if model.is_dir() or not isinstance(described, dict):
        return _SCORES
    return str(described.get("name", ""))


def _labels(folder: Path, stated: tuple[str, ...], classes: int | None) -> Labels:
    file = folder / SIGNATURE
    labels = match_classes(stated, classes, file)
    note = None
    beside = folder / _LABEL_FILE
    if beside.is_file() and _read_or_none(beside) != labels:
        note = f"{_LABEL_FILE} differs from the labels in {SIGNATURE}, which are used"
    return Labels(labels, f"classes.Label in {SIGNATURE}", note)


def _read_or_none(file: Path) -> tuple[str, ...] | None:
    try:
        return read_label_file(file)
    except (ExportError, OSError):
        return None
