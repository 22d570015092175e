"""Writes a model to disk in the layout of AutoML's TFLite exports, with our side files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHECKSUMS: Final = "CHECKSUMS.sha256"


@dataclass(frozen=True)
class Export:
    """What one model folder holds."""

    model: bytes
    labels: tuple[str, ...]
    metadata: dict[str, object]
    settings: str
    licence: str

    def write(self, folder: Path) -> None:
        """Writes the folder's files."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.tflite").write_bytes(self.model)
        _write_text(folder / "dict.txt", "".join(f"{label}\n" for label in self.labels))
        _write_text(folder / "tflite_metadata.json", json.dumps(self.metadata, indent=4) + "\n")
        _write_text(folder / "model.toml", self.settings)
        _write_text(folder / "LICENSE", self.licence)


def write_checksums(root: Path, folders: tuple[str, ...]) -> None:
    """Writes the checksums of all files in the folders, in the format of sha256sum."""
    files = sorted(
        path for folder in folders for path in (root / folder).glob("*") if path.is_file()
    )
    _write_text(
        root / CHECKSUMS,
        "".join(f"{_sha256(path)}  {path.relative_to(root).as_posix()}\n" for path in files),
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
