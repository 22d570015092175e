"""Every kind of picture is shown right or refused by its name: the table of `docs/pictures.md`."""

from pathlib import Path

import numpy as np
import pytest
from builders.pictures import PICTURES, Picture

from edge.errors import RequestError
from edge.vision.decode import decode
from edge.vision.graph_input import for_graph

LIMIT = 1_000_000
PAGE = Path(__file__).parents[2] / "docs/pictures.md"
CASES = [
    pytest.param(picture, id=f"{name}: {kind}")
    for name, pictures in PICTURES.items()
    for kind, picture in pictures.items()
]


def table() -> str:
    """The body of docs/pictures.md; after a change of a case, paste what the test prints."""
    parts = []
    for name, pictures in PICTURES.items():
        rows = [f"## {name}", "", "| picture | answer |", "|---|---|"]
        for kind, picture in pictures.items():
            rows.append(f"| {kind} | {_outcome(picture)} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _outcome(picture: Picture) -> str:
    if picture.code:
        return f"refused: `{picture.code}`"
    return f"right: {picture.rule}" if picture.rule else "right"


@pytest.mark.parametrize("picture", CASES)
def test_a_picture_is_shown_as_its_samples_mean_it_or_refused_by_its_name(picture):
    encoded = picture.build()
    if picture.shown is None:
        with pytest.raises(RequestError, match=picture.words) as refused:
            decode(encoded, max_pixels=LIMIT)
        assert refused.value.code == picture.code
        return
    pixels = np.asarray(decode(encoded, max_pixels=LIMIT).pixels).astype(int)
    assert pixels.shape == picture.shown.shape
    assert np.abs(pixels - picture.shown).max() <= picture.tolerance


@pytest.mark.slow
def test_a_graph_that_decodes_by_itself_is_given_the_same_pixels():
    """TensorFlow's decoders see what the table says, of the original or of a PNG made of it."""
    import tensorflow as tf

    for name, pictures in PICTURES.items():
        for kind, picture in pictures.items():
            if picture.shown is None:
                continue
            given = for_graph(picture.build(), max_pixels=LIMIT).encoded
            seen = tf.io.decode_image(given, channels=3, expand_animations=False).numpy()
            assert seen.shape == picture.shown.shape, (name, kind)
            off = np.abs(seen.astype(int) - picture.shown).max()
            assert off <= picture.tolerance, (name, kind)


def test_the_page_lists_every_picture_with_its_answer():
    assert PAGE.read_text("utf-8").endswith(table()), table()
