"""Opens the files of an export: regular files only, and no more bytes than their kind may have.

Every file of an export is opened here, except by the runtimes. A FIFO would keep its reader waiting
for a writer, a device may never end, and a file of text may fill the memory.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path

MAX_MODEL_BYTES: Final = 512 << 20
"""A TFLite file or `saved_model.pb`, which is read as a whole. Exports have 0.5 to 100 MB."""

MAX_LABEL_FILE_BYTES: Final = 4 << 20
"""ImageNet's 21,841 labels with their synonyms have 0.8 MB."""

MAX_TEXT_BYTES: Final = 1 << 20
"""A `manifest.json` or `model.toml`. A threshold for each of 20,000 labels has 0.6 MB."""

_CHUNK_BYTES: Final = 1 << 16

_KINDS: Final = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)


def open_regular(file: Path) -> BufferedReader:
    """Open a file for reading; never waits, whatever the path is.

    Raises:
        ExportError: it is a FIFO, a socket, a device or a folder.
        OSError: it cannot be opened.
    """
    refuse_irregular(file, file.stat().st_mode)  # before opening: that alone may act on a device
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    stream = os.fdopen(descriptor, "rb")
    try:
        refuse_irregular(file, os.fstat(descriptor).st_mode)
    except ExportError:
        stream.close()
        raise
    return stream


def read_bounded(file: Path, max_bytes: int) -> bytes:
    """Read a whole regular file.

    Raises:
        ExportError: not a regular file, or it has more than ``max_bytes``.
        OSError: it cannot be read.
    """
    with open_regular(file) as stream:
        # The size that the file states is checked first: reading may be slow.
        size = os.fstat(stream.fileno()).st_size
        content = b"" if size > max_bytes else _read(stream, size, max_bytes + 1)
    if max(size, len(content)) > max_bytes:
        raise ExportError(
            file,
            f"it has more than {_size_words(max_bytes)}, too much for a file of its kind",
            "Copy the file of the export again, or remove it",
        )
    return content


def _read(stream: BufferedReader, size: int, max_bytes: int) -> bytes:
    """Read to the end or ``max_bytes``; ``size`` is a guess, as files of /proc state none."""
    chunks = []
    left = max_bytes
    while left and (chunk := stream.read(min(max(size + 1, _CHUNK_BYTES), left))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def refuse_irregular(path: Path, mode: int) -> None:
    """Raise ``ExportError`` for what is no regular file, given the mode that `os.stat` returns."""
    if stat.S_ISREG(mode):
        return
    kind = next((words for is_kind, words in _KINDS if is_kind(mode)), "something else")
    raise ExportError(path, f"it is {kind}, not a regular file", "Remove it from the models")


def _size_words(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size} bytes"
