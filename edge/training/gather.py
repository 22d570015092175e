"""Reads the features of every picture of a data set, and what tells near duplicates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.datasets.duplicates import exact_groups, groups_to_split, near_groups
from edge.errors import EdgeError, InferenceFailed
from edge.export.regular_file import read_bounded
from edge.training.feature_table import FeatureTable
from edge.vision.picture_files import MAX_BYTES
from edge.vision.sketch import SKETCH_SIDE, sketch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.datasets.dataset import Example
    from edge.model.contract import Quantization
    from edge.runtime.features import FeatureReader
    from edge.vision.frame import Frame

    Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Features of a data set's pictures.

    Attributes:
        table: one row per picture; zeros for those that cannot be read.
        digests: of each picture's bytes.
        sketches: of each picture, uint8 [pictures, side, side, 3].
        broken: number of a picture to why it cannot be read.
    """

    table: FeatureTable
    digests: list[bytes]
    sketches: NDArray[np.uint8]
    broken: dict[int, str]


def gather(
    examples: Sequence[Example],
    reader: FeatureReader,
    quantization: Quantization,
    advance: Advance,
) -> Gathered:
    """Read features.

    Args:
        quantization: of the features, in which they are kept.
        advance: called with the number of pictures done and of all.
    """
    stored = np.zeros((len(examples), reader.size), np.int8)
    sketches = np.zeros((len(examples), SKETCH_SIDE, SKETCH_SIDE, 3), np.uint8)
    digests = [b""] * len(examples)
    broken: dict[int, str] = {}
    scale, zero_point = np.float32(quantization.scale), np.float32(quantization.zero_point)
    for number, found in reader.read_all(_pictures(examples, reader, digests, sketches)):
        if isinstance(found, InferenceFailed):
            raise found
        if isinstance(found, Exception):
            broken[number] = error_words(found)
        else:
            stored[number] = np.rint(found / scale + zero_point).clip(-128, 127)
        advance(number + 1, len(examples))
    return Gathered(FeatureTable(stored, quantization), digests, sketches, broken)


def find_groups(examples: Sequence[Example], gathered: Gathered) -> tuple[int, ...]:
    """The group of each picture; a broken one is a group of its own.

    Near duplicates, of which none may be trained while another is tested, have the same number.
    """
    count = len(examples)
    readable = np.array([n for n in range(count) if n not in gathered.broken], np.int64)
    exact = exact_groups([gathered.digests[number] for number in readable])
    near = near_groups(gathered.sketches, readable, exact)
    together = groups_to_split(exact, near, [examples[number] for number in readable])
    groups = np.arange(count)
    groups[readable] = readable[together]
    return tuple(groups.tolist())


def read_picture(file: Path) -> bytes:
    """The bytes of a picture; raises ``OSError``, or ``ExportError`` for no regular file."""
    return read_bounded(file, MAX_BYTES)


def error_words(error: Exception) -> str:
    """Why a picture cannot be read, in a sentence."""
    if isinstance(error, EdgeError):
        return error.message
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def _pictures(
    examples: Sequence[Example],
    reader: FeatureReader,
    digests: list[bytes],
    sketches: NDArray[np.uint8],
) -> Iterator[tuple[int, Callable[[], Frame]]]:
    for number, example in enumerate(examples):

        def opened(number: int = number, file: Path = example.image) -> Frame:
            content = read_picture(file)
            frame = reader.decode(content)
            digests[number] = hashlib.sha256(content).digest()
            sketches[number] = sketch(frame)
            return frame

        yield number, opened
