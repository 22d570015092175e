"""Remembers which models were proven, so that each is tried once and not at every start."""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import platform
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from edge.model.contract import Format

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)

PROOF_VERSION: Final = 1
"""Raised when a proof is to cover more than before: every model is then proven again."""

_PACKAGES: Final[dict[Format, tuple[str, ...]]] = {
    Format.TFLITE: ("ai-edge-litert",),
    Format.SAVED_MODEL: ("tensorflow", "tensorflow-cpu"),
}
_MAX_RECORDS: Final = 256


class ProofRecord:
    """A folder with an empty file for each proof.

    The file's name is a digest of all that the proof holds for: the model's files, the runtime and
    its version, the kind of processor, and `PROOF_VERSION`. So nothing in it can be out of date. A
    folder that cannot be written remembers nothing, and models are proven at each start.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, digest: str, kind: Format) -> bool:
        """Whether the model with that SHA-256 was proven."""
        name = _name(digest, kind)
        if name is None:
            return False
        try:
            return (self._folder / name).is_file()
        except OSError as error:
            _log.debug("proofs in %s cannot be read: %s", self._folder, error)
            return False

    def add(self, digest: str, kind: Format) -> None:
        """Remember that a model was proven; forgets the oldest of more than 256."""
        name = _name(digest, kind)
        if name is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / name).touch()
            self._forget_oldest()
        except OSError as error:
            _log.debug("proofs in %s cannot be kept: %s", self._folder, error)

    def _forget_oldest(self) -> None:
        files = list(self._folder.iterdir())
        if len(files) <= _MAX_RECORDS:
            return
        files.sort(key=lambda file: file.stat().st_mtime)
        for file in files[:-_MAX_RECORDS]:
            file.unlink(missing_ok=True)


def _name(digest: str, kind: Format) -> str | None:
    """The record's file name; ``None`` if the runtime's version is not known."""
    for package in _PACKAGES[kind]:
        with suppress(importlib.metadata.PackageNotFoundError):
            version = importlib.metadata.version(package)
            facts = (digest, package, version, platform.machine(), str(PROOF_VERSION))
            return hashlib.sha256("\n".join(facts).encode()).hexdigest()
    return None
