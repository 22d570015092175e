"""A model whose file has a few changed bytes, which ended every process that opened it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_EDITS: Final = {4706648: 128, 4706649: 0, 4706650: 0, 4706651: 0}


def plant_damaged(folder: Path, embedded: Path) -> None:
    """Write the embedded classifier to a folder, with the bytes changed that abort LiteRT."""
    folder.mkdir(parents=True)
    content = bytearray((embedded / "imagenet" / "model.tflite").read_bytes())
    for offset, value in _EDITS.items():
        content[offset] = value
    (folder / "model.tflite").write_bytes(content)
    labels = (embedded / "imagenet" / "dict.txt").read_bytes()
    (folder / "dict.txt").write_bytes(labels)
