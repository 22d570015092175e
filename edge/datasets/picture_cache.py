"""What was computed about each picture, on disk: for `--resume`, and so that it takes no memory.

The files are in edge's data folder, never in the data set: that may be read-only, or somebody's
archive. A picture is known by its path below the set, its size and its time of change; one that
was changed is read again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.datasets.record_file import KEY_BYTES, RecordFile
from edge.errors import OutputError
from edge.printable import escape
from edge.vision.sketch import SKETCH_SIDE

if TYPE_CHECKING:
    from pathlib import Path

_MAX_SETS: Final = 4
"""Data sets whose files are kept. One of 20,000 pictures takes 110 MB."""

DIGEST_BYTES: Final = 16

_PICTURE: Final = np.dtype(
    [
        ("digest", f"V{DIGEST_BYTES}"),
        ("width", "<u4"),
        ("height", "<u4"),
        ("sketch", "u1", (SKETCH_SIDE, SKETCH_SIDE, 3)),
    ]
)


class PictureCache:
    """The files of one data set.

    Attributes:
        pictures: records of ``digest``, ``width``, ``height`` (of the upright picture) and
            ``sketch``, as `edge.vision.sketch` makes it.
        features: records of float16 [size]; ``None`` if there are no features to be kept.

    Args:
        folder: edge's data folder.
        data_set: path of the data set.
        feature_size: numbers of a picture's features; 0 for none.
        model: digest of the model that they come from.
        keep: whether to go on where an earlier run ended.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(
        self, folder: Path, data_set: Path, feature_size: int, model: str, *, keep: bool
    ) -> None:
        root = folder / "datasets"
        name = hashlib.sha256(os.fsencode(data_set.resolve())).hexdigest()[:16]
        own = root / name
        try:
            own.mkdir(parents=True, exist_ok=True)
            os.utime(own)
            _drop_oldest(root)
        except OSError as error:
            shown = escape(str(own))
            raise OutputError(
                f"{shown} cannot be written: {error.strerror}. Name another folder with --data."
            ) from error
        self.pictures = RecordFile(own / "pictures-1.bin", _PICTURE, keep=keep)
        self.features: RecordFile | None = None
        if feature_size:
            kind = np.dtype(("<f2", (feature_size,)))
            file = own / f"features-{feature_size}-{model[:16]}.bin"
            self.features = RecordFile(file, kind, keep=keep)

    def has(self, key: bytes) -> bool:
        """Whether all is known about the picture with this key."""
        return key in self.pictures and (self.features is None or key in self.features)

    def close(self) -> None:
        """Close the files; raises ``OutputError`` if the disk is full."""
        self.pictures.close()
        if self.features is not None:
            self.features.close()

    def flush(self) -> None:
        """Hand all to the system; raises ``OutputError`` if the disk is full."""
        self.pictures.flush()
        if self.features is not None:
            self.features.flush()


def picture_key(image: Path, data_set: Path) -> bytes:
    """The key of a picture in the cache.

    Raises:
        OSError: the picture is not there.
    """
    status = image.stat()
    name = os.path.relpath(image, data_set)
    text = f"{status.st_size}/{status.st_mtime_ns}/".encode() + os.fsencode(name)
    return hashlib.blake2b(text, digest_size=KEY_BYTES).digest()


def _drop_oldest(root: Path) -> None:
    folders = sorted(root.iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    for folder in folders[:-_MAX_SETS]:
        shutil.rmtree(folder, ignore_errors=True)
