"""Features of many pictures in little memory: as the model's own 8-bit numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.model.contract import Quantization

_CHUNK: Final = 2_048
_FLOAT_BYTES: Final = 4


class FeatureTable:
    """One row of features a picture: 1,280 bytes of the built-in classifier's.

    Attributes:
        size: features of a picture.
    """

    def __init__(
        self,
        stored: NDArray[np.int8],
        quantization: Quantization,
        records: NDArray[np.int64] | None = None,
    ) -> None:
        """Keep rows as they were stored by the model.

        Args:
            stored: [records, features]; may be a memory map, of which only what is asked for is
                read.
            records: int64 [pictures], the record of each; ``None`` if it has its own number.
        """
        self._stored = stored
        self._quantization = quantization
        self._records = np.arange(len(stored)) if records is None else records
        self.size: int = stored.shape[1]

    def __len__(self) -> int:
        return len(self._records)

    @property
    def float_bytes(self) -> int:
        """Bytes of the whole table as float32."""
        return len(self) * self.size * _FLOAT_BYTES

    def stored(self, index: slice | int) -> NDArray[np.int8]:
        """Rows as the model stored them, int8 [pictures, features], or [features] of one."""
        stored: NDArray[np.int8] = self._stored[self._records[index]]
        return stored

    def rows(self, index: slice | NDArray[np.intp]) -> NDArray[np.float32]:
        """Real features float32 [pictures, features] of some rows."""
        numbers: NDArray[np.float32] = self._stored[self._records[index]].astype(np.float32)
        numbers -= np.float32(self._quantization.zero_point)
        numbers *= np.float32(self._quantization.scale)
        return numbers

    def subset(self, indices: Sequence[int] | NDArray[np.intp]) -> FeatureTable:
        """A table of some rows, in that order."""
        records = self._records[np.asarray(indices, np.intp)]
        return FeatureTable(self._stored, self._quantization, records)

    def moments(self) -> tuple[NDArray[np.float32], float]:
        """The mean row, float32 [features], and the mean of the rows' squared lengths."""
        total = np.zeros(self.size, np.float64)
        square = 0.0
        for start in range(0, len(self), _CHUNK):
            rows = self.rows(slice(start, start + _CHUNK))
            total += rows.sum(axis=0)
            square += float(np.vdot(rows, rows))
        count = max(len(self), 1)
        return (total / count).astype(np.float32), square / count
