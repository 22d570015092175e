"""Reads the features of every picture of a data set, once, in little memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.errors import EdgeError, InferenceFailed
from edge.export.regular_file import read_bounded
from edge.training.feature_table import FeatureTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edge.datasets.dataset import Example
    from edge.model.contract import Quantization
    from edge.runtime.features import FeatureReader

    Advance = Callable[[int, int], None]

MAX_PICTURE_BYTES: Final = 512 << 20
"""Of one picture: an uncompressed one of 50 megapixels has 400 MB at most."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """Features of a data set's pictures.

    Attributes:
        table: one row per picture; zeros for those that cannot be read.
        groups: pictures with the same bytes have the same number.
        broken: number of a picture to why it cannot be read.
    """

    table: FeatureTable
    groups: tuple[int, ...]
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
    digests: dict[int, str] = {}
    broken: dict[int, str] = {}
    scale, zero_point = np.float32(quantization.scale), np.float32(quantization.zero_point)
    for number, found in reader.read_all(_pictures(examples, digests)):
        if isinstance(found, InferenceFailed):
            raise found
        if isinstance(found, Exception):
            broken[number] = error_words(found)
        else:
            stored[number] = np.rint(found / scale + zero_point).clip(-128, 127)
        advance(number + 1, len(examples))
    first: dict[str, int] = {}
    numbers = range(len(examples))
    groups = tuple(first.setdefault(digests.get(number, f"{number}"), number) for number in numbers)
    return Gathered(FeatureTable(stored, quantization), groups, broken)


def read_picture(file: Path) -> bytes:
    """The bytes of a picture; raises ``OSError``, or ``ExportError`` for no regular file."""
    return read_bounded(file, MAX_PICTURE_BYTES)


def error_words(error: Exception) -> str:
    """Why a picture cannot be read, in a sentence."""
    if isinstance(error, EdgeError):
        return error.message
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def _pictures(
    examples: Sequence[Example], digests: dict[int, str]
) -> Iterator[tuple[int, Callable[[], bytes]]]:
    for number, example in enumerate(examples):

        def opened(number: int = number, file: Path = example.image) -> bytes:
            content = read_picture(file)
            digests[number] = hashlib.sha256(content).hexdigest()
            return content

        yield number, opened
