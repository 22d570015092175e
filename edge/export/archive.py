"""Unpacks the zip of an export, never outside the target folder and never beyond a size limit."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from edge.errors import ExportError
from edge.export.regular_file import open_regular
from edge.export.zip_directory import directory_bytes

if TYPE_CHECKING:
    from typing import BinaryIO

MAX_UNPACKED_BYTES = 2 << 30
"""Exports have 0.5 to 100 MB; a zip that unpacks to more than 2 GiB is not one."""

MAX_FILES = 10_000

MAX_DIRECTORY_BYTES = 4 << 20
"""Of a zip's list of entries: `MAX_FILES` with paths of 350 letters."""

_CHUNK_BYTES = 1 << 20


def unpack(archive: Path, folder: Path, *, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
    """Unpack the zip into the folder.

    Raises:
        ExportError: not a zip, truncated or encrypted, a path that leaves the folder, more than
            ``max_bytes``, or more than the disk has room for.
    """
    try:
        with open_regular(archive) as stream:
            _check_directory(archive, stream, max_bytes)
            zipped = zipfile.ZipFile(stream)
            members = [member for member in zipped.infolist() if not _is_folder(member)]
            for member in members:
                _check_path(archive, member)
            _check_size(archive, members, max_bytes)
            _check_room(archive, members, folder)
            remaining = max_bytes
            for member in members:
                remaining -= _extract(zipped, member, folder, remaining)
    except ExportError:
        raise
    except _TooLarge:
        raise _over_limit(archive, max_bytes) from None
    except Exception as error:  # zipfile and its decompressors raise nearly anything on damage
        raise ExportError(
            archive,
            f"it cannot be unpacked ({error})",
            "Zip the export folder again.",
        ) from error


class _TooLarge(Exception):
    """More bytes came out than the limit allows, whatever the zip's directory said."""


def _check_directory(archive: Path, stream: BinaryIO, max_bytes: int) -> None:
    if directory_bytes(stream) > MAX_DIRECTORY_BYTES:
        raise _over_limit(archive, max_bytes)


def _check_path(archive: Path, member: zipfile.ZipInfo) -> None:
    mode = member.external_attr >> 16  # the upper half holds the Unix mode, if there is one
    is_special = stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFLNK}
    if is_special:
        raise ExportError(
            archive,
            f"its member {member.filename!r} is no file or folder (a FIFO, a socket or a device)",
            "Zip the plain export folder.",
        )
    if stat.S_ISLNK(mode) or _leaves_folder(_path_in(member)):
        raise ExportError(
            archive,
            f"its member {member.filename!r} would leave the folder",
            "Zip the plain export folder.",
        )


def _path_in(member: zipfile.ZipInfo) -> str:
    """The member's path with slashes: archivers on Windows have written backslashes."""
    return member.filename.replace("\\", "/")


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return _path_in(member).endswith("/")


def _leaves_folder(name: str) -> bool:
    path = PurePosixPath(name)
    return ".." in path.parts or path.is_absolute() or bool(PureWindowsPath(name).drive)


def _check_size(archive: Path, members: list[zipfile.ZipInfo], max_bytes: int) -> None:
    total = sum(member.file_size for member in members)
    if len(members) > MAX_FILES or total > max_bytes:
        raise _over_limit(archive, max_bytes)


def _check_room(archive: Path, members: list[zipfile.ZipInfo], folder: Path) -> None:
    total = sum(member.file_size for member in members)
    free = shutil.disk_usage(folder).free
    if total > free:
        raise ExportError(
            archive,
            f"it unpacks to {total >> 20} MiB, and {folder.parent} has room for {free >> 20} MiB",
            "Make room there, unpack the zip yourself, or point TMPDIR to another disk.",
        )


def _over_limit(archive: Path, max_bytes: int) -> ExportError:
    return ExportError(
        archive,
        f"it unpacks to more than {max_bytes >> 20} MiB or {MAX_FILES} files",
        "Zip the export folder alone.",
    )


def _extract(zipped: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, limit: int) -> int:
    """Write one member and return its number of bytes; raises ``_TooLarge`` past the limit."""
    target = folder / PurePosixPath(_path_in(member))
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with zipped.open(member) as source, target.open("wb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            written += len(chunk)
            if written > limit:
                raise _TooLarge
            file.write(chunk)
    return written
