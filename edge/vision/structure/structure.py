"""What an encoded image says about itself, and the bounds on how it may say it.

A decoder's cost must grow with the pixels of its image. Each format has ways to make it grow with
something else: thousands of scans, chunks, tags or comments. A file in `edge.vision.structure`
reads one format, refuses what a decoder would have to work through, and drops the metadata that
only a decoder's wrapper would read.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import ImageTooComplex

if TYPE_CHECKING:
    from edge.vision.structure.bmp import BmpLayout
    from edge.vision.structure.tiff_layout import TiffLayout

MAX_SIDE = 16_384
"""Pixels of width and of height: a row of 50 million makes decoders allocate for each row. The
formats of cameras and browsers end there as well (WebP at 16,383)."""

_SWAPS_AXES = frozenset({5, 6, 7, 8})  # EXIF orientations

BROKEN_BYTES = (ArithmeticError, LookupError, ValueError, struct.error, zlib.error)
"""What a reader raises for bytes that it did not expect. The fault is the file's, not the reader's,
so the client gets `CorruptImage`."""

FREE_PARTS = 1_000
"""Chunks or blocks that any file may have, however small they are."""


@dataclass(frozen=True, slots=True)
class Structure:
    """An encoded image, checked but not decoded.

    Attributes:
        format: Pillow's name.
        encoded: what to decode: the original bytes, or a copy with less metadata.
        width: as stored, in pixels; EXIF orientation is not applied.
        height: as stored, in pixels.
        stored_bytes: that each decoded pixel has in memory, as Pillow stores the image's mode.
        is_rgb: whether Pillow decodes to opaque RGB, which needs no conversion.
        decoder_bytes: that the decoder holds beside the image that it fills.
        orientation: of EXIF, 1..8; 1 if it is missing or unreadable.
        animated: whether more images follow the first.
        scales: whether the decoder can decode at a reduced scale.
        window: left, top, right and bottom of the part that the first image covers, if it does not
            cover all; the rest is transparent.
        layout: of the samples, if this service reads them itself instead of Pillow.
    """

    format: str
    encoded: bytes
    width: int
    height: int
    stored_bytes: int
    is_rgb: bool
    decoder_bytes: int = 0
    orientation: int = 1
    animated: bool = False
    scales: bool = False
    window: tuple[int, int, int, int] | None = None
    layout: BmpLayout | TiffLayout | None = None

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height of the upright image."""
        if self.orientation in _SWAPS_AXES:
            return self.height, self.width
        return self.width, self.height


class Malformed(ValueError):
    """The bytes do not have the form of their format; the words say where."""


def max_parts(encoded: bytes, part_bytes: int) -> int:
    """Maximum number of chunks or blocks: some, and one more for every ``part_bytes`` bytes."""
    return FREE_PARTS + len(encoded) // part_bytes


def too_complex(name: str, what: str) -> ImageTooComplex:
    """The error for a file whose decoding would cost more than its pixels."""
    return ImageTooComplex(
        f"The {name} image has {what}, far more than its pixels need. Save it again with another "
        "program, without metadata."
    )
