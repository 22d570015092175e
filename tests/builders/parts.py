"""Drawn parts: discs with six holes, all alike, of which some have a fault."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

SIDE = 160
_CENTRE = SIDE // 2


def part(seed, fault=""):
    """An encoded picture of a part; ``fault`` is empty, ``blob`` or ``chip``."""
    rng = np.random.default_rng(seed)
    x, y = (_CENTRE + int(number) for number in rng.integers(-2, 3, 2))
    picture = Image.new("RGB", (SIDE, SIDE), (90, 95, 100))
    pen = ImageDraw.Draw(picture)
    grey = int(rng.integers(150, 170))
    _disc(pen, x, y, 55, (grey, grey, grey))
    for hole in range(6):
        _disc(pen, *_polar(x, y, hole * np.pi / 3, 40), 6, (40, 40, 45))
    angle = rng.uniform(0, 2 * np.pi)
    if fault == "blob":
        _disc(pen, *_polar(x, y, angle, 20), 8, (140, 90, 50))
    if fault == "chip":
        _disc(pen, *_polar(x, y, angle, 54), 9, (90, 95, 100))
    noisy = np.asarray(picture, np.float32) + rng.normal(0, 3, (SIDE, SIDE, 3))
    file = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def put_parts(folder, count, fault="", seed=0):
    """Write so many pictures of parts into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:03}.png").write_bytes(part(seed + number, fault))
    return folder


def _polar(x, y, angle, radius):
    return x + radius * np.cos(angle), y + radius * np.sin(angle)


def _disc(pen, x, y, radius, colour):
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
