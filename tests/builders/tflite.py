"""Tiny TFLite files, written with LiteRT's own schema: all can be read, and some can be run."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FLOAT, INT32, UINT8, INT64, INT8 = 0, 2, 3, 4, 9  # TensorType
RESHAPE, SOFTMAX, LOGISTIC, CUSTOM, ARG_MAX = 22, 25, 14, 32, 56  # BuiltinOperator
AXIS_LABELS, VALUE_LABELS = 2, 3  # AssociatedFileType

POST_PROCESS = "TFLite_Detection_PostProcess"


@dataclass
class TensorSpec:
    """A tensor to write: (scale, zero point) where it is quantised, bytes if it is constant."""

    name: str
    shape: Sequence[int]
    dtype: int = FLOAT
    quantization: tuple[float, int] | None = None
    data: bytes | None = None


@dataclass
class OperatorSpec:
    """An operator to write: a built-in's code, or a custom one's name and options."""

    kind: int | str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Mapping[str, Any] = field(default_factory=dict)
    builtin_options: Any = None


def write(
    tensors: Sequence[TensorSpec],
    operators: Sequence[OperatorSpec],
    inputs: Sequence[int],
    outputs: Sequence[int],
    *,
    signature: Mapping[str, int] | None = None,
    metadata: bytes | None = None,
) -> bytes:
    """A TFLite file with one subgraph; ``signature`` names outputs by tensor."""
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    model.operatorCodes = [_code(operator) for operator in operators]
    graph = schema.SubGraphT()
    graph.inputs, graph.outputs = list(inputs), list(outputs)
    graph.tensors = [_tensor(tensor) for tensor in tensors]
    for written, spec in zip(graph.tensors, tensors, strict=True):
        if spec.data is not None:
            constant = schema.BufferT()
            constant.data = list(spec.data)
            model.buffers.append(constant)
            written.buffer = len(model.buffers) - 1
    graph.operators = [_operator(index, operator) for index, operator in enumerate(operators)]
    model.subgraphs = [graph]
    if signature:
        definition = schema.SignatureDefT()
        definition.signatureKey = "serving_default"
        definition.inputs = []
        definition.outputs = [_mapped(name, index) for name, index in signature.items()]
        model.signatureDefs = [definition]
    if metadata is not None:
        buffer = schema.BufferT()
        buffer.data = list(metadata)
        model.buffers.append(buffer)
        entry = schema.MetadataT()
        entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers) - 1
        model.metadata = [entry]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def classifier(
    side: int = 2,
    dtype: int = UINT8,
    activation: int = SOFTMAX,
    metadata: bytes | None = None,
    classes: int | None = None,
) -> bytes:
    """Reshapes an image to side * side * 3 classes, then SOFTMAX or LOGISTIC. It can be run."""
    classes = classes or side * side * 3
    stored = {UINT8: (1.0, 0), INT8: (1.0, -128), FLOAT: None}[dtype]
    scores = {UINT8: (1 / 256, 0), INT8: (1 / 256, -128), FLOAT: None}[dtype]
    reshape = schema.ReshapeOptionsT()
    reshape.newShape = [1, classes]
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    return write(
        [
            TensorSpec("image", [1, side, side, 3], dtype, stored),
            TensorSpec("flat", [1, classes], dtype, stored),
            TensorSpec("scores", [1, classes], dtype, scores),
        ],
        [
            OperatorSpec(
                RESHAPE, [0], [1], builtin_options=(schema.BuiltinOptions.ReshapeOptions, reshape)
            ),
            OperatorSpec(
                activation,
                [1],
                [2],
                builtin_options=(schema.BuiltinOptions.SoftmaxOptions, softmax)
                if activation == SOFTMAX
                else None,
            ),
        ],
        [0],
        [2],
        metadata=metadata,
    )


ROLES = ("boxes", "classes", "scores", "count")


def detector(
    order: Sequence[str] = ROLES,
    *,
    operator: str = POST_PROCESS,
    classes: int | None = None,
    names: Mapping[str, str] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    dtypes: Mapping[str, int] | None = None,
    signature: Mapping[str, str] | None = None,
    metadata_names: Mapping[str, str] | None = None,
    extra: Sequence[TensorSpec] = (),
) -> bytes:
    """A detector with its outputs in that order. Its operator is custom: it is never run."""
    names, shapes, dtypes = names or {}, shapes or {}, dtypes or {}
    usual = {"boxes": [1, 10, 4], "classes": [1, 10], "scores": [1, 10], "count": [1]}
    index = {role: position for position, role in enumerate(ROLES, 1)}
    tensors = [
        TensorSpec("image", [1, 32, 32, 3], UINT8, (1.0, 0)),
        *(
            TensorSpec(
                names.get(r, f"out:{index[r]}"), shapes.get(r, usual[r]), dtypes.get(r, FLOAT)
            )
            for r in ROLES
        ),
        *extra,
    ]
    options = {} if classes is None else {"num_classes": classes, "max_detections": 10}
    return write(
        tensors,
        [OperatorSpec(operator, [0], [index[role] for role in ROLES], options)],
        [0, *range(5, 5 + len(extra))],
        [index[role] for role in order],
        signature={name: index[role] for role, name in signature.items()} if signature else None,
        metadata=metadata([{"name": metadata_names[role]} for role in order])
        if metadata_names
        else None,
    )


def metadata(
    outputs: Sequence[Mapping[str, Any]],
    normalization: tuple[Sequence[float], Sequence[float]] | None = None,
) -> bytes:
    """A TFLITE_METADATA flatbuffer: for each output its ``name`` and ``files`` (name to type)."""
    writer = _Writer()
    image: dict[int, int] = {}
    if normalization:
        mean, std = (writer.floats(numbers) for numbers in normalization)
        image[4] = writer.vector([writer.table({1: writer.table({0: mean, 1: std})}, {0: 1})])
    inputs = writer.vector([writer.table(image)])
    described = writer.vector([writer.output(output) for output in outputs])
    graph = writer.table({2: inputs, 3: described})
    writer.builder.Finish(writer.table({3: writer.vector([graph])}), b"M001")
    return bytes(writer.builder.Output())


class _Writer:
    """Writes tables by field number, as `metadata_schema.fbs` numbers them."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(1024)

    def table(self, offsets: Mapping[int, int], small: Mapping[int, int] | None = None) -> int:
        self.builder.StartObject(7)
        for number, offset in offsets.items():
            self.builder.PrependUOffsetTRelativeSlot(number, offset, 0)
        for number, value in (small or {}).items():
            self.builder.PrependInt8Slot(number, value, 0)
        return int(self.builder.EndObject())

    def vector(self, items: Sequence[int]) -> int:
        self.builder.StartVector(4, len(items), 4)
        for item in reversed(items):
            self.builder.PrependUOffsetTRelative(item)
        return int(self.builder.EndVector())

    def floats(self, numbers: Sequence[float]) -> int:
        self.builder.StartVector(4, len(numbers), 4)
        for number in reversed(numbers):
            self.builder.PrependFloat32(number)
        return int(self.builder.EndVector())

    def output(self, output: Mapping[str, Any]) -> int:
        fields = {}
        if "name" in output:
            fields[0] = self.builder.CreateString(output["name"])
        if "files" in output:
            named = [
                (self.builder.CreateString(name), kind) for name, kind in output["files"].items()
            ]
            fields[6] = self.vector([self.table({0: name}, {2: kind}) for name, kind in named])
        return self.table(fields)


