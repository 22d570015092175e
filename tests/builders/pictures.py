"""Every kind of picture that is read, with the pixels it shows; and those that are refused.

The pixels are made with numpy, and the files byte by byte wherever a library would write them as it
reads them. `docs/pictures.md` is the table of these cases.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from builders.bombs import chunk, exif_block, segment
from builders.images import encode
from builders.tiffs import (
    CMYK,
    DEFLATE,
    LZW,
    PACKBITS,
    PALETTE,
    RGB,
    WHITE_IS_ZERO,
    YCBCR,
    Tiff,
)

WIDTH, HEIGHT = 40, 24
_LOSSY = 14
"""Levels that a JPEG of smooth colours may be off."""

Pixels = np.ndarray


@dataclass(frozen=True)
class Picture:
    """A file, and what becomes of it.

    Attributes:
        shown: RGB pixels, if it is answered.
        tolerance: levels of 0..255 that the decoded pixels may be off.
        code: of the error, if it is refused.
        words: that the error contains.
        rule: for the table.
    """

    build: Callable[[], bytes]
    shown: Pixels | None = None
    tolerance: int = 1
    code: str = ""
    words: str = "broken"
    rule: str = ""


def _photo() -> Pixels:
    """Smooth colours that look different mirrored, turned, negative, or with channels swapped."""
    across = np.linspace(0, 1, WIDTH)[None, :].repeat(HEIGHT, 0)
    down = np.linspace(0, 1, HEIGHT)[:, None].repeat(WIDTH, 1)
    return np.stack([across, down, 1 - (across + down) / 2], -1)


PHOTO = _photo()
GREY = (PHOTO @ [0.6, 0.3, 0.1])[..., None]
ALPHA = np.linspace(0, 1, WIDTH)[None, ::-1, None].repeat(HEIGHT, 0)


def samples(image: Pixels, bits: int) -> Pixels:
    """0..1 as whole numbers of that many bits."""
    return np.round(image * ((1 << bits) - 1)).astype(np.int64)


def shown(image: Pixels, bits: int = 8) -> Pixels:
    """What samples of that many bits show: RGB, 0..255."""
    rgb = np.broadcast_to(image, (HEIGHT, WIDTH, 3))
    return np.round(samples(rgb, bits) * (255 / ((1 << bits) - 1)))


def over_white(image: Pixels, alpha: Pixels = ALPHA) -> Pixels:
    """What a picture on a white page shows."""
    return np.round((image * alpha + 1 - alpha) * 255 * np.ones(3))


def _rgb8() -> Pixels:
    return samples(PHOTO, 8).astype(np.uint8)


def _image() -> Image.Image:
    return Image.fromarray(_rgb8())


def inks() -> Pixels:
    """Cyan, magenta, yellow and black of the photo."""
    black = 0.5 * (1 - PHOTO.max(-1, keepdims=True))
    coloured = 1 - PHOTO / (1 - black)
    return np.concatenate([coloured, black], -1)


# TIFF


def _tiff(image: Pixels, bits: int, **options) -> Callable[[], bytes]:
    return lambda: Tiff(samples(image, bits), bits, **options).encode()


def _grey_tiff(bits: int, **options) -> Callable[[], bytes]:
    return _tiff(GREY, bits, **options)


def _in_16(bits: int, tags: dict[int, tuple[int, ...]], said: int = 16) -> Callable[[], bytes]:
    """Samples of fewer bits, each in two bytes."""
    return lambda: Tiff(samples(GREY, bits), 16, said_bits=said, tags=tags).encode()


_INDICES = np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH, 1) % 16
_COLOURS = np.random.default_rng(5).integers(0, 256, (256, 3))
_COLOURS[0] = (10, 200, 90)


def _map(shift: int, count: int) -> dict[int, tuple[int, ...]]:
    return {320: tuple(int(value) << shift for value in _COLOURS[:count].T.ravel())}


_ALPHA_TAG = {338: (2,)}
_PREMULTIPLIED_TAG = {338: (1,)}


def _ycbcr_tiff(tags: dict[int, tuple[int, ...]], compression: int = DEFLATE) -> bytes:
    ycbcr = np.asarray(_image().convert("YCbCr")).astype(np.int64)
    return Tiff(ycbcr, 8, YCBCR, compression=compression, tags=tags).encode()


TIFFS: dict[str, Picture] = {
    **{
        f"{bits}-bit grey, {'big' if order == '>' else 'little'}-endian": Picture(
            _grey_tiff(bits, order=order), shown(GREY, bits)
        )
        for bits in (1, 2, 4, 8, 10, 12, 14, 16)
        for order in "<>"
    },
    **{
        f"{bits}-bit grey, 0 is white": Picture(
            _tiff(1 - GREY, bits, photometric=WHITE_IS_ZERO, order=order),
            255 - shown(1 - GREY, bits),
        )
        for bits, order in ((1, "<"), (4, "<"), (8, ">"), (12, "<"), (16, "<"), (16, ">"))
    },
    **{
        f"{bits} bits in 16, which MaxSampleValue says": Picture(
            _in_16(bits, {281: ((1 << bits) - 1,)}), shown(GREY, bits)
        )
        for bits in (10, 12, 14)
    },
    **{
        f"{bits} bits in 16, which BitsPerSample says": Picture(
            _in_16(bits, {}, said=bits), shown(GREY, bits)
        )
        for bits in (10, 12, 14)
    },
    "16-bit grey whose MaxSampleValue is exceeded": Picture(
        _grey_tiff(16, tags={281: (4095,)}), shown(GREY), rule="the full range counts"
    ),
    "16-bit grey whose MaxSampleValue is a statistic": Picture(
        _grey_tiff(16, tags={281: (60_000,)}), shown(GREY), rule="the full range counts"
    ),
    "16-bit grey, samples of undefined format": Picture(
        _grey_tiff(16, tags={339: (4,)}), shown(GREY), rule="taken as unsigned"
    ),
    **{
        f"{bits}-bit RGB": Picture(_tiff(PHOTO, bits, photometric=RGB), shown(PHOTO, bits))
        for bits in (4, 8, 10, 12, 16)
    },
    "16-bit RGB, big-endian": Picture(_tiff(PHOTO, 16, photometric=RGB, order=">"), shown(PHOTO)),
    **{
        f"{bits}-bit RGB in planes": Picture(
            _tiff(PHOTO, bits, photometric=RGB, planar=True, rows=7, compression=compression),
            shown(PHOTO, bits),
        )
        for bits, compression in ((8, 1), (16, 1), (16, DEFLATE))
    },
    "16-bit RGB, tiles": Picture(_tiff(PHOTO, 16, photometric=RGB, tile=16), shown(PHOTO)),
    "12-bit grey, tiles": Picture(_grey_tiff(12, tile=16), shown(GREY, 12)),
    **{
        f"{bits}-bit {'RGB' if image is PHOTO else 'grey'}, {name}{', predictor' * predictor}"
        f"{', tiles' * bool(tile)}": Picture(
            _tiff(
                image,
                bits,
                photometric=RGB if image is PHOTO else 1,
                order=">" if bits == 16 else "<",
                compression=compression,
                predictor=predictor,
                rows=None if tile else 5,
                tile=tile,
            ),
            shown(image, bits),
        )
        for name, compression in (("LZW", LZW), ("deflate", DEFLATE), ("PackBits", PACKBITS))
        for bits in (8, 16)
        for image in (PHOTO, GREY)
        for predictor in ((False,) if compression == PACKBITS else (False, True))
        for tile in (None, 16)
    },
    **{
        f"{bits}-bit grey, lowest bit first": Picture(
            _grey_tiff(bits, fill_order=2, compression=compression), shown(GREY, bits)
        )
        for bits, compression in ((1, 1), (4, 1), (8, 1), (12, 1), (16, DEFLATE))
    },
    **{
        f"{bits}-bit grey with alpha": Picture(
            _tiff(np.concatenate([GREY, ALPHA], -1), bits, order=order, tags=_ALPHA_TAG),
            over_white(GREY),
            tolerance=2,
        )
        for bits, order in ((8, "<"), (16, "<"), (16, ">"))
    },
    **{
        f"{bits}-bit RGB with alpha": Picture(
            _tiff(np.concatenate([PHOTO, ALPHA], -1), bits, photometric=RGB, tags=_ALPHA_TAG),
            over_white(PHOTO),
            tolerance=2,
        )
        for bits in (8, 16)
    },
    **{
        f"{bits}-bit {name} multiplied by alpha": Picture(
            _tiff(
                np.concatenate([image * ALPHA, ALPHA], -1),
                bits,
                photometric=photometric,
                tags=_PREMULTIPLIED_TAG,
            ),
            over_white(image),
            tolerance=2,
        )
        for bits in (8, 16)
        for name, image, photometric in (("RGB", PHOTO, RGB), ("grey", GREY, 1))
    },
    "8-bit RGB with alpha in planes": Picture(
        _tiff(np.concatenate([PHOTO, ALPHA], -1), 8, photometric=RGB, tags=_ALPHA_TAG, planar=True),
        over_white(PHOTO),
        tolerance=2,
    ),
    "8-bit RGB with a sample that is not alpha": Picture(
        _tiff(np.concatenate([PHOTO, ALPHA], -1), 8, photometric=RGB, tags={338: (0,)}),
        shown(PHOTO),
        rule="it is ignored",
    ),
    "8-bit RGB and a fourth sample, unexplained": Picture(
        _tiff(np.concatenate([PHOTO, ALPHA], -1), 8, photometric=RGB),
        over_white(PHOTO),
        tolerance=2,
        rule="taken as alpha",
    ),
    "8-bit RGB and a fourth sample, unexplained, 0 everywhere": Picture(
        _tiff(np.concatenate([PHOTO, ALPHA * 0], -1), 8, photometric=RGB),
        shown(PHOTO),
        rule="opaque: it is no alpha",
    ),
    **{
        f"{bits}-bit palette": Picture(
            lambda bits=bits: Tiff(
                _INDICES % (1 << bits), bits, PALETTE, tags=_map(8, 1 << bits)
            ).encode(),
            _COLOURS[_INDICES[..., 0] % (1 << bits)],
        )
        for bits in (1, 2, 4, 8)
    },
    "8-bit palette of bytes instead of 16 bits": Picture(
        lambda: Tiff(_INDICES, 8, PALETTE, tags=_map(0, 256)).encode(),
        _COLOURS[_INDICES[..., 0]],
    ),
    **{
        f"{bits}-bit CMYK{' in planes' * planar}": Picture(
            _tiff(inks(), bits, photometric=CMYK, planar=planar), shown(PHOTO), tolerance=2
        )
        for bits, planar in ((8, False), (16, False), (8, True))
    },
    "JPEG, YCbCr": Picture(
        lambda: encode(_image(), "TIFF", compression="jpeg", quality=95), shown(PHOTO), _LOSSY
    ),
    "JPEG, grey": Picture(
        lambda: encode(_image().convert("L"), "TIFF", compression="jpeg", quality=95),
        np.asarray(_image().convert("L"))[..., None] * np.ones(3),
        _LOSSY,
    ),
    "CCITT T.6": Picture(
        lambda: encode(_image().convert("1", dither=0), "TIFF", compression="group4"),
        np.asarray(_image().convert("1", dither=0))[..., None] * 255.0 * np.ones(3),
    ),
    "8-bit YCbCr, deflate, not subsampled": Picture(
        lambda: _ycbcr_tiff({530: (1, 1)}), shown(PHOTO), tolerance=3
    ),
    "8-bit YCbCr, uncompressed": Picture(
        lambda: _ycbcr_tiff({530: (1, 1)}, 1), code="unsupported_image", words="YCbCr"
    ),
    "several pages": Picture(
        lambda: encode(_image(), "TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))]),
        shown(PHOTO),
        rule="the first",
    ),
    "turned by its orientation, 16-bit grey": Picture(
        _tiff(GREY[::-1, ::-1], 16, tags={274: (3,)}), shown(GREY)
    ),
    "turned by XMP alone": Picture(
        lambda: Tiff(samples(PHOTO, 8), 8, RGB, blobs={700: XMP}).encode(),
        shown(PHOTO),
        rule="not turned",
    ),
    "damaged EXIF, GPS, ICC and IPTC": Picture(
        lambda: Tiff(
            samples(PHOTO, 8),
            8,
            RGB,
            tags={34665: (0x7FFFFFFF,), 34853: (9,)},
            blobs={34675: b"\xff" * 90, 33723: b"\x1c" * 99, 700: b"<x" * 40},
        ).encode(),
        shown(PHOTO),
    ),
    **{
        f"{bits}-bit {name} samples": Picture(
            _grey_tiff(bits, tags={339: (number,)}), code="unsupported_image", words=name
        )
        for bits, name, number in (
            (8, "signed", 2),
            (16, "signed", 2),
            (32, "signed", 2),
            (16, "floating-point", 3),
            (32, "floating-point", 3),
        )
    },
    "32-bit grey": Picture(_grey_tiff(32), code="unsupported_image", words="32-bit"),
    "12-bit grey, compressed": Picture(
        _grey_tiff(12, compression=DEFLATE), code="unsupported_image", words="compressed 12-bit"
    ),
    **{
        name: Picture(_tiff(PHOTO, 8, photometric=number), code="unsupported_image", words=words)
        for name, number, words in (
            ("CIE L*a*b*", 8, r"CIE L\*a\*b\*"),
            ("ICC L*a*b*", 9, r"ICC L\*a\*b\*"),
            ("raw samples of a camera (DNG)", 34892, "raw samples"),
            ("raw samples of a camera (CFA)", 32803, "raw samples"),
        )
    },
    "JPEG, stored as RGB": Picture(lambda: _jpeg_in_tiff(_jpeg(keep_rgb=True), RGB), shown(PHOTO)),
    "JPEG, YCbCr, subsampled": Picture(
        lambda: _jpeg_in_tiff(_jpeg(subsampling=2), YCBCR), shown(PHOTO), _LOSSY
    ),
    "JPEG of YCbCr that is called RGB": Picture(
        lambda: _jpeg_in_tiff(_jpeg(), RGB), code="unsupported_image", words="says RGB"
    ),
    "JPEG, cut off": Picture(
        lambda: _jpeg_in_tiff(_jpeg()[:-99], YCBCR), code="corrupt_image", words="cut off"
    ),
    "fewer strips than rows": Picture(
        _grey_tiff(8, rows=6, tags={273: (8,), 279: (240,)}),
        code="corrupt_image",
        words="missing",
    ),
    "a strip left out (sparse)": Picture(
        _grey_tiff(8, rows=6, tags={273: (8, 0, 248, 488), 279: (240, 0, 240, 240)}),
        code="corrupt_image",
        words="missing",
    ),
    "8-bit YCbCr, deflate, subsampled": Picture(
        lambda: _ycbcr_tiff({}), code="unsupported_image", words="YCbCr"
    ),
    "inks other than CMYK": Picture(
        _tiff(inks(), 8, photometric=CMYK, tags={332: (2,)}),
        code="unsupported_image",
        words="inks",
    ),
    "samples of different depths": Picture(
        _tiff(PHOTO, 8, photometric=RGB, tags={258: (5, 6, 5)}),
        code="unsupported_image",
        words="different depths",
    ),
    "two samples more than are explained": Picture(
        _tiff(np.concatenate([PHOTO, ALPHA, ALPHA], -1), 8, photometric=RGB),
        code="unsupported_image",
        words="5 samples per pixel of which 3",
    ),
    "no PhotometricInterpretation": Picture(
        _grey_tiff(8, tags={262: ()}), code="corrupt_image", words="tag 262"
    ),
    "old-style JPEG": Picture(
        _tiff(PHOTO, 8, photometric=YCBCR, compression=6),
        code="unsupported_image",
        words="compression 6",
    ),
    **{
        f"pixels cut off, {bits}-bit{name}": Picture(
            lambda bits=bits, compression=compression: _without_last_strip(bits, compression),
            code="corrupt_image",
            words="truncated",
        )
        for bits, name, compression in ((8, "", 1), (12, "", 1), (16, "", 1), (16, " LZW", LZW))
    },
}


def _jpeg_in_tiff(jpeg: bytes, photometric: int) -> bytes:
    """A TIFF whose only strip is a JPEG."""
    data = np.frombuffer(jpeg, np.uint8)[None, :, None]
    tags = {256: (WIDTH,), 257: (HEIGHT,), 258: (8, 8, 8), 277: (3,), 278: (HEIGHT,)}
    return Tiff(data, 8, photometric, compression=7, tags=tags).encode()


def _without_last_strip(bits: int, compression: int) -> bytes:
    """The place of the last strip is the end of the file."""
    encoded = Tiff(samples(GREY, bits), bits, rows=6, compression=compression).encode()
    (directory,) = struct.unpack_from("<I", encoded, 4)
    (count,) = struct.unpack_from("<H", encoded, directory)
    places = {}
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, _, where = struct.unpack_from("<HHII", encoded, entry)
        places[tag] = where + 3 * (4 if kind == 4 else 2)
    return (
        encoded[: places[273]] + struct.pack("<H", len(encoded) - 10) + encoded[places[273] + 2 :]
    )


# PNG


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)

_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def png_of(
    image: Pixels,
    depth: int,
    colour: int,
    before: bytes = b"",
    after: bytes = b"",
    *,
    interlaced: bool = False,
) -> bytes:
    """A PNG from samples, with chunks before and after its pixels."""
    height, width = image.shape[:2]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    raw = b""
    for left, top, across, down in passes:
        part = image[top::down, left::across]
        if part.size:
            raw += b"".join(b"\0" + _png_row(row, depth) for row in part)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    body = chunk(b"IDAT", zlib.compress(raw))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + before + body + after + chunk(b"IEND", b"")


def _png_row(row: Pixels, depth: int) -> bytes:
    flat = row.ravel()
    if depth >= 8:
        return flat.astype(f">u{depth // 8}").tobytes()
    bits = (flat[:, None] >> np.arange(depth - 1, -1, -1) & 1).astype(np.uint8)
    return np.packbits(bits.ravel()).tobytes()


def _png(image: Pixels, depth: int, colour: int, **options) -> Callable[[], bytes]:
    return lambda: png_of(samples(image, depth), depth, colour, **options)


_PLTE = chunk(b"PLTE", _COLOURS[:16].astype(np.uint8).tobytes())
_FADING = np.linspace(0, 255, 16).astype(np.uint8)
_LAYOUTS = {
    "grey": (0, GREY, (1, 2, 4, 8, 16)),
    "RGB": (2, PHOTO, (8, 16)),
    "grey and alpha": (4, np.concatenate([GREY, ALPHA], -1), (8, 16)),
    "RGB and alpha": (6, np.concatenate([PHOTO, ALPHA], -1), (8, 16)),
}


def _with_key(image: Pixels, bits: int) -> Pixels:
    """What a picture shows whose first pixel's colour is transparent."""
    stored = samples(image, bits)
    is_key = (stored == stored[0, 0]).all(-1)
    pixels = shown(image, bits).copy()
    pixels[is_key] = 255
    return pixels


