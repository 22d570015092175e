"""Pictures to send: the photos that ship, and small ones in every format."""

import functools
import io
import struct
import zlib
from typing import Any

from PIL import ExifTags, Image, ImageOps

from serving.process import MODELS


def photo(name: str) -> bytes:
    """A photo that ships, as JPEG: ``coffee``, ``chelsea`` or ``astronaut``."""
    return (MODELS / "photos" / f"{name}.jpg").read_bytes()


def picture(name: str = "chelsea", size: tuple[int, int] | None = None) -> Image.Image:
    """A photo that ships, as pixels."""
    image = Image.open(io.BytesIO(photo(name))).convert("RGB")
    return image.resize(size) if size else image


def scene(size: tuple[int, int]) -> Image.Image:
    """The cat at the left and bottom of a grey picture of that size."""
    cat = ImageOps.contain(picture("chelsea"), size)
    scene = Image.new("RGB", size, "grey")
    scene.paste(cat, (0, size[1] - cat.height))
    return scene


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def turned(image: Image.Image, orientation: int) -> bytes:
    """A JPEG that looks like the image only when its EXIF orientation 3, 6 or 8 is applied."""
    stored = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return encoded(image.transpose(stored), "JPEG", quality=95, exif=exif)


def every_format(image: Image.Image) -> dict[str, bytes]:
    """The image in each format and in each of the pixel types that cameras and web pages send."""
    palette = image.quantize(64)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    frames = [image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    return {
        "jpeg": encoded(image, "JPEG"),
        "jpeg progressive": encoded(image, "JPEG", progressive=True),
        "jpeg turned": encoded(image, "JPEG", exif=exif),
        "jpeg cmyk": encoded(image.convert("CMYK"), "JPEG"),
        "png": encoded(image, "PNG"),
        "png palette": encoded(palette, "PNG"),
        "png 16 bit": encoded(image.convert("L").convert("I;16"), "PNG"),
        "webp": encoded(image, "WEBP"),
        "webp lossless": encoded(image.convert("RGBA"), "WEBP", lossless=True),
        "bmp": encoded(image, "BMP"),
        "gif": encoded(palette, "GIF"),
        "gif animated": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "tiff": encoded(image, "TIFF", compression="tiff_lzw"),
        "tiff jpeg": encoded(image, "TIFF", compression="jpeg"),
        "tiff turned": encoded(image, "TIFF", exif=exif),
    }


@functools.cache
def png_bomb(width: int = 50_000, height: int = 50_000) -> bytes:
    """A PNG of some hundred kilobytes that claims 7 GB of pixels, and has the first of them."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes((3 * width + 1) * 2000), 9)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    packed = (struct.pack(">I", len(data)) + name + data + _crc(name + data) for name, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _crc(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))
