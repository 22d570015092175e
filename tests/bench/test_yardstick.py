"""The yardstick does not move with the service's pixel path."""

from __future__ import annotations

import io

import numpy as np
import pytest
from builders.images import encode, noise
from PIL import Image

from edge.bench import yardstick
from edge.bench.yardstick import Yardstick
from edge.export.read import read_export
from edge.wiring.bootstrap import embedded_models


def expected(encoded, side, draft, box):
    """Pillow alone, with the numbers written out."""
    picture = Image.open(io.BytesIO(encoded))
    if draft:
        picture.draft(None, (draft, draft))
    scale = picture.width / Image.open(io.BytesIO(encoded)).width
    scaled = tuple(edge * scale for edge in box)
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR, scaled))


@pytest.mark.parametrize(
    ("model", "exact", "side", "draft", "box"),
    [
        ("imagenet", False, 224, 512, (328.75, 78.75, 1431.25, 1181.25)),
        ("imagenet", True, 224, None, (328.75, 78.75, 1431.25, 1181.25)),
        ("objects", False, 300, 600, (0.0, 0.0, 1760.0, 1260.0)),
    ],
)
def test_it_decodes_at_twice_what_the_model_sees_and_resizes_with_pillow(
    monkeypatch, model, exact, side, draft, box
):
    encoded = encode(noise(88, 63).resize((1760, 1260)), "JPEG")
    fed = []
    monkeypatch.setattr(yardstick, "to_tensor", lambda pixels, spec: fed.append(pixels) or pixels)
    export = read_export(embedded_models() / model)
    Yardstick(export.model, export.contract, 1, exact=exact).compute(0, encoded)
    np.testing.assert_array_equal(fed[0], expected(encoded, side, draft, box))
