"""The JPEGs of a run: the shipped photos in the sizes of a webcam, a full-HD camera and a phone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.vision.encode import enlarged_jpeg
from edge.wiring.bootstrap import embedded_models

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


WEBCAM, FULL_HD, TELEPHONE = SIZES = (Size(640, 480), Size(1920, 1080), Size(4032, 3024))


def make_frames() -> dict[Size, Sequence[bytes]]:
    """Encode every shipped photo in every size: JPEGs of about 60 KB, 300 KB and 1.6 MB."""
    photos = [path.read_bytes() for path in sorted((embedded_models() / "photos").glob("*.jpg"))]
    return {
        size: [enlarged_jpeg(photo, size.width, size.height) for photo in photos] for size in SIZES
    }
