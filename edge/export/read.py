"""The one way in: what AutoML gave the user (folder, zip, single file) to an `Export` with its contract."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import ExportError
from edge.export.archive import unpack
from edge.export.families.automl_saved_model import read_saved_model
from edge.export.families.automl_tflite import read_tflite
from edge.export.labels import find_label_file
from edge.export.locate import SAVED_MODEL, find_model, is_foreign, is_tflite, models_in
from edge.export.model_toml import check_labels, read_tuning

if TYPE_CHECKING:
    from edge.model.contract import Contract


class UnpackedZip:
    """A temporary folder that goes with this value, or with the process at the latest."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-export-"))
        self.cleanup = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Export:
    """An export that was read and found consistent.

    Attributes:
        path: what the user named.
        model: the TFLite file, or the folder of the SavedModel.
        digest: SHA-256 in hex of the TFLite file or of `saved_model.pb`, as `sha256sum` prints it.
        unpacked: the folder a zip was unpacked to; it is removed with this value.
    """

    path: Path
    model: Path
    contract: Contract
    digest: str
    unpacked: UnpackedZip | None = None


def read_export(path: Path) -> Export:
    """Read an export.

    Args:
        path: the folder AutoML gave, a zip of it, a single TFLite file, or a `saved_model.pb`.

    Raises:
        ExportError: it is not there, cannot be read, or is refused; says the file, the reason and what to do.
    """
    try:
        if path.is_dir():
            return _read(path, find_model(path))
        if not path.exists():
            raise ExportError(path, "there is no such file or folder", "Check the path.")
        if zipfile.is_zipfile(path) and not is_tflite(path):
            return _read_zip(path)
        if path.name == SAVED_MODEL:
            return _read(path, path.parent)
        if foreign := is_foreign(path):
            raise ExportError(path, f"it is {foreign}, which is not served here", 'Export the model again as "TFLite".')
        return _read(path, path)
    except OSError as error:
        raise ExportError(
            path, f"it cannot be read ({error.strerror or error})", "Check the file and who may read it."
        ) from error


def _read_zip(path: Path) -> Export:
    unpacked = UnpackedZip()
    try:
        unpack(path, unpacked.folder)
        return _read(path, find_model(unpacked.folder), unpacked)
    except ExportError as error:
        unpacked.cleanup()
        inside = error.file.removeprefix(str(unpacked.folder)).lstrip("/")
        raise ExportError(f"{path}!{inside}" if error.file != str(path) else path, error.reason, error.remedy) from None


def _read(path: Path, model: Path, unpacked: UnpackedZip | None = None) -> Export:
    folder = model if model.is_dir() else model.parent
    tuning = read_tuning(folder)
    label_file = find_label_file(folder) if len(models_in(folder)) == 1 else None
    if model.is_dir():
        contract = read_saved_model(model, label_file, tuning)
        digest = _sha256((model / SAVED_MODEL).read_bytes())
    else:
        data = model.read_bytes()
        contract = read_tflite(model, data, label_file, tuning)
        digest = _sha256(data)
    if contract.labels is not None:
        check_labels(tuning, contract.labels, folder)
    return Export(path, model, contract, digest, unpacked)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
