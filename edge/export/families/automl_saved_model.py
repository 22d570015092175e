"""A SavedModel folder to a contract, read from `saved_model.pb` without TensorFlow.

Field numbers follow TensorFlow's `saved_model.proto` and `meta_graph.proto`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import ExportError
from edge.export import protobuf
from edge.export.labels import match_classes, read_label_file
from edge.export.saved_model_graph import operator_behind
from edge.model.contract import Contract, EncodedInput, Format, SignatureInfo, Task, Tuning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

IMAGE_INPUTS = ("image_bytes", "encoded_image")
"""What AutoML's exports call the encoded images, older and newer."""

_CLASSIFICATION = {"scores"}
_DETECTION = {"detection_boxes", "detection_scores", "detection_classes"}
_DTYPES = {1: "DT_FLOAT", 2: "DT_DOUBLE", 3: "DT_INT32", 4: "DT_UINT8", 7: "DT_STRING", 9: "DT_INT64", 10: "DT_BOOL"}


def read_saved_model(folder: Path, label_file: Path | None, tuning: Tuning) -> Contract:
    """The contract of the SavedModel in that folder.

    Raises:
        ExportError: truncated or foreign, without a known signature, or inconsistent with its labels.
    """
    file = folder / "saved_model.pb"
    try:
        meta_graph = _serving_graph(memoryview(file.read_bytes()))
        signatures = _signatures(meta_graph)
        name, signature = _known(signatures)
        scores = signature.outputs.get("scores")
        activation = operator_behind(meta_graph, scores[2]) if scores else None
    except ValueError as error:
        raise ExportError(
            file, f"it is truncated or no SavedModel ({error})", "Download or copy the export again."
        ) from error
    except LookupError:
        raise ExportError(
            file,
            f"none of its signatures is of an AutoML image export ({_describe(signatures)})",
            'A signature with the input image_bytes or encoded_image is needed: export the model as "Container".',
        ) from None
    task = Task.CLASSIFICATION if set(signature.outputs) >= _CLASSIFICATION else Task.DETECTION
    labels, origin = _labels(file, signature, task, label_file)
    return Contract(
        format=Format.SAVED_MODEL,
        task=task,
        input=_encoded_input(name, signature),
        labels=labels,
        multi_label=activation == "Sigmoid",
        outputs={},
        tuning=tuning,
        signature=signature,
        origins={
            "task": f"outputs of signature {name}",
            "input": f"signature {name}",
            "pixels": "the graph decodes and resizes by itself",
            "labels": origin,
            "outputs": f"signature {name}",
        },
        notes=("resize and kernel of model.toml do not apply: the graph resizes by itself",)
        if (tuning.resize, tuning.kernel) != (Tuning().resize, Tuning().kernel)
        else (),
    )


def _serving_graph(saved_model: memoryview) -> memoryview:
    graphs = list(protobuf.messages(saved_model, 2))
    if not graphs:
        raise ValueError("it holds no graph")
    for graph in graphs:
        tags = [bytes(tag) for info in protobuf.messages(graph, 1) for tag in protobuf.messages(info, 4)]
        if b"serve" in tags:
            return graph
    raise ValueError("no graph is tagged 'serve'")


def _signatures(meta_graph: memoryview) -> dict[str, SignatureInfo]:
    found = {}
    for entry in protobuf.messages(meta_graph, 5):
        for value in protobuf.messages(entry, 2):
            found[protobuf.text(entry, 1)] = SignatureInfo(
                inputs=_tensors(value, 1), outputs=_tensors(value, 2), method=protobuf.text(value, 3)
            )
    return found


def _tensors(signature: memoryview, field: int) -> dict[str, tuple[str, tuple[int, ...], str]]:
    tensors = {}
    for entry in protobuf.messages(signature, field):
        for info in protobuf.messages(entry, 2):
            kind = protobuf.integer(info, 2)
            dims = (dim for shape in protobuf.messages(info, 3) for dim in protobuf.messages(shape, 2))
            shape = tuple(protobuf.integer(dim, 1) for dim in dims)
            tensors[protobuf.text(entry, 1)] = (_DTYPES.get(kind, f"DT_{kind}"), shape, protobuf.text(info, 1))
    return tensors


def _known(signatures: Mapping[str, SignatureInfo]) -> tuple[str, SignatureInfo]:
    """The signature to serve: `serving_default` before others, one with a key before its twin without."""

    def rank(name: str) -> tuple[bool, bool, str]:
        return name != "serving_default", name.endswith("_without_key"), name

    for name in sorted(signatures, key=rank):
        signature = signatures[name]
        images = [image for image in IMAGE_INPUTS if image in signature.inputs]
        answers = set(signature.outputs) >= _CLASSIFICATION or set(signature.outputs) >= _DETECTION
        if len(images) == 1 and set(signature.inputs) <= {*images, "key"} and answers:
            return name, signature
    raise LookupError


def _describe(signatures: Mapping[str, SignatureInfo]) -> str:
    public = {name: info for name, info in signatures.items() if not name.startswith("__")}
    words = (f"{name}: {', '.join(info.inputs)} -> {', '.join(info.outputs)}" for name, info in public.items())
    return "; ".join(words) or "it has none"


def _encoded_input(name: str, signature: SignatureInfo) -> EncodedInput:
    image = next(image for image in IMAGE_INPUTS if image in signature.inputs)
    return EncodedInput(name, image, "key" if "key" in signature.inputs else None)


def _labels(
    file: Path, signature: SignatureInfo, task: Task, label_file: Path | None
) -> tuple[tuple[str, ...] | None, str]:
    """The graph's own labels where it answers with them; a file's otherwise."""
    own = "labels" if task is Task.CLASSIFICATION else "detection_classes_as_text"
    if own in signature.outputs:
        return None, f"the model's own output {own}"
    if label_file is None:
        raise ExportError(
            file, f"it has no output {own}, and no label file lies beside it", "Put the export's dict.txt beside it."
        )
    shape = signature.outputs["scores"][1] if task is Task.CLASSIFICATION else ()
    classes = shape[-1] if shape and shape[-1] > 0 else None
    return match_classes(read_label_file(label_file), classes, label_file), label_file.name
