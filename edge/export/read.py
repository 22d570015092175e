"""The entry point: turns a folder, a zip or a single file into an `Export` with its contract."""

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
from edge.export.folder import SAVED_MODEL, is_tflite
from edge.export.locate import find_model
from edge.export.model_toml import check_labels

if TYPE_CHECKING:
    from edge.export.locate import FoundModel
    from edge.model.contract import Contract


class UnpackedZip:
    """A temporary folder, removed with this value, or when the process ends."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-export-"))
        self.cleanup = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Export:
    """An export that was read and is consistent.

    Attributes:
        path: what the user named.
        model: the TFLite file, or the folder of the SavedModel.
        family: name of the tool and the format that it was made with.
        digest: SHA-256 in hex of the TFLite file or of `saved_model.pb`, as `sha256sum` prints it.
        unpacked: the folder that a zip was unpacked to; ``None`` if the export is not a zip.
    """

    path: Path
    model: Path
    family: str
    contract: Contract
    digest: str
    unpacked: UnpackedZip | None = None


def read_export(path: Path) -> Export:
    """Read an export.

    Args:
        path: the folder that a tool exported, a zip of it, a TFLite file, or a `saved_model.pb`.

    Raises:
        ExportError: missing, unreadable or refused; names the file, the reason and the remedy.
    """
    try:
        if not path.exists():
            raise ExportError(path, "there is no such file or folder", "Check the path.")
        if zipfile.is_zipfile(path) and not is_tflite(path):
            return _read_zip(path)
        return _read(path, find_model(path))
    except OSError as error:
        reason = f"it cannot be read ({error.strerror or error})"
        raise ExportError(path, reason, "Check the file and its permissions.") from error


def _read_zip(path: Path) -> Export:
    unpacked = UnpackedZip()
    try:
        unpack(path, unpacked.folder)
        return _read(path, find_model(unpacked.folder), unpacked)
    except ExportError as error:
        unpacked.cleanup()
        file = error.file
        if file != str(path):  # name the file as the zip calls it, without the temporary folder
            file = f"{path}!{file.removeprefix(str(unpacked.folder)).lstrip('/')}"
        raise ExportError(file, error.reason, error.remedy) from None


def _read(path: Path, model: FoundModel, unpacked: UnpackedZip | None = None) -> Export:
    contract = model.read()
    if contract.labels is not None:
        check_labels(contract.tuning, contract.labels, model.folder)
    return Export(path, model.path, model.family.NAME, contract, _digest(model.path), unpacked)


def _digest(model: Path) -> str:
    file = model / SAVED_MODEL if model.is_dir() else model
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
