"""TIFFs written sample by sample (TIFF 6.0), for what no library writes."""

import struct
import zlib
from dataclasses import dataclass, field

import numpy as np

_SHORT, _LONG = 3, 4
UNCOMPRESSED, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6


@dataclass
class Tiff:
    """How to write samples.

    Attributes:
        samples: whole numbers, shape (height, width, samples).
        bits: of a stored sample.
        said_bits: BitsPerSample, if it is not what is stored.
        rows: of a strip.
        tile: side of tiles, instead of strips.
        tags: further tags, or others in place of those that belong to the samples.
    """

    samples: np.ndarray
    bits: int
    photometric: int = BLACK_IS_ZERO
    order: str = "<"
    compression: int = UNCOMPRESSED
    said_bits: int | None = None
    planar: bool = False
    predictor: bool = False
    fill_order: int = 1
    rows: int | None = None
    tile: int | None = None
    tags: dict[int, tuple[int, ...]] = field(default_factory=dict)
    blobs: dict[int, bytes] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The file."""
        height, width, samples = self.samples.shape
        parts = [self._compress(part) for part in self._parts()]
        if self.fill_order == 2:  # of what is stored, as libtiff writes it
            parts = [_reversed_bits(part) for part in parts]
        data, offsets = b"", []
        for part in parts:
            offsets.append(8 + len(data))
            data += part + b"\0" * (len(part) % 2)
        tags: dict[int, tuple[int, ...]] = {
            256: (width,),
            257: (height,),
            258: (self.said_bits or self.bits,) * samples,
            259: (self.compression,),
            262: (self.photometric,),
            277: (samples,),
        }
        if self.tile:
            tags |= {322: (self.tile,), 323: (self.tile,), 324: tuple(offsets)}
            tags[325] = tuple(map(len, parts))
        else:
            tags |= {273: tuple(offsets), 278: (self.rows or height,)}
            tags[279] = tuple(map(len, parts))
        if self.planar:
            tags[284] = (2,)
        if self.predictor:
            tags[317] = (2,)
        if self.fill_order != 1:
            tags[266] = (self.fill_order,)
        return self._write(data, tags | self.tags)

    def _write(self, data: bytes, tags: dict[int, tuple[int, ...]]) -> bytes:
        order = self.order
        fields = {}
        for tag, numbers in tags.items():
            if not numbers:
                continue
            kind = _SHORT if max(numbers) < 65536 else _LONG
            packed = struct.pack(f"{order}{len(numbers)}{'HI'[kind - _SHORT]}", *numbers)
            fields[tag] = (kind, len(numbers), packed)
        for tag, blob in self.blobs.items():
            fields[tag] = (1, len(blob), blob)
        entries = b""
        for tag in sorted(fields):
            kind, count, packed = fields[tag]
            if len(packed) > 4:
                value = struct.pack(f"{order}I", 8 + len(data))
                data += packed + b"\0" * (len(packed) % 2)
            else:
                value = packed.ljust(4, b"\0")
            entries += struct.pack(f"{order}HHI", tag, kind, count) + value
        head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(data))
        return head + data + struct.pack(f"{order}H", len(fields)) + entries + bytes(4)

    def _parts(self) -> list[bytes]:
        planes = np.split(self.samples, self.samples.shape[2], 2) if self.planar else [self.samples]
        return [self._pack(part) for plane in planes for part in self._cut(plane)]

    def _cut(self, plane: np.ndarray) -> list[np.ndarray]:
        height, width, _ = plane.shape
        if not self.tile:
            rows = self.rows or height
            return [plane[top : top + rows] for top in range(0, height, rows)]
        side = self.tile
        padded = np.pad(plane, ((0, -height % side), (0, -width % side), (0, 0)), mode="edge")
        return [
            padded[top : top + side, left : left + side]
            for top in range(0, height, side)
            for left in range(0, width, side)
        ]

    def _pack(self, part: np.ndarray) -> bytes:
        kind = "u1" if self.bits == 8 else f"{self.order}u{self.bits // 8}"
        if self.predictor:
            limit = 1 << self.bits
            part = np.diff(part.astype(np.int64), axis=1, prepend=0) % limit
        rows = part.reshape(len(part), -1)
        if self.bits in {8, 16, 32}:
            packed = rows.astype(kind)
            data = packed.tobytes()
        else:
            places = np.arange(self.bits - 1, -1, -1)
            bits = (rows[..., None] >> places & 1).reshape(len(rows), -1).astype(np.uint8)
            data = np.packbits(bits, axis=1).tobytes()
        return data

    def _compress(self, data: bytes) -> bytes:
        if self.compression == DEFLATE:
            return zlib.compress(data)
        if self.compression == PACKBITS:
            pieces = [data[at : at + 128] for at in range(0, len(data), 128)]
            return b"".join(bytes([len(piece) - 1]) + piece for piece in pieces)
        if self.compression == LZW:
            return _lzw(data)
        return data


def _reversed_bits(data: bytes) -> bytes:
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    return np.packbits(bits, bitorder="little").tobytes()


def _lzw(data: bytes) -> bytes:
    """LZW that clears its table before codes would need 10 bits."""
    codes = []
    for at in range(0, len(data), 250):
        codes += [256, *data[at : at + 250]]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
