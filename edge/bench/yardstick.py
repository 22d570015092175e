"""The yardstick: the bare work as it was when the targets were set, kept unchanged.

Pillow's ``draft`` to twice what the model sees, Pillow's resize, LiteRT's invoke: nothing is
checked, and nothing of `edge.vision` is used, so that a faster pixel path is seen against it and
not hidden in it. Two kinds of model have no pixels to freeze: a SavedModel gets the original bytes
(bare TensorFlow), and the kernels that follow TensorFlow's resize are the service's own.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, JpegImagePlugin

from edge.model.contract import Format, PixelInput, Resize
from edge.model.preprocess import to_tensor
from edge.runtime.interpreter import IMAGE
from edge.runtime.interpreters import open_interpreters
from edge.vision.frame import Frame
from edge.vision.geometry import WHOLE_IMAGE, centre_square
from edge.vision.resize import Kernel, resample

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.model.contract import Contract

_MIN_SIDE_FACTOR = 2
_FILTERS = {
    Kernel.BILINEAR: Image.Resampling.BILINEAR,
    Kernel.BICUBIC: Image.Resampling.BICUBIC,
    Kernel.LANCZOS: Image.Resampling.LANCZOS,
}

assert JpegImagePlugin  # registers the only format that is measured with


class Yardstick:
    """Computes upright RGB JPEGs with one model, each on the worker of a number."""

    def __init__(self, model: Path, contract: Contract, workers: int, *, exact: bool) -> None:
        """Load the model.

        Args:
            exact: decode at full scale, as the setting says.

        Raises:
            ExportError: the runtime refuses the model.
        """
        self._contract = contract
        self._exact = exact
        if contract.format is Format.TFLITE:
            self._litert = [_open_litert(model) for _ in range(workers)]
        else:
            self._tensorflow = open_interpreters(model, contract, workers)

    def compute(self, worker: int, encoded: bytes) -> None:
        """Decode, resize and invoke; the outputs are read and dropped."""
        spec = self._contract.input
        image = np.array([encoded], object)
        if isinstance(spec, PixelInput):
            image = to_tensor(self._pixels(encoded, spec), spec)[np.newaxis]
        if self._contract.format is not Format.TFLITE:
            with self._tensorflow.lease(worker) as tensorflow:
                tensorflow.invoke({IMAGE: image})
            return
        assert isinstance(spec, PixelInput)
        litert = self._litert[worker]
        litert.set_tensor(spec.tensor, image)
        litert.invoke()
        for output in self._contract.outputs.values():
            litert.get_tensor(output.tensor)

    def _pixels(self, encoded: bytes, spec: PixelInput) -> NDArray[np.uint8]:
        """Uint8 RGB [height, width, 3]."""
        tuning = self._contract.tuning
        picture = Image.open(io.BytesIO(encoded), formats=("JPEG",))
        width, height = picture.size
        is_cropped = tuning.resize is Resize.CENTER_CROP
        region = centre_square(width, height, tuning.crop_fraction) if is_cropped else WHOLE_IMAGE
        kernel = _FILTERS.get(tuning.kernel)
        if kernel is None:
            picture.load()
            frame = Frame(picture, width, height, encoded)
            return resample(frame, region, spec.width, spec.height, tuning.kernel)
        if not self._exact:
            seen = tuning.crop_fraction if is_cropped else 1.0
            side = math.ceil(_MIN_SIDE_FACTOR * max(spec.width, spec.height) / seen)
            picture.draft(None, (side, side))
        box = region.pixels(*picture.size)
        return np.asarray(picture.resize((spec.width, spec.height), kernel, box))


def _open_litert(model: Path) -> Any:
    litert = Interpreter(model_path=str(model), num_threads=1)
    litert.allocate_tensors()
    return litert
