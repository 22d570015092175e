"""Reads the tensors of a legacy (zip-less) PyTorch checkpoint with NumPy alone.

Such a file is four pickles (magic number, protocol, system information, state), a pickle with the
storage keys, and then each storage as an element count and raw little-endian data. The unpickler
here knows four names and refuses every other, so that opening a checkpoint cannot run code.
"""

from __future__ import annotations

import collections
import io
import pickle
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MAGIC_NUMBER: Final = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION: Final = 1001

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class StorageRef:
    """A storage that the state names; its data stands at the end of the file."""

    key: str
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class TensorRef:
    """A tensor of the state: a view into a storage that is read later."""

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def view(self, storages: dict[str, Array]) -> Array:
        """The tensor's values out of the storages read."""
        flat = storages[self.storage.key][self.offset :]
        last = sum(
            (size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)
        )
        if last >= flat.size:
            raise ValueError(f"a tensor of shape {self.shape} reaches beyond its storage")
        strides = [stride * flat.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(flat, self.shape, strides, writeable=False)


def read_state(data: bytes) -> dict[str, Array]:
    """Every tensor of the checkpoint by its name."""
    stream = io.BytesIO(data)
    if _load(stream) != MAGIC_NUMBER or _load(stream) != PROTOCOL_VERSION:
        raise ValueError("not a legacy PyTorch checkpoint")
    if not _load(stream)["little_endian"]:
        raise ValueError("the checkpoint is big-endian")
    refs: dict[str, TensorRef] = _load(stream)
    dtypes = {ref.storage.key: ref.storage.dtype for ref in refs.values()}
    storages = {key: _read_storage(stream, dtypes[key]) for key in _load(stream)}
    return {name: ref.view(storages) for name, ref in refs.items()}


def _load(stream: io.BytesIO) -> Any:
    return _RestrictedUnpickler(stream).load()


def _read_storage(stream: io.BytesIO, dtype: np.dtype[Any]) -> Array:
    (count,) = np.frombuffer(stream.read(8), "<i8")
    return np.frombuffer(stream.read(int(count) * dtype.itemsize), dtype)


def _rebuild_tensor(
    storage: StorageRef, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> TensorRef:
    return TensorRef(storage, offset, shape, strides)


class _RestrictedUnpickler(pickle.Unpickler):
    """An unpickler of plain values and of the four names that a state of tensors needs."""

    _KNOWN: Final[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch", "FloatStorage"): np.dtype("<f4"),
        ("torch", "LongStorage"): np.dtype("<i8"),
    }

    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return self._KNOWN[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"{module_name}.{global_name} has no place in a checkpoint"
            ) from None

    def persistent_load(self, pid: Any) -> StorageRef:
        kind, dtype, key, _location, _count, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"unknown persistent object {kind!r}")
        return StorageRef(key, dtype)
