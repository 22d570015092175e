"""Whether a detector's post-processing loses detections when several threads share a frame.

TensorFlow issue 56058: with `use_regular_nms` the operator's threads write over each other's
candidates; LiteRT 2.3 has it still. Its other, fast way is not affected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flatbuffers import flexbuffers

from edge.export.regular_file import MAX_MODEL_BYTES, read_bounded
from edge.export.tflite_graph import Graph, refuse_if_broken
from edge.export.tflite_outputs import POST_PROCESS

if TYPE_CHECKING:
    from pathlib import Path

_OPTION: Final = "use_regular_nms"


def needs_one_thread(model: Path) -> bool:
    """Whether the model has that operator and does not clearly say that it goes the fast way.

    Raises:
        ExportError: the file is broken, or cannot be read.
    """
    with refuse_if_broken(model):
        operator = Graph(read_bounded(model, MAX_MODEL_BYTES)).operator(POST_PROCESS)
        return operator is not None and says_regular(bytes(operator.custom_options))


def says_regular(options: bytes) -> bool:
    """What the operator's options say; true if they cannot be read."""
    try:
        # One look-up, nothing is unfolded: options may be built to grow without end.
        return bool(flexbuffers.GetRoot(options).AsMap[_OPTION].AsBool)
    except Exception:
        return True
