"""AutoML Vision and Vertex AI, exported as TFLite: one file, its labels inside it or next to it.

Trusts the model over the files next to it. Also reads TFLite files of other tools that are built
the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.folder import is_tflite, starts_as_tflite, tflite_models
from edge.export.labels import find_label_file, match_classes, parse_labels, read_label_file
from edge.export.model_toml import read_model_toml, tuning_origins
from edge.export.regular_file import MAX_MODEL_BYTES, read_bounded
from edge.export.tflite_graph import Graph, Tensor, refuse_if_broken
from edge.export.tflite_metadata import Metadata, read_metadata
from edge.export.tflite_outputs import (
    DETECTION_ROLES,
    POST_PROCESS,
    find_detection_outputs,
    tensor_outputs,
)
from edge.model.contract import (
    UNIT_RANGE,
    ChannelOrder,
    Contract,
    Format,
    Layout,
    PixelInput,
    Resize,
    Tuning,
)
from edge.model.tasks.classification import CLASSIFICATION
from edge.model.tasks.detection import DETECTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from edge.model.tasks.task import Task

NAME = "AutoML TFLite"
HOW_TO_EXPORT = 'from Vertex AI as "TFLite"'

DEFAULTS: Final = Tuning(resize=Resize.STRETCH)
"""Google's own notebook stretches the whole image to the input."""

_EDGE_TPU_OPERATOR: Final = "edgetpu-custom-op"
_SINGLE_LABEL: Final = "SOFTMAX"
_MULTI_LABEL: Final = "LOGISTIC"
_IMAGE_DTYPES: Final = ("uint8", "int8", "float32")
_MAX_SCORES_RANK: Final = 4  # [1, 1, 1, N]
_SERVED: Final = "Serve an AutoML Vision image classification or object detection export"


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
    folder = model.parent
    tuning = read_model_toml(folder, DEFAULTS)
    # among several models, a label file may be another model's
    label_file = find_label_file(folder) if len(tflite_models(folder)) == 1 else None
    data = read_bounded(model, MAX_MODEL_BYTES)
    with refuse_if_broken(model):
        graph = Graph(data)
        return _Reader(model, graph, read_metadata(data, graph), label_file, tuning).contract()


