"""Writes a folder whole or not at all: next to its place, and renamed when it is complete."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK: Final = "report.html"
"""The file by which a folder is known as an earlier result, which may be replaced."""

_MODE: Final = 0o755


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that may not be replaced, before minutes of work go into it.

    Raises:
        OutputError: it is not empty and no earlier result, or its parent cannot be written.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError(f"{folder} is no folder. Name a new one with --out.")
    try:
        is_ours = not folder.exists() or (folder / MARK).is_file() or not any(folder.iterdir())
    except OSError as error:
        raise _unwritable(folder, error) from error
    if not is_ours:
        raise OutputError(
            f"{folder} holds other files than a result of edge train, and is left as it is. Name a "
            "new folder with --out."
        )
    _refuse_unwritable_parent(folder)


def _refuse_unwritable_parent(folder: Path) -> None:
    parents = folder.absolute().parents
    existing = next(parent for parent in parents if parent.exists())
    if not existing.is_dir():
        reason = "is no folder"
    elif not os.access(existing, os.W_OK | os.X_OK):
        reason = "is not writable"
    else:
        return
    raise OutputError(
        f"{folder} cannot be written: {existing} {reason}. Name another folder with --out."
    )


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Lend a new folder, which takes the place of ``folder`` unless an error leaves the block.

    What was there before stays until then. An interruption leaves nothing of the new folder.

    Raises:
        OutputError: it cannot be written, or there is something else in its place.
    """
    folder = Path(folder).absolute()
    refuse_foreign(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield new
        new.chmod(_MODE)
        _replace(folder, new)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _replace(folder: Path, new: Path) -> None:
    if not folder.exists():
        new.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    try:
        folder.rename(old / folder.name)
        try:
            new.rename(folder)
        except OSError:
            (old / folder.name).rename(folder)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"{folder} cannot be written: {error.strerror or error}.")
