"""The errors of decoding, in words for strangers."""

from __future__ import annotations

from edge.errors import CorruptImage, OutOfMemory


def out_of_memory() -> OutOfMemory:
    """The error for a `MemoryError`."""
    return OutOfMemory("There is no memory left to decode the image. Try again in a moment.")


def broken(name: str, error: Exception) -> CorruptImage:
    """The error for whatever a decoder of that format raised."""
    words = str(error).strip() or type(error).__name__
    if "cannot identify" in words:  # Pillow's message contains a memory address
        words = "its header is invalid"
    return CorruptImage(f"The {name} image is truncated or broken: {words}.")
