"""The four data sets that training was developed with: drawn, or shipped by packages."""

import csv

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

PARTS = ("good", "scratch", "dent", "missing hole")


def part(rng, kind):
    """A drawn metal part with four holes, in uneven light."""
    width, height, grey = 640, 480, int(rng.integers(150, 200))
    picture = Image.new("RGB", (width, height), (int(rng.integers(60, 110)),) * 3)
    draw = ImageDraw.Draw(picture)
    left, top = 130 + int(rng.integers(-25, 25)), 110 + int(rng.integers(-20, 20))
    draw.rounded_rectangle((left, top, left + 380, top + 260), 30, fill=(grey, grey, grey - 5))
    missing = int(rng.integers(4)) if kind == "missing hole" else -1
    for number, (x, y) in enumerate(((50, 50), (330, 50), (50, 210), (330, 210))):
        if number != missing:
            box = (left + x - 18, top + y - 18, left + x + 18, top + y + 18)
            draw.ellipse(box, fill=(30, 30, 32))
    x, y = left + rng.uniform(90, 290), top + rng.uniform(70, 190)
    if kind == "scratch":
        angle, length = rng.uniform(0, np.pi), rng.uniform(30, 70)
        dx, dy = length * np.cos(angle), length * np.sin(angle)
        shade = grey - int(rng.integers(40, 80))
        draw.line((x - dx, y - dy, x + dx, y + dy), fill=(shade,) * 3, width=3)
    if kind == "dent":
        radius = rng.uniform(16, 32)
        mask = Image.new("L", picture.size)
        box = (x - radius, y - radius, x + radius, y + radius)
        ImageDraw.Draw(mask).ellipse(box, fill=255)
        mask = mask.filter(ImageFilter.GaussianBlur(radius / 3))
        picture.paste((grey - 60,) * 3, mask=mask)
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(1))).astype(np.float32)
    pixels += np.linspace(-1, 1, width)[None, :, None] * rng.uniform(-20, 20)
    pixels += rng.normal(0, 6, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def drawn_parts():
    rng = np.random.default_rng(1)
    for kind in PARTS:
        for _ in range(200):
            yield kind, part(rng, kind)


def textures():
    from skimage import data

    rng = np.random.default_rng(0)
    for label in ("brick", "grass", "gravel"):
        whole = getattr(data, label)()
        for _ in range(200):
            side = int(rng.integers(96, 200))
            y, x = rng.integers(0, 512 - side, 2)
            yield label, Image.fromarray(whole[y : y + side, x : x + side]).resize((320, 320))


def digits():
    from sklearn.datasets import load_digits

    found = load_digits()
    for image, label in zip(found.images, found.target, strict=True):
        yield str(label), Image.fromarray((image * 15.9).astype(np.uint8)).resize((192, 192))


def solar_cells():
    from elpv_dataset.utils import load_dataset

    for image, defect, _ in zip(*load_dataset(), strict=True):
        yield "defective" if defect > 0.5 else "good", Image.fromarray(image)


def write_sets(folder, makers):
    """Write a folder per label for each set that can be made here, below ``folder``."""
    for make in makers:
        root = folder / make.__name__
        if root.exists():
            continue
        try:
            for number, (label, picture) in enumerate(make()):
                (root / label).mkdir(parents=True, exist_ok=True)
                picture.convert("RGB").save(root / label / f"{number:05}.jpg", quality=92)
        except ImportError as error:
            print(f"{make.__name__}: left out, {error}")


def write_seed(root, seed):
    """A Vertex AI CSV with a random split of 80, 10 and 10 in a hundred."""
    pictures = sorted(root.rglob("*.jpg"))
    order = np.random.default_rng(seed).permutation(len(pictures))
    rows = []
    for place, index in enumerate(order):
        share = place / len(order)
        split = "test" if share >= 0.9 else "validation" if share >= 0.8 else "training"
        picture = pictures[index]
        rows.append((split, str(picture.relative_to(root)), picture.parent.name))
    file = root / f"seed{seed}.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(rows)
    return file, rows


DEVELOPED_WITH = (drawn_parts, textures, digits, solar_cells)
