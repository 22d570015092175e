"""Finds exports on disk, with their names and versions. Reads no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import ExportError
from edge.export.folder import is_tflite, other_format, visible
from edge.export.locate import find_models

if TYPE_CHECKING:
    from pathlib import Path

UNVERSIONED = 1
"""The version of an export that is not in a numbered folder."""


@dataclass(frozen=True, slots=True)
class Source:
    """One version of a model on disk."""

    name: str
    version: int
    path: Path


def scan(path: Path) -> list[Source]:
    """Find the newest version of each model at a path, sorted by name.

    The path is an export (folder, zip or TFLite file), a folder of numbered versions (`0001/`, as
    Google's container expects it), or a repository: a folder of these. An empty repository gives an
    empty list.

    Raises:
        ExportError: the path does not exist or cannot be read, or two entries have the same name.
    """
    if not path.exists():
        raise ExportError(path, "there is no such file or folder", "Check the path")
    try:
        return _scan(path)
    except OSError as error:
        raise ExportError(
            path,
            f"it cannot be read ({error.strerror or error})",
            "Check the folder and its permissions",
        ) from error


def _scan(path: Path) -> list[Source]:
    if is_export(path):
        return [_newest(path)]
    sources: dict[str, Source] = {}
    for entry in visible(path):
        if _holds_export(entry):
            source = _newest(entry)
            if source.name in sources:
                raise ExportError(
                    entry,
                    f"{sources[source.name].path.name} has the same name",
                    "Rename one of them",
                )
            sources[source.name] = source
    return list(sources.values())


def is_export(path: Path) -> bool:
    """Whether the path itself is one export, rather than a repository of several."""
    if path.is_file():
        return True
    return len(find_models(path)) == 1 or bool(other_format(path)) or bool(_versions(path))


def _holds_export(entry: Path) -> bool:
    """Whether an entry of a repository is an export or a folder with an export at any depth.

    `gsutil cp -r` leaves an export several folders deep.
    """
    if entry.is_file():
        return is_tflite(entry) or entry.suffix.lower() == ".zip"
    if is_export(entry):
        return True
    folders = [below for below in visible(entry) if below.is_dir()]
    return any(_holds_export(folder) for folder in folders)


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
        if is_number and entry.is_dir() and find_models(entry):
            versions[int(entry.name)] = entry
    return versions
