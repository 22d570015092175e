"""Makes RGB of a TIFF's samples, as `edge.vision.structure.tiff_layout` says what they mean."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from edge.vision.blend import on_white
from edge.vision.strips import strip_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.vision.structure.structure import Structure
    from edge.vision.structure.tiff_layout import TiffLayout

_BYTE, _SHORT = 8, 16


def read_tiff_pixels(structure: Structure, layout: TiffLayout) -> Image.Image:
    """Decode to RGB, as stored (not turned upright).

    Raises:
        Malformed: strips or tiles are missing.
        Exception: what Pillow raises for broken bytes.
    """
    planes = [_read_rows(layout.plane(index)) for index in range(layout.planes)]
    width, height = structure.width, structure.height
    spans = list(strip_rows(width, height))
    max_sample, has_alpha = _look_through(planes, layout, width, spans)
    table = _intensities(layout, max_sample)
    page = Image.new("RGB", (width, height))
    for top, bottom in spans:
        colours = _colours(_samples(planes, layout, width, top, bottom), layout, table, has_alpha)
        page.paste(Image.fromarray(colours), (0, top))
    return page


def _read_rows(encoded: bytes) -> Image.Image:
    """The rows of bytes of a plane, decompressed."""
    image = Image.open(io.BytesIO(encoded), formats=("TIFF",))
    image.load()
    return image._new(image.im)  # noqa: SLF001 -- without its file, which is as large


def _look_through(
    planes: list[Image.Image], layout: TiffLayout, width: int, spans: list[tuple[int, int]]
) -> tuple[int, bool]:
    """The value of full intensity, and whether the alpha counts.

    A claimed maximum that samples exceed is none. An alpha that the file does not name, and that is
    0 everywhere, is none either.
    """
    container_max = (1 << layout.bits) - 1
    is_claimed = layout.max_sample < container_max and not layout.is_palette
    has_alpha = layout.alpha is not None and layout.alpha_is_certain
    if not is_claimed and (layout.alpha is None or layout.alpha_is_certain):
        return container_max, has_alpha
    highest = 0
    for top, bottom in spans:
        samples = _samples(planes, layout, width, top, bottom)
        highest = max(highest, int(samples.max()))
        has_alpha = has_alpha or (
            layout.alpha is not None and bool(samples[..., layout.alpha].any())
        )
    if is_claimed and highest <= layout.max_sample:
        return layout.max_sample, has_alpha
    return container_max, has_alpha


def _intensities(layout: TiffLayout, max_sample: int) -> NDArray[np.uint8]:
    """0..255 for every value of a sample."""
    values = np.arange(1 << layout.bits, dtype=np.float64)
    scaled = np.round(np.minimum(values, max_sample) * (255 / max_sample))
    intensities: NDArray[np.uint8] = scaled.astype(np.uint8)
    return intensities


def _samples(
    planes: list[Image.Image], layout: TiffLayout, width: int, top: int, bottom: int
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Samples of some rows: shape ``(rows, width, samples)``."""
    unpacked: list[NDArray[Any]] = []
    for plane in planes:
        rows = np.asarray(plane.crop((0, top, plane.width, bottom)))
        unpacked.append(_unpack(rows, layout)[:, :width])
    return unpacked[0] if len(unpacked) == 1 else np.concatenate(unpacked, -1)


def _unpack(rows: NDArray[np.uint8], layout: TiffLayout) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Samples of rows of bytes: shape ``(rows, pixels, samples)``."""
    per_part = layout.part_width * layout.samples
    values: NDArray[Any]
    if layout.bits == _BYTE:
        values = rows
    elif layout.bits == _SHORT:
        values = rows.view(f"{layout.directory.order}u2").astype(np.uint16)
    else:
        values = _unpack_bits(rows, layout.bits, per_part * layout.parts_across)
    shape = len(rows), layout.parts_across, layout.part_width, layout.samples
    values = values.reshape(shape)
    if layout.differenced:
        values = np.cumsum(values, axis=2, dtype=values.dtype)
    return values.reshape(len(rows), -1, layout.samples)


def _unpack_bits(rows: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint16]:
    """Numbers of some bits, the highest first, that follow one another without gaps."""
    padded = np.pad(rows, ((0, 0), (0, 2)))
    first_bit = np.arange(count) * bits
    byte, rest = first_bit // 8, first_bit % 8
    window = padded[:, byte].astype(np.uint32) << 16
    window |= padded[:, byte + 1].astype(np.uint32) << 8
    window |= padded[:, byte + 2]
    return (window >> (24 - bits - rest).astype(np.uint32) & ((1 << bits) - 1)).astype(np.uint16)


def _colours(
    samples: NDArray[np.uint8] | NDArray[np.uint16],
    layout: TiffLayout,
    table: NDArray[np.uint8],
    has_alpha: bool,  # noqa: FBT001
) -> NDArray[np.uint8]:
    """RGB of shape ``(rows, width, 3)``, or opaque grey of shape ``(rows, width)``."""
    colours: NDArray[np.uint8]
    if layout.is_palette:
        colours = np.frombuffer(layout.palette, np.uint8).reshape(-1, 3)[samples[..., 0]]
    elif layout.is_cmyk:
        light = 255 - table[samples[..., :4]].astype(np.uint16)
        colours = ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)
    elif layout.is_rgb:
        colours = table[samples[..., :3]]
    else:
        grey: NDArray[np.uint8] = table[samples[..., 0]]
        if layout.is_inverted:
            grey = np.bitwise_not(grey)  # 255 - grey
        if not has_alpha:
            return grey
        colours = np.repeat(grey[..., None], 3, axis=-1)
    if has_alpha and layout.alpha is not None:
        opacity = table[samples[..., layout.alpha]]
        colours = on_white(colours, opacity, premultiplied=layout.premultiplied)
    return colours
