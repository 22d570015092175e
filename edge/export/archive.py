"""Unpacks the zip of an export, never outside its folder and never beyond a limit."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from edge.errors import ExportError

MAX_UNPACKED_BYTES = 2 << 30
"""An export has 0.5 to 100 MB; what unpacks to more than 2 GiB is no export."""

MAX_FILES = 10_000

_CHUNK = 1 << 20


def unpack(archive: Path, folder: Path, *, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
    """Unpack the zip into the folder.

    Raises:
        ExportError: no zip, truncated or encrypted, a path that leaves the folder, or more than ``max_bytes``.
    """
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = [member for member in zipped.infolist() if not member.is_dir()]
            for member in members:
                _check_path(archive, member)
            _check_size(archive, members, max_bytes)
            left = max_bytes
            for member in members:
                left -= _extract(zipped, member, folder, left)
    except ExportError:
        raise
    except _TooLarge:
        raise _over_limit(archive, max_bytes) from None
    except Exception as error:  # zipfile and its decompressors raise nearly anything on damaged bytes
        raise ExportError(archive, f"it cannot be unpacked ({error})", "Zip the export folder again.") from error


class _TooLarge(Exception):
    """More came out than the header promised and the limit allows."""


def _check_path(archive: Path, member: zipfile.ZipInfo) -> None:
    name = member.filename
    parts = PurePosixPath(name).parts
    leaves = ".." in parts or PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or "\\" in name
    if leaves or stat.S_ISLNK(member.external_attr >> 16):
        raise ExportError(archive, f"its member {name!r} would leave the folder", "Zip the plain export folder.")


def _check_size(archive: Path, members: list[zipfile.ZipInfo], max_bytes: int) -> None:
    if len(members) > MAX_FILES or sum(member.file_size for member in members) > max_bytes:
        raise _over_limit(archive, max_bytes)


def _over_limit(archive: Path, max_bytes: int) -> ExportError:
    return ExportError(
        archive,
        f"it unpacks to more than {max_bytes >> 20} MiB or {MAX_FILES} files",
        "Zip the export folder alone.",
    )


def _extract(zipped: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, limit: int) -> int:
    target = folder / PurePosixPath(member.filename)
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with zipped.open(member) as source, target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > limit:
                raise _TooLarge
            file.write(chunk)
    return written
