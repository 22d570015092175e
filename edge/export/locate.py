"""Finds the model among the files of a folder, whatever it is called, and names the exports that are not served."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edge.errors import ExportError
from edge.export.flatbuffer import IDENTIFIER

if TYPE_CHECKING:
    from pathlib import Path

SAVED_MODEL = "saved_model.pb"

_OTHER_FORMATS = (
    (("model.json",), "a TensorFlow.js export"),
    ((".mlmodel", ".mlpackage", ".mlmodelc"), "a Core ML export"),
    ((".onnx",), "an ONNX model"),
    ((".h5", ".keras"), "a Keras model"),
)
_REMEDY = 'Export the model again from Vertex AI as "TFLite" or "Container"'


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, by name, without what systems and archivers leave behind."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "__MACOSX")))


def models_in(folder: Path) -> list[Path]:
    """The models directly in a folder: TFLite files, or the folder itself where it is a SavedModel.

    Of several TFLite files the one that `manifest.json` names is it; an Edge TPU build gives way to a plain one.
    """
    files = [entry for entry in visible(folder) if entry.is_file()]
    tflite = [file for file in files if is_tflite(file)]
    if len(tflite) > 1:
        named = _manifest_model(folder)
        plain = [file for file in tflite if "edgetpu" not in file.name.lower()]
        tflite = [file for file in tflite if file.name == named] or plain or tflite
    saved_model = [folder] if (folder / SAVED_MODEL).is_file() else []
    return tflite or saved_model


def find_model(folder: Path) -> Path:
    """The one model in a folder or in the only folder below it.

    Returns:
        A TFLite file, or the folder of a SavedModel.

    Raises:
        ExportError: none, several, or a format that is not served.
    """
    while True:
        models = models_in(folder)
        if len(models) == 1:
            return models[0]
        if models:
            names = ", ".join(model.name for model in models)
            raise ExportError(folder, f"it holds several models: {names}", "Name the one to serve, or split them up")
        below = [entry for entry in visible(folder) if entry.is_dir() and not is_foreign(entry)]
        if len(below) != 1 or is_foreign(folder):
            raise _nothing(folder)
        folder = below[0]


def is_tflite(file: Path) -> bool:
    """Whether a file is a TFLite model by its name, or by its first bytes where it has been renamed."""
    if file.suffix.lower() in {".tflite", ".lite"}:
        return True
    if file.suffix.lower() in {".txt", ".json", ".toml", ".pbtxt", ".zip", ".jpg", ".jpeg", ".png", ".pb"}:
        return False
    try:
        with file.open("rb") as stream:
            return stream.read(8)[4:] == IDENTIFIER
    except OSError:
        return False


def is_foreign(path: Path) -> str | None:
    """What other export a file or folder is or a folder holds, in words; ``None`` where it is none."""
    names = [path.name, *((entry.name for entry in visible(path)) if path.is_dir() else ())]
    for endings, words in _OTHER_FORMATS:
        if any(name.lower().endswith(endings) for name in names):
            return words
    return None


def _manifest_model(folder: Path) -> str | None:
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return manifest.get("modelFile") if isinstance(manifest, dict) else None


def _nothing(folder: Path) -> ExportError:
    if foreign := is_foreign(folder):
        return ExportError(folder, f"it is {foreign}, which is not served here", _REMEDY)
    renamed = [entry.name for entry in visible(folder) if entry.suffix == ".pb"]
    if renamed:
        return ExportError(folder, f"it holds {renamed[0]}, but no {SAVED_MODEL}", f"Rename the file to {SAVED_MODEL}")
    names = ", ".join(entry.name for entry in visible(folder)[:10])
    return ExportError(folder, f"no model is in it ({names or 'it is empty'})", _REMEDY)
