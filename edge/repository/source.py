"""Finds exports on disk, with their names and versions. Reads no model."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.folder import is_tflite, other_format, visible
from edge.export.locate import find_models
from edge.export.regular_file import refuse_irregular

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

UNVERSIONED = 1
"""The version of an export that is not in a numbered folder."""

_MAX_DEPTH: Final = 16
"""Of the folders above an export; `gsutil` leaves it four deep."""

_MAX_FOLDERS: Final = 2_000
"""That are searched for an export in one entry."""

_MAX_VERSION_DIGITS: Final = 18  # of a 64-bit number, as TensorFlow Serving has it


@dataclass(frozen=True, slots=True)
class Source:
    """One version of a model on disk."""

    name: str
    version: int
    path: Path


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found at a path.

    Attributes:
        sources: the newest version of each model, sorted by name.
        refused: name to the reason, for entries that cannot be exports or cannot be searched.
    """

    sources: list[Source] = field(default_factory=list)
    refused: dict[str, ExportError] = field(default_factory=dict)


def scan(path: Path) -> Scan:
    """Find the newest version of each model at a path.

    The path is an export (folder, zip or TFLite file), a folder of numbered versions (`0001/`, as
    Google's container expects it), or a repository: a folder of these. An empty repository gives an
    empty scan. One odd entry of a repository is refused, and the others are found.

    Raises:
        ExportError: the path itself does not exist, cannot be read, or is no file or folder.
    """
    if not path.exists():
        raise ExportError(path, "there is no such file or folder", "Check the path")
    try:
        if not path.is_dir():
            refuse_irregular(path, path.stat().st_mode)
        if is_export(path):
            return Scan([_newest(path)])
        return _scan_repository(visible(path))
    except OSError as error:
        raise _unreadable(path, error) from error


def _scan_repository(entries: list[Path]) -> Scan:
    by_name: dict[str, list[Source]] = {}
    odd: list[tuple[Path, ExportError]] = []
    for entry in entries:
        try:
            _refuse_name(entry)
            if _holds_export(entry):
                source = _newest(entry)
                by_name.setdefault(source.name, []).append(source)
        except ExportError as error:
            odd.append((entry, error))
        except OSError as error:
            odd.append((entry, _unreadable(entry, error)))
    found = Scan()
    for name, sources in by_name.items():
        if len(sources) == 1:
            found.sources.append(sources[0])
        else:
            found.refused[name] = _same_name(sources)
    for entry, fault in odd:
        found.refused[_refused_name(entry, by_name)] = fault
    return found


def _same_name(sources: list[Source]) -> ExportError:
    first, second = sources[:2]
    reason = f"{first.path.name} has the same name, so neither is served"
    return ExportError(second.path, reason, "Rename one of them")


def _refused_name(entry: Path, taken: Container[str]) -> str:
    """The name under which an odd entry is refused: a model's, unless another entry has that one.

    A name that cannot be shown is written as Python writes it.
    """
    name = entry.name if entry.stem in taken else entry.stem
    return name if name.isprintable() else ascii(name)


def is_export(path: Path) -> bool:
    """Whether the path itself is one export, rather than a repository of several."""
    if path.is_file():
        return True
    return len(find_models(path)) == 1 or bool(other_format(path)) or bool(_versions(path))


def _holds_export(entry: Path) -> bool:
    """Whether an entry of a repository is an export or a folder with an export at any depth.

    `gsutil cp -r` leaves an export several folders deep.

    Raises:
        ExportError: it is no file or folder, such as a FIFO or a link to nothing; or it is too deep
            or too large to be searched.
    """
    mode = _mode(entry)
    if not stat.S_ISDIR(mode):
        refuse_irregular(entry, mode)
        return is_tflite(entry) or entry.suffix.lower() == ".zip"
    return _folder_holds_export(entry)


def _folder_holds_export(entry: Path) -> bool:
    ahead = [(entry, 0)]
    searched: set[tuple[int, int]] = set()
    while ahead:
        folder, depth = ahead.pop()
        status = folder.stat()
        identity = status.st_dev, status.st_ino
        if identity in searched:  # a link that leads back
            continue
        searched.add(identity)
        if is_export(folder):
            return True
        if depth == _MAX_DEPTH or len(searched) > _MAX_FOLDERS:
            reason = f"no export was found {depth} folders deep in {len(searched)} folders"
            raise ExportError(entry, reason, "Put the export's own folder there")
        below = [path for path in visible(folder) if path.is_dir()]
        ahead += [(path, depth + 1) for path in reversed(below)]
    return False


def _mode(entry: Path) -> int:
    try:
        return entry.stat().st_mode
    except FileNotFoundError:
        reason = "it is a link to something that is not there"
        raise ExportError(entry, reason, "Correct the link or remove it") from None


def _refuse_name(entry: Path) -> None:
    """Refuse a name that cannot be shown or asked for: not UTF-8, or with control characters."""
    if not entry.name.isprintable():
        reason = "its name is not UTF-8 or has characters that cannot be shown"
        raise ExportError(repr(str(entry)), reason, "Rename it")


def _unreadable(path: Path, error: OSError) -> ExportError:
    reason = f"it cannot be read ({error.strerror or error})"
    return ExportError(path, reason, "Check the folder and its permissions")


def _newest(path: Path) -> Source:
    # Only `.` and `..` need resolving: a symbolic link gives the model its own name.
    named = path.resolve() if path.name in {"", ".."} else path
    versions = _versions(path)
    if versions:
        newest = max(versions)
        return Source(named.name, newest, versions[newest])
    name = named.stem if path.is_file() else named.name
    return Source(name, UNVERSIONED, path)


def _versions(path: Path) -> dict[int, Path]:
    """Version to folder, if the path has no model itself but numbered folders that have one."""
    if not path.is_dir() or find_models(path):
        return {}
    versions = {}
    for entry in visible(path):
        is_number = entry.name.isdecimal() and entry.name.isascii()
        is_version = is_number and len(entry.name) <= _MAX_VERSION_DIGITS
        if is_version and entry.is_dir() and find_models(entry):
            versions[int(entry.name)] = entry
    return versions
