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
    (b"\x1f\x8b", "gzip data (send them unpacked)"),
    (b"HTTP/", "a whole HTTP response (send its body alone)"),
    (b"\x1aE\xdf\xa3", "a WebM or Matroska video"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000 image"),
)


_UNCOMPRESSED = (b"BM", b"II", b"MM")
_HEAD_BYTES = 1_024
_MIN_CURL_BYTES = 1_024
"""Compressed bytes of which one in a thousand files has no line break by chance."""


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
        f"These bytes are {_looks_like(bytes(data[:_HEAD_BYTES]))}, not an image in a supported "
        f"format. {_ADVICE}"
    )


def stripped_advice(data: bytes) -> str:
    """What to do if the bytes have lost their line breaks, as `curl -d @photo.jpg` sends them.

    Returns:
        A sentence to append to an error, or nothing.
    """
    is_binary = any(byte > 127 for byte in data[:_HEAD_BYTES])  # noqa: PLR2004 -- no ASCII
    if len(data) < _MIN_CURL_BYTES or not is_binary or b"\n" in data or b"\r" in data:
        return ""
    if data.startswith(_UNCOMPRESSED) and b"\0" in data:  # curl takes zeros out as well
        return ""
    return (
        " It has no line breaks at all, which `curl -d` takes out of a file: "
        "send it with `curl --data-binary @photo.jpg`."
    )


def _looks_like(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        brand = head[8:12].decode("ascii", "replace")
        return f"an HEIC, AVIF or MP4 file (brand {brand!r})"
    text = head.lstrip()
    for magic, words in _FOREIGN:
        if text.startswith(magic):
            return words
    if text.startswith((b"--", b"Content-", b"content-")):
        return _looks_like_part(text.lower())
    start = head.find(b"\xff\xd8\xff")
    if start > 0:
        return f"a JPEG behind {start} other bytes (send it without them)"
    return f"of an unknown format (they start with {head[:8].hex(' ')})"


def _looks_like_part(head: bytes) -> str:
    if b"form-data" in head:
        return (
            "a multipart form without its header (send Content-Type: multipart/form-data with the "
            "boundary, or the image alone)"
        )
    return (
        "a part of an MJPEG or multipart stream (send the image alone, which begins behind the "
        "empty line)"
    )
