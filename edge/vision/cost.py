"""The memory that decoding an image takes at its peak, from its structure alone.

Measured for every format and mode (`tests/vision/test_decode_cost.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.vision.structure.structure import Structure

RGB_BYTES = 4
"""Bytes of an RGB pixel in Pillow, which leaves the fourth unused."""

_SCALES = (8, 4, 2)

_GRAPH_BYTES = 28
"""Bytes a pixel of an image that TensorFlow decodes: three, as many floats, and those stacked to a
batch, which AutoML's detectors do and its classifiers do not (16 bytes)."""


def decode_bytes(structure: Structure, min_side: int | None = None) -> int:
    """Bytes at the peak of `edge.vision.decode.decode` with the same ``min_side``."""
    pixels = decoded_pixels(structure, min_side)
    stored = structure.stored_bytes * pixels
    peak = structure.decoder_bytes + stored
    if not structure.is_rgb:
        peak = max(peak, stored + RGB_BYTES * pixels)
    if structure.orientation != 1:
        peak = max(peak, 2 * RGB_BYTES * pixels)
    return peak


def decoded_pixels(structure: Structure, min_side: int | None) -> int:
    """Pixels of the decoded image: fewer than the original's at a reduced scale."""
    scale = _draft_scale(structure, min_side)
    return -(-structure.width // scale) * -(-structure.height // scale)


def graph_bytes(structure: Structure) -> int:
    """Bytes that TensorFlow takes for the image, whose graph decodes it at full scale."""
    return _GRAPH_BYTES * structure.pixels


def _draft_scale(structure: Structure, min_side: int | None) -> int:
    """The reduction that Pillow's ``draft`` chooses."""
    if min_side is None or not structure.scales:
        return 1
    possible = min(structure.width // min_side, structure.height // min_side)
    return next((scale for scale in _SCALES if possible >= scale), 1)
