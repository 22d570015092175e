"""What a model expects and what it returns: the contract, read once from the export and never guessed again.

Every fact carries where it came from (`Contract.origins`), so that `edge inspect` can say it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.vision.resize import Kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class Task(StrEnum):
    """What a model answers."""

    CLASSIFICATION = "classification"
    DETECTION = "detection"


class Format(StrEnum):
    """What kind of export it is."""

    TFLITE = "tflite"
    SAVED_MODEL = "saved_model"


class Resize(StrEnum):
    """Which part of the image a model sees."""

    STRETCH = "stretch"
    CENTER_CROP = "center_crop"


@dataclass(frozen=True, slots=True)
class Quantization:
    """real = scale * (stored - zero_point)."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class Normalization:
    """stored = (byte - mean) / std, for a float input."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


UNIT_RANGE = Normalization((127.5,), (127.5,))
"""To [-1, 1], as the graphs of AutoML's SavedModel and TF.js exports scale their pixels."""


class ChannelOrder(StrEnum):
    """In which order a model takes the channels of a pixel."""

    RGB = "rgb"
    BGR = "bgr"


class Layout(StrEnum):
    """In which order a model takes the axes of an image: batch (N), height, width, channels."""

    NHWC = "nhwc"
    NCHW = "nchw"


@dataclass(frozen=True, slots=True)
class PixelInput:
    """A tensor of one image.

    Attributes:
        tensor: index of the tensor in the model.
        dtype: ``uint8`` takes the bytes 0..255 as they are, ``int8`` the bytes less 128, ``float32`` normalised ones.
        normalization: applied to float32 alone; three values are in ``channel_order``.
    """

    name: str
    tensor: int
    dtype: str
    height: int
    width: int
    normalization: Normalization = UNIT_RANGE
    channel_order: ChannelOrder = ChannelOrder.RGB
    layout: Layout = Layout.NHWC

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The tensor's shape, with a batch of 1."""
        if self.layout is Layout.NCHW:
            return 1, 3, self.height, self.width
        return 1, self.height, self.width, 3


@dataclass(frozen=True, slots=True)
class EncodedInput:
    """A string tensor [N] of encoded images, which the graph decodes and resizes itself.

    Attributes:
        signature: name of the signature that is run.
        name: the input's name in it: ``image_bytes`` or ``encoded_image``.
        key: name of the input that is echoed, where there is one.
    """

    signature: str
    name: str
    key: str | None


@dataclass(frozen=True, slots=True)
class TensorOutput:
    """One output of a TFLite model: the tensor's index, and how its numbers become real ones."""

    name: str
    tensor: int
    dtype: str
    quantization: Quantization | None = None

    def real(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """The stored numbers as float32: dequantised where the tensor is quantised."""
        numbers = stored.astype(np.float32)
        if self.quantization is None:
            return numbers
        return (numbers - np.float32(self.quantization.zero_point)) * np.float32(self.quantization.scale)


@dataclass(frozen=True, slots=True)
class SignatureInfo:
    """Inputs and outputs of a SavedModel's signature: name to (dtype such as ``DT_FLOAT``, shape with -1, tensor)."""

    inputs: Mapping[str, tuple[str, tuple[int, ...], str]]
    outputs: Mapping[str, tuple[str, tuple[int, ...], str]]
    method: str


@dataclass(frozen=True, slots=True)
class FallbackTuning:
    """What `model.toml` says of the cloud for this model; ``None`` leaves it to the service's settings.

    Attributes:
        mode: when the cloud is wanted, as `EDGE_CLOUD_MODE` says it.
        threshold: a score under it is unsure, 0..1.
        margin: the best two classes nearer than that are unsure, 0..1.
        bands: label to (low, high), between which its score is unsure.
        empty: whether a detector that shows nothing is unsure.
        endpoint: of the online model that knows the same things.
        labels: the online model's label to this model's.
    """

    mode: str | None = None
    threshold: float | None = None
    margin: float | None = None
    bands: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    empty: bool | None = None
    endpoint: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tuning:
    """What an export leaves open, as `model.toml` beside it sets it.

    Attributes:
        display_name: shown to people instead of the model's name.
        resize: which part of the image the model sees.
        crop_fraction: side of the centred square as a share of the shorter side, for ``center_crop``.
        kernel: how the pixels are resized.
        score_threshold: predictions under it are left out, 0..1; ``None`` takes the task's default.
        label_thresholds: the same for single labels, going before ``score_threshold``.
        top_k: how many predictions are answered at most; ``None`` takes the task's default.
        fallback: when the online model is asked, and how it is called.
    """

    display_name: str | None = None
    resize: Resize = Resize.STRETCH
    crop_fraction: float = 1.0
    kernel: Kernel = Kernel.BILINEAR
    score_threshold: float | None = None
    label_thresholds: Mapping[str, float] = field(default_factory=dict)
    top_k: int | None = None
    fallback: FallbackTuning = FallbackTuning()


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything the service needs to run a model right.

    Attributes:
        labels: one a class, in the model's order, without background. ``None`` where only the model's own answer tells
            (a SavedModel without a label file).
        multi_label: the scores are independent of each other (LOGISTIC), not shares of one (SOFTMAX).
        outputs: role to tensor: ``scores`` for classification; ``boxes``, ``classes``, ``scores``, ``count`` for
            detection. Empty for a SavedModel, which names its outputs itself.
        signature: of a SavedModel; ``None`` for TFLite.
        origins: fact to where it was read.
        notes: what a person should know of the export though it is served.
    """

    format: Format
    task: Task
    input: PixelInput | EncodedInput
    labels: tuple[str, ...] | None
    multi_label: bool
    outputs: Mapping[str, TensorOutput]
    tuning: Tuning
    signature: SignatureInfo | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
