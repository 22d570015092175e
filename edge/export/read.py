"""The entry point: turns a folder, a zip or a single file into an `Export` with its contract."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.archive import unpack
from edge.export.folder import SAVED_MODEL, is_tflite
from edge.export.locate import find_model
from edge.export.model_toml import check_labels
from edge.export.regular_file import open_regular, refuse_irregular

if TYPE_CHECKING:
    from edge.export.locate import FoundModel
    from edge.model.contract import Contract

_MAX_SHOWN_OPERATORS: Final = 5


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


def read_export(path: Path, *, allow_unsafe: bool = False) -> Export:
    """Read an export.

    Args:
        path: the folder that a tool exported, a zip of it, a TFLite file, or a `saved_model.pb`.
        allow_unsafe: take a model whose operators reach outside of it; the contract's notes then
            name them.

    Raises:
        ExportError: missing, unreadable or refused; names the file, the reason and the remedy.
    """
    try:
        _refuse_odd(path)
        if path.is_file() and _is_zip(path) and not is_tflite(path):
            return _read_zip(path, allow_unsafe=allow_unsafe)
        return _read(path, find_model(path), allow_unsafe=allow_unsafe)
    except OSError as error:
        reason = f"it cannot be read ({error.strerror or error})"
        raise ExportError(path, reason, "Check the file and its permissions.") from error
    except ExportError:
        raise
    except Exception as error:  # whatever an odd export makes of the readers, it alone is refused
        reason = f"it cannot be read ({type(error).__name__}: {error})"
        raise ExportError(path, reason, "Download or copy the export again.") from error


def _refuse_odd(path: Path) -> None:
    """Refuse what is neither a folder nor a regular file, before anything opens it."""
    if not path.exists():
        raise ExportError(path, "there is no such file or folder", "Check the path.")
    if not path.is_dir():
        refuse_irregular(path, path.stat().st_mode)


def _is_zip(path: Path) -> bool:
    with open_regular(path) as stream:
        return zipfile.is_zipfile(stream)


def _read_zip(path: Path, *, allow_unsafe: bool) -> Export:
    unpacked = UnpackedZip()
    try:
        unpack(path, unpacked.folder)
        return _read(path, find_model(unpacked.folder), unpacked, allow_unsafe=allow_unsafe)
    except ExportError as error:
        unpacked.cleanup()
        file = error.file
        if file != str(path):  # name the file as the zip calls it, without the temporary folder
            file = f"{path}!{file.removeprefix(str(unpacked.folder)).lstrip('/')}"
        raise ExportError(file, error.reason, error.remedy) from None


def _read(
    path: Path, model: FoundModel, unpacked: UnpackedZip | None = None, *, allow_unsafe: bool
) -> Export:
    contract = model.read()
    if contract.unsafe_operators and not allow_unsafe:
        raise _unsafe(model.path, contract.unsafe_operators)
    if contract.labels is not None:
        check_labels(contract.tuning, contract.labels, model.folder)
    return Export(path, model.path, model.family.NAME, contract, _digest(model.path), unpacked)


def _unsafe(model: Path, operators: tuple[str, ...]) -> ExportError:
    shown = ", ".join(operators[:_MAX_SHOWN_OPERATORS])
    if len(operators) > _MAX_SHOWN_OPERATORS:
        shown += f" and {len(operators) - _MAX_SHOWN_OPERATORS} more"
    return ExportError(
        model,
        f"its graph uses {shown}: no image model needs that, and it may reach files, processes, "
        "the network or Python of this machine",
        "Remove the model unless you know who made it. If you trust it as you trust a program, "
        "set EDGE_ALLOW_UNSAFE_MODELS=true",
    )


def _digest(model: Path) -> str:
    file = model / SAVED_MODEL if model.is_dir() else model
    with open_regular(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
