"""What costs more than its pixels is refused before a decoder sees it; odd but harmless is read."""

import struct
import time
import zlib

import numpy as np
import pytest
from builders.bombs import (
    READ,
    REFUSED,
    before_scan,
    bmp_of_runs,
    chunk,
    exif_block,
    gif_with,
    jpeg_of_scans,
    png_with,
    segment,
    tiff,
    tiff_tags,
    webp_of_chunks,
)
from builders.images import encode, noise, quadrants, turned

from edge.errors import (
    CorruptImage,
    ImageTooComplex,
    ImageTooLarge,
    RequestError,
    UnsupportedImage,
)
from edge.vision.decode import decode, open_header, upright_size
from edge.vision.graph_input import for_graph
from edge.vision.shrink import for_upload
from edge.vision.structure.inspect import inspect
from edge.vision.structure.structure import MAX_SIDE
from edge.vision.thumbnail import thumbnail

LIMIT = 50_000_000
_CPU_S = 1.0
"""CPU seconds for any of these files; today's decoders without the checks take 2 to 35."""

ENTRANCES = {
    "decode": lambda image: decode(image, max_pixels=LIMIT),
    "decode for a model": lambda image: decode(image, max_pixels=LIMIT, min_side=448),
    "for a graph": lambda image: for_graph(image, max_pixels=LIMIT),
    "for the cloud": lambda image: for_upload(
        image, max_pixels=LIMIT, max_side=1024, max_bytes=1_000_000
    ),
    "thumbnail": lambda image: thumbnail(image, 320, max_pixels=LIMIT),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bomb_is_refused_at_every_entrance_before_it_is_decoded(name):
    bomb = REFUSED[name]()
    for entrance in ENTRANCES.values():
        began = time.process_time()
        with pytest.raises((ImageTooComplex, ImageTooLarge, UnsupportedImage)) as refused:
            entrance(bomb)
        assert time.process_time() - began < _CPU_S
        assert "Send" in refused.value.message or "Save" in refused.value.message


@pytest.mark.parametrize("name", [name for name in REFUSED if "webp: 50" not in name])
def test_nor_is_its_header_opened(name):
    """But for a picture that is refused for its memory: a header takes none."""
    bomb = REFUSED[name]()
    for read in (open_header, upright_size):
        with pytest.raises(RequestError):
            read(bomb, max_pixels=LIMIT)


@pytest.mark.parametrize("name", READ)
def test_what_only_its_metadata_would_cost_is_read_without_it(name):
    image = READ[name]()
    for entrance in ENTRANCES.values():
        began = time.process_time()
        assert entrance(image)
        assert time.process_time() - began < _CPU_S


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_plain_image_is_decoded_from_its_own_bytes(name):
    encoded = encode(quadrants(), name)
    structure = inspect(encoded, max_pixels=LIMIT)
    assert structure.encoded is encoded
    assert (structure.format, structure.width, structure.height) == (name, 64, 48)


CLEANED = {
    "JPEG": (lambda: before_scan(segment(0xE2, bytes(60_000)) * 10), noise(64, 48)),
    "JPEG, junk": (lambda: before_scan(b"\0\xff\0junk\xff\xff"), noise(64, 48)),
    "PNG": (lambda: png_with(chunk(b"tEXt", b"a\0b") * 3), noise(8, 8)),
    "PNG, damaged text": (lambda: png_with(chunk(b"zTXt", b"a\0b")[:-1] + b"?"), noise(8, 8)),
    "GIF": (lambda: gif_with(b"!\xfe\x05hello\0"), noise(8, 8)),
}


@pytest.mark.parametrize("name", CLEANED)
def test_a_copy_without_metadata_has_the_same_pixels(name):
    build, plain = CLEANED[name]
    encoded = build()
    assert len(inspect(encoded, max_pixels=LIMIT).encoded) < len(encoded)
    kind = name.split(",")[0]
    expected = decode(encode(plain, kind, **({"quality": 75} if kind == "JPEG" else {})),
                      max_pixels=LIMIT)  # fmt: skip
    shown = decode(encoded, max_pixels=LIMIT)
    if kind == "JPEG":
        assert shown.pixels.size == (64, 48)
    else:
        np.testing.assert_array_equal(np.asarray(shown.pixels), np.asarray(expected.pixels))


def test_a_tiff_of_several_pages_shows_its_first():
    pages = [quadrants(), quadrants().rotate(180)]
    encoded = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    shown = decode(encoded, max_pixels=LIMIT).pixels
    np.testing.assert_array_equal(np.asarray(shown), np.asarray(pages[0]))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg", "tiff_adobe_deflate"])
def test_a_tiff_with_large_metadata_is_read_without_it(big, compression):
    options = {"compression": compression} if compression else {}
    plain = encode(quadrants(), "TIFF", big_tiff=big, **options)
    encoded = encode(
        quadrants(), "TIFF", big_tiff=big, tiffinfo={37724: b"8BIM" * 100_000}, **options
    )
    assert inspect(plain, max_pixels=LIMIT).encoded is plain
    assert inspect(encoded, max_pixels=LIMIT).encoded is not encoded
    expected = np.asarray(decode(plain, max_pixels=LIMIT).pixels)
    np.testing.assert_array_equal(np.asarray(decode(encoded, max_pixels=LIMIT).pixels), expected)


@pytest.mark.parametrize(
    ("accepted", "refused"),
    [
        (lambda: jpeg_of_scans(100, 64, 48), lambda: jpeg_of_scans(101, 64, 48)),
        (lambda: jpeg_of_scans(24, 5000, 5000), lambda: jpeg_of_scans(49, 5000, 5000)),
        (lambda: before_scan(b"\xff" * 200), lambda: before_scan(b"\xff" * 300)),
        (lambda: png_with(chunk(b"tEXt", b"a\0b") * 900), lambda: png_with(
            chunk(b"tEXt", b"a\0b") * 1100)),
        (lambda: gif_with(b"!\x01\0" * 900), lambda: gif_with(b"!\x01\0" * 1100)),
        (lambda: webp_of_chunks(900), lambda: webp_of_chunks(1100)),
        (lambda: bmp_of_runs(1000, 1000, b"\x01\x07\0\0" * 1000),
         lambda: bmp_of_runs(1001, 1000, b"\x01\x07\0\0" * 1000)),
        (lambda: tiff(tiff_tags(8, 8) | dict.fromkeys(range(1000, 5000), (1, 1, 0)), bytes(64)),
         lambda: tiff(tiff_tags(8, 8) | dict.fromkeys(range(1000, 5100), (1, 1, 0)), bytes(64))),
    ],
    ids=["scans", "scans of pixels", "fill", "chunks", "extensions", "riff", "runs", "tags"],
)  # fmt: skip
def test_the_bound_of_each_structure(accepted, refused):
    assert decode(accepted(), max_pixels=LIMIT)
    with pytest.raises(ImageTooComplex):
        decode(refused(), max_pixels=LIMIT)


def test_scans_of_what_follows_the_image_do_not_count():
    image = jpeg_of_scans(90, 64, 48)
    assert decode(image + jpeg_of_scans(90, 64, 48), max_pixels=LIMIT)


def test_scan_markers_are_counted_across_the_blocks_in_which_they_are_counted():
    scan = segment(0xDA, bytes([1, 1, 0, 1, 63, 0]))
    for shift in range(3):
        filler = segment(0xFE, bytes(60_000 + shift)) * 4
        image = jpeg_of_scans(95, 64, 48)[:-2] + (filler + scan) * 6 + b"\xff\xd9"
        with pytest.raises(ImageTooComplex):
            decode(image, max_pixels=LIMIT)


@pytest.mark.parametrize("name", ["PNG", "BMP", "GIF", "TIFF"])
def test_each_side_has_a_bound(name):
    for size in ((MAX_SIDE, 1), (1, MAX_SIDE)):
        assert decode(encode(quadrants().resize(size), name), max_pixels=LIMIT).pixels.size == size
    for size in ((MAX_SIDE + 1, 1), (1, MAX_SIDE + 1)):
        with pytest.raises(ImageTooLarge, match="16,384"):
            decode(encode(quadrants().resize(size), name), max_pixels=LIMIT)


def test_a_jpeg_with_two_frame_headers_is_refused():
    """Pillow would read the size of one, and libjpeg take memory for the other."""
    frame = struct.pack(">BHHB", 8, 60_000, 60_000, 1) + b"\x01\x11\0"
    with pytest.raises(CorruptImage, match="two frame headers"):
        decode(before_scan(segment(0xC2, frame)), max_pixels=LIMIT)


def test_a_png_with_two_headers_is_refused():
    header = struct.pack(">IIBBBBB", 5000, 5000, 8, 2, 0, 0, 0)
    with pytest.raises(CorruptImage, match="two headers"):
        decode(png_with(chunk(b"IHDR", header)), max_pixels=LIMIT)


def test_jpegs_in_a_tiff_have_no_more_scans_than_components():
    jpeg = jpeg_of_scans(50, 64, 48)
    tags = tiff_tags(64, 48, 7) | {279: (4, 1, len(jpeg))}
    with pytest.raises(ImageTooComplex, match="scans"):
        decode(tiff(tags, jpeg), max_pixels=LIMIT)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_read_from_the_structure(name, orientation):
    structure = inspect(turned(orientation, name), max_pixels=LIMIT)
    assert structure.orientation == orientation
    assert structure.upright_size == (64, 48)


def test_the_orientation_of_exif_that_is_dropped_counts():
    block = exif_block(300, 10_000)
    orientation = struct.pack("<HHII", 0x0112, 3, 1, 3)
    turned_block = block[:6] + block[6:16] + orientation + block[28:]
    encoded = encode(quadrants(), "JPEG", exif=turned_block)
    structure = inspect(encoded, max_pixels=LIMIT)
    assert (structure.orientation, len(structure.encoded) < len(encoded)) == (3, True)


def test_truncated_text_chunks_behind_the_pixels_spoil_no_png():
    encoded = encode(quadrants(), "PNG")
    damaged = encoded[:-12] + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(9))[:-3]) + b"\0\0"
    assert inspect(damaged, max_pixels=LIMIT).width == 64
