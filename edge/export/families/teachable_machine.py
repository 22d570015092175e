"""Teachable Machine: TFLite files, floating point or quantised, and SavedModels.

Its own sample code crops the centred square with `ImageOps.fit` and LANCZOS, and feeds
x / 127.5 - 1, or bytes where the model is quantised.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.family_rules import FamilyRules, Labels
from edge.export.folder import SAVED_MODEL, is_tflite, starts_as_tflite, tflite_models
from edge.export.label_text import is_numbered_in_order
from edge.export.labels import match_classes, parse_labels, split_lines
from edge.export.model_toml import FILE_NAME, read_model_toml
from edge.export.pixel_range import SIGNED_UNIT
from edge.export.pixels import FLOAT, StatedPixels
from edge.export.regular_file import MAX_LABEL_FILE_BYTES
from edge.export.saved_model_pixels import PixelSavedModel, peek_inputs
from edge.export.text_file import read_text
from edge.export.tflite_graph import refuse_if_broken
from edge.export.tflite_labels import find_labels
from edge.export.tflite_model import TFLiteModel, peek
from edge.model.contract import ChannelOrder, Resize, Tuning
from edge.vision.resize import Kernel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.model.contract import Contract

NAME = "Teachable Machine"
HOW_TO_EXPORT = 'from Teachable Machine as "Tensorflow Lite" or "Tensorflow", "Savedmodel"'

DEFAULTS: Final = Tuning(resize=Resize.CENTER_CROP, kernel=Kernel.LANCZOS)

LABEL_FILE: Final = "labels.txt"
_INPUT = re.compile(r"sequential_\d+_input")
_AUTOML_INPUTS: Final = {"image", "normalized_input_image_tensor"}
_DTYPES: Final = {FLOAT, "uint8"}
_FOLDER_SUFFIX: Final = ".savedmodel"
_FLOATS: Final = "Teachable Machine's models take x / 127.5 - 1"
_BYTES: Final = "the input is quantised: bytes go in as they are"


def find(path: Path) -> list[Path]:
    """The models whose input tensor or label file is Teachable Machine's."""
    if path.is_dir():
        files = tflite_models(path)
        folder = path
    else:
        files = [path] if is_tflite(path) or starts_as_tflite(path) else []
        folder = path.parent if path.name == SAVED_MODEL else path
    found = [file for file in files if _recognise(file)]
    if (folder / SAVED_MODEL).is_file() and _recognise_saved_model(folder):
        found.append(folder)
    return found


def read(model: Path) -> Contract:
    """The contract of a TFLite file or a SavedModel.

    Raises:
        ExportError: broken, of another kind than an image model, or inconsistent with its labels.
    """
    if model.is_dir():
        return _read_saved_model(model)
    tuning = read_model_toml(model.parent, DEFAULTS)
    with refuse_if_broken(model):
        file = TFLiteModel(model)
        is_float = file.image().dtype == FLOAT
        stated = StatedPixels(
            SIGNED_UNIT if is_float else None,
            ChannelOrder.RGB,
            _FLOATS if is_float else _BYTES,
        )
        labels = partial(find_labels, file, usual=LABEL_FILE)
        return file.contract(_rules(stated, labels, tuning, _recognise(model)))


def _rules(
    stated: StatedPixels,
    labels: Callable[[int | None], Labels],
    tuning: Tuning,
    recognised: str,
) -> FamilyRules:
    return FamilyRules(
        stated,
        labels,
        tuning,
        DEFAULTS,
        resize_origin="as Teachable Machine's own code",
        recognised=recognised,
    )


def _recognise(file: Path) -> str:
    """By what a TFLite file is known to be Teachable Machine's; empty if it is not."""
    found = peek(file)
    if found is None or found.has_metadata or found.image.dtype not in _DTYPES:
        return ""
    name = found.image.name
    if _INPUT.search(name):
        return f"input tensor {name}"
    if name not in _AUTOML_INPUTS and _is_numbered(file.parent / LABEL_FILE):
        return f"{LABEL_FILE} with a number before each label"
    return ""


def _recognise_saved_model(folder: Path) -> str:
    """By what a SavedModel is known; its file is opened only where the folder looks like it."""
    looks_so = folder.name.endswith(_FOLDER_SUFFIX) or _is_numbered(_label_file(folder))
    if not looks_so:
        return ""
    for name in peek_inputs(folder):
        if _INPUT.search(name):
            return f"input {name} of the signature"
    return ""


def _read_saved_model(folder: Path) -> Contract:
    label_file = _label_file(folder)
    has_own_settings = (folder / FILE_NAME).is_file()
    tuning = read_model_toml(folder if has_own_settings else label_file.parent, DEFAULTS)
    stated = StatedPixels(SIGNED_UNIT, ChannelOrder.RGB, _FLOATS)
    labels = partial(_saved_model_labels, folder, label_file)
    rules = _rules(stated, labels, tuning, _recognise_saved_model(folder))
    return PixelSavedModel(folder).contract(rules)


def _label_file(folder: Path) -> Path:
    """`labels.txt` next to the folder `model.savedmodel`, or in it."""
    inside = folder / LABEL_FILE
    return inside if inside.is_file() else folder.parent / LABEL_FILE


def _saved_model_labels(folder: Path, file: Path, classes: int | None) -> Labels:
    if not file.is_file():
        reason = f"no labels for its {classes} classes were found next to it"
        remedy = f"Put Teachable Machine's {LABEL_FILE} next to the folder"
        raise ExportError(folder, reason, remedy)
    text = read_text(file, MAX_LABEL_FILE_BYTES)
    return Labels(match_classes(parse_labels(text, file), classes, file), file.name)


def _is_numbered(file: Path) -> bool:
    """Whether each line i of a label file begins with i; a file that cannot be read does not."""
    if not file.is_file():
        return False
    try:
        text = read_text(file, MAX_LABEL_FILE_BYTES)
    except (ExportError, OSError):
        return False
    return is_numbered_in_order(split_lines(text))