@dataclass(frozen=True, slots=True)
class _Labels:
    """The labels of the model's classes, where they were read, and what a person should know."""

    names: tuple[str, ...]
    origin: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one file; holds what every step needs."""

    model: Path
    graph: Graph
    metadata: Metadata
    label_file: Path | None
    tuning: Tuning

    def contract(self) -> Contract:
        self._refuse_edge_tpu()
        image = self._image_input()
        if self.graph.operator(POST_PROCESS) is not None or len(self.graph.outputs) > 1:
            return self._detection(image)
        return self._classification(image)

    def _refuse_edge_tpu(self) -> None:
        if self.graph.operator(_EDGE_TPU_OPERATOR) is not None:
            raise ExportError(
                self.model,
                "it is compiled for the Edge TPU (Coral) and does not run without that device",
                'Export the model again as plain "TFLite" and serve that file',
            )

    def _image_input(self) -> PixelInput:
        images = [tensor for tensor in self.graph.inputs if _is_image(tensor)]
        states = [tensor for tensor in self.graph.inputs if not _is_image(tensor)]
        if states and images:
            names = ", ".join(tensor.name for tensor in states)
            raise ExportError(
                self.model,
                f"besides the image it takes {names}, the state of the last frame (AutoML Video)",
                "Train and export an AutoML Vision object detection model instead",
            )
        if len(images) != 1:
            inputs = _describe(self.graph.inputs) or "no input"
            reason = f"it takes {inputs}, not one RGB image [1, height, width, 3]"
            raise ExportError(self.model, reason, _SERVED)
        image = images[0]
        batch, height, width, _ = image.shape
        if image.dtype not in _IMAGE_DTYPES or batch != 1 or height < 1 or width < 1:
            dtypes = ", ".join(_IMAGE_DTYPES)
            raise ExportError(
                self.model,
                f"its input {image.name} is {image.dtype} {list(image.shape)}",
                f"An input of {dtypes} and a fixed shape [1, height, width, 3] is needed",
            )
        return PixelInput(
            name=image.name,
            tensor=image.index,
            dtype=image.dtype,
            height=height,
            width=width,
            normalization=self.metadata.normalization or UNIT_RANGE,
            channel_order=ChannelOrder.RGB,
            layout=Layout.NHWC,
        )

    def _classification(self, image: PixelInput) -> Contract:
        scores = self.graph.outputs[0]
        activation = self.graph.operator_behind(scores)
        classes = scores.shape[-1] if scores.shape else 0
        is_scores = activation in {_SINGLE_LABEL, _MULTI_LABEL}
        if not is_scores or classes < 1 or len(scores.shape) > _MAX_SCORES_RANK:
            raise ExportError(
                self.model,
                f"no softmax or logistic operator computes its output {_describe([scores])}: "
                "it is not an image classifier",
                _SERVED,
            )
        return self._build(
            CLASSIFICATION,
            image,
            self._labels(classes),
            {"scores": scores},
            multi_label=activation == _MULTI_LABEL,
            task_origin=f"its last operator, {activation}",
            outputs_origin="the only output",
        )

    def _detection(self, image: PixelInput) -> Contract:
        roles, outputs_origin = find_detection_outputs(self.graph, self.metadata.output_names)
        if set(roles) != set(DETECTION_ROLES):
            outputs = _describe(self.graph.outputs)
            raise ExportError(
                self.model,
                f"boxes, classes, scores and count cannot be told apart in its outputs ({outputs})",
                f"Serve an export that ends in {POST_PROCESS}, as AutoML's do",
            )
        post_process = self.graph.operator(POST_PROCESS)
        classes = post_process.options.get("num_classes") if post_process else None
        return self._build(
            DETECTION,
            image,
            self._labels(int(classes) if classes else None),
            roles,
            multi_label=False,
            task_origin=f"{POST_PROCESS} or its four outputs",
            outputs_origin=outputs_origin,
        )

    def _labels(self, classes: int | None) -> _Labels:
        """The labels inside the file, else those next to it; both must fit the classes."""
        inside, beside = None, None
        if self.metadata.labels is not None:
            name = f"{self.model.name}!{self.metadata.labels_file}"
            inside = match_classes(parse_labels(self.metadata.labels, name), classes, name)
        if self.label_file is not None:
            beside = match_classes(read_label_file(self.label_file), classes, self.label_file)
        if inside is not None:
            note = None
            if self.label_file is not None and beside != inside:
                file = self.label_file.name
                note = f"{file} differs from the labels inside {self.model.name}, which are used"
            return _Labels(inside, f"{self.metadata.labels_file} inside {self.model.name}", note)
        if beside is not None and self.label_file is not None:
            return _Labels(beside, self.label_file.name)
        count = "" if classes is None else f" for its {classes} classes"
        raise ExportError(
            self.model,
            f"no labels{count} were found inside it or next to it",
            "Put the export's label file next to it, named dict.txt, one label a line",
        )

    def _pixels_origin(self, image: PixelInput) -> str:
        if image.dtype != "float32":
            return "the input is quantised: bytes go in as they are"
        if self.metadata.normalization is not None:
            return f"NormalizationOptions inside {self.model.name}"
        return "AutoML's own range, as none is stated"

    def _build(
        self,
        task: Task,
        image: PixelInput,
        labels: _Labels,
        outputs: Mapping[str, Tensor],
        *,
        multi_label: bool,
        task_origin: str,
        outputs_origin: str,
    ) -> Contract:
        origins = {
            "task": task_origin,
            "input": f"tensor {image.name} of {self.model.name}",
            "pixels": self._pixels_origin(image),
            "labels": labels.origin,
            "outputs": outputs_origin,
            **tuning_origins(self.tuning, DEFAULTS),
        }
        return Contract(
            format=Format.TFLITE,
            task=task,
            input=image,
            labels=labels.names,
            multi_label=multi_label,
            outputs=tensor_outputs(outputs),
            tuning=self.tuning,
            origins=origins,
            notes=(labels.note,) if labels.note else (),
        )


def _is_image(tensor: Tensor) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[3] == 3  # noqa: PLR2004 -- [1, height, width, 3]


def _describe(tensors: Iterable[Tensor]) -> str:
    return ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in tensors)
