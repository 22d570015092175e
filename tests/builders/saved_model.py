"""Writes `saved_model.pb` without TensorFlow: signatures and nodes, to be read but not run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

FLOAT, STRING = 1, 7  # DataType

Tensors = Mapping[str, tuple[int, Sequence[int]]]
"""Name to data type and shape."""

IMAGE: Tensors = {"image_bytes": (STRING, [-1]), "key": (STRING, [-1])}
SCORES: Tensors = {"scores": (FLOAT, [-1, 3]), "labels": (STRING, [-1, 3]), "key": (STRING, [-1])}
DETECTIONS: Tensors = {
    "detection_boxes": (FLOAT, [-1, 40, 4]),
    "detection_scores": (FLOAT, [-1, 40]),
    "detection_classes": (FLOAT, [-1, 40]),
    "detection_classes_as_text": (STRING, [-1, 40]),
    "num_detections": (FLOAT, [-1]),
    "key": (STRING, [-1]),
}


def varint(value: int) -> bytes:
    """A number, negative ones as 64-bit two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    """A varint field."""
    return varint(field << 3) + varint(value)


def message(field: int, body: bytes | str) -> bytes:
    """A length-delimited field."""
    body = body.encode() if isinstance(body, str) else body
    return varint(field << 3 | 2) + varint(len(body)) + body


def saved_model(
    signatures: Mapping[str, tuple[Tensors, Tensors]],
    *,
    nodes: Iterable[tuple[str, str, Sequence[str]]] = (),
    tags: Sequence[str] = ("serve",),
) -> bytes:
    """Signatures map a name to inputs and outputs; nodes are (name, operator, inputs)."""
    info = b"".join(message(4, tag) for tag in tags)
    graph = b"".join(
        message(
            1, message(1, name) + message(2, operator) + b"".join(message(3, i) for i in inputs)
        )
        for name, operator, inputs in nodes
    )
    definitions = b"".join(
        message(
            5,
            message(1, name)
            + message(2, _tensors(1, inputs) + _tensors(2, outputs) + message(3, "predict")),
        )
        for name, (inputs, outputs) in signatures.items()
    )
    return number(1, 1) + message(2, message(1, info) + message(2, graph) + definitions)


def _tensors(field: int, tensors: Tensors) -> bytes:
    out = b""
    for name, (dtype, shape) in tensors.items():
        dims = b"".join(message(2, number(1, size)) for size in shape)
        out += message(
            field,
            message(1, name)
            + message(2, message(1, f"{name}:0") + number(2, dtype) + message(3, dims)),
        )
    return out
