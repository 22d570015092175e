"""Where a container's models are: the mount points of the image, and mounts with a wrong name."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.folder import SAVED_MODEL
from edge.repository.source import scan

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOUNTS: Final = "proc/self/mountinfo"
_NOT_A_DISK: Final = frozenset(
    {"proc", "sysfs", "tmpfs", "devtmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "securityfs"}
)
_SYSTEM: Final = ("/etc", "/dev", "/proc", "/sys", "/run", "/var", "/usr", "/lib", "/boot")
"""Where Docker, Kubernetes and owners mount what is no model: names, secrets, the time zone."""

_MODEL_WORD: Final = re.compile(r"model|export|tflite|weights|automl", re.IGNORECASE)
_NAMES: Final = ("model", "models", "export", "exports", "mounted_model", "mnt")
_SIMILARITY: Final = 0.75  # `mdoels` and `modles` to `models`: 0.83

_MAX_ENTRIES: Final = 2_000  # of a mount that are looked at: a folder of photos has any number
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


def chosen_mount(mounts: Iterable[Path]) -> Path | None:
    """The first mount point that holds an export, else the first that exists.

    An export that is refused counts: what was mounted to be served is reported, not passed over.
    """
    present = [mount for mount in mounts if mount.exists()]
    for mount in present:
        try:
            found = scan(mount)
        except ExportError:
            return mount
        if found.sources or found.refused:
            return mount
    return present[0] if present else None


def misplaced_mount(root: Path, data: Path | None) -> Path | None:
    """A mount that looks like a model's, among those at places where none is looked for.

    Args:
        root: the folder that holds `proc`, and below which the mounts are.
        data: the service's own folder.
    """
    for point in mount_points(root):
        is_known = point == Path("/") or any(point.is_relative_to(one) for one in _SYSTEM)
        is_ours = data is not None and point.is_relative_to(data)
        if not is_known and not is_ours and _looks_like_models(point, root):
            return point
    return None


def mount_points(root: Path) -> list[Path]:
    """Where something from a disk is mounted, as proc(5) lists it; none where it has no list."""
    try:
        lines = (root / _MOUNTS).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    points = []
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) > 4 and after.split(" ")[0] not in _NOT_A_DISK:  # noqa: PLR2004 -- proc(5)
            points.append(Path(_OCTAL.sub(lambda found: chr(int(found[1], 8)), fields[4])))
    return points


def _looks_like_models(point: Path, root: Path) -> bool:
    if any(_is_model_name(part) for part in point.parts[1:]):
        return True
    place = root / str(point).lstrip("/")
    return _is_model_file(point.name) if place.is_file() else _holds_model(place)


def _is_model_name(part: str) -> bool:
    word = part.lower()
    return bool(
        _MODEL_WORD.search(word) or difflib.get_close_matches(word, _NAMES, n=1, cutoff=_SIMILARITY)
    )


def _is_model_file(name: str) -> bool:
    return name == SAVED_MODEL or name.endswith((".tflite", ".zip"))


def _holds_model(folder: Path) -> bool:
    looked_at = 0
    for _, folders, files in os.walk(folder):
        looked_at += len(folders) + len(files)
        if any(map(_is_model_file, files)):
            return True
        if looked_at > _MAX_ENTRIES:
            return False
    return False
