"""Finds the images that a command line names (files, folders, patterns, `-`), and reads them."""

from __future__ import annotations

import glob
import os
import stat
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.errors import InputError, UsageError
from edge.vision.picture_files import (
    MAX_BYTES,
    READABLE_SUFFIXES,
    UNREADABLE_SUFFIXES,
    is_left_behind,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import BinaryIO

STANDARD_INPUT: Final = "-"

_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image that the command line names.

    Attributes:
        path: as it was named, or found below a folder that was; `-` for standard input.
        base: the folder that was named, or the one that holds the file.
        content: its bytes, if they were read beforehand.
        fault: why it cannot be read, if that is known beforehand.
    """

    path: Path
    base: Path
    content: bytes | None = None
    fault: InputError | None = None

    def read(self) -> bytes:
        """Return the file's bytes.

        Raises:
            InputError: it cannot be read, or is larger than `MAX_BYTES`.
        """
        if self.fault is not None:
            raise self.fault
        if self.content is not None:
            return self.content
        try:
            with self.path.open("rb") as stream:
                return _read_bounded(stream, str(self.path))
        except OSError as error:
            raise _unreadable(str(self.path), error) from error


def find_images(names: Sequence[str], written: Collection[Path] = ()) -> list[ImageFile]:
    """Find the images, in order: a file itself, those below a folder, a pattern's matches.

    Below a folder, files and folders that are hidden are passed over: macOS leaves a `._photo.jpg`
    next to each photo on a disk of another system.

    Args:
        names: of files, folders and patterns; `-` is standard input.
        written: folders that this command writes to; they are not searched.

    Raises:
        UsageError: a name matches no image, or standard input is named twice.
    """
    if list(names).count(STANDARD_INPUT) > 1:
        raise UsageError("Standard input (-) holds one image: name it once.")
    found: list[ImageFile] = []
    for name in names:
        images = _find(name, {folder.resolve() for folder in written})
        if not images:
            raise UsageError(f"No image is at {name}.")
        found += images
    return found


def read_streams(images: Sequence[ImageFile]) -> list[ImageFile]:
    """Read standard input and pipes beforehand, while Ctrl-C still ends the wait for them."""
    return [_read_stream(image) if _is_stream(image) else image for image in images]


def short_names(images: Sequence[ImageFile]) -> list[str]:
    """Return the names to show people: relative to the folder that all of them have in common."""
    files = [image for image in images if str(image.path) != STANDARD_INPUT]
    bases = {os.path.abspath(image.base) for image in files}  # noqa: PTH100 -- follows no links
    common = os.path.commonpath(bases) if bases else os.sep
    if common == os.sep:
        return [_name(image) for image in images]
    return [
        _name(image) if str(image.path) == STANDARD_INPUT else os.path.relpath(image.path, common)
        for image in images
    ]


def _name(image: ImageFile) -> str:
    return "standard input" if str(image.path) == STANDARD_INPUT else str(image.path)


def _find(name: str, written: Collection[Path]) -> list[ImageFile]:
    path = Path(name)
    if name == STANDARD_INPUT:
        return [ImageFile(path, Path())]
    if path.is_dir():
        return _find_below(path, written)
    if path.exists():
        return [ImageFile(path, path.parent)]
    matches = map(Path, glob.glob(name, recursive=True))  # noqa: PTH207 -- the pattern may be absolute
    return [ImageFile(match, match.parent) for match in sorted(matches) if match.is_file()]


def _find_below(folder: Path, written: Collection[Path]) -> list[ImageFile]:
    found: list[ImageFile] = []

    def add_fault(error: OSError) -> None:
        path = str(error.filename)
        found.append(ImageFile(Path(path), folder, fault=_unreadable(path, error)))

    for parent, folders, files in os.walk(folder, onerror=add_fault):
        folders[:] = [
            name
            for name in folders
            if not is_left_behind(name) and Path(parent, name).resolve() not in written
        ]
        for name in files:
            path = Path(parent, name)
            is_image = path.suffix.lower() in READABLE_SUFFIXES | UNREADABLE_SUFFIXES
            is_there = path.is_file() or path.is_symlink()  # a link to nothing gets its error
            if is_image and is_there and not is_left_behind(name):
                found.append(ImageFile(path, folder))
    return sorted(found, key=lambda image: image.path)


def _is_stream(image: ImageFile) -> bool:
    if str(image.path) == STANDARD_INPUT:
        return True
    try:
        mode = image.path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _read_stream(image: ImageFile) -> ImageFile:
    try:
        if str(image.path) != STANDARD_INPUT:
            return replace(image, content=image.read())
        return replace(image, content=_read_bounded(sys.stdin.buffer, "standard input"))
    except InputError as fault:
        return replace(image, fault=fault)
    except OSError as error:
        return replace(image, fault=_unreadable("standard input", error))


def _read_bounded(stream: BinaryIO, name: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := stream.read(_CHUNK_BYTES):
        size += len(chunk)
        if size > MAX_BYTES:
            raise InputError(f"{name} cannot be read: it has more than {MAX_BYTES >> 20} MiB.")
        chunks.append(chunk)
    return b"".join(chunks)


def _unreadable(name: str, error: OSError) -> InputError:
    return InputError(f"{name} cannot be read: {error.strerror or error}.")
