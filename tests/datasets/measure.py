"""How long `edge data inspect` takes for a large set, and its memory; run by hand.

    python tests/datasets/measure.py --pictures 20000

Draws the pictures in a temporary folder (15 KB each), with 2 % exact and 5 % near duplicates and
3 % wrong labels, inspects them twice, the second time with --resume, and says how much of that was
found. The memory is the child's own (RssAnon), looked at ten times a second, and its peak with
mapped files.
"""

# ruff: noqa: T201 -- a script that prints

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

LABELS = ("ring", "bar", "cross", "blob", "stripes", "dots", "wedge")


def draw(label, rng):
    """A shape of that label somewhere on a background of its own."""
    coarse = rng.integers(40, 200, (5, 7, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    x, y, size = rng.integers(70, 250), rng.integers(70, 170), rng.integers(35, 65)
    box = (x - size, y - size, x + size, y + size)
    colour = tuple(int(value) for value in rng.integers(0, 255, 3))
    if label == "ring":
        pen.ellipse(box, outline=colour, width=12)
    elif label == "bar":
        pen.rectangle((x - size, y - 9, x + size, y + 9), fill=colour)
    elif label == "cross":
        pen.line((box[0], box[1], box[2], box[3]), fill=colour, width=12)
        pen.line((box[0], box[3], box[2], box[1]), fill=colour, width=12)
    elif label == "blob":
        pen.ellipse(box, fill=colour)
    elif label == "stripes":
        for step in range(-size, size, 14):
            pen.line((x + step, y - size, x + step, y + size), fill=colour, width=5)
    elif label == "dots":
        for across in range(-size, size, 22):
            for down in range(-size, size, 22):
                pen.ellipse((x + across, y + down, x + across + 9, y + down + 9), fill=colour)
    else:
        pen.polygon(((x, y - size), (x - size, y + size), (x + size, y + size)), fill=colour)
    return picture


def encode(picture, quality):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def make(root, number):
    """Write the set; return how many exact and near duplicates and wrong labels it has."""
    rng = np.random.default_rng(0)
    made = {"exact": 0, "near": 0, "wrong": 0}
    last = None
    for index in range(number):
        label = LABELS[index % len(LABELS)]
        chance = rng.random()
        if last is not None and chance < 0.02:
            label, picture = last
            content = encode(picture, 88)
            made["exact"] += 1
        elif last is not None and chance < 0.07:
            label, picture = last
            content = encode(picture.resize((240, 180)), 70)
            made["near"] += 1
        else:
            picture = draw(label, rng)
            content = encode(picture, 88)
            last = (label, picture)
            if rng.random() < 0.03:
                label = LABELS[(LABELS.index(label) + 3) % len(LABELS)]
                last = (label, picture)
                made["wrong"] += 1
        folder = root / label
        folder.mkdir(exist_ok=True)
        (folder / f"{index:06}.jpg").write_bytes(content)
    return made


def memory(pid):
    """RssAnon and VmHWM of a process in MiB; zeros if it has ended."""
    found = {"RssAnon": 0, "VmHWM": 0}
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    except OSError:
        return found
    for line in lines:
        name, _, value = line.partition(":")
        if name in found:
            found[name] = int(value.split()[0]) >> 10
    return found


def inspect(root, data, *flags):
    command = [sys.executable, "-m", "edge", "data", "inspect", str(root), "--json"]
    out = data / "out.json"
    started = time.monotonic()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    before = used.ru_utime + used.ru_stime
    with out.open("w") as stream:
        child = subprocess.Popen([*command, "--data", str(data), *flags], stdout=stream)
        own = peak = 0
        while child.poll() is None:
            seen = memory(child.pid)
            own, peak = max(own, seen["RssAnon"]), max(peak, seen["VmHWM"])
            time.sleep(0.1)
    seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before
    name = " ".join(flags) or "first run"
    print(f"{name:9} {seconds:7.1f} s, {cpu:7.1f} s CPU, {own} MiB own, {peak} MiB peak")
    return json.loads(out.read_text())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=20_000)
    number = parser.parse_args().pictures
    with tempfile.TemporaryDirectory() as folder:
        root, data = Path(folder, "set"), Path(folder, "data")
        root.mkdir()
        data.mkdir()
        made = make(root, number)
        print(f"{number} pictures: {made}")
        found = inspect(root, data)
        inspect(root, data, "--resume")
        same = sum(len(group["files"]) - 1 for group in found["same"])
        near = sum(len(group["files"]) - 1 for group in found["near_duplicates"])
        suspects = len(found["probably_mislabelled"])
        print(f"found: {same} repeats, {near} in groups of near duplicates, {suspects} suspects")


if __name__ == "__main__":
    main()
