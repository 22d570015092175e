"""The JPEGs that are measured with."""

from __future__ import annotations

from edge.bench.frames import SIZES, make_frames
from edge.vision.decode import open_header


def test_every_photo_becomes_a_jpeg_of_every_size():
    frames = make_frames()
    assert list(frames) == list(SIZES)
    for size, images in frames.items():
        opened = [open_header(image, max_pixels=50_000_000) for image in images]
        assert len(set(images)) == 3
        assert {image.format for image in opened} == {"JPEG"}
        assert {image.size for image in opened} == {(size.width, size.height)}
