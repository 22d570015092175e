"""Says what a file is that is no export: a picture, a download that was cut, another archive."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Final

from edge.export.regular_file import open_regular

if TYPE_CHECKING:
    from pathlib import Path

_HEAD_BYTES: Final = 512
_ZIP: Final = b"PK\x03\x04"

_ANOTHER: Final = "Name the export: a folder, a zip of it, or a TFLite file"
_PICTURE: Final = (
    f"{_ANOTHER}. To see what a model says of this picture: edge predict --model EXPORT PICTURE"
)
_DOWNLOAD: Final = "Download or copy the export again"
_UNPACK: Final = "Unpack it, and name the folder"

_SIGNATURES: Final = (
    (0, b"\xff\xd8\xff", "a JPEG picture, not a model", _PICTURE),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture, not a model", _PICTURE),
    (0, b"GIF8", "a GIF picture, not a model", _PICTURE),
    (0, b"BM", "a BMP picture, not a model", _PICTURE),
    (0, b"II*\x00", "a TIFF picture, not a model", _PICTURE),
    (0, b"MM\x00*", "a TIFF picture, not a model", _PICTURE),
    (8, b"WEBP", "a WebP picture, not a model", _PICTURE),
    (4, b"ftyp", "an HEIC or AVIF picture or an MP4 video, not a model", _PICTURE),
    (0, b"%PDF", "a PDF document, not a model", _ANOTHER),
    (0, b"\x1f\x8b", "a gzip archive (.tar.gz)", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!", "a RAR archive", _UNPACK),
    (0, b"\xfd7zXZ", "an xz archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"\x89HDF", "a Keras model (HDF5), which is not served", _ANOTHER),
    (0, b"version https://git-lfs", "a Git LFS pointer in place of the file", "Run: git lfs pull"),
)


def describe_odd_file(file: Path) -> tuple[str, str] | None:
    """Say what a file is by its first bytes, and the remedy; ``None`` if they say nothing.

    Only for a file that was found not to be a TFLite model.

    Raises:
        OSError: the file cannot be read.
    """
    with open_regular(file) as stream:
        head = stream.read(_HEAD_BYTES)
        is_whole_zip = head.startswith(_ZIP) and zipfile.is_zipfile(stream)
    if not head:
        return "empty", _DOWNLOAD
    if is_whole_zip:
        return "a zip with another name", "Let its name end in .zip"
    if head.startswith(_ZIP):
        return "a truncated zip: the download or copy was cut", _DOWNLOAD
    for offset, magic, words, remedy in _SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            return words, remedy
    if head.lstrip()[:1] == b"<":
        return "an HTML or XML page, perhaps a sign-in page in place of the file", _DOWNLOAD
    return None
