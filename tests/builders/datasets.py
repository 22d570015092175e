"""Data sets on disk, in the layouts of other tools."""

from __future__ import annotations

import io
import json
import zlib

import numpy as np
from PIL import Image


def picture(seed=0, size=(32, 24), kind="PNG"):
    """An encoded picture; each seed gives one that looks unlike the others."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(file, kind)
    return file.getvalue()


def put(root, *names, content=None):
    """Write a picture, each another one, under each of these names."""
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(zlib.crc32(name.encode())) if content is None else content)
    return root


def put_lines(file, *lines, end="\n"):
    """Write an index file of these lines: text, or values that become JSON."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes("".join(text + end for text in texts).encode())
    return file


def labels_by_name(data_set):
    """The labels of each picture, by the name of its file."""
    return {example.image.name: example.labels for example in data_set.examples}