def _key(image: Pixels, bits: int) -> bytes:
    return chunk(b"tRNS", samples(image, bits)[0, 0].astype(">u2").tobytes())


def _damaged(data: bytes) -> bytes:
    """A chunk with a wrong checksum."""
    return data[:-1] + bytes([data[-1] ^ 255])


_DARK = 0.2 + 0.8 * PHOTO  # no transparent colour of 0
_DARK_GREY = 0.25 + 0.75 * GREY

_BLACK_BELOW = PHOTO * (np.arange(HEIGHT) < HEIGHT - 3)[:, None, None]


def _png_of_fewer_rows(*, interlaced: bool) -> bytes:
    """A sound PNG of less height, whose header says more."""
    fewer = png_of(samples(PHOTO[:16], 8), 8, 2, interlaced=interlaced)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, int(interlaced))
    return fewer[:8] + chunk(b"IHDR", header) + fewer[33:]


PNGS: dict[str, Picture] = {
    **{
        f"{depth}-bit {name}{', interlaced' * interlaced}": Picture(
            _png(image, depth, colour, interlaced=interlaced),
            over_white(image[..., :-1]) if "alpha" in name else shown(image, depth),
            tolerance=2,
        )
        for name, (colour, image, depths) in _LAYOUTS.items()
        for depth in depths
        for interlaced in (False, True)
    },
    **{
        f"{depth}-bit palette{', interlaced' * interlaced}": Picture(
            lambda depth=depth, interlaced=interlaced: png_of(
                _INDICES % (1 << depth), depth, 3, _PLTE, interlaced=interlaced
            ),
            _COLOURS[_INDICES[..., 0] % (1 << depth)],
        )
        for depth in (1, 2, 4, 8)
        for interlaced in (False, True)
    },
    "palette with alpha": Picture(
        lambda: png_of(_INDICES, 8, 3, _PLTE + chunk(b"tRNS", _FADING.tobytes())),
        over_white(_COLOURS[_INDICES[..., 0]] / 255, _FADING[_INDICES[..., 0]][..., None] / 255),
        tolerance=2,
    ),
    **{
        f"{bits}-bit {name} with a transparent colour": Picture(
            _png(image, bits, colour, before=_key(image, bits)), _with_key(image, bits)
        )
        for name, colour, image, depths in (
            ("grey", 0, _DARK_GREY, (1, 2, 4, 8, 16)),
            ("RGB", 2, _DARK, (8, 16)),
        )
        for bits in depths
    },
    "animated (APNG)": Picture(
        lambda: encode(_image(), "PNG", save_all=True, append_images=[Image.new("RGB", (40, 24))]),
        shown(PHOTO),
        rule="the picture that every PNG reader shows",
    ),
    "gamma, chromaticities, significant bits, background": Picture(
        _png(
            GREY,
            16,
            0,
            before=chunk(b"gAMA", struct.pack(">I", 100_000))
            + chunk(b"sBIT", b"\x0c")
            + chunk(b"bKGD", b"\0\0"),
        ),
        shown(GREY),
        rule="ignored",
    ),
    "2 MB of compressed text": Picture(
        _png(PHOTO, 8, 2, before=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2_000_000)))),
        shown(PHOTO),
        rule="text is not read",
    ),
    "2 MB of random text": Picture(
        _png(PHOTO, 8, 2, after=chunk(b"tEXt", b"a\0" + b"\xff" * 2_000_000)), shown(PHOTO)
    ),
    "900 texts": Picture(_png(PHOTO, 8, 2, before=chunk(b"tEXt", b"a\0b") * 900), shown(PHOTO)),
    "wrong checksum of text, profile, EXIF": Picture(
        _png(
            PHOTO,
            8,
            2,
            before=_damaged(chunk(b"iTXt", b"a\0\1\0\0\0b"))
            + _damaged(chunk(b"iCCP", b"a\0\0b"))
            + _damaged(chunk(b"eXIf", b"MM\0*")),
            after=_damaged(chunk(b"zTXt", b"a\0\0b")),
        ),
        shown(PHOTO),
    ),
    "a profile that is not one": Picture(
        _png(PHOTO, 8, 2, before=chunk(b"iCCP", b"x\0\0" + zlib.compress(b"nonsense"))),
        shown(PHOTO),
        rule="profiles are ignored",
    ),
    "turned by XMP alone": Picture(
        _png(PHOTO, 8, 2, before=chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)),
        shown(PHOTO),
        rule="not turned",
    ),
    "bytes behind its end": Picture(lambda: encode(_image(), "PNG") + b"junk" * 99, shown(PHOTO)),
    "4,000 texts": Picture(
        _png(PHOTO, 8, 2, before=chunk(b"tEXt", b"a\0b") * 4000),
        code="image_too_complex",
        words="chunks",
    ),
    "wrong checksum of pixels": Picture(
        lambda: png_of(samples(PHOTO, 8), 8, 2).replace(b"IDAT", b"IDAT\x01", 1),
        code="corrupt_image",
    ),
    "pixels cut off": Picture(
        lambda: png_of(samples(PHOTO, 8), 8, 2)[:-40], code="corrupt_image", words="truncated"
    ),
    **{
        f"rows missing{', interlaced' * interlaced}": Picture(
            lambda interlaced=interlaced: _png_of_fewer_rows(interlaced=interlaced),
            code="corrupt_image",
        )
        for interlaced in (False, True)
    },
    "black below": Picture(
        _png(_BLACK_BELOW, 8, 2), shown(_BLACK_BELOW), rule="and not taken for missing rows"
    ),
    "black below, interlaced": Picture(
        _png(_BLACK_BELOW, 8, 2, interlaced=True), shown(_BLACK_BELOW)
    ),
    "palette without colours": Picture(lambda: png_of(_INDICES, 8, 3), code="corrupt_image"),
    "a depth that PNG does not have": Picture(_png(GREY, 8, 7), code="corrupt_image"),
}


