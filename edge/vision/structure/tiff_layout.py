"""How the samples of a TIFF are stored, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.vision.structure.structure import Malformed
from edge.vision.structure.tiff_directory import Entry

if TYPE_CHECKING:
    from edge.vision.structure.tiff_directory import Directory

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, SAMPLES, STRIP_ROWS, STRIP_BYTES = 273, 274, 277, 278, 279
PLANAR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 284, 322, 323, 324, 325
"""Tags of TIFF 6.0."""

UNCOMPRESSED, JPEG = 1, 7
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK = 0, 1, 2, 3, 5
BYTE = 8


@dataclass(frozen=True, slots=True)
class TiffLayout:
    """How the samples of a TIFF are stored, and what they mean.

    Attributes:
        directory: of the image.
        bits: of a stored sample, 1..16.
        max_sample: the value of full intensity.
        samples: of a pixel, in one plane.
        planes: in each of which all pixels are stored.
        photometric: WhiteIsZero, BlackIsZero, RGB, palette or CMYK, as TIFF 6.0 numbers them.
        part_width: pixels of a row of a strip or tile.
        parts_across: strips or tiles in a row.
        parts: strips or tiles of a plane.
        differenced: whether a sample is stored as the difference from the one to its left.
        alpha: the sample that is alpha, if any.
        premultiplied: whether colours are multiplied by alpha.
        alpha_is_certain: false if the file does not say what its last sample is.
        palette: red, green and blue of each colour.
    """

    directory: Directory
    bits: int
    max_sample: int
    samples: int
    planes: int
    photometric: int
    part_width: int
    parts_across: int
    parts: int
    differenced: bool
    alpha: int | None
    premultiplied: bool
    alpha_is_certain: bool
    palette: bytes

    @property
    def part_row_bytes(self) -> int:
        """Bytes of a row of a strip or tile."""
        return (self.part_width * self.samples * self.bits + 7) // 8

    @property
    def is_inverted(self) -> bool:
        """Whether 0 is white."""
        return self.photometric == WHITE_IS_ZERO

    @property
    def is_rgb(self) -> bool:
        """Whether samples are red, green and blue."""
        return self.photometric == RGB

    @property
    def is_palette(self) -> bool:
        """Whether a sample is a number of the palette."""
        return self.photometric == PALETTE

    @property
    def is_cmyk(self) -> bool:
        """Whether samples are inks."""
        return self.photometric == CMYK

    def plane(self, index: int) -> bytes:
        """A copy of the file in which the rows of one plane are an 8-bit grey image."""
        directory = self.directory
        is_striped = STRIP_OFFSETS in directory.entries
        kept = [
            self._slice(directory.entries[tag], index)
            for tag in (STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES)
            if tag in directory.entries
        ]
        height = directory.number(HEIGHT)
        numbers = {
            WIDTH: self.part_row_bytes * self.parts_across,
            HEIGHT: height,
            BITS: BYTE,
            COMPRESSION: directory.number(COMPRESSION, UNCOMPRESSED),
            PHOTOMETRIC: BLACK_IS_ZERO,
            FILL_ORDER: directory.number(FILL_ORDER, 1),
            SAMPLES: 1,
        }
        if is_striped:
            numbers[STRIP_ROWS] = min(directory.number(STRIP_ROWS, height), height)
        else:
            numbers[TILE_WIDTH] = self.part_row_bytes
            numbers[TILE_HEIGHT] = directory.number(TILE_HEIGHT)
        return directory.copy(kept, numbers)

    def _slice(self, entry: Entry, index: int) -> Entry:
        """The values of one plane."""
        if self.planes == 1:
            return entry
        if entry.count < self.parts * self.planes:
            raise Malformed(f"tag {entry.tag} has too few values")
        value_bytes = entry.size // entry.count
        start = entry.start + index * self.parts * value_bytes
        return Entry(entry.tag, entry.kind, self.parts, start)
