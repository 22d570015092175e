"""Which tool a folder without a served model is from, so that remedies name that tool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edge.errors import ExportError
from edge.export.folder import visible
from edge.export.label_text import is_numbered_in_order
from edge.export.labels import split_lines
from edge.export.text_file import read_json, read_text

if TYPE_CHECKING:
    from pathlib import Path

TEACHABLE_MACHINE: Final = "Teachable Machine"
AUTOML: Final = "AutoML"

_AUTOML_FILES: Final = {"dict.txt", "tflite_metadata.json"}
_TEACHABLE_MACHINE_FILES: Final = {"keras_model.h5", "model_unquant.tflite", "model.savedmodel"}
_TEACHABLE_MACHINE_PACKAGE: Final = "@teachablemachine/"


def tool_of(path: Path) -> str | None:
    """How the names of the tool's families begin; ``None`` if nothing tells."""
    folder = path if path.is_dir() else path.parent
    names = {entry.name.lower() for entry in visible(folder)}
    if names & _TEACHABLE_MACHINE_FILES or _is_teachable_machine(folder):
        return TEACHABLE_MACHINE
    return AUTOML if names & _AUTOML_FILES else None


def _is_teachable_machine(folder: Path) -> bool:
    labels, metadata = folder / "labels.txt", folder / "metadata.json"
    try:
        if labels.is_file() and is_numbered_in_order(split_lines(read_text(labels))):
            return True
        about: Any = read_json(metadata) if metadata.is_file() else None
    except (ExportError, OSError):
        return False
    package = about.get("packageName") if isinstance(about, dict) else None
    return isinstance(package, str) and package.startswith(_TEACHABLE_MACHINE_PACKAGE)