# BMP


def bmp_of(
    rows: bytes,
    bits: int,
    *,
    height: int = HEIGHT,
    compression: int = 0,
    header: int = 40,
    masks: tuple[int, ...] = (),
    palette: bytes = b"",
    colours: int = 0,
    width: int = WIDTH,
) -> bytes:
    """A BMP of those rows, as they are stored."""
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack(
            "<IiiHHIIiiII", header, width, height, 1, bits, compression, len(rows), 0, 0, colours, 0
        )
        info += struct.pack(f"<{len(masks)}I", *masks)
        info = info.ljust(header, b"\0")
    offset = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<III", offset + len(rows), 0, offset) + info + palette + rows


def _words(
    image: Pixels, masks: tuple[int, ...], bytes_each: int, *, top_down: bool = False
) -> bytes:
    """Samples of 0..1 under bit masks."""
    packed = np.zeros(image.shape[:2], np.int64)
    for channel, mask in enumerate(masks):
        if mask:
            shift = (mask & -mask).bit_length() - 1
            packed |= samples(image[..., channel], (mask >> shift).bit_length()) << shift
    return _rows(packed.astype(f"<u{bytes_each}").view(np.uint8).reshape(HEIGHT, -1), top_down)


def _rows(rows: Pixels, top_down: bool = False) -> bytes:
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
    return (padded if top_down else padded[::-1]).astype(np.uint8).tobytes()


