"""Data sets of drawn shapes: a person tells them apart at a glance, and features as well."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

SIDE = 96


def shape(kind, seed):
    """An encoded picture of a disc, a square, stripes, or of several of them (``disc+square``)."""
    rng = np.random.default_rng(seed)
    ground = tuple(int(level) for level in rng.integers(60, 110, 3))
    picture = Image.new("RGB", (SIDE, SIDE), ground)
    draw = ImageDraw.Draw(picture)
    x, y = (int(number) for number in rng.integers(-6, 7, 2))
    if "disc" in kind:
        draw.ellipse((20 + x, 20 + y, 50 + x, 50 + y), fill=(230, 210, 60))
    if "square" in kind:
        draw.rectangle((50 + x, 50 + y, 82 + x, 82 + y), fill=(40, 60, 220))
    if "stripes" in kind:
        for line in range(0, SIDE, 8):
            draw.line((0, line + y, SIDE, line + x), fill=(240, 240, 240), width=3)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def put_shapes(root, counts):
    """Write a folder per label: so many pictures of each."""
    for label, count in counts.items():
        folder = root / label
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (folder / f"{label}{number:03}.png").write_bytes(shape(label, number))
    return root


def put_multi_label(root, count):
    """Write a Vertex AI CSV of pictures with a disc, a square, both, or stripes alone."""
    root.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(count):
        for kind in ("disc", "square", "disc+square", "stripes"):
            name = f"{kind}{number:03}.png"
            (root / name).write_bytes(shape(kind, number))
            lines.append(",".join([name, *kind.split("+")]))
    (root / "labels.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return root / "labels.csv"
