"""Which files are pictures, by their names: what `decode` reads, and what people take it for."""

from __future__ import annotations

from typing import Final

READABLE_SUFFIXES: Final = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".jif",
        ".jfi",
        ".png",
        ".apng",
        ".webp",
        ".bmp",
        ".dib",
        ".gif",
        ".tif",
        ".tiff",
    ]
)
"""In lower case."""

UNREADABLE_SUFFIXES: Final = frozenset({".heic", ".heif", ".avif", ".jxl"})
"""Photos that are not read: each is an error of its own, rather than silently missing."""


MAX_BYTES: Final = 512 << 20
"""Of one picture. An uncompressed one of 50 megapixels has 400 MB at most; a device such as
/dev/zero has no end."""


def is_left_behind(name: str) -> bool:
    """Whether a system or an archiver made it, rather than a camera.

    macOS leaves a `._photo.jpg` next to each photo on a disk of another system.
    """
    return name.startswith(".") or name == "__MACOSX"
