"""Finds the SavedModel of the same model next to a TFLite export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.errors import EdgeError, UsageError
from edge.export.folder import SAVED_MODEL
from edge.export.read import read_export

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.export.read import Export

_PATTERNS: Final = (SAVED_MODEL, f"*/{SAVED_MODEL}", f"*/*/{SAVED_MODEL}")
"""In the folder itself, in `saved_model/`, in `saved_model/0001/`."""

_MAX_LOOKED_AT: Final = 32
"""Exports that are read: the folder may be one of many."""


def find_saved_model(export: Export, *, allow_unsafe: bool) -> Export | None:
    """Find the SavedModel of an export, in its folder or in the one that holds it.

    It is of the same task and, if it names its labels, has the same ones.

    Returns:
        ``None`` if there is none, or the export is itself a SavedModel.

    Raises:
        UsageError: there are several.
    """
    if export.model.is_dir() or export.unpacked is not None:
        return None
    folder = export.model.resolve().parent
    for place in (folder, folder.parent):
        found = list(_matching(place, export, allow_unsafe=allow_unsafe))
        if len(found) > 1:
            names = ", ".join(str(one.path) for one in found)
            raise UsageError(f"Several SavedModels are beside it: {names}. Name one: --saved-model")
        if found:
            return found[0]
    return None


def _matching(place: Path, export: Export, *, allow_unsafe: bool) -> Iterator[Export]:
    folders = sorted({file.parent for pattern in _PATTERNS for file in place.glob(pattern)})
    for folder in folders[:_MAX_LOOKED_AT]:
        try:
            found = read_export(folder / SAVED_MODEL, allow_unsafe=allow_unsafe)
        except EdgeError:  # one that is refused is not the one
            continue
        own, other = export.contract, found.contract
        is_same_task = own.task is other.task
        labels = other.labels
        if is_same_task and (labels is None or set(labels) == set(own.labels or ())):
            yield found
