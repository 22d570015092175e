"""Finds the model at a path and the family that reads it, or says why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import ExportError
from edge.export.family import FAMILIES
from edge.export.folder import SAVED_MODEL, other_format, visible
from edge.export.odd_file import describe_odd_file

if TYPE_CHECKING:
    from pathlib import Path

    from edge.export.family import Family
    from edge.model.contract import Contract


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model, and the family that claims it.

    Attributes:
        path: a TFLite file, or the folder of a SavedModel.
    """

    path: Path
    family: Family

    @property
    def folder(self) -> Path:
        """The folder with the model and its `model.toml`."""
        return self.path if self.path.is_dir() else self.path.parent

    def read(self) -> Contract:
        """The model's contract, as its family reads it."""
        return self.family.read(self.path)


def find_models(path: Path) -> list[FoundModel]:
    """The models directly in a folder, or the one that a file is.

    Each belongs to the first family that claims it. TFLite files go before a SavedModel in the same
    folder.

    Raises:
        ExportError: a family claims the path but refuses it.
        OSError: the path cannot be read.
    """
    claims: dict[Path, Family] = {}
    for family in FAMILIES:
        for model in family.find(path):
            claims.setdefault(model, family)
    found = [FoundModel(model, family) for model, family in claims.items()]
    tflite = [model for model in found if model.path.is_file()]
    return tflite or found


def find_model(path: Path) -> FoundModel:
    """The one model at a path: a file, in a folder, or in the only folder below it.

    Raises:
        ExportError: none, several, or a format that is not served.
        OSError: the path cannot be read.
    """
    while True:
        models = find_models(path)
        if len(models) == 1:
            return models[0]
        if models:
            names = ", ".join(model.path.name for model in models)
            reason = f"it holds several models: {names}"
            raise ExportError(path, reason, "Name the one to serve, or split them up")
        if not path.is_dir():
            raise _not_a_model(path)
        below = [entry for entry in visible(path) if entry.is_dir() and not other_format(entry)]
        if len(below) != 1 or other_format(path):
            raise _no_model_in(path)
        path = below[0]


def _export_again() -> str:
    ways = " or ".join(family.HOW_TO_EXPORT for family in FAMILIES)
    return f"Export the model again {ways}"


def _not_a_model(file: Path) -> ExportError:
    if words := other_format(file):
        return ExportError(file, f"it is {words}, which is not served here", _export_again())
    if odd := describe_odd_file(file):
        what, remedy = odd
        return ExportError(file, f"it is {what}", remedy)
    return ExportError(
        file,
        "it is truncated or not a TFLite file: it does not start as one does",
        "Download or copy the export again",
    )


def _no_model_in(folder: Path) -> ExportError:
    if words := other_format(folder):
        return ExportError(folder, f"it is {words}, which is not served here", _export_again())
    entries = visible(folder)
    renamed = [entry.name for entry in entries if entry.suffix == ".pb"]
    if renamed:
        reason = f"it holds {renamed[0]}, but no {SAVED_MODEL}"
        return ExportError(folder, reason, f"Rename the file to {SAVED_MODEL}")
    names = ", ".join(entry.name for entry in entries[:10])
    return ExportError(folder, f"no model is in it ({names or 'it is empty'})", _export_again())
