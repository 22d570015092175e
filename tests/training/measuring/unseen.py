"""Pictures that no constant of training was chosen by: to confirm, not to choose.

Photos of scikit-image's wheel other than its textures and the demo's, the photos of the built-in
demo, charts and pages of text that are drawn, and noise.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from edge.wiring.bootstrap import embedded_models

PHOTOS = [
    "camera",
    "coins",
    "rocket",
    "immunohistochemistry",
    "hubble_deep_field",
    "moon",
    "retina",
    "horse",
    "page",
    "text",
    "clock",
]
CROPS = 60
WORDS = [
    "line",
    "part",
    "station",
    "shift",
    "weld",
    "torque",
    "batch",
    "frame",
    "model",
    "camera",
    "sensor",
    "count",
]


def photos():
    """Crops of photos that the wheel ships; a label for each photo."""
    from skimage import data

    rng = np.random.default_rng(11)
    for name in PHOTOS:
        try:
            pixels = np.asarray(getattr(data, name)())
        except (OSError, ModuleNotFoundError, ConnectionError):
            continue  # it would have to be downloaded
        if pixels.dtype == bool:
            pixels = pixels.astype(np.uint8) * 255
        yield from _crops(rng, name, Image.fromarray(pixels.astype(np.uint8)).convert("RGB"))


def demo_photos():
    """Crops of the built-in demo's photos."""
    rng = np.random.default_rng(12)
    for file in sorted((embedded_models() / "photos").glob("*.jpg")):
        yield from _crops(rng, file.stem, Image.open(file).convert("RGB"))


def charts():
    """Bars, lines and pies in random colours."""
    rng = np.random.default_rng(13)
    for kind in ("bars", "lines", "pie"):
        for _ in range(CROPS):
            yield kind, _chart(rng, kind)


def pages():
    """Pages of text and forms."""
    rng = np.random.default_rng(14)
    for kind in ("text", "form"):
        for _ in range(CROPS):
            yield kind, _page(rng, kind)


def noise():
    """White noise, and the same blurred."""
    rng = np.random.default_rng(15)
    for kind, radius in (("white", 0), ("blurred", 4)):
        for _ in range(CROPS):
            pixels = rng.integers(0, 256, (240, 320, 3)).astype(np.uint8)
            yield kind, Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius))


def _crops(rng, label, picture):
    shorter = min(picture.size)
    for _ in range(CROPS):
        side = int(rng.integers(shorter // 2, max(shorter * 9 // 10, shorter // 2 + 1)))
        left, top = (int(rng.integers(0, whole - side + 1)) for whole in picture.size)
        yield label, picture.crop((left, top, left + side, top + side)).resize((320, 320))


def _colour(rng, low=0, high=255):
    return tuple(int(value) for value in rng.integers(low, high, 3))


def _chart(rng, kind):
    picture = Image.new("RGB", (480, 360), _colour(rng, 225))
    draw = ImageDraw.Draw(picture)
    draw.line([(50, 20), (50, 320), (460, 320)], fill=_colour(rng, 0, 90), width=2)
    values = rng.uniform(20, 280, int(rng.integers(4, 12)))
    step = 400 / len(values)
    if kind == "bars":
        for place, value in enumerate(values):
            left = 56 + place * step
            box = (left, 320 - value, left + step * 0.7, 320)
            draw.rectangle(box, fill=_colour(rng))
    if kind == "lines":
        for _ in range(int(rng.integers(1, 4))):
            points = [(56 + place * step, rng.uniform(30, 310)) for place in range(len(values))]
            draw.line(points, fill=_colour(rng), width=3)
    if kind == "pie":
        begin = 0.0
        for share in values / values.sum() * 360:
            draw.pieslice((120, 40, 380, 300), begin, begin + share, fill=_colour(rng))
            begin += share
    return picture


def _page(rng, kind):
    picture = Image.new("RGB", (360, 480), _colour(rng, 235))
    draw = ImageDraw.Draw(picture)
    for top in range(24, 450, int(rng.integers(14, 22))):
        if kind == "form" and rng.random() < 0.5:
            draw.rectangle((24, top, 24 + int(rng.integers(60, 300)), top + 11), outline=(90,) * 3)
            continue
        words = " ".join(rng.choice(WORDS, int(rng.integers(3, 9))))
        draw.text((24, top), words, fill=_colour(rng, 0, 70))
    return picture


UNSEEN = (photos, demo_photos, charts, pages, noise)
