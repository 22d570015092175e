"""Models that `edge train --good` made: a TFLite file that ends in a feature map, and Gaussians.

Not AutoML's: no other program reads the Gaussians, so the file has no scores that it could mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.family_rules import FamilyRules, Labels
from edge.export.folder import is_tflite, starts_as_tflite, tflite_models
from edge.export.good_parts_buffer import BUFFER_NAME, decode_good_parts
from edge.export.model_toml import read_model_toml
from edge.export.pixels import StatedPixels
from edge.export.tflite_graph import refuse_if_broken
from edge.export.tflite_model import TFLiteModel, peek
from edge.model.contract import ChannelOrder, Resize, Tuning
from edge.model.tasks.anomaly import ANOMALY, FEATURE_MAP, LABELS

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.contract import Contract

NAME = "edge good parts"
HOW_TO_EXPORT = "with edge train --good"

DEFAULTS: Final = Tuning(resize=Resize.STRETCH)

_PIXELS: Final = StatedPixels(
    None, ChannelOrder.RGB, "the input is quantised: bytes go in as they are"
)
_MAP_RANK: Final = 4  # [1, height, width, channels]


def find(path: Path) -> list[Path]:
    """The TFLite files that hold Gaussians."""
    if path.is_dir():
        files = tflite_models(path)
    else:
        files = [path] if is_tflite(path) or starts_as_tflite(path) else []
    return [file for file in files if _has_good_parts(file)]


def read(model: Path) -> Contract:
    """The contract of such a file, with the `model.toml` that lies next to it.

    Raises:
        ExportError: broken, or its Gaussians do not fit its feature map.
    """
    tuning = read_model_toml(model.parent, DEFAULTS)
    with refuse_if_broken(model):
        file = TFLiteModel(model)
        outputs = file.graph.outputs
        if len(outputs) != 1 or len(outputs[0].shape) != _MAP_RANK:
            reason = f"it holds {BUFFER_NAME}, but its output is no feature map"
            raise ExportError(model, reason, f"Make the model again {HOW_TO_EXPORT}")
        good_parts = decode_good_parts(file.graph.metadata(BUFFER_NAME), outputs[0].shape[1:])
        return file.build(
            FamilyRules(_PIXELS, _labels, tuning, DEFAULTS, recognised=BUFFER_NAME),
            ANOMALY,
            _labels(None),
            {FEATURE_MAP: outputs[0]},
            good_parts=good_parts,
            multi_label=False,
            task_origin=f"{BUFFER_NAME} inside {model.name}",
            outputs_origin="the only output",
        )


def _labels(classes: int | None) -> Labels:
    del classes
    return Labels(LABELS, "of every model of good parts")


def _has_good_parts(file: Path) -> bool:
    found = peek(file)
    return found is not None and BUFFER_NAME in found.buffers
