"""TFLite files of other tools (Model Maker, Edge Impulse, one's own script), by their metadata.

AutoML's files take bytes; these take floats or signed bytes. Which range is meant stands in the
metadata inside the file, or in `model.toml`, or the file is refused.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from edge.export.family_rules import FamilyRules
from edge.export.folder import is_tflite, starts_as_tflite, tflite_models
from edge.export.model_toml import read_model_toml
from edge.export.pixel_range import BYTES, SIGNED_UNIT, UNIT, quantization_contradicts
from edge.export.pixels import FLOAT, StatedPixels
from edge.export.tflite_graph import refuse_if_broken
from edge.export.tflite_labels import find_labels
from edge.export.tflite_model import Peek, TFLiteModel, peek
from edge.model.contract import ChannelOrder, Resize, Tuning

if TYPE_CHECKING:
    from pathlib import Path

    from edge.export.tflite_graph import Tensor
    from edge.model.contract import Contract

NAME = "TFLite"
HOW_TO_EXPORT = "as a TFLite file whose metadata states the normalisation and the labels"

DEFAULTS: Final = Tuning(resize=Resize.STRETCH)


def find(path: Path) -> list[Path]:
    """The TFLite files that do not take bytes."""
    if path.is_dir():
        files = tflite_models(path)
    else:
        files = [path] if is_tflite(path) or starts_as_tflite(path) else []
    return [file for file in files if _is_other(peek(file))]


def read(model: Path) -> Contract:
    """The contract of a TFLite file that says everything itself, or with `model.toml`.

    Raises:
        ExportError: broken, of a kind that is not served, inconsistent with its labels, or nothing
            says which range its pixels have.
    """
    tuning = read_model_toml(model.parent, DEFAULTS)
    with refuse_if_broken(model):
        file = TFLiteModel(model)
        stated = _stated(file, file.image())
        rules = FamilyRules(stated, partial(find_labels, file), tuning, DEFAULTS)
        return file.contract(rules)


def _is_other(found: Peek | None) -> bool:
    return found is not None and found.image.dtype != "uint8"


def _stated(file: TFLiteModel, image: Tensor) -> StatedPixels | None:
    normalization = file.metadata.normalization
    if normalization is not None:
        origin = f"NormalizationOptions inside {file.path.name}"
        return StatedPixels(normalization, ChannelOrder.RGB, origin, check_quantization=True)
    if image.dtype == FLOAT or image.quantization is None:
        return None
    for usual in (BYTES, UNIT, SIGNED_UNIT):
        if quantization_contradicts(usual, image.quantization, image.dtype) is None:
            return StatedPixels(usual, ChannelOrder.RGB, f"the quantisation of {image.name}")
    return None
