"""A TFLite file as every family reads it: its image input, its task, and the contract of both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.distribution_buffer import BUFFER_NAME, decode_distribution
from edge.export.folder import starts_as_tflite
from edge.export.pixels import ImageTensor, pixel_input
from edge.export.pooled_features import FEATURES, pooled_tensor
from edge.export.regular_file import MAX_MODEL_BYTES, read_bounded
from edge.export.tflite_graph import Graph, Tensor, refuse_if_broken
from edge.export.tflite_metadata import METADATA_BUFFER, Metadata, read_metadata
from edge.export.tflite_outputs import (
    DETECTION_ROLES,
    POST_PROCESS,
    find_detection_outputs,
    tensor_outputs,
)
from edge.export.tflite_scaling import input_scaling
from edge.model.contract import Contract, Format
from edge.model.tasks.classification import CLASSIFICATION
from edge.model.tasks.detection import DETECTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from edge.export.family_rules import FamilyRules, Labels
    from edge.model.tasks.task import Task
    from edge.model.training_distribution import TrainingDistribution

_EDGE_TPU_OPERATOR: Final = "edgetpu-custom-op"
_SINGLE_LABEL: Final = "SOFTMAX"
_MULTI_LABEL: Final = "LOGISTIC"
_IMAGE_DTYPES: Final = ("uint8", "int8", "float32")
_MAX_SCORES_RANK: Final = 4  # [1, 1, 1, N]
_RGB: Final = 3
_IMAGE_RANK: Final = 4
_SERVED: Final = f"Serve an image classifier, or a detector that ends in {POST_PROCESS}"


@dataclass(frozen=True, slots=True)
class Peek:
    """What tells the family of a file, before it is read.

    Attributes:
        image: its only input with four axes.
        has_metadata: whether it describes itself.
    """

    image: Tensor
    has_metadata: bool


def peek(file: Path) -> Peek | None:
    """Look into a file to recognise its family; ``None`` if it cannot be read.

    Raises:
        OSError: the file cannot be read.
    """
    status = file.stat()
    return _peek(file, (status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=256)
def _peek(file: Path, identity: tuple[int, int, int]) -> Peek | None:
    """Look into a file, once: every family that is asked, and every scan, looks into it."""
    del identity  # tells a file that was replaced
    try:
        if not starts_as_tflite(file):
            return None
        graph = Graph(read_bounded(file, MAX_MODEL_BYTES))
        with refuse_if_broken(file):
            images = [tensor for tensor in graph.inputs if len(tensor.shape) == _IMAGE_RANK]
            has_metadata = bool(graph.metadata(METADATA_BUFFER))
    except Exception as error:  # a broken file is refused where it is read
        if isinstance(error, OSError):
            raise
        return None
    return Peek(images[0], has_metadata) if len(images) == 1 else None


class TFLiteModel:
    """One TFLite file. Call it inside `refuse_if_broken`."""

    def __init__(self, path: Path) -> None:
        data = read_bounded(path, MAX_MODEL_BYTES)
        self.path = path
        self.graph = Graph(data)
        self.metadata: Metadata = read_metadata(data, self.graph)

    def image(self) -> Tensor:
        """The only input, an image.

        Raises:
            ExportError: compiled for the Edge TPU, or with other inputs.
        """
        self._refuse_edge_tpu()
        images = [tensor for tensor in self.graph.inputs if _is_image(tensor)]
        states = [tensor for tensor in self.graph.inputs if not _is_image(tensor)]
        if states and images:
            names = ", ".join(tensor.name for tensor in states)
            raise ExportError(
                self.path,
                f"besides the image it takes {names}, the state of the last frame (AutoML Video)",
                "Train and export an AutoML Vision object detection model instead",
            )
        if len(images) != 1:
            inputs = _describe(self.graph.inputs) or "no input"
            reason = f"it takes {inputs}, not one RGB image [1, height, width, 3]"
            raise ExportError(self.path, reason + _kind_words(self.graph.inputs), _SERVED)
        image = images[0]
        batch, height, width, _ = image.shape
        if image.dtype not in _IMAGE_DTYPES or batch != 1 or height < 1 or width < 1:
            dtypes = ", ".join(_IMAGE_DTYPES)
            raise ExportError(
                self.path,
                f"its input {image.name} is {image.dtype} {list(image.shape)}",
                f"An input of {dtypes} and a fixed shape [1, height, width, 3] is needed",
            )
        return image

    def contract(self, rules: FamilyRules) -> Contract:
        """The contract of a classifier or a detector.

        Raises:
            ExportError: of another kind, or inconsistent with its labels or stated pixels.
        """
        self.image()
        outputs = self.graph.outputs
        if rules.scores:
            outputs = _named(outputs, rules.scores)
        if self.graph.operator(POST_PROCESS) is not None or len(outputs) > 1:
            return self._detection(rules)
        return self._classification(rules, outputs[0])

    def _refuse_edge_tpu(self) -> None:
        if self.graph.operator(_EDGE_TPU_OPERATOR) is not None:
            raise ExportError(
                self.path,
                "it is compiled for the Edge TPU (Coral) and does not run without that device",
                'Export the model again as plain "TFLite" and serve that file',
            )

    def _classification(self, rules: FamilyRules, scores: Tensor) -> Contract:
        activation = self.graph.operator_behind(scores)
        classes = scores.shape[-1] if scores.shape else 0
        is_scores = activation in {_SINGLE_LABEL, _MULTI_LABEL}
        if not is_scores or classes < 1 or len(scores.shape) > _MAX_SCORES_RANK:
            raise ExportError(
                self.path,
                f"no softmax or logistic operator computes its output {_describe([scores])}: "
                "it is not an image classifier",
                _SERVED,
            )
        outputs, distribution = {"scores": scores}, None
        content = self.graph.metadata(BUFFER_NAME)
        pooled = pooled_tensor(self.graph) if content else None
        if pooled is not None:
            distribution = decode_distribution(content, math.prod(pooled.shape))
            outputs[FEATURES] = pooled
        return self._build(
            rules,
            CLASSIFICATION,
            rules.labels(classes),
            outputs,
            distribution=distribution,
            multi_label=activation == _MULTI_LABEL,
            task_origin=f"its last operator, {activation}",
            outputs_origin="the only output" if len(self.graph.outputs) == 1 else scores.name,
        )

    def _detection(self, rules: FamilyRules) -> Contract:
        roles, outputs_origin = find_detection_outputs(self.graph, self.metadata.output_names)
        if set(roles) != set(DETECTION_ROLES):
            outputs = _describe(self.graph.outputs)
            raise ExportError(
                self.path,
                f"boxes, classes, scores and count cannot be told apart in its outputs ({outputs})",
                f"Serve an export that ends in {POST_PROCESS}, as AutoML's do",
            )
        post_process = self.graph.operator(POST_PROCESS)
        classes = post_process.options.get("num_classes") if post_process else None
        return self._build(
            rules,
            DETECTION,
            rules.labels(int(classes) if classes else None),
            roles,
            multi_label=False,
            task_origin=f"{POST_PROCESS} or its four outputs",
            outputs_origin=outputs_origin,
        )

    def _build(
        self,
        rules: FamilyRules,
        task: Task,
        labels: Labels,
        outputs: Mapping[str, Tensor],
        *,
        multi_label: bool,
        task_origin: str,
        outputs_origin: str,
        distribution: TrainingDistribution | None = None,
    ) -> Contract:
        tensor = self.image()
        image = ImageTensor(
            name=tensor.name,
            index=tensor.index,
            dtype=tensor.dtype,
            height=tensor.shape[1],
            width=tensor.shape[2],
            quantization=tensor.quantization,
        )
        scaling = input_scaling(self.graph, tensor.index)
        pixels, origin = pixel_input(self.path, image, rules.stated, rules.tuning, scaling)
        return Contract(
            format=Format.TFLITE,
            task=task,
            input=pixels,
            labels=labels.names,
            multi_label=multi_label,
            outputs=tensor_outputs(outputs, self.graph),
            tuning=rules.tuning,
            distribution=distribution,
            origins=rules.origins(
                labels,
                task=task_origin,
                image=f"tensor {tensor.name} of {self.path.name}",
                pixels=origin,
                outputs=outputs_origin,
            ),
            notes=labels.notes,
        )


def _is_image(tensor: Tensor) -> bool:
    return len(tensor.shape) == _IMAGE_RANK and tensor.shape[3] == _RGB


def _named(tensors: list[Tensor], name: str) -> list[Tensor]:
    """The one tensor of a name, with or without the number after its colon; else all."""
    exact = [tensor for tensor in tensors if tensor.name == name]
    node = name.partition(":")[0]
    similar = exact or [tensor for tensor in tensors if tensor.name.partition(":")[0] == node]
    return similar if len(similar) == 1 else tensors


def _kind_words(inputs: list[Tensor]) -> str:
    """What an image input of another kind is, in words."""
    shapes = [tensor.shape for tensor in inputs if len(tensor.shape) == _IMAGE_RANK]
    if len(shapes) != 1:
        return ""
    if shapes[0][3] == 1 or shapes[0][1] == 1:
        return ": it was trained on grey images"
    if shapes[0][1] == _RGB:
        return ": its channels come first (NCHW)"
    return ""


def _describe(tensors: Iterable[Tensor]) -> str:
    return ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in tensors)
