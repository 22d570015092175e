"""Which output of a TFLite detector is what, however its outputs are ordered and named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.model.contract import TensorOutput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.export.tflite_graph import Graph, Tensor

POST_PROCESS: Final = "TFLite_Detection_PostProcess"
DETECTION_ROLES: Final = ("boxes", "classes", "scores", "count")
"""In the order in which the kernel of `POST_PROCESS` writes them."""

_ROLE_WORDS: Final = {
    "boxes": ("box", "location"),
    "classes": ("class", "categor"),
    "scores": ("score",),
    "count": ("num", "count"),
}


def find_detection_outputs(
    graph: Graph,
    metadata_names: Sequence[str],
) -> tuple[dict[str, Tensor], str]:
    """Role to output, and where that was read; some `DETECTION_ROLES` are missing if it is unclear.

    The first of these that names all four decides: the operator, the signature, the metadata, the
    tensors' names, their shapes.
    """
    outputs = {tensor.index: tensor for tensor in graph.outputs}
    operator = graph.operator(POST_PROCESS)
    if operator is not None and set(operator.outputs) <= set(outputs):
        named = zip(DETECTION_ROLES, operator.outputs, strict=False)
        return {role: outputs[index] for role, index in named}, f"the outputs of {POST_PROCESS}"
    signature = graph.signature_outputs
    by_signature = {name: index for name, index in signature.items() if index in outputs}
    by_metadata = dict(zip(metadata_names, outputs, strict=False))
    by_name = {tensor.name: tensor.index for tensor in outputs.values()}
    for names, origin in (
        (by_signature, "the signature's output names"),
        (by_metadata, "the embedded metadata's output names"),
        (by_name, "the outputs' names"),
    ):
        roles = _roles_by_words(names)
        if len(roles) == len(DETECTION_ROLES):
            return {role: outputs[index] for role, index in roles.items()}, origin
    return _roles_by_shape(list(outputs.values())), "the outputs' shapes and types"


def tensor_outputs(tensors: Mapping[str, Tensor], graph: Graph) -> dict[str, TensorOutput]:
    """The contract's outputs by role; only integers are dequantised."""
    listed = {tensor.index for tensor in graph.outputs}
    outputs = {}
    for role, tensor in tensors.items():
        quantization = tensor.quantization if tensor.dtype in {"uint8", "int8"} else None
        outputs[role] = TensorOutput(
            tensor.name,
            tensor.index,
            tensor.dtype,
            quantization,
            inner=tensor.index not in listed,
        )
    return outputs


def _roles_by_words(names: Mapping[str, int]) -> dict[str, int]:
    """Role to tensor index, where each role's words fit exactly one name."""
    roles = {}
    for role, words in _ROLE_WORDS.items():
        fitting = []
        for name, index in names.items():
            lowered = name.lower()
            # "num_boxes" counts boxes
            counts_another = role != "count" and lowered.startswith("num")
            if any(word in lowered for word in words) and not counts_another:
                fitting.append(index)
        if len(fitting) == 1:
            roles[role] = fitting[0]
    is_one_to_one = len(set(roles.values())) == len(roles)
    return roles if is_one_to_one else {}


def _roles_by_shape(tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    """Boxes end in 4, the count has one element; only an integer type tells classes from scores."""
    boxes = [tensor for tensor in tensors if _is_boxes(tensor)]
    counts = [tensor for tensor in tensors if tensor.shape in {(), (1,), (1, 1)}]
    rows = [tensor for tensor in tensors if _is_row(tensor)]
    classes = [tensor for tensor in rows if tensor.dtype.startswith("int")]
    scores = [tensor for tensor in rows if not tensor.dtype.startswith("int")]
    candidates = {"boxes": boxes, "classes": classes, "scores": scores, "count": counts}
    return {role: fitting[0] for role, fitting in candidates.items() if len(fitting) == 1}


def _is_boxes(tensor: Tensor) -> bool:
    return len(tensor.shape) == 3 and tensor.shape[2] == 4  # noqa: PLR2004 -- [1, M, 4]


def _is_row(tensor: Tensor) -> bool:
    return len(tensor.shape) == 2 and tensor.shape[1] > 1  # noqa: PLR2004 -- [1, M]
