"""A file of records of one size that only grows, so that a run that was cut short can go on.

Each record has a key, a value and a check sum. What a kill or a power cut left half written is cut
off when the file is opened again, and a damaged record is as good as missing. Values are read
through a memory map: they take no memory of the process.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge.errors import OutputError
from edge.printable import escape

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

KEY_BYTES: Final = 16
_CHUNK: Final = 1_000
"""Records that are checked at once."""


class RecordFile:
    """The records of a file, by their keys. For one thread.

    Args:
        file: is created if it is missing.
        value: type of a value; part of the file's name should change with it.
        keep: whether to keep what an earlier run has written.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, file: Path, value: np.dtype[Any], *, keep: bool) -> None:
        self._file = file
        self._type = np.dtype([("key", f"V{KEY_BYTES}"), ("value", value), ("check", "<u4")])
        self._rows: dict[bytes, int] = {}
        self._count = 0
        try:
            self._stream = file.open("r+b" if keep and file.exists() else "w+b")
            self._read_keys()
        except OSError as error:
            raise self._unwritable(error) from error

    def __contains__(self, key: bytes) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, key: bytes, value: Any) -> None:
        """Append a record.

        Args:
            key: `KEY_BYTES` long.
            value: as a field of a structured array takes it.

        Raises:
            OutputError: the disk is full or read-only.
        """
        record = np.zeros(1, self._type)
        record["key"][0] = np.void(key)
        record["value"][0] = value
        record["check"] = _check(record)
        try:
            self._stream.write(record.tobytes())
            self._stream.flush()  # what a kill finds in a buffer is lost
        except OSError as error:
            raise self._unwritable(error) from error
        self._rows[key] = self._count
        self._count += 1

    def row(self, key: bytes) -> int | None:
        """The number of the record with that key; ``None`` if there is none."""
        return self._rows.get(key)

    def values(self) -> NDArray[Any]:
        """All values by their row numbers, from the file: [records], the type of a value."""
        if not self._count:
            return np.zeros(0, self._type)["value"]
        mapped = np.memmap(self._file, self._type, "r", shape=(self._count,))
        values: NDArray[Any] = mapped["value"]
        return values

    def close(self) -> None:
        """Close the file; raises ``OutputError`` as `add` does."""
        try:
            self._stream.close()
        except OSError as error:
            raise self._unwritable(error) from error

    def _read_keys(self) -> None:
        size = self._type.itemsize
        while chunk := self._stream.read(size * _CHUNK):
            records = np.frombuffer(chunk[: len(chunk) // size * size], self._type)
            checks = records["check"]
            for index in range(len(records)):
                if checks[index] == _check(records[index : index + 1]):
                    self._rows[records["key"][index].tobytes()] = self._count
                self._count += 1
        self._stream.truncate(self._count * size)
        self._stream.seek(self._count * size)

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(f"{escape(str(self._file))} cannot be written: {error.strerror}.")


def _check(record: NDArray[Any]) -> int:
    """The check sum of one record, without its own field."""
    return zlib.crc32(record.tobytes()[:-4])
