"""Finds the model at a path and the family that reads it, or says why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.family import FAMILIES
from edge.export.folder import SAVED_MODEL, other_format, visible
from edge.export.odd_file import describe_odd_file
from edge.export.regular_file import MAX_MODEL_BYTES, read_bounded
from edge.export.saved_model_signatures import is_frozen_graph
from edge.export.tool_marks import tool_of

if TYPE_CHECKING:
    from pathlib import Path

    from edge.export.family import Family
    from edge.model.contract import Contract


_MAX_LISTED: Final = 20
_MAX_FOLDERS: Final = 200  # that are looked into for exports, to list them


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
    found = [FoundModel(model, claims[model]) for model in sorted(claims)]
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
            first = models[0].path
            remedy = f"Name the one to serve, such as {first}, or split them up"
            raise ExportError(path, reason, remedy)
        if not path.is_dir():
            raise _not_a_model(path)
        below = [entry for entry in visible(path) if entry.is_dir() and not other_format(entry)]
        if len(below) != 1 or other_format(path):
            raise _several_exports(path, below) or _no_model_in(path)
        path = below[0]


def _several_exports(folder: Path, below: list[Path]) -> ExportError | None:
    """The refusal of a folder of exports, which names them; ``None`` if it is none."""
    names = [file.name for file in visible(folder) if file.suffix.lower() == ".zip"]
    for entry in below[:_MAX_FOLDERS]:
        described = _describe_export(entry)
        if described:
            names.append(described)
    if not names:
        return None
    shown = ", ".join(names[:_MAX_LISTED])
    if len(names) > _MAX_LISTED:
        shown += f" and {len(names) - _MAX_LISTED} more"
    count = "several exports" if len(names) > 1 else "an export"
    reason = f"it is no export itself, but holds {count}: {shown}"
    return ExportError(folder, reason, "Name one of them; --models takes the folder of all")


def _describe_export(folder: Path) -> str | None:
    """Name and family of what is found in a folder, or in the only folder below it."""
    name = folder.name
    try:
        while not (models := find_models(folder)):
            below = [entry for entry in visible(folder) if entry.is_dir()]
            if len(below) != 1:
                return None
            folder = below[0]
    except (ExportError, OSError):
        return f"{name} (refused)"
    families = {model.family.NAME for model in models}
    return f"{name} ({', '.join(sorted(families))})"


def _export_again(path: Path) -> str:
    """What to do, in the words of the tool that made the export if its files tell which."""
    tool = tool_of(path)
    families = [family for family in FAMILIES if tool is None or family.NAME.startswith(tool)]
    ways = " or ".join(family.HOW_TO_EXPORT for family in families)
    return f"Export the model again {ways}"


def _not_a_model(file: Path) -> ExportError:
    if words := other_format(file):
        return ExportError(file, f"it is {words}, which is not served here", _export_again(file))
    if _is_frozen_graph(file):
        return _frozen_graph(file)
    if odd := describe_odd_file(file):
        what, remedy = odd
        return ExportError(file, f"it is {what}", remedy)
    return ExportError(
        file,
        "it is truncated or not a TFLite file: it does not start as one does",
        "Download or copy the export again",
    )


def _no_model_in(folder: Path) -> ExportError:
    again = _export_again(folder)
    if words := other_format(folder):
        return ExportError(folder, f"it is {words}, which is not served here", again)
    entries = visible(folder)
    renamed = [entry for entry in entries if entry.suffix == ".pb"]
    if renamed and _is_frozen_graph(renamed[0]):
        return _frozen_graph(renamed[0])
    if renamed:
        reason = f"it holds {renamed[0].name}, but no {SAVED_MODEL}"
        return ExportError(folder, reason, f"Rename the file to {SAVED_MODEL}")
    names = ", ".join(entry.name for entry in entries[:10])
    return ExportError(folder, f"no model is in it ({names or 'it is empty'})", again)


def _is_frozen_graph(file: Path) -> bool:
    return file.suffix == ".pb" and is_frozen_graph(memoryview(read_bounded(file, MAX_MODEL_BYTES)))


def _frozen_graph(file: Path) -> ExportError:
    reason = "it is a frozen graph of TensorFlow 1: it does not say what its inputs and outputs are"
    remedy = "Export the model again as SavedModel or TFLite, with the tool that made it"
    return ExportError(file, reason, remedy)
