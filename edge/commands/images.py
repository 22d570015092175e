"""What a person names on the command line, to image files: files, folders, patterns."""

from __future__ import annotations

import glob
from pathlib import Path

from edge.errors import UsageError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def find_images(names: tuple[str, ...]) -> list[Path]:
    """The files meant, in order: a file as it is, a folder's images with those below it, a pattern's matches.

    Raises:
        UsageError: a name leads to nothing.
    """
    found: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        elif path.exists():
            files = [path]
        else:
            matches = map(Path, glob.glob(name, recursive=True))  # noqa: PTH207 -- the pattern may be absolute
            files = sorted(match for match in matches if match.is_file())
        if not files:
            raise UsageError(f"No image is at {name}.")
        found += files
    return found
