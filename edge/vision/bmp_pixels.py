"""Decodes the pixels of a BMP, whose header `edge.vision.structure.bmp` has read.

Not Pillow's decoder: it reads an image of few colours as grey, takes an alpha that is 0 everywhere
at its word, and knows only some bit masks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from edge.vision.blend import on_white
from edge.vision.strips import strip_rows
from edge.vision.structure.structure import Malformed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.vision.structure.bmp import BmpLayout
    from edge.vision.structure.structure import Structure

_RAW_MODES = {1: "P;1", 4: "P;4", 8: "P"}
_END_OF_ROW, _END, _SKIP = 0, 1, 2


def read_bmp_pixels(structure: Structure, layout: BmpLayout) -> Image.Image:
    """Decode to RGB; what is transparent, or was skipped, shows white.

    Raises:
        Malformed: pixels are missing.
    """
    size = structure.width, structure.height
    direction = -1 if layout.is_bottom_up else 1
    if layout.runs:
        return _read_runs(structure, layout)
    data: Any = _rows(structure, layout)  # the types of Pillow 11 take no memoryview
    if layout.is_plain_rgb:
        raw_mode = "BGR" if layout.bits == 24 else "BGRX"  # noqa: PLR2004
        return Image.frombytes("RGB", size, data, "raw", raw_mode, layout.row_bytes, direction)
    if layout.palette:
        raw_mode = _RAW_MODES[layout.bits]
        indexed = Image.frombytes("P", size, data, "raw", raw_mode, layout.row_bytes, direction)
        indexed.putpalette(layout.palette)
        return indexed.convert("RGB")
    return _read_masked(data, size, layout)


def _rows(structure: Structure, layout: BmpLayout) -> memoryview:
    size = layout.row_bytes * structure.height
    last_row_padding = layout.row_bytes - (structure.width * layout.bits + 7) // 8
    data = memoryview(structure.encoded)[layout.offset :][:size]
    if len(data) < size - last_row_padding:
        raise Malformed(f"it has {len(data):,} of {size:,} bytes of pixels")
    if len(data) < size:  # some writers forget the last row's padding
        data = memoryview(bytes(data).ljust(size, b"\0"))
    return data


def _read_masked(data: memoryview, size: tuple[int, int], layout: BmpLayout) -> Image.Image:
    width, height = size
    page = Image.new("RGB", size)
    kind = "<u2" if layout.bits == 16 else "<u4"  # noqa: PLR2004
    stored = np.frombuffer(data, kind).reshape(height, -1)
    alpha = layout.masks[3]
    spans = list(strip_rows(width, height))
    # As browsers do: many writers leave the fourth byte 0, and mean nothing by it.
    has_alpha = alpha and any((stored[a:b, :width] & alpha).any() for a, b in spans)
    for top, bottom in spans:
        values = stored[top:bottom, :width]
        colours = np.stack([_channel(values, mask) for mask in layout.masks[:3]], -1)
        if has_alpha:
            colours = on_white(colours, _channel(values, alpha))
        if layout.is_bottom_up:
            page.paste(Image.fromarray(colours[::-1].copy()), (0, height - bottom))
        else:
            page.paste(Image.fromarray(colours), (0, top))
    return page


def _channel(values: NDArray[np.unsignedinteger[Any]], mask: int) -> NDArray[np.uint8]:
    """One channel, scaled from its mask's range to 0..255."""
    shift = (mask & -mask).bit_length() - 1
    bits = (mask >> shift).bit_length()
    if bits > 8:  # noqa: PLR2004 -- the lower ones do not show
        shift, bits = shift + bits - 8, 8
    table = np.round(np.arange(1 << bits) * (255 / ((1 << bits) - 1))).astype(np.uint8)
    scaled: NDArray[np.uint8] = table[(values & mask) >> shift & ((1 << bits) - 1)]
    return scaled


def _read_runs(structure: Structure, layout: BmpLayout) -> Image.Image:
    width, height = structure.width, structure.height
    indices, shown = _unpack_runs(structure.encoded, layout, width, height)
    direction = -1 if layout.is_bottom_up else 1
    indexed = Image.frombytes("P", (width, height), bytes(indices), "raw", "P", width, direction)
    indexed.putpalette(layout.palette)
    mask = Image.frombytes("L", (width, height), bytes(shown), "raw", "L", width, direction)
    page = Image.new("RGB", (width, height), (255, 255, 255))
    page.paste(indexed.convert("RGB"), (0, 0), mask)
    return page


def _unpack_runs(
    encoded: bytes, layout: BmpLayout, width: int, height: int
) -> tuple[bytearray, bytearray]:
    """Indices in stored order, and 255 where a pixel was given."""
    indices, shown = bytearray(width * height), bytearray(width * height)
    position, x, y = layout.offset, 0, 0
    while y < height:
        if position + 2 > len(encoded):
            if y == height - 1 and x >= width:  # only the mark of the end is missing
                break
            raise Malformed("its runs end before its pixels")
        count, value = encoded[position], encoded[position + 1]
        position += 2
        if count:
            run = _pair(value, count) if layout.bits == 4 else bytes([value]) * count  # noqa: PLR2004
        elif value == _END_OF_ROW:
            x, y = 0, y + 1
            continue
        elif value == _END:
            break
        elif value == _SKIP:
            if position + 2 > len(encoded):
                raise Malformed("its runs end before its pixels")
            x, y = x + encoded[position], y + encoded[position + 1]
            position += 2
            continue
        else:
            stored_bytes = (value + 1) // 2 if layout.bits == 4 else value  # noqa: PLR2004
            stored = encoded[position : position + stored_bytes]
            if len(stored) < stored_bytes:
                raise Malformed("its runs end before its pixels")
            position += stored_bytes + stored_bytes % 2
            run = _nibbles(stored)[:value] if layout.bits == 4 else stored  # noqa: PLR2004
        run = run[: max(width - x, 0)]  # what is too long for its row is dropped
        start = y * width + x
        indices[start : start + len(run)] = run
        shown[start : start + len(run)] = b"\xff" * len(run)
        x += len(run)
    return indices, shown


def _pair(value: int, count: int) -> bytes:
    """Two indices in turn."""
    return (bytes([value >> 4, value & 15]) * ((count + 1) // 2))[:count]


def _nibbles(stored: bytes) -> bytes:
    return bytes(half for byte in stored for half in (byte >> 4, byte & 15))
