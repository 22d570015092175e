"""A decoded image: upright RGB pixels and the bytes they were decoded from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from edge.frame_key import digest_of

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Frame:
    """A decoded image.

    Attributes:
        pixels: upright, mode RGB. Smaller than the original if a JPEG was decoded at a reduced
            scale.
        width: of the upright original, in pixels.
        height: of the upright original, in pixels.
        encoded: the original bytes.
    """

    pixels: Image.Image
    width: int
    height: int
    encoded: bytes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the original bytes, in hex; computed on first use (2 ms for a 12 Mpx JPEG)."""
        return digest_of(self.encoded)
