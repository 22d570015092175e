"""Prepares bytes for graphs that decode images themselves (AutoML's SavedModels).

TensorFlow's decoders read JPEG, PNG and static GIF, ignore EXIF, and turn transparent pixels black.
So the graph gets the original bytes if it reads them correctly, and otherwise a lossless PNG of the
upright image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.vision.cost import graph_bytes
from edge.vision.decode import decode, open_structure
from edge.vision.decode_memory import decode_memory
from edge.vision.encode import lossless
from edge.vision.structure.inspect import inspect

if TYPE_CHECKING:
    from edge.vision.structure.structure import Structure

# PNG is without 'P': TensorFlow reads palettes, but transparent colours as black.
_READABLE_MODES = {
    "JPEG": {"RGB", "L"},
    "PNG": {"RGB", "L"},
    "GIF": {"P", "L", "RGB"},
}


@dataclass(frozen=True, slots=True, weakref_slot=True)
class GraphInput:
    """Encoded bytes that TensorFlow reads, with the upright image's size in pixels.

    While it exists, memory is reserved for the pixels that TensorFlow makes of it.
    """

    encoded: bytes
    width: int
    height: int


def for_graph(
    encoded: bytes, *, max_pixels: int, re_encode: bool = False, deadline: float | None = None
) -> GraphInput:
    """Return bytes that a graph reads correctly: the original, or a PNG of the upright image.

    Args:
        encoded: the original.
        max_pixels: as for `decode`.
        re_encode: always make a PNG.
        deadline: as for `decode`.

    Raises:
        RequestError, OutOfMemory: as `decode` does.
    """
    structure = inspect(encoded, max_pixels=max_pixels)
    if not re_encode and _is_read_correctly(structure):
        given = GraphInput(structure.encoded, structure.width, structure.height)
    else:
        frame = decode(encoded, max_pixels=max_pixels, deadline=deadline)
        given = GraphInput(lossless(frame.pixels), frame.width, frame.height)
        del frame
    decode_memory.take(graph_bytes(structure), deadline=deadline).end_with(given)
    return given


def _is_read_correctly(structure: Structure) -> bool:
    if structure.format not in _READABLE_MODES or structure.orientation != 1:
        return False
    if structure.format == "GIF" and (structure.animated or structure.window is not None):
        return False
    image = open_structure(structure)
    if image.mode not in _READABLE_MODES[structure.format]:
        return False
    return not image.has_transparency_data
