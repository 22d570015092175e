"""Replace a file so that a power cut leaves the old content or the new one, never a part of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def replace_file(file: Path, content: bytes, mode: int = 0o644) -> None:
    """Write ``content`` durably: once this returns, it survives a power cut. Takes milliseconds.

    Writes a new file next to the old one, syncs it, renames it over the old one, and syncs the
    folder, without which the rename itself may be lost. One writer per file at a time.

    Args:
        file: in a folder that exists.
        content: the whole new content.
        mode: permissions of the new file, less the process's umask; set before anything is written,
            so that a secret is never readable by others.

    Raises:
        OSError: disk full, read-only, or no such folder; ``file`` is unchanged.
    """
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)  # left by a write that was cut short, perhaps with another mode
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