def with_files(
    data: bytes, files: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """The file with a zip of these appended, as TFLite Support's metadata writer does."""
    stream = io.BytesIO(data)
    with zipfile.ZipFile(stream, "a", compression) as zipped:
        for name, text in files.items():
            zipped.writestr(name, text)
    return stream.getvalue()


def _code(operator: OperatorSpec) -> Any:
    code = schema.OperatorCodeT()
    builtin = CUSTOM if isinstance(operator.kind, str) else operator.kind
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    if isinstance(operator.kind, str):
        code.customCode = operator.kind
    return code


def _tensor(spec: TensorSpec) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = (
        spec.name,
        list(spec.shape),
        spec.dtype,
        0,
    )
    if spec.quantization:
        quantization = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [spec.quantization[0]], [spec.quantization[1]]
        tensor.quantization = quantization
    return tensor


def _operator(index: int, spec: OperatorSpec) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = (
        index,
        list(spec.inputs),
        list(spec.outputs),
    )
    if spec.options:
        operator.customOptions = list(flexbuffers.Dumps(dict(spec.options)))
    if spec.builtin_options:
        operator.builtinOptionsType, operator.builtinOptions = spec.builtin_options
    return operator


def _mapped(name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry


TINY_LABELS = [f"label {index}" for index in range(12)]


def tiny_export(folder: Path) -> Path:
    """Write the smallest export, `tiny` in a folder: a classifier and its label file."""
    export = folder / "tiny"
    export.mkdir()
    (export / "model.tflite").write_bytes(classifier())
    (export / "dict.txt").write_text("\n".join(TINY_LABELS))
    return export
