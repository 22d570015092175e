"""What is on disk: an export or a folder of them, as names and versions. Reads no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import ExportError
from edge.export.folder import is_tflite, other_format, visible
from edge.export.locate import find_models

if TYPE_CHECKING:
    from pathlib import Path

UNVERSIONED = 1
"""The version of an export that lies in no numbered folder."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one version of a model lies."""

    name: str
    version: int
    path: Path


def scan(path: Path) -> list[Source]:
    """The models at a path, the newest version of each, by name.

    The path is an export (folder, zip, TFLite file), a folder of numbered versions (`0001/`, as Google's container
    wants it), or a repository: a folder of such. A repository that is empty gives an empty list.

    Raises:
        ExportError: the path is not there, or two entries have the same name.
    """
    if not path.exists():
        raise ExportError(path, "there is no such file or folder", "Check the path.")
    try:
        return _scan(path)
    except OSError as error:
        raise ExportError(
            path, f"it cannot be read ({error.strerror or error})", "Check the folder and who may read it."
        ) from error


def _scan(path: Path) -> list[Source]:
    if is_export(path):
        return [_newest(path)]
    sources: dict[str, Source] = {}
    for entry in visible(path):
        if _holds_export(entry):
            source = _newest(entry)
            if source.name in sources:
                raise ExportError(entry, f"{sources[source.name].path.name} is called the same", "Rename one of them")
            sources[source.name] = source
    return list(sources.values())


def is_export(path: Path) -> bool:
    """Whether the path itself is one export, rather than a repository of several."""
    if path.is_file():
        return True
    return len(find_models(path)) == 1 or bool(other_format(path)) or bool(_versions(path))


def _holds_export(entry: Path) -> bool:
    """Whether an entry of a repository is an export, or a folder with one below it, as `gsutil cp -r` leaves it."""
    if entry.is_file():
        return is_tflite(entry) or entry.suffix.lower() == ".zip"
    return is_export(entry) or any(_holds_export(below) for below in visible(entry) if below.is_dir())


def _newest(path: Path) -> Source:
    named = path if path.name not in {"", ".."} else path.resolve()  # a link is called as the link is
    versions = _versions(path)
    if versions:
        newest = max(versions)
        return Source(named.name, newest, versions[newest])
    return Source(named.stem if path.is_file() else named.name, UNVERSIONED, path)


def _versions(path: Path) -> dict[int, Path]:
    """Version to folder, where a folder holds no model itself but numbered folders that do."""
    if not path.is_dir() or find_models(path):
        return {}
    return {
        int(entry.name): entry
        for entry in visible(path)
        if entry.is_dir() and entry.name.isdecimal() and entry.name.isascii() and find_models(entry)
    }
