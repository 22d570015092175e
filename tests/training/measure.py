"""Measures `edge train`: seconds, peak memory, accuracy in 8 bits, and how many strangers it knows.

    python tests/training/measure.py [--seeds 5] [--folder FOLDER]

Data sets: drawn parts (800 pictures of 640x480), and those of the packages that are installed:
scikit-image's textures, scikit-learn's digits, elpv-dataset's solar cells (CC-BY-NC-SA: measured
with, never shipped). With scikit-learn its logistic regression is fitted to the same features.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from edge.export.read import read_export
from edge.model.contract import Resize
from edge.runtime.features import FeatureReader
from edge.wiring.bootstrap import embedded_models

PARTS = ("good", "scratch", "dent", "missing hole")
STRANGERS = 200  # of each other data set


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


def write_sets(folder):
    for make in (drawn_parts, textures, digits, solar_cells):
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


def train(data_set, out, *options):
    """Seconds, seconds of processor time, and MiB of `edge train` in a process of its own."""
    began = time.monotonic()
    command = [sys.executable, "-m", "edge", "train", str(data_set), "--out", str(out), *options]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = status
    assert status == 0, command
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def answers(model, pictures):
    command = [sys.executable, "-m", "edge", "predict", "--json", "--model", str(model)]
    done = subprocess.run([*command, *pictures], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def read_features(root):
    """Features of each picture by its path below the set, stretched as `edge train` does."""
    export = read_export(embedded_models() / "imagenet")
    contract = export.contract
    object.__setattr__(contract.tuning, "resize", Resize.STRETCH)
    reader = FeatureReader(export.model, contract, max_pixels=10**8, workers=2)
    pictures = ((str(file.relative_to(root)), file.read_bytes) for file in root.rglob("*.jpg"))
    return dict(reader.read_all(pictures))


def logistic_regression(features, rows) -> Any:
    """scikit-learn's accuracy in float on the same split; ``None`` without the package."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        return None
    trained = [row for row in rows if row[0] == "training"]
    tested = [row for row in rows if row[0] == "test"]
    model = LogisticRegression(max_iter=500)
    model.fit([features[name] for _, name, _ in trained], [label for *_, label in trained])
    names, labels = [features[name] for _, name, _ in tested], [label for *_, label in tested]
    return model.score(names, labels)


def measure(root, folder, seeds):
    others = [other for other in sorted(folder.iterdir()) if other.is_dir() and other != root]
    features = read_features(root)
    ours, theirs, kept, caught = [], [], [], []
    for seed in range(seeds):
        data_set, rows = write_seed(root, seed)
        out = folder / f".{root.name}-{seed}"
        train(data_set, out, "--no-saved-model")
        tested = {str(root / name): label for split, name, label in rows if split == "test"}
        found = answers(out, tested)
        ours.append(
            statistics.mean(one["predictions"][0]["label"] == tested[one["file"]] for one in found)
        )
        kept.append(statistics.mean(not one["unlike_training"] for one in found))
        theirs.append(logistic_regression(features, rows))
        data_set.unlink()
        if seed == 0:
            for other in others:
                strangers = sorted(map(str, other.rglob("*.jpg")))
                found = answers(out, strangers[:: max(len(strangers) // STRANGERS, 1)])
                share = statistics.mean(one["unlike_training"] for one in found)
                caught.append(f"{other.name} {share:.3f}")
    print(f"{root.name}: 8 bits {spread(ours)}, scikit-learn in float {spread(theirs)}")
    print(f"    known pictures kept {spread(kept)}; strangers caught: {', '.join(caught)}")


def spread(numbers):
    if None in numbers:
        return "not installed"
    deviation = statistics.stdev(numbers) if len(numbers) > 1 else 0
    return f"{statistics.mean(numbers):.3f} +- {deviation:.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the data sets are kept")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="edge-train-"))
    write_sets(folder)
    for options in (("--no-saved-model",), ()):
        wall, cpu, memory = train(folder / "drawn_parts", folder / ".timed", *options)
        what = "TFLite" if options else "TFLite and SavedModel"
        print(f"800 pictures of 640x480, {what}: {wall:.1f} s ({cpu:.1f} s CPU), {memory:.0f} MiB")
    for root in sorted(folder.iterdir()):
        if not root.name.startswith("."):
            measure(root, folder, given.seeds)


if __name__ == "__main__":
    main()
