"""Pictures made fit to be sent."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from edge.errors import CorruptImage, ImageTooLarge
from edge.vision.decode import upright_size
from edge.vision.shrink import for_upload


def picture(width, height, kind="JPEG", orientation=None):
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    noise = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind, exif=exif)
    return file.getvalue()


def shrunk(encoded, max_side=640, max_bytes=1_000_000):
    upload = for_upload(encoded, max_pixels=50_000_000, max_side=max_side, max_bytes=max_bytes)
    assert upload.media_type == "image/jpeg"
    assert len(upload.encoded) <= max_bytes
    return upload.encoded


def test_a_small_upright_jpeg_is_sent_as_it_is():
    original = picture(320, 240)
    assert shrunk(original) == original


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF"])
def test_other_formats_are_sent_as_jpeg(kind):
    assert Image.open(io.BytesIO(shrunk(picture(320, 240, kind)))).size == (320, 240)


def test_a_large_picture_is_made_no_larger_than_useful():
    assert Image.open(io.BytesIO(shrunk(picture(1600, 1200)))).size == (640, 480)


def test_a_turned_picture_is_sent_upright():
    turned = Image.open(io.BytesIO(shrunk(picture(320, 240, orientation=6))))
    assert turned.size == (240, 320)
    assert turned.getexif().get(0x0112, 1) == 1


def test_quality_and_size_go_down_until_it_fits():
    sent = Image.open(io.BytesIO(shrunk(picture(640, 480), max_bytes=20_000)))
    assert sent.size[0] < 640


def test_what_cannot_be_brought_under_the_limit_is_told():
    with pytest.raises(ImageTooLarge):
        shrunk(picture(640, 480), max_bytes=300)


def test_a_truncated_picture_is_not_sent():
    with pytest.raises(CorruptImage):
        shrunk(picture(320, 240)[:5000])


@pytest.mark.parametrize(
    ("orientation", "size"), [(None, (320, 240)), (3, (320, 240)), (6, (240, 320))]
)
def test_the_upright_size_is_told_from_the_header(orientation, size):
    assert upright_size(picture(320, 240, orientation=orientation), max_pixels=10**6) == size
