"""Reads the features of every picture of a data set, and what tells near duplicates.

The pass over the pictures, and the files that keep what was read, are those of `edge data inspect`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.datasets.duplicates import exact_groups, groups_to_split, near_groups
from edge.datasets.picture_pass import PictureReader, read_pictures
from edge.errors import DataSetError
from edge.training.feature_table import FeatureTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from edge.datasets.dataset import Example
    from edge.datasets.picture_cache import PictureCache
    from edge.runtime.features import FeatureReader

    Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was read of a data set's pictures; it stays on disk, and the cache open.

    Attributes:
        readable: numbers of the pictures that can be read, int64 [n].
        table: one row for each of them.
        digests: hex, of the bytes of each of them.
        broken: number of a picture to why it cannot be read.
    """

    readable: NDArray[np.int64]
    table: FeatureTable
    digests: tuple[str, ...]
    broken: dict[int, str]
    _sketches: NDArray[Any]
    _rows: NDArray[np.int64]

    def find_groups(self, examples: Sequence[Example]) -> tuple[int, ...]:
        """The group of each picture; a broken one is a group of its own.

        Near duplicates, of which none may be trained while another is tested, have the same number.
        """
        exact = exact_groups([digest.encode() for digest in self.digests])
        near = near_groups(self._sketches, self._rows, exact)
        together = groups_to_split(exact, near, [examples[number] for number in self.readable])
        groups = np.arange(len(examples))
        groups[self.readable] = self.readable[together]
        return tuple(groups.tolist())


def gather(
    examples: Sequence[Example],
    data_set: Path,
    reader: FeatureReader,
    cache: PictureCache,
    max_pixels: int,
    advance: Advance,
) -> Gathered:
    """Read what the cache does not know of pictures.

    Args:
        data_set: path of the set that the cache is of.
        reader: its features are int8.
        cache: its features are those of the reader.
        advance: called with the number of pictures done and of all.

    Raises:
        InferenceFailed: the model failed.
        OutputError: the cache cannot be written.
        KeyboardInterrupt: after Ctrl-C; what was read until then is in the cache.
    """
    assert cache.features is not None
    assert reader.quantization is not None
    pictures = PictureReader(max_pixels, reader.min_side, reader.workers, reader.read_stored)
    done = 0

    def advance_by_one() -> None:
        nonlocal done
        done += 1
        advance(done, len(examples))

    found = read_pictures(examples, data_set, pictures, cache, advance_by_one)
    readable = np.flatnonzero(found.rows >= 0)
    rows = found.rows[readable]
    records = cache.pictures.values()
    digests = tuple(digest.tobytes().hex() for digest in records["digest"][rows])
    stored = cache.features.values()
    table = FeatureTable(stored, reader.quantization, found.feature_rows[readable])
    return Gathered(readable, table, digests, found.broken, records["sketch"], rows)


def unreadable_again(file: Path, reason: str) -> DataSetError:
    """The error of a picture that was read a moment ago; ``reason`` is a sentence."""
    return DataSetError(f"{file} could be read before, but not again. {reason} Train again.")
