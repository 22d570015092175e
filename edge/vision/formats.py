"""Recognises image formats by their first bytes."""

from __future__ import annotations

from edge.errors import CorruptImage, UnsupportedImage

_ADVICE = "Send JPEG, PNG, WebP, BMP, GIF or TIFF."

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)

_FOREIGN = (
    (b"%PDF", "a PDF document"),
    (b"{", "JSON text"),
    (b"[", "JSON text"),
    (b"<", "HTML, SVG or XML text"),
    (b"data:", "a data URL (send its decoded bytes)"),
    (b"/9j/", "base64 text of a JPEG (send the decoded bytes)"),
    (b"iVBOR", "base64 text of a PNG (send the decoded bytes)"),
    (b"PK\x03\x04", "a zip file"),
    (b"\x1aE\xdf\xa3", "a WebM or Matroska video"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000 image"),
)


def sniff(data: bytes | memoryview) -> str:
    """Return Pillow's name of the format.

    Raises:
        CorruptImage: there are no bytes.
        UnsupportedImage: the bytes start like something else; the message says what it looks like.
    """
    head = bytes(data[:16])
    if not head:
        raise CorruptImage("The image is empty: no bytes arrived.")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    for magic, name in _SIGNATURES:
        if head.startswith(magic):
            return name
    raise UnsupportedImage(
        f"These bytes are {_looks_like(head)}, not an image in a supported format. {_ADVICE}"
    )


def _looks_like(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        brand = head[8:12].decode("ascii", "replace")
        return f"an HEIC, AVIF or MP4 file (brand {brand!r})"
    for magic, words in _FOREIGN:
        if head.lstrip().startswith(magic):
            return words
    return f"of an unknown format (they start with {head[:8].hex(' ')})"