def _indexed_bmp(bits: int, colours: Pixels, *, header: int = 40, said: int = 0) -> bytes:
    indices = (_INDICES[..., 0] % len(colours)).astype(np.uint8)
    spread = (indices[..., None] >> np.arange(bits - 1, -1, -1) & 1).reshape(HEIGHT, -1)
    bgr = colours[:, ::-1].astype(np.uint8)
    if header != 12:
        bgr = np.pad(bgr, ((0, 0), (0, 1)))
    rows = _rows(np.packbits(spread.astype(np.uint8), axis=1))
    return bmp_of(rows, bits, header=header, palette=bgr.tobytes(), colours=said)


_DARK_GREYS = np.arange(16)[:, None].repeat(3, 1)
_ARGB = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
_555, _565 = (0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)
_4444, _1555 = (0xF00, 0xF0, 0xF, 0xF000), (*_555, 0x8000)
_RGB10 = (0x3FF00000, 0xFFC00, 0x3FF)
_HARD_ALPHA = (ALPHA > 0.5).astype(float)


def _depths(bits: tuple[int, ...], image: Pixels = PHOTO) -> Pixels:
    """What channels of those depths show."""
    channels = [
        shown(image[..., [at]] * np.ones(3), depth)[..., 0] for at, depth in enumerate(bits)
    ]
    return np.stack(channels, -1)


