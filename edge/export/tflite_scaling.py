"""What a TFLite graph does to its input first: a chain of operators with constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.export.pixel_range import Scaling, scaling_step

if TYPE_CHECKING:
    from edge.export.tflite_graph import Graph, Operator

_UNCHANGED: Final = {"QUANTIZE", "DEQUANTIZE", "CAST", "RESHAPE", "TRANSPOSE"}
_MAX_STEPS: Final = 10
_CHANNEL_COUNTS: Final = (1, 3)


def input_scaling(graph: Graph, tensor: int) -> Scaling:
    """The scaling of an input, as far as it can be followed; raises `FLATBUFFER_ERRORS`."""
    scaling = Scaling()
    for _ in range(_MAX_STEPS):
        consumers = graph.consumers(tensor)
        if len(consumers) != 1:
            break
        operator = consumers[0]
        if operator.name not in _UNCHANGED:
            step = _step(graph, operator, tensor)
            if step is None:
                break
            scaling = scaling.then(operator.name, *step)
        tensor = operator.outputs[0]
    return scaling


def _step(
    graph: Graph, operator: Operator, tensor: int
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Factor and offset of one operator; ``None`` if it is none that scales."""
    if operator.name not in {"MUL", "DIV", "ADD", "SUB"} or len(operator.inputs) != 2:  # noqa: PLR2004 -- two operands
        return None
    is_first = operator.inputs[0] == tensor
    values = graph.constant(operator.inputs[1] if is_first else operator.inputs[0])
    if values is None or len(values) not in _CHANNEL_COUNTS:
        return None
    return scaling_step(operator.name, values, is_first=is_first)
