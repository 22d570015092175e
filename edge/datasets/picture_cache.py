"""What was computed about each picture, on disk: for `--resume`, and so that it takes no memory.

`edge data inspect` and `edge train` share it: what one has read, the other need not read again.

The files are in edge's data folder, never in the data set: that may be read-only, or somebody's
archive. A picture is known by its path below the set, its size and its times of change; one that
was changed is read again. One process at a time uses the files of a set.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.datasets.picture_file import DIGEST_BYTES
from edge.datasets.record_file import KEY_BYTES, RecordFile
from edge.errors import OutputError
from edge.printable import escape
from edge.vision.sketch import SKETCH_SIDE

if TYPE_CHECKING:
    from pathlib import Path

_MAX_SETS: Final = 4
"""Data sets whose files are kept. One of 20,000 pictures takes 90 MB."""

_PICTURE: Final = np.dtype(
    [
        ("digest", f"V{DIGEST_BYTES}"),
        ("width", "<u4"),
        ("height", "<u4"),
        ("sketch", "u1", (SKETCH_SIDE, SKETCH_SIDE, 3)),
    ]
)

_LOCK: Final = "lock"


class PictureCache:
    """The files of one data set.

    Attributes:
        pictures: records of ``digest``, ``width``, ``height`` (of the upright picture) and
            ``sketch``, as `edge.vision.sketch` makes it.
        features: records of int8 [size]; ``None`` until `open_features`.
        reused: how many pictures an earlier run had read; `read_pictures` counts them.

    Args:
        folder: edge's data folder.
        data_set: path of the data set.
        keep: whether to go on where an earlier run ended; otherwise what it left is removed.

    Raises:
        OutputError: the folder cannot be written, or another process uses these files.
    """

    def __init__(self, folder: Path, data_set: Path, *, keep: bool) -> None:
        root = folder / "datasets"
        name = hashlib.sha256(os.fsencode(data_set.resolve())).hexdigest()[:16]
        self._own = root / name
        self._keep = keep
        self._lock = _open_lock(self._own, data_set)
        try:
            self._prepare(root)
            self.pictures = RecordFile(self._own / "pictures-2.bin", _PICTURE, keep=keep)
        except OSError as error:
            os.close(self._lock)
            raise _unwritable(self._own, error) from error
        except OutputError:
            os.close(self._lock)
            raise
        self.features: RecordFile | None = None
        self.reused = 0

    def open_features(self, size: int, model: str) -> RecordFile:
        """Open the file of the features, which are kept from now on; call it once.

        Args:
            size: numbers of a picture's features.
            model: digest of the model that they come from; those of another are not touched.

        Raises:
            OutputError: the file cannot be written.
        """
        file = self._own / f"features-int8-{size}-{model[:16]}.bin"
        self.features = RecordFile(file, np.dtype(("i1", (size,))), keep=self._keep)
        return self.features

    def has(self, key: bytes) -> bool:
        """Whether all is known about the picture with this key."""
        return key in self.pictures and (self.features is None or key in self.features)

    def close(self) -> None:
        """Close the files; raises ``OutputError`` if the disk is full."""
        try:
            self.pictures.close()
            if self.features is not None:
                self.features.close()
        finally:
            os.close(self._lock)

    def _prepare(self, root: Path) -> None:
        os.utime(self._own)
        _drop_oldest(root)
        if not self._keep:
            for file in self._own.iterdir():
                if file.name != _LOCK:
                    file.unlink()


def picture_key(image: Path, data_set: Path) -> bytes:
    """The key of a picture in the cache.

    Raises:
        OSError: the picture is not there.
    """
    status = image.stat()
    name = os.path.relpath(image, data_set)
    # The time of the last write can be set by its owner, that of the last change cannot.
    when = f"{status.st_mtime_ns}/{status.st_ctime_ns}"
    text = f"{status.st_size}/{when}/".encode() + os.fsencode(name)
    return hashlib.blake2b(text, digest_size=KEY_BYTES).digest()


def _open_lock(own: Path, data_set: Path) -> int:
    """Make the folder and lock it; returns the descriptor that holds the lock."""
    try:
        own.mkdir(parents=True, exist_ok=True)
        lock = os.open(own / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(own, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise OutputError(
            f"Another edge is reading {escape(str(data_set))} now. Wait for its end, or name "
            "another folder with --data."
        ) from error
    except OSError as error:
        os.close(lock)
        raise _unwritable(own, error) from error
    return lock


def _drop_oldest(root: Path) -> None:
    folders = sorted(root.iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    for folder in folders[:-_MAX_SETS]:
        if not _is_in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_in_use(own: Path) -> bool:
    try:
        lock = os.open(own / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def _unwritable(own: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{escape(str(own))} cannot be written: {error.strerror}. Name another folder with --data."
    )