def _with(alpha: Pixels) -> Pixels:
    return np.concatenate([PHOTO, alpha], -1)


def _masked(image: Pixels, masks: tuple[int, ...], bits: int, header: int = 124) -> bytes:
    rows = _words(image, masks, bits // 8)
    if header == 40:  # three masks follow the header
        whole = bmp_of(struct.pack("<3I", *masks[:3]) + rows, bits, compression=3)
        return whole[:10] + struct.pack("<I", 54 + 12) + whole[14:]
    return bmp_of(rows, bits, compression=3, header=header, masks=masks)


def _runs(kind: str) -> bytes:
    """Run-length encoded indices: in runs, as they are, or with a skipped corner."""
    palette = np.pad(_COLOURS[:16, ::-1].astype(np.uint8), ((0, 0), (0, 1))).tobytes()
    indices = _INDICES[::-1, :, 0]
    rows = b""
    for number, row in enumerate(indices):
        start = 0
        if kind == "skipped" and number < 4:
            rows += b"\0\2" + bytes([8, 0])
            start = 8
        if kind == "4-bit":
            for pair in row.reshape(-1, 2):
                rows += bytes([2, int(pair[0]) << 4 | int(pair[1])])
        elif number % 2:
            rows += bytes([0, len(row) - start]) + row[start:].astype(np.uint8).tobytes()
        else:
            rows += b"".join(bytes([1, value]) for value in row[start:])
        rows += b"\0\0"
    bits, compression = (4, 2) if kind == "4-bit" else (8, 1)
    return bmp_of(rows + b"\0\1", bits, compression=compression, palette=palette, colours=16)


def _skipped() -> Pixels:
    pixels = _COLOURS[_INDICES[..., 0]].copy()
    pixels[-4:, :8] = 255
    return pixels


_BGR = _rgb8()[..., ::-1].reshape(HEIGHT, -1)

BMPS: dict[str, Picture] = {
    **{
        f"{bits}-bit palette": Picture(
            lambda bits=bits: _indexed_bmp(bits, _COLOURS[: 1 << bits]),
            _COLOURS[_INDICES[..., 0] % (1 << bits)],
        )
        for bits in (1, 4, 8)
    },
    "4-bit palette of sixteen dark greys": Picture(
        lambda: _indexed_bmp(4, _DARK_GREYS), _DARK_GREYS[_INDICES[..., 0]]
    ),
    "8-bit palette of black and white": Picture(
        lambda: _indexed_bmp(8, np.array([[0] * 3, [255] * 3]), said=2),
        np.array([[0.0] * 3, [255] * 3])[_INDICES[..., 0] % 2],
    ),
    "1-bit, white before black": Picture(
        lambda: _indexed_bmp(1, np.array([[255] * 3, [0] * 3])),
        np.array([[255.0] * 3, [0] * 3])[_INDICES[..., 0] % 2],
    ),
    "8-bit palette, OS/2": Picture(
        lambda: _indexed_bmp(8, _COLOURS, header=12), _COLOURS[_INDICES[..., 0]]
    ),
    "24-bit": Picture(lambda: bmp_of(_rows(_BGR), 24), shown(PHOTO)),
    "24-bit, OS/2": Picture(lambda: bmp_of(_rows(_BGR), 24, header=12), shown(PHOTO)),
    "24-bit, top row first": Picture(
        lambda: bmp_of(_rows(_BGR, top_down=True), 24, height=-HEIGHT), shown(PHOTO)
    ),
    "16-bit": Picture(lambda: bmp_of(_words(PHOTO, _555, 2), 16), _depths((5, 5, 5))),
    "16-bit, top row first": Picture(
        lambda: bmp_of(_words(PHOTO, _555, 2, top_down=True), 16, height=-HEIGHT),
        _depths((5, 5, 5)),
    ),
    "16-bit, masks 5-6-5": Picture(lambda: _masked(PHOTO, _565, 16, 40), _depths((5, 6, 5))),
    "16-bit, masks 4-4-4 and alpha 4": Picture(
        lambda: _masked(_with(ALPHA), _4444, 16), over_white(PHOTO), tolerance=18
    ),
    "16-bit, masks 5-5-5 and alpha 1": Picture(
        lambda: _masked(_with(_HARD_ALPHA), _1555, 16),
        np.where(_HARD_ALPHA, _depths((5, 5, 5)), 255),
    ),
    "32-bit, fourth byte 0": Picture(
        lambda: bmp_of(_words(_with(ALPHA * 0), _ARGB, 4), 32), shown(PHOTO)
    ),
    "32-bit, fourth byte without a mask": Picture(
        lambda: bmp_of(_words(_with(ALPHA), _ARGB, 4), 32), shown(PHOTO), rule="it is ignored"
    ),
    "32-bit, masks of RGB": Picture(lambda: _masked(PHOTO, _ARGB[:3], 32, 40), shown(PHOTO)),
    "32-bit, masks in another order": Picture(
        lambda: _masked(PHOTO, (0xFF, 0xFF00, 0xFF0000), 32, 40), shown(PHOTO)
    ),
    "32-bit, masks of 10 bits": Picture(lambda: _masked(PHOTO, _RGB10, 32, 40), shown(PHOTO)),
    **{
        f"32-bit with alpha, header {header}": Picture(
            lambda header=header: _masked(_with(ALPHA), _ARGB, 32, header),
            over_white(PHOTO),
            tolerance=2,
        )
        for header in (56, 108, 124)
    },
    **{
        f"32-bit with alpha 0 everywhere, header {header}": Picture(
            lambda header=header: _masked(_with(ALPHA * 0), _ARGB, 32, header),
            shown(PHOTO),
            rule="opaque: it is no alpha",
        )
        for header in (56, 108, 124)
    },
    "16-bit with alpha 0 everywhere": Picture(
        lambda: _masked(_with(ALPHA * 0), _1555, 16),
        _depths((5, 5, 5)),
        rule="opaque: it is no alpha",
    ),
    "8-bit, run-length encoded": Picture(lambda: _runs("8-bit"), _COLOURS[_INDICES[..., 0]]),
    "4-bit, run-length encoded": Picture(lambda: _runs("4-bit"), _COLOURS[_INDICES[..., 0]]),
    "run-length encoded, with skipped pixels": Picture(
        lambda: _runs("skipped"), _skipped(), rule="skipped pixels are transparent"
    ),
    "bytes behind its end": Picture(lambda: bmp_of(_rows(_BGR), 24) + b"junk", shown(PHOTO)),
    "2-bit": Picture(
        lambda: bmp_of(bytes(HEIGHT * 12), 2), code="unsupported_image", words="2 bits per pixel"
    ),
    "64-bit": Picture(
        lambda: bmp_of(bytes(HEIGHT * WIDTH * 8), 64), code="unsupported_image", words="64 bits"
    ),
    **{
        f"holds a {name}": Picture(
            lambda compression=compression: bmp_of(b"data" * 99, 24, compression=compression),
            code="unsupported_image",
            words=f"compression {compression}",
        )
        for name, compression in (("JPEG", 4), ("PNG", 5))
    },
    "masks that overlap": Picture(
        lambda: _masked(PHOTO, (0xFF00, 0xFF00, 0xFF), 32, 40),
        code="unsupported_image",
        words="bit masks",
    ),
    "masks of 0": Picture(
        lambda: _masked(PHOTO, (0, 0, 0), 32, 40), code="unsupported_image", words="bit masks"
    ),
    "pixels cut off": Picture(
        lambda: bmp_of(_rows(_BGR), 24)[:-99], code="corrupt_image", words="truncated"
    ),
    "runs cut off": Picture(lambda: _runs("8-bit")[:-99], code="corrupt_image", words="truncated"),
}


# GIF


def _gif(**options) -> bytes:
    indexed = Image.fromarray(_INDICES[..., 0].astype(np.uint8))
    indexed.putpalette(_COLOURS[:16].astype(np.uint8).tobytes())
    return encode(indexed, "GIF", **options)


def _gif_part() -> bytes:
    """A first image that covers only a part of its screen."""
    encoded = bytearray(_gif())
    struct.pack_into("<HH", encoded, 6, WIDTH + 10, HEIGHT + 6)
    image = encoded.index(b"," + bytes(4))
    struct.pack_into("<HH", encoded, image + 1, 4, 2)
    return bytes(encoded)


def _on_page(pixels: Pixels, width: int, height: int, left: int, top: int) -> Pixels:
    page = np.full((height, width, 3), 255.0)
    page[top : top + HEIGHT, left : left + WIDTH] = pixels
    return page


_OTHER = Image.new("RGB", (WIDTH, HEIGHT), (1, 2, 3))

GIFS: dict[str, Picture] = {
    "palette": Picture(_gif, _COLOURS[_INDICES[..., 0]]),
    "interlaced": Picture(lambda: _gif(interlace=1), _COLOURS[_INDICES[..., 0]]),
    "black and white": Picture(
        lambda: encode(_image().convert("1", dither=0), "GIF"),
        np.asarray(_image().convert("1", dither=0))[..., None] * 255.0 * np.ones(3),
    ),
    "256 greys": Picture(
        lambda: encode(_image().convert("L"), "GIF"),
        np.asarray(_image().convert("L"))[..., None] * np.ones(3),
    ),
    "with a transparent colour": Picture(
        lambda: _gif(transparency=3),
        np.where(_INDICES == 3, 255, _COLOURS[_INDICES[..., 0]]),
    ),
    "animated": Picture(
        lambda: _gif(save_all=True, append_images=[_OTHER]),
        _COLOURS[_INDICES[..., 0]],
        rule="the first image",
    ),
    "first image smaller than the screen": Picture(
        _gif_part,
        _on_page(_COLOURS[_INDICES[..., 0]], WIDTH + 10, HEIGHT + 6, 4, 2),
        rule="the rest is transparent",
    ),
    "long comments": Picture(lambda: _gif(comment=b"c" * 60_000), _COLOURS[_INDICES[..., 0]]),
    "bytes behind its end": Picture(lambda: _gif() + b"junk", _COLOURS[_INDICES[..., 0]]),
    "no colour table": Picture(
        lambda: b"GIF89a" + struct.pack("<HHBBB", 2, 2, 0, 0, 0) + b"," + bytes(4)
        + struct.pack("<HHB", 2, 2, 0) + b"\x02\x02\x4c\x01\0;",
        code="corrupt_image",
        words="colour table",
    ),
    "pixels cut off": Picture(lambda: _gif()[:-99], code="corrupt_image"),
}  # fmt: skip


# WebP


def _webp(image: Image.Image | None = None, **options) -> bytes:
    return encode(image or _image(), "WEBP", **{"lossless": True, "exact": True, **options})


def _webp_with(extra: bytes, *, flags: int = 0, riff: int = 0) -> bytes:
    """An extended WebP with chunks behind its pixels."""
    vp8x = b"VP8X" + struct.pack("<IB3x", 10, flags)
    vp8x += (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")
    body = b"WEBP" + vp8x + _webp()[12:] + extra
    return b"RIFF" + struct.pack("<I", len(body) + riff) + body


def _webp_part() -> bytes:
    """An animation whose first image covers a part of the canvas."""
    width, height = WIDTH + 10, HEIGHT + 6
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    size = (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")
    frame = bytes([2, 0, 0, 1, 0, 0]) + size + b"\x64\0\0\0" + _webp()[12:]
    chunks = b"VP8X" + struct.pack("<IB3x", 10, 2) + canvas
    chunks += b"ANIM" + struct.pack("<IIH", 6, 0xFF102030, 0)
    chunks += (b"ANMF" + struct.pack("<I", len(frame)) + frame) * 2
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def _rgba() -> Image.Image:
    return Image.fromarray(np.round(_with(ALPHA) * 255).astype(np.uint8))


WEBPS: dict[str, Picture] = {
    "lossless": Picture(_webp, shown(PHOTO)),
    "lossy": Picture(lambda: _webp(lossless=False, quality=95), shown(PHOTO), _LOSSY),
    "lossless with alpha": Picture(lambda: _webp(_rgba()), over_white(PHOTO), tolerance=2),
    "lossy with alpha": Picture(
        lambda: _webp(_rgba(), lossless=False, quality=95), over_white(PHOTO), _LOSSY
    ),
    "animated": Picture(
        lambda: _webp(save_all=True, append_images=[_OTHER]), shown(PHOTO), rule="the first image"
    ),
    "animated, first image smaller than the canvas": Picture(
        _webp_part,
        _on_page(shown(PHOTO), WIDTH + 10, HEIGHT + 6, 4, 2),
        rule="the rest is transparent",
    ),
    "damaged EXIF, XMP and ICC": Picture(
        lambda: _webp(exif=b"Exif\0\0II*\0\xff\xff", xmp=b"<x", icc_profile=b"nonsense"),
        shown(PHOTO),
    ),
    "EXIF cut off": Picture(
        lambda: _webp_with(b"EXIF" + struct.pack("<I", 9_000) + b"II*\0", flags=8), shown(PHOTO)
    ),
    "turned by XMP alone": Picture(lambda: _webp(xmp=XMP), shown(PHOTO), rule="not turned"),
    "wrong size in its header": Picture(lambda: _webp_with(b"", riff=77), shown(PHOTO)),
    "bytes behind its end": Picture(lambda: _webp() + b"junk" * 9, shown(PHOTO)),
    "pixels cut off": Picture(lambda: _webp()[:-30], code="corrupt_image"),
}


# JPEG


def _jpeg(image: Image.Image | None = None, **options) -> bytes:
    return encode(image or _image(), "JPEG", **{"quality": 97, "subsampling": 0, **options})


def _cmyk(levels: Pixels) -> Image.Image:
    return Image.frombytes("CMYK", (WIDTH, HEIGHT), levels.astype(np.uint8).tobytes())


def _cmyk_jpeg() -> bytes:
    return _jpeg(_cmyk(np.round(inks() * 255)))


def _without(jpeg: bytes, marker: bytes) -> bytes:
    start = jpeg.index(marker)
    return jpeg[:start] + jpeg[start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big") :]


def _ycck_jpeg() -> bytes:
    """As Photoshop writes it: inks inverted, the first three inverted once more for YCbCr."""
    light = Image.fromarray(np.round(inks() * 255).astype(np.uint8)[..., :3])
    black = np.round((1 - inks()[..., 3:]) * 255).astype(np.uint8)
    stored = np.concatenate([np.asarray(light.convert("YCbCr")), black], -1)
    jpeg = _jpeg(_cmyk(255 - stored))  # Pillow inverts what it stores
    adobe = jpeg.index(b"Adobe")
    return jpeg[: adobe + 11] + b"\2" + jpeg[adobe + 12 :]


def _with_frame(marker: int = 0xC0, bits: int = 8, jpeg: bytes | None = None) -> bytes:
    """A JPEG with another kind of frame, or another precision in it."""
    jpeg = jpeg or _jpeg()
    frame = jpeg.index(b"\xff\xc0")
    return (
        jpeg[:frame]
        + bytes([0xFF, marker])
        + jpeg[frame + 2 : frame + 4]
        + bytes([bits])
        + (jpeg[frame + 5 :])
    )


def _behind_start(extra: bytes) -> bytes:
    jpeg = _jpeg()
    return jpeg[:2] + extra + jpeg[2:]


def _two_components() -> bytes:
    jpeg = _jpeg(_image().convert("L"))
    frame = jpeg.index(b"\xff\xc0")
    payload = jpeg[frame + 4 : frame + 9] + b"\2" + b"\1\x11\0\2\x11\0"
    return jpeg[:frame] + segment(0xC0, payload) + jpeg[frame + 13 :]


JPEGS: dict[str, Picture] = {
    "baseline": Picture(_jpeg, shown(PHOTO), _LOSSY),
    "progressive": Picture(lambda: _jpeg(progressive=True), shown(PHOTO), _LOSSY),
    "4:2:0": Picture(lambda: _jpeg(subsampling=2), shown(PHOTO), _LOSSY),
    "restart markers": Picture(lambda: _jpeg(restart_marker_rows=1), shown(PHOTO), _LOSSY),
    "grey": Picture(
        lambda: _jpeg(_image().convert("L")),
        np.asarray(_image().convert("L"))[..., None] * np.ones(3),
        _LOSSY,
    ),
    "stored as RGB": Picture(lambda: _jpeg(keep_rgb=True), shown(PHOTO), _LOSSY),
    "CMYK with the Adobe marker": Picture(
        _cmyk_jpeg, shown(PHOTO), _LOSSY, rule="inks are inverted"
    ),
    "YCCK with the Adobe marker": Picture(
        _ycck_jpeg, shown(PHOTO), _LOSSY, rule="inks are inverted"
    ),
    "several pictures (MPO)": Picture(
        lambda: encode(_image(), "MPO", quality=97, subsampling=0, save_all=True,
                       append_images=[_OTHER]),
        shown(PHOTO), _LOSSY, rule="the first",
    ),
    "turned by XMP alone": Picture(
        lambda: _behind_start(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)),
        shown(PHOTO), _LOSSY, rule="not turned",
    ),
    "damaged EXIF": Picture(
        lambda: _behind_start(segment(0xE1, b"Exif\0\0MM\0*\0\0\xff\xffnonsense")),
        shown(PHOTO), _LOSSY,
    ),
    "EXIF that refers to itself": Picture(
        lambda: _behind_start(segment(0xE1, exif_block(200, 60_000))), shown(PHOTO), _LOSSY
    ),
    "a profile cut off": Picture(
        lambda: _behind_start(segment(0xE2, b"ICC_PROFILE\0")),
        shown(PHOTO), _LOSSY, rule="profiles are ignored",
    ),
    "damaged multi-picture index": Picture(
        lambda: _behind_start(segment(0xE2, b"MPF\0II*\0\x08\0\0\0\x02\0" + b"\xb0" * 40)),
        shown(PHOTO), _LOSSY,
    ),
    "damaged Photoshop block": Picture(
        lambda: _behind_start(segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed\xff\xff" * 9)),
        shown(PHOTO), _LOSSY,
    ),
    "bytes behind its end": Picture(lambda: _jpeg() + b"junk" * 99, shown(PHOTO), _LOSSY),
    "CMYK without the Adobe marker": Picture(
        lambda: _without(_cmyk_jpeg(), b"\xff\xee"), code="unsupported_image", words="Adobe"
    ),
    "12 bits": Picture(
        lambda: _with_frame(0xC1, 12), code="unsupported_image", words="12 bits per sample"
    ),
    **{
        f"{name} coding": Picture(
            lambda marker=marker: _with_frame(marker), code="unsupported_image", words=name
        )
        for name, marker in (("arithmetic", 0xC9), ("lossless", 0xC3), ("hierarchical", 0xC5))
    },
    "arithmetic coding, progressive": Picture(
        lambda: _with_frame(0xCA), code="unsupported_image", words="arithmetic"
    ),
    "two components": Picture(
        _two_components, code="unsupported_image", words="2 components"
    ),
    "pixels cut off": Picture(lambda: _jpeg()[:-99], code="corrupt_image", words="truncated"),
}  # fmt: skip


# What is no picture


def _stripped(data: bytes) -> bytes:
    """What `curl -d @file` sends."""
    return data.translate(None, b"\r\n\0")


_BIG = Image.fromarray(np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8))

OTHERS: dict[str, Picture] = {
    **{
        f"{name} sent with `curl -d`": Picture(
            lambda name=name: _stripped(encode(_BIG, name)),
            code=code,
            words="--data-binary",
        )
        for name, code in (
            ("JPEG", "corrupt_image"),
            ("PNG", "unsupported_image"),
            ("GIF", "corrupt_image"),
            ("WEBP", "unsupported_image"),
            ("TIFF", "unsupported_image"),
        )
    },
    "one part of an MJPEG stream": Picture(
        lambda: b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + _jpeg() + b"\r\n",
        code="unsupported_image",
        words="part of an MJPEG",
    ),
    "a part's headers without its boundary": Picture(
        lambda: b"Content-Type: image/jpeg\r\n\r\n" + _jpeg(),
        code="unsupported_image",
        words="part of an MJPEG",
    ),
    "a form without its Content-Type": Picture(
        lambda: b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + _jpeg(),
        code="unsupported_image",
        words="multipart form",
    ),
    "a whole HTTP response": Picture(
        lambda: b"HTTP/1.0 200 OK\r\n\r\n" + _jpeg(),
        code="unsupported_image",
        words="HTTP response",
    ),
    "other bytes before a JPEG": Picture(
        lambda: b"\0\0\0\0" + _jpeg(), code="unsupported_image", words="a JPEG behind 4 other"
    ),
    "gzip": Picture(lambda: b"\x1f\x8b\x08\0" + bytes(20), code="unsupported_image", words="gzip"),
}

PICTURES: dict[str, dict[str, Picture]] = {
    "JPEG": JPEGS,
    "PNG": PNGS,
    "WebP": WEBPS,
    "BMP": BMPS,
    "GIF": GIFS,
    "TIFF": TIFFS,
    "Not a picture": OTHERS,
}
