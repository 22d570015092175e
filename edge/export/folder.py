"""What a folder holds: model files by name and first bytes, `manifest.json`, other formats."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from edge.errors import ExportError
from edge.export.regular_file import open_regular
from edge.export.text_file import read_json
from edge.export.tflite_graph import IDENTIFIER

if TYPE_CHECKING:
    from pathlib import Path

SAVED_MODEL = "saved_model.pb"

MAX_ENTRIES: Final = 10_000
"""Of one folder. Exports have a dozen; one with a million took a second and 300 MB to list."""

_TFLITE_SUFFIXES = {".tflite", ".lite"}
_OTHER_SUFFIXES = {".txt", ".json", ".toml", ".pbtxt", ".zip", ".jpg", ".jpeg", ".png", ".pb"}
_OTHER_FORMATS = (
    (("model.json",), "a TensorFlow.js export"),
    ((".mlmodel", ".mlpackage", ".mlmodelc"), "a Core ML export"),
    ((".onnx",), "an ONNX model"),
    ((".h5", ".keras"), "a Keras model"),
)


def visible(folder: Path) -> list[Path]:
    """The entries of a folder, sorted, without those that systems and archivers leave behind.

    Raises:
        ExportError: it has more than `MAX_ENTRIES`.
        OSError: it cannot be read.
    """
    names: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(names) == MAX_ENTRIES:
                reason = f"it holds more than {MAX_ENTRIES:,} entries"
                raise ExportError(folder, reason, "Keep the export's files there, and no others")
            names.append(entry.name)
    shown = [name for name in names if not name.startswith((".", "__MACOSX"))]
    return [folder / name for name in sorted(shown)]


def is_tflite(file: Path) -> bool:
    """Whether a file is a TFLite model by its name, or by its first bytes if it was renamed."""
    suffix = file.suffix.lower()
    if suffix in _TFLITE_SUFFIXES:
        return True
    if suffix in _OTHER_SUFFIXES:
        return False
    try:
        return starts_as_tflite(file)
    except (OSError, ExportError):
        return False


def starts_as_tflite(file: Path) -> bool:
    """Whether a file's first bytes are a TFLite model's, whatever the file is called."""
    with open_regular(file) as stream:
        return stream.read(8)[4:] == IDENTIFIER


def tflite_models(folder: Path) -> list[Path]:
    """The TFLite files in a folder that may be the one to serve.

    Of several, the one that `manifest.json` names is meant; plain builds go before Edge TPU builds.
    """
    files = [entry for entry in visible(folder) if entry.is_file() and is_tflite(entry)]
    if len(files) <= 1:
        return files
    named_model = None
    # One unreadable manifest must not stop the scan of a whole repository.
    with suppress(OSError, ExportError):
        named_model = read_manifest(folder).get("modelFile")
    named = [file for file in files if file.name == named_model]
    plain = [file for file in files if "edgetpu" not in file.name.lower()]
    return named or plain or files


def read_manifest(folder: Path) -> dict[str, Any]:
    """Firebase's `manifest.json`; empty if there is none, or if it belongs to something else.

    Raises:
        ExportError: it is not JSON, or larger than any manifest.
        OSError: it cannot be read.
    """
    file = folder / "manifest.json"
    if not file.is_file():
        return {}
    manifest = read_json(file)
    return manifest if isinstance(manifest, dict) else {}


def other_format(path: Path) -> str | None:
    """A format that is not served, if a file or folder has it or a folder holds it; in words."""
    names = [path.name]
    if path.is_dir():
        names += [entry.name for entry in visible(path)]
    for endings, words in _OTHER_FORMATS:
        if any(name.lower().endswith(endings) for name in names):
            return words
    return None
