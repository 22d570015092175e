"""SavedModels as AutoML makes them, TensorFlow's answers to images, and a server of them."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps
from serving.pictures import encoded, every_format, photo, picture, turned
from serving.process import Server, clean_environment

SCRIPT = Path(__file__).with_name("tensorflow_side.py")


@dataclass(frozen=True)
class Judged:
    """Exports, images, and TensorFlow's own answers to these images, upright and readable.

    Attributes:
        models: a repository of the exports.
        images: name to the bytes that a camera sends.
        upright: the images as TensorFlow must get them; unchanged if it reads them correctly.
        answers: model, then name of the image, to output name to value.
    """

    models: Path
    images: dict[str, bytes]
    upright: dict[str, bytes]
    answers: dict[str, dict[str, Any]]


def pictures_sent() -> dict[str, bytes]:
    coffee = picture("coffee", (320, 240))
    see_through = coffee.convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(coffee.size))
    holes = picture("chelsea", (60, 60)).quantize(16)
    return every_format(coffee) | {
        "jpeg upside down": turned(coffee, 3),
        "jpeg on its left side": turned(coffee, 8),
        "jpeg grey": encoded(coffee.convert("L"), "JPEG"),
        "jpeg of another size": photo("chelsea"),
        "png see-through": encoded(see_through, "PNG"),
        "png palette with a hole": encoded(holes, "PNG", transparency=0),
        "webp turned": encoded(coffee, "WEBP", lossless=True, exif=_on_its_side()),
        "png turned": encoded(coffee, "PNG", exif=_on_its_side()),
    }


AS_THEY_ARE = {"jpeg", "jpeg progressive", "jpeg grey", "jpeg of another size", "png", "gif"}
"""What TensorFlow reads, and right: it has to get these very bytes."""


def _on_its_side() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def seen_by_a_person(sent: bytes) -> bytes:
    """The picture as PNG: upright, its first frame, on white."""
    image = Image.open(io.BytesIO(sent))
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        image = image.point(lambda level: level / 256).convert("L")
    if image.has_transparency_data:
        page = Image.new("RGBA", image.size, "white")
        page.alpha_composite(image.convert("RGBA"))
        image = page
    return encoded(image.convert("RGB"), "PNG")


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Made once, in a process of its own, so that this one never imports TensorFlow."""
    folder = tmp_path_factory.mktemp("tensorflow")
    (folder / "images").mkdir()
    sent = pictures_sent()
    upright = {
        name: data if name in AS_THEY_ARE else seen_by_a_person(data) for name, data in sent.items()
    }
    for name in sent:
        (folder / "images" / f"{name}.upright").write_bytes(upright[name])
        (folder / "images" / f"{name}.sent").write_bytes(sent[name])
    subprocess.run(
        [sys.executable, SCRIPT, folder],
        env=clean_environment(),
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return Judged(
        folder / "models", sent, upright, json.loads((folder / "answers.json").read_text())
    )


@pytest.fixture(scope="session")
def server(judged: Judged) -> Iterator[Server]:
    with Server("--models", judged.models) as running:
        yield running
