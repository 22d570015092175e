"""Bytes to upright RGB: what a person sees, whatever the format, mode and orientation."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from builders.images import (
    BLUE,
    FORMATS,
    GREEN,
    QUADRANTS,
    RED,
    YELLOW,
    encode,
    noise,
    png,
    quadrant_colours,
    quadrants,
    turned,
)
from PIL import Image, ImageChops

from edge.errors import CorruptImage, ImageTooLarge, RequestError, UnsupportedImage
from edge.vision.decode import decode
from edge.vision.rgb import to_rgb
from edge.vision.structure.inspect import _READERS

LIMIT = 50_000_000
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def pixels_of(encoded: bytes) -> Image.Image:
    frame = decode(encoded, max_pixels=LIMIT)
    assert frame.pixels.mode == "RGB"
    assert frame.pixels.size == (frame.width, frame.height)
    return frame.pixels


def near(found: tuple[int, ...], expected: tuple[int, ...], tolerance: int = 4) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_shows_its_colours_where_they_are(name):
    colours = quadrant_colours(pixels_of(encode(quadrants(), name)))
    assert all(near(colours[place], colour) for place, colour in QUADRANTS.items()), colours


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_exif_orientation_is_turned_upright_in_every_format_that_has_it(name, orientation):
    picture = pixels_of(turned(orientation, name))
    assert picture.size == (64, 48)
    colours = quadrant_colours(picture)
    assert all(near(colours[place], colour) for place, colour in QUADRANTS.items()), colours


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_jpeg_decoded_at_a_lower_scale_is_upright_and_tells_its_true_size(orientation):
    stored = quadrants(1600, 1200)
    encoded = encode(stored, "JPEG", exif=_exif(orientation))
    frame = decode(encoded, max_pixels=LIMIT, min_side=200)
    swapped = orientation in {6, 8}
    assert (frame.width, frame.height) == ((1200, 1600) if swapped else (1600, 1200))
    assert (
        frame.pixels.size == ((300, 400) if swapped else (400, 300))
        or min(frame.pixels.size) >= 200
    )
    assert (frame.pixels.width > frame.pixels.height) is not swapped
    assert frame.pixels.width < 1200


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("orientation", [0, 9, 99])
def test_an_orientation_that_does_not_exist_is_taken_as_upright(orientation):
    encoded = encode(quadrants(), "JPEG", exif=_exif(orientation))
    assert near(quadrant_colours(pixels_of(encoded))["top left"], RED)


def test_broken_exif_spoils_no_picture():
    encoded = encode(quadrants(), "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xffnonsense")
    assert near(quadrant_colours(pixels_of(encoded))["bottom right"], YELLOW)


GREY = quadrants().convert("L")


@pytest.mark.parametrize(
    ("mode", "name"),
    [("L", name) for name in FORMATS]
    + [("LA", "PNG"), ("LA", "WEBP"), ("LA", "TIFF"), ("P", "BMP")],
)
def test_grey_shows_grey(mode, name):
    source = GREY.convert(mode)
    colours = quadrant_colours(pixels_of(encode(source, name)))
    for place, grey in quadrant_colours(GREY).items():
        assert near(colours[place], (grey,) * 3)


@pytest.mark.parametrize("name", ["PNG", "GIF", "BMP", "TIFF"])
def test_a_palette_shows_its_colours(name):
    colours = quadrant_colours(pixels_of(encode(quadrants().quantize(8), name)))
    assert all(near(colours[place], colour, 12) for place, colour in QUADRANTS.items()), colours


@pytest.mark.parametrize("name", ["PNG", "GIF"])
def test_a_transparent_palette_entry_shows_white(name):
    stored = Image.new("P", (8, 8), 1)
    stored.putpalette([*RED, *GREEN])
    stored.paste(0, (0, 0, 4, 8))
    picture = pixels_of(encode(stored, name, transparency=0))
    assert picture.getpixel((1, 4)) == WHITE
    assert picture.getpixel((6, 4)) == GREEN


@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_laid_on_white(name):
    stored = Image.new("RGBA", (16, 8), (*BLUE, 255))
    stored.paste((*RED, 0), (0, 0, 8, 8))
    stored.paste((0, 0, 0, 128), (8, 0, 12, 8))
    picture = pixels_of(encode(stored, name, **({"exact": True} if name == "WEBP" else {})))
    assert picture.getpixel((2, 4)) == WHITE
    assert near(picture.getpixel((10, 4)), (127, 127, 127), 2)
    assert picture.getpixel((14, 4)) == BLUE


def test_a_grey_pixel_that_is_half_transparent_is_laid_on_white():
    picture = pixels_of(encode(Image.new("LA", (8, 8), (0, 128)), "PNG"))
    assert near(picture.getpixel((4, 4)), (127, 127, 127), 2)


def test_a_transparent_colour_of_an_rgb_png_shows_white():
    stored = Image.new("RGB", (8, 8), RED)
    stored.paste(GREEN, (4, 0, 8, 8))
    picture = pixels_of(encode(stored, "PNG", transparency=RED))
    assert (picture.getpixel((1, 1)), picture.getpixel((6, 1))) == (WHITE, GREEN)


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk_shows_its_colours(name):
    picture = pixels_of(encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), name))
    assert near(picture.getpixel((8, 8)), (255, 0, 0), 6)


def test_an_adobe_cmyk_jpeg_which_stores_its_inks_inverted_shows_its_colours():
    inks = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    encoded = encode(inks, "JPEG")
    assert b"Adobe" in encoded, "Pillow writes the marker, and inverts, as Photoshop does"
    colour = pixels_of(encoded).getpixel((8, 8))
    assert near(colour, (255, 0, 0), 6)
    assert not near(colour, ImageChops.invert(inks).convert("RGB").getpixel((8, 8)), 100)


def ramp16(width: int = 64) -> np.ndarray:
    return np.linspace(0, 65535, width, dtype=np.uint16)[None, :].repeat(8, 0)


def is_ramp(picture: Image.Image) -> bool:
    grey = np.asarray(picture).astype(int)
    return (
        bool((grey[..., 0] == grey[..., 2]).all())
        and abs(grey[4, :, 0] - np.linspace(0, 255, 64)).max() <= 1
    )


def test_sixteen_bit_grey_png_is_scaled_not_clipped():
    assert is_ramp(pixels_of(encode(Image.fromarray(ramp16()), "PNG")))


def test_sixteen_bit_grey_png_with_a_transparent_grey_is_scaled_and_shows_white_there():
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in ramp16())
    picture = pixels_of(png(64, 8, 16, 0, rows, {b"tRNS": struct.pack(">H", 0)}))
    assert picture.getpixel((0, 0)) == WHITE
    assert near(picture.getpixel((32, 4)), (129,) * 3, 2)
    assert picture.getpixel((63, 4)) == WHITE


def test_sixteen_bit_rgb_png_is_scaled():
    rows = b"".join(b"\0" + np.stack([row] * 3, -1).astype(">u2").tobytes() for row in ramp16())
    assert is_ramp(pixels_of(png(64, 8, 16, 2, rows)))


def test_sixteen_bit_grey_and_alpha_png_is_scaled():
    rows = b"".join(
        b"\0" + np.stack([row, row * 0 + 65535], -1).astype(">u2").tobytes() for row in ramp16()
    )
    assert is_ramp(pixels_of(png(64, 8, 16, 4, rows)))


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF", "GIF"])
def test_one_bit_is_black_and_white(name):
    stored = Image.new("1", (16, 8), 1)
    stored.paste(0, (0, 0, 8, 8))
    picture = pixels_of(encode(stored, name))
    assert (picture.getpixel((2, 2)), picture.getpixel((12, 2))) == (BLACK, WHITE)


@pytest.mark.parametrize(
    ("mode", "words"), [("I", "32-bit"), ("F", "floating-point"), ("LAB", r"CIE L\*a\*b\*")]
)
def test_pixel_types_without_an_agreed_look_are_refused_by_name(mode, words):
    with pytest.raises(UnsupportedImage, match=rf"{words}.*8 or 16 bits"):
        decode(encode(Image.new(mode, (8, 8)), "TIFF"), max_pixels=LIMIT)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_an_animation_or_several_pages_the_first_is_shown(name):
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN, BLUE)]
    encoded = encode(frames[0], name, save_all=True, append_images=frames[1:])
    assert near(pixels_of(encoded).getpixel((8, 8)), RED, 8)


def test_a_jpeg_with_several_pictures_shows_the_first():
    encoded = encode(
        Image.new("RGB", (16, 16), RED),
        "MPO",
        save_all=True,
        append_images=[Image.new("RGB", (16, 16))],
    )
    assert near(pixels_of(encoded).getpixel((8, 8)), RED)


def test_an_icc_profile_changes_no_pixel():
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    with_profile = encode(quadrants(), "PNG", icc_profile=profile)
    assert pixels_of(with_profile).tobytes() == quadrants().tobytes()


def test_decoding_warns_of_nothing_and_leaves_the_bytes_and_their_digest_in_the_frame():
    encoded = encode(quadrants(), "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = decode(encoded, max_pixels=LIMIT)
    assert frame.encoded is encoded
    assert len(frame.digest) == 64


# Scaled decoding


@pytest.mark.parametrize(
    "size", [(4032, 3024), (640, 480), (449, 1000), (448, 448), (447, 447), (1000, 5)]
)
@pytest.mark.parametrize("enough", [448, 640, 20])
def test_a_jpeg_is_decoded_at_the_smallest_scale_that_keeps_enough_of_each_side(size, enough):
    frame = decode(encode(Image.new("RGB", size), "JPEG"), max_pixels=LIMIT, min_side=enough)
    assert (frame.width, frame.height) == size
    for side, decoded in zip(size, frame.pixels.size, strict=True):
        assert decoded >= min(side, enough)
    scale = min(side // enough for side in size)
    expected = next((s for s in (8, 4, 2) if scale >= s), 1)
    assert frame.pixels.size == tuple(-(-side // expected) for side in size)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "JPEG"])
def test_other_formats_know_no_scale_and_are_decoded_whole(name):
    assert decode(encode(quadrants(), name), max_pixels=LIMIT, min_side=8).pixels.size == (64, 48)


# Limits


@pytest.mark.parametrize("name", FORMATS)
def test_pixels_beyond_the_limit_are_refused_with_both_numbers(name):
    encoded = encode(quadrants(), name)
    assert decode(encoded, max_pixels=64 * 48).width == 64
    with pytest.raises(ImageTooLarge, match=r"64 x 48, 3,072 pixels; the limit is 3,071"):
        decode(encoded, max_pixels=64 * 48 - 1)


@pytest.mark.parametrize("name", FORMATS)
def test_a_cut_anywhere_in_a_file_is_a_broken_image_or_none_at_all(name):
    encoded = encode(noise(40, 30), name)
    for cut in sorted({*range(40), *range(40, len(encoded) - 200, len(encoded) // 40)}):
        with pytest.raises((CorruptImage, UnsupportedImage)) as caught:
            decode(encoded[:cut], max_pixels=LIMIT)
        assert "0x" not in caught.value.message, "a sentence for strangers holds no memory address"


def test_a_truncated_jpeg_says_so():
    encoded = encode(noise(200, 200), "JPEG")
    with pytest.raises(CorruptImage, match=r"The JPEG image is truncated or broken: .*truncated"):
        decode(encoded[: len(encoded) // 2], max_pixels=LIMIT)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"%PDF-1.7", "a PDF document"),
        (b'{"instances": []}', "JSON text"),
        (b"  <svg/>", "HTML, SVG or XML"),
        (b"data:image/png;base64,iVBOR", "data URL"),
        (b"/9j/4AAQSkZJRg", "base64 text of a JPEG"),
        (b"iVBORw0KGgo", "base64 text of a PNG"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00", "HEIC"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00", "AVIF"),
        (b"PK\x03\x04....", "a zip file"),
        (b"\x00\x01\x02\x03", "00 01 02 03"),
        (b"x", "unknown format"),
    ],
)
def test_what_is_no_image_is_called_what_it_looks_like(body, words):
    with pytest.raises(UnsupportedImage, match=words) as caught:
        decode(body, max_pixels=LIMIT)
    assert "Send JPEG, PNG, WebP, BMP, GIF or TIFF" in caught.value.message


def test_an_empty_body_is_an_empty_image():
    with pytest.raises(CorruptImage, match="empty"):
        decode(b"", max_pixels=LIMIT)


def test_formats_that_pillow_reads_but_this_service_does_not_are_unsupported():
    for name in ("PPM", "ICO", "TGA", "PCX", "SGI"):
        file = io.BytesIO()
        quadrants().save(file, name)
        with pytest.raises(UnsupportedImage):
            decode(file.getvalue(), max_pixels=LIMIT)


def test_every_fault_is_the_callers_never_the_services():
    for body in (
        b"",
        b"BM",
        b"GIF89a",
        b"II*\0",
        b"MM\0+",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF....WEBP",
    ):
        with pytest.raises(RequestError):
            decode(body, max_pixels=LIMIT)


def test_pixels_that_cannot_be_converted_are_a_corrupt_image_and_no_fault_of_the_service():
    odd = Image.new("P", (4, 4))
    odd.palette = None
    with pytest.raises(CorruptImage, match="broken"):
        to_rgb(odd)


def test_a_png_whose_pixels_have_a_wrong_checksum_behind_black_rows_is_broken():
    raw = bytes(20 * (1 + 3 * 30))  # 20 rows of 30 black pixels, each with its filter
    packed = zlib.compress(raw)
    damaged = packed[:-1] + bytes([packed[-1] ^ 1])
    header = struct.pack(">IIBBBBB", 30, 20, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", damaged), (b"IEND", b""))
    encoded = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    with pytest.raises(CorruptImage, match="PNG"):
        decode(encoded, max_pixels=1000)


@pytest.mark.parametrize("emptied", [258, 259, 262, 277])
def test_a_tiff_whose_description_has_no_value_is_broken(emptied):
    encoded = bytearray(encode(Image.new("RGB", (30, 20)), "TIFF"))
    (directory,) = struct.unpack_from("<I", encoded, 4)
    (count,) = struct.unpack_from("<H", encoded, directory)
    for position in range(directory + 2, directory + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", encoded, position)
        if tag == emptied:
            struct.pack_into("<I", encoded, position + 4, 0)
    with pytest.raises(CorruptImage, match=f"tag {emptied} "):
        decode(bytes(encoded), max_pixels=1000)


@pytest.mark.parametrize("error", [IndexError("x"), ZeroDivisionError(), struct.error("y")])
def test_bytes_that_a_reader_did_not_expect_are_the_clients_fault(monkeypatch, error):
    def fail(_):
        raise error

    monkeypatch.setitem(_READERS, "PNG", fail)
    with pytest.raises(CorruptImage, match="its structure makes no sense"):
        decode(encode(Image.new("RGB", (3, 2)), "PNG"), max_pixels=1000)
