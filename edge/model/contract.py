"""The contract: what a model expects and returns, read once from its export and never guessed.

`Contract.origins` says where each fact was read; `edge inspect` shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.model.prediction import Selection
from edge.model.rules import RuleOverrides, Rules
from edge.model.tasks.task import Classes
from edge.vision.resize import Kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.model.good_parts import GoodParts
    from edge.model.tasks.task import Prediction, Task
    from edge.model.training_distribution import TrainingDistribution


class Format(StrEnum):
    """The format of an export."""

    TFLITE = "tflite"
    SAVED_MODEL = "saved_model"


class Resize(StrEnum):
    """Which part of the image a model sees, and how it fills the input."""

    STRETCH = "stretch"
    CENTER_CROP = "center_crop"


@dataclass(frozen=True, slots=True)
class Quantization:
    """real = scale * (stored - zero_point)."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class Normalization:
    """real = (byte - mean) / std; one value, or one for each channel in the input's order."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


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
        tensor: index of the tensor in a TFLite model; 0 for a SavedModel, which goes by ``name``.
        dtype: ``uint8`` takes the bytes 0..255 unchanged, ``int8`` the bytes minus 128, ``float32``
            normalised values.
        normalization: of every float32 input; three values are in ``channel_order``.
        quantization: of a uint8 or int8 input that takes normalised values, quantised, instead of
            bytes; it then has a normalisation too.
        signature: of a SavedModel: the name of the signature that is run.
    """

    name: str
    tensor: int
    dtype: str
    height: int
    width: int
    normalization: Normalization | None = None
    channel_order: ChannelOrder = ChannelOrder.RGB
    layout: Layout = Layout.NHWC
    quantization: Quantization | None = None
    signature: str | None = None

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
        key: name of the input that the graph echoes; ``None`` if there is none.
    """

    signature: str
    name: str
    key: str | None


@dataclass(frozen=True, slots=True)
class TensorOutput:
    """One output of a TFLite model: the tensor's index, and how its values are dequantised.

    Attributes:
        inner: the file does not list it as an output; it is made one when the model is opened.
    """

    name: str
    tensor: int
    dtype: str
    quantization: Quantization | None = None
    inner: bool = False

    def real(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Convert stored values to float32, dequantised if the tensor is quantised."""
        numbers = stored.astype(np.float32)
        if self.quantization is None:
            return numbers
        zero_point = np.float32(self.quantization.zero_point)
        return (numbers - zero_point) * np.float32(self.quantization.scale)


@dataclass(frozen=True, slots=True)
class SignatureInfo:
    """Inputs and outputs of a SavedModel's signature.

    Each name maps to (dtype such as ``DT_FLOAT``, shape with -1 for what varies, tensor).
    """

    inputs: Mapping[str, tuple[str, tuple[int, ...], str]]
    outputs: Mapping[str, tuple[str, tuple[int, ...], str]]
    method: str


@dataclass(frozen=True, slots=True)
class ModelFallback:
    """What `model.toml` says about the cloud fallback of this model.

    Attributes:
        rules: replace the service's rules where they are set.
        endpoint: of the online model for this model; ``None`` for the service's endpoint.
        labels: the online model's label to this model's label.
    """

    rules: RuleOverrides = field(default_factory=RuleOverrides)
    endpoint: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tuning:
    """What an export leaves open and `model.toml` next to it sets.

    Attributes:
        display_name: shown to people instead of the model's name.
        display_names: language to label to the words that people see instead of the label; only
            pages and drawn pictures show them.
        resize: which part of the image the model sees.
        crop_fraction: for ``center_crop``: side of the centred square, as a share of the image's
            shorter side.
        kernel: how the pixels are resized.
        mean: with ``std`` the input's normalisation, whatever the export says of it.
        std: see ``mean``; above 0.
        channel_order: in which the input takes a pixel; ``None`` for what the export says.
        score_threshold: minimum score of a shown item, 0..1; ``None`` takes the task's default.
        label_thresholds: minimum scores of single labels; each replaces ``score_threshold``.
        top_k: maximum number of shown items; ``None`` takes the task's default.
        fallback: when the online model is called, and which one.
    """

    display_name: str | None = None
    display_names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    resize: Resize = Resize.STRETCH
    crop_fraction: float = 1.0
    kernel: Kernel = Kernel.BILINEAR
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channel_order: ChannelOrder | None = None
    score_threshold: float | None = None
    label_thresholds: Mapping[str, float] = field(default_factory=dict)
    top_k: int | None = None
    fallback: ModelFallback = ModelFallback()

    @property
    def normalization(self) -> Normalization | None:
        """The normalisation that `model.toml` states; ``None`` if it states none."""
        if self.mean is None or self.std is None:
            return None
        return Normalization(self.mean, self.std)

    def words_for(self, label: str) -> str:
        """The words for a label on a drawn picture, in English; the label if there are none."""
        return self.display_names.get("en", {}).get(label, label)


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything the service needs to run a model correctly.

    Attributes:
        labels: one per class, in the model's order, without background. ``None`` if only the
            model's own answer names them (a SavedModel without a label file).
        multi_label: the scores are independent of each other (LOGISTIC); they do not add up to 1
            (SOFTMAX).
        outputs: role to tensor: ``scores`` for classification, and ``features`` for one that has a
            ``distribution``; ``boxes``, ``classes``, ``scores``
            and ``count`` for detection. Empty for a SavedModel that takes encoded images: it names
            its outputs itself.
        signature: of a SavedModel that takes encoded images; ``None`` for all others.
        distribution: where the features of its training pictures lie; ``None`` if the export does
            not say. Then ``outputs`` has the role ``features``.
        good_parts: how good parts look; ``None`` if the model did not learn from such. Then
            ``outputs`` has the role ``feature_map`` alone.
        origins: fact to the place where it was read.
        notes: what users should know about the export, although it is served.
        unsafe_operators: those that may reach outside of the model, such as
            ``ReadFile (node load)``; such an export is refused unless its owner allows it.
    """

    format: Format
    task: Task
    input: PixelInput | EncodedInput
    labels: tuple[str, ...] | None
    multi_label: bool
    outputs: Mapping[str, TensorOutput]
    tuning: Tuning
    signature: SignatureInfo | None = None
    distribution: TrainingDistribution | None = None
    good_parts: GoodParts | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unsafe_operators: tuple[str, ...] = ()

    def real(self, outputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Dequantise a TFLite model's raw outputs, by role, to float32."""
        return {role: output.real(outputs[role]) for role, output in self.outputs.items()}

    @property
    def classes(self) -> Classes:
        """What is known of the model's classes."""
        return Classes(self.labels, self.multi_label, self.distribution, self.good_parts)

    def is_certain(self, prediction: Prediction, rules: Rules) -> bool:
        """Whether a prediction is good enough by the rules, whatever a request selects."""
        return self.task.uncertainty(prediction, self.selection(), rules) is None

    def selection(self, top_k: int | None = None, threshold: float | None = None) -> Selection:
        """Choose what is shown: by the request, else by `model.toml`, else by the task's defaults.

        A request's threshold overrides every threshold of the file, including those of labels.
        """
        tuning = self.tuning
        model_threshold = tuning.score_threshold
        if model_threshold is None:
            model_threshold = self.task.default_threshold
        return Selection(
            top_k=top_k or tuning.top_k or self.task.default_top_k,
            threshold=model_threshold if threshold is None else threshold,
            label_thresholds=tuning.label_thresholds if threshold is None else {},
        )
