"""AutoML Vision and Vertex AI, exported as TFLite: one file, its labels inside it or next to it.

Trusts the model over the files next to it. Every such export takes bytes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from edge.export.family_rules import FamilyRules
from edge.export.folder import is_tflite, starts_as_tflite, tflite_models
from edge.export.model_toml import read_model_toml
from edge.export.pixels import StatedPixels
from edge.export.tflite_graph import refuse_if_broken
from edge.export.tflite_labels import find_labels
from edge.export.tflite_model import TFLiteModel
from edge.model.contract import ChannelOrder, Resize, Tuning

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.contract import Contract

NAME = "AutoML TFLite"
HOW_TO_EXPORT = 'from Vertex AI as "TFLite"'

DEFAULTS: Final = Tuning(resize=Resize.STRETCH)
"""Google's own notebook stretches the whole image to the input."""

_PIXELS: Final = StatedPixels(
    None, ChannelOrder.RGB, "the input is quantised: bytes go in as they are"
)


def find(path: Path) -> list[Path]:
    """The TFLite files in a folder that may be the one to serve; or the file, if it is one."""
    if path.is_dir():
        return tflite_models(path)
    return [path] if is_tflite(path) or starts_as_tflite(path) else []


def read(model: Path) -> Contract:
    """The contract of a TFLite file, with the label file and the `model.toml` that lie next to it.

    Raises:
        ExportError: broken, of a kind that is not served, or inconsistent with its labels.
    """
    tuning = read_model_toml(model.parent, DEFAULTS)
    with refuse_if_broken(model):
        file = TFLiteModel(model)
        rules = FamilyRules(_PIXELS, partial(find_labels, file), tuning, DEFAULTS)
        return file.contract(rules)
