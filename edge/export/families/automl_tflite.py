"""A TFLite file, with what lies beside it, to a contract. Trusts the model over any side file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import ExportError
from edge.export.flatbuffer import BROKEN, Graph, Tensor
from edge.export.labels import match_classes, parse_labels, read_label_file
from edge.export.tflite_metadata import Embedded, read_embedded
from edge.model.contract import UNIT_RANGE, Contract, Format, PixelInput, Task, TensorOutput, Tuning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EDGE_TPU = "edgetpu-custom-op"
POST_PROCESS = "TFLite_Detection_PostProcess"
_POST_PROCESS_ROLES = ("boxes", "classes", "scores", "count")  # the kernel's own order of outputs
_ROLE_WORDS = {
    "boxes": ("box", "location"),
    "classes": ("class", "categor"),
    "scores": ("score",),
    "count": ("num", "count"),
}
_PASSES_THROUGH = {"DEQUANTIZE", "QUANTIZE", "RESHAPE", "SQUEEZE", "CAST"}
_IMAGE_DTYPES = ("uint8", "int8", "float32")


def read_tflite(model: Path, data: bytes, label_file: Path | None, tuning: Tuning) -> Contract:
    """The contract of a TFLite file.

    Args:
        model: the file, named in errors.
        data: its bytes.
        label_file: the label file beside it, if any.

    Raises:
        ExportError: broken, foreign, of a kind that is not served, or inconsistent with its labels.
    """
    try:
        return _Reader(model, Graph(data), data, label_file, tuning).contract()
    except BROKEN as error:
        words = error if isinstance(error, ValueError) else "its tables point outside of it"
        raise ExportError(
            model, f"it is truncated or no TFLite file: {words}", "Download or copy the export again"
        ) from error


@dataclass(frozen=True, slots=True)
class _Labels:
    names: tuple[str, ...]
    origin: str
    note: str | None = None


class _Reader:
    """Reads one file; holds what every step needs."""

    def __init__(self, model: Path, graph: Graph, data: bytes, label_file: Path | None, tuning: Tuning) -> None:
        self.model = model
        self.graph = graph
        self.embedded: Embedded = read_embedded(data, graph)
        self.label_file = label_file
        self.tuning = tuning

    def contract(self) -> Contract:
        self._refuse_edge_tpu()
        image = self._image_input()
        if any(operator.name == POST_PROCESS for operator in self.graph.operators) or len(self.graph.outputs) > 1:
            return self._detection(image)
        return self._classification(image)

    def _refuse(self, reason: str, remedy: str) -> ExportError:
        return ExportError(self.model, reason, remedy)

    def _refuse_edge_tpu(self) -> None:
        if any(operator.name == EDGE_TPU for operator in self.graph.operators):
            raise self._refuse(
                "it is compiled for the Edge TPU (Coral) and does not run without that device",
                'Export the model again as plain "TFLite" and serve that file',
            )

    def _image_input(self) -> PixelInput:
        images = [tensor for tensor in self.graph.inputs if len(tensor.shape) == 4 and tensor.shape[3] == 3]  # noqa: PLR2004 -- RGB, NHWC
        states = [tensor for tensor in self.graph.inputs if tensor not in images]
        if states and images:
            names = ", ".join(tensor.name for tensor in states)
            raise self._refuse(
                f"besides the image it takes the state of the frame before ({names}): an AutoML Video export",
                "Such a model is not served yet. Train and export an AutoML Vision object detection model instead",
            )
        if len(images) != 1:
            shapes = ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in self.graph.inputs)
            raise self._refuse(
                f"it takes {shapes or 'no input'}, not one RGB image [1, height, width, 3]",
                "Serve an AutoML Vision image classification or object detection export",
            )
        image = images[0]
        batch, height, width, _ = image.shape
        if image.dtype not in _IMAGE_DTYPES or batch != 1 or height < 1 or width < 1:
            raise self._refuse(
                f"its input {image.name} is {image.dtype} {list(image.shape)}",
                f"An input of {', '.join(_IMAGE_DTYPES)} and a fixed shape [1, height, width, 3] is needed",
            )
        normalization = self.embedded.normalization or UNIT_RANGE
        return PixelInput(image.name, image.index, image.dtype, height, width, normalization)

    def _classification(self, image: PixelInput) -> Contract:
        scores = self.graph.outputs[0]
        activation = self._activation(scores)
        classes = scores.shape[-1] if scores.shape else 0
        if activation is None or classes < 1 or len(scores.shape) > 4:  # noqa: PLR2004 -- [1, 1, 1, N] is the most
            raise self._refuse(
                f"its output {scores.name} {list(scores.shape)} comes from no softmax or logistic operator: "
                "no image classifier",
                "Serve an AutoML Vision image classification or object detection export",
            )
        labels = self._labels(classes)
        return self._build(Task.CLASSIFICATION, image, labels, {"scores": scores}, activation)

    def _activation(self, tensor: Tensor) -> str | None:
        """The operator that makes the scores, looking through those that only repack them."""
        index = tensor.index
        for _ in range(len(self.graph.operators)):
            operator = self.graph.producer(index)
            if operator is None:
                return None
            if operator.name in {"SOFTMAX", "LOGISTIC"}:
                return operator.name
            if operator.name not in _PASSES_THROUGH:
                return None
            index = operator.inputs[0]
        return None

    def _detection(self, image: PixelInput) -> Contract:
        roles, how = self._detection_roles()
        if set(roles) != set(_POST_PROCESS_ROLES):
            outputs = ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in self.graph.outputs)
            raise self._refuse(
                f"boxes, classes, scores and count cannot be told apart among its outputs ({outputs})",
                "Serve an export that ends in TFLite_Detection_PostProcess, as AutoML's do",
            )
        post_process = next((op for op in self.graph.operators if op.name == POST_PROCESS), None)
        classes = post_process.options.get("num_classes") if post_process else None
        labels = self._labels(int(classes) if classes else None)
        return self._build(Task.DETECTION, image, labels, roles, None, how)

    def _detection_roles(self) -> tuple[dict[str, Tensor], str]:
        """Role to output, by the first of these that tells: the operator, signature, metadata, names, shapes."""
        outputs = {tensor.index: tensor for tensor in self.graph.outputs}
        for operator in self.graph.operators:
            if operator.name == POST_PROCESS and set(operator.outputs) <= set(outputs):
                named = zip(_POST_PROCESS_ROLES, operator.outputs, strict=False)
                return {role: outputs[index] for role, index in named}, f"the outputs of {POST_PROCESS}"
        by_signature = {name: index for name, index in self.graph.signature_outputs.items() if index in outputs}
        by_metadata = dict(zip(self.embedded.output_names, outputs, strict=False))
        by_name = {tensor.name: tensor.index for tensor in outputs.values()}
        for names, how in (
            (by_signature, "the signature's output names"),
            (by_metadata, "the embedded metadata's output names"),
            (by_name, "the outputs' names"),
        ):
            roles = _roles_by_words(names)
            if len(roles) == len(_POST_PROCESS_ROLES):
                return {role: outputs[index] for role, index in roles.items()}, how
        return _roles_by_shape(list(outputs.values())), "the outputs' shapes and types"

    def _labels(self, classes: int | None) -> _Labels:
        inside, beside = None, None
        if self.embedded.labels is not None:
            name = f"{self.model.name}!{self.embedded.labels_file}"
            inside = match_classes(parse_labels(self.embedded.labels, name), classes, name)
        if self.label_file is not None:
            beside = match_classes(read_label_file(self.label_file), classes, self.label_file)
        if inside is not None:
            note = None
            if self.label_file is not None and beside != inside:
                note = f"{self.label_file.name} differs from the labels inside {self.model.name}, which are used"
            return _Labels(inside, f"{self.embedded.labels_file} inside {self.model.name}", note)
        if beside is not None and self.label_file is not None:
            return _Labels(beside, self.label_file.name)
        count = "" if classes is None else f" for its {classes} classes"
        raise self._refuse(
            f"no labels{count} were found inside it or beside it",
            "Put the export's label file beside it, named dict.txt, one label a line",
        )

    def _pixels_origin(self, image: PixelInput) -> str:
        if image.dtype != "float32":
            return "the input is quantised: bytes go in as they are"
        stated = self.embedded.normalization is not None
        return f"NormalizationOptions inside {self.model.name}" if stated else "AutoML's own range, as none is stated"

    def _build(
        self,
        task: Task,
        image: PixelInput,
        labels: _Labels,
        outputs: dict[str, Tensor],
        activation: str | None,
        outputs_origin: str = "the only output",
    ) -> Contract:
        origins = {
            "task": f"{POST_PROCESS} or its four outputs"
            if task is Task.DETECTION
            else f"its last operator, {activation}",
            "input": f"tensor {image.name} of {self.model.name}",
            "pixels": self._pixels_origin(image),
            "labels": labels.origin,
            "outputs": outputs_origin,
        }
        quantised = {
            role: TensorOutput(t.name, t.index, t.dtype, t.quantization if t.dtype in {"uint8", "int8"} else None)
            for role, t in outputs.items()
        }
        return Contract(
            format=Format.TFLITE,
            task=task,
            input=image,
            labels=labels.names,
            multi_label=activation == "LOGISTIC",
            outputs=quantised,
            tuning=self.tuning,
            origins=origins,
            notes=(labels.note,) if labels.note else (),
        )


def _roles_by_words(names: dict[str, int]) -> dict[str, int]:
    """Role to index where each role's words fit exactly one name."""
    roles = {}
    for role, words in _ROLE_WORDS.items():
        fitting = [index for name, index in names.items() if any(word in name.lower() for word in words)]
        if role in {"boxes", "classes", "scores"}:  # names like detection_classes_count do not occur; num_* do
            fitting = [i for i in fitting if not any(n.lower().startswith("num") for n, j in names.items() if j == i)]
        if len(fitting) == 1:
            roles[role] = fitting[0]
    return roles if len(set(roles.values())) == len(roles) else {}


def _roles_by_shape(tensors: list[Tensor]) -> dict[str, Tensor]:
    """Boxes end in 4, the count has one element; classes and scores are told apart only by an integer type."""

    def only(fits: Callable[[Tensor], bool]) -> Tensor | None:
        found = [tensor for tensor in tensors if fits(tensor)]
        return found[0] if len(found) == 1 else None

    rows = [tensor for tensor in tensors if len(tensor.shape) == 2 and tensor.shape[1] > 1]  # noqa: PLR2004 -- [1, M]
    whole = [tensor for tensor in rows if tensor.dtype.startswith("int")]
    real = [tensor for tensor in rows if tensor not in whole]
    roles = {
        "boxes": only(lambda tensor: len(tensor.shape) == 3 and tensor.shape[2] == 4),  # noqa: PLR2004 -- [1, M, 4]
        "count": only(lambda tensor: tensor.shape in {(), (1,), (1, 1)}),
        "classes": whole[0] if len(whole) == 1 else None,
        "scores": real[0] if len(real) == 1 else None,
    }
    return {role: tensor for role, tensor in roles.items() if tensor is not None}
