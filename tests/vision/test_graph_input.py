"""Bytes for graphs that decode: the original if TensorFlow reads it correctly, else a PNG."""

import io

import numpy as np
import pytest
from builders.images import encode, quadrants, turned
from PIL import Image

from edge.errors import CorruptImage, ImageTooLarge, UnsupportedImage
from edge.vision.decode import decode
from edge.vision.graph_input import for_graph

LIMIT = 1_000_000
PICTURE = quadrants()
PALETTE = PICTURE.quantize(8)
ANIMATION = {"save_all": True, "append_images": [quadrants().rotate(180)]}

AS_IT_IS = {
    "RGB JPEG": encode(PICTURE, "JPEG"),
    "grey JPEG": encode(PICTURE.convert("L"), "JPEG"),
    "progressive JPEG": encode(PICTURE, "JPEG", progressive=True),
    "JPEG marked upright": turned(1, "JPEG"),
    "JPEG with several pictures": encode(PICTURE, "MPO", save_all=True, append_images=[PICTURE]),
    "RGB PNG": encode(PICTURE, "PNG"),
    "grey PNG": encode(PICTURE.convert("L"), "PNG"),
    "static GIF": encode(PICTURE, "GIF"),
}
RE_ENCODED = {
    **{
        f"{name} turned {orientation}": turned(orientation, name)
        for name in ("JPEG", "PNG")
        for orientation in (3, 6)
    },
    "CMYK JPEG": encode(PICTURE.convert("CMYK"), "JPEG"),
    "PNG with alpha": encode(PICTURE.convert("RGBA"), "PNG"),
    "PNG with grey and alpha": encode(PICTURE.convert("LA"), "PNG"),
    "PNG with a transparent colour": encode(PICTURE, "PNG", transparency=(200, 30, 30)),
    "palette PNG": encode(PICTURE.convert("P"), "PNG"),
    "1-bit PNG": encode(PICTURE.convert("1"), "PNG"),
    "16-bit PNG": encode(Image.new("I;16", (64, 48), 30_000), "PNG"),
    "animated GIF": encode(PICTURE, "GIF", **ANIMATION),
    "GIF with transparency": encode(PALETTE, "GIF", transparency=PALETTE.getpixel((0, 0))),
    "WebP": encode(PICTURE, "WEBP"),
    "animated WebP": encode(PICTURE, "WEBP", **ANIMATION),
    "BMP": encode(PICTURE, "BMP"),
    "TIFF": encode(PICTURE, "TIFF"),
    "TIFF turned 6": turned(6, "TIFF"),
}


@pytest.mark.parametrize("kind", AS_IT_IS)
def test_the_original_goes_in_where_tensorflow_reads_it_right(kind):
    given = for_graph(AS_IT_IS[kind], max_pixels=LIMIT)
    assert given.encoded is AS_IT_IS[kind]
    assert (given.width, given.height) == (64, 48)


@pytest.mark.parametrize("kind", RE_ENCODED)
def test_an_upright_png_without_loss_goes_in_where_tensorflow_would_read_it_wrong_or_not_at_all(
    kind,
):
    given = for_graph(RE_ENCODED[kind], max_pixels=LIMIT)
    assert (given.width, given.height) == (64, 48)
    with Image.open(io.BytesIO(given.encoded)) as png:
        assert (png.format, png.mode) == ("PNG", "RGB")
        shown = np.asarray(decode(RE_ENCODED[kind], max_pixels=LIMIT).pixels)
        np.testing.assert_array_equal(np.asarray(png), shown)


def test_what_the_graph_could_not_read_is_re_encoded_when_told_to():
    given = for_graph(AS_IT_IS["RGB JPEG"], max_pixels=LIMIT, re_encode=True)
    assert given.encoded.startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["RGB JPEG", "WebP"])
def test_limits_and_faults_are_those_of_decoding(kind):
    encoded = {**AS_IT_IS, **RE_ENCODED}[kind]
    with pytest.raises(ImageTooLarge):
        for_graph(encoded, max_pixels=64 * 48 - 1)
    with pytest.raises(UnsupportedImage):
        for_graph(b"GIF", max_pixels=LIMIT)
    with pytest.raises(CorruptImage):
        for_graph(b"", max_pixels=LIMIT)
