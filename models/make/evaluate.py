"""Measures the built-in models and prints tables: answers, speed, difference from the float models.

Usage: python models/make/evaluate.py [--models DIR] [--packages DIR] [--labelled DIR]

Only the photos of the wheels are at hand offline, and they carry no labels of these classes:
accuracy is measured only with --labelled, a folder of photos in subfolders named by the labels of
models/imagenet/dict.txt.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import efficientnet_lite
import numpy as np
import ssd_detector
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from packages import PackageReader
from photos import (
    CALIBRATION,
    CENTRE_CROP,
    COMPARISON_CROPS,
    HELD_OUT,
    Photo,
    Pixels,
    crops,
    stretch,
)
from PIL import Image
from torch_pickle import Array

SHOWN_SCORE: Final = 0.3
WARM_UP: Final = 20
REPETITIONS: Final = 300
PHOTO_ENDINGS: Final = frozenset({".jpg", ".jpeg", ".png"})


class Model:
    """A TFLite model on one thread, its outputs by name."""

    def __init__(self, folder: Path) -> None:
        self.labels = [
            label for label in _lines(folder / "dict.txt") if label != ssd_detector.BACKGROUND
        ]
        self._interpreter = Interpreter(str(folder / "model.tflite"), num_threads=1)
        self._interpreter.allocate_tensors()
        (details,) = self._interpreter.get_input_details()
        self._input = details["index"]
        self._outputs = {
            output["name"]: output["index"] for output in self._interpreter.get_output_details()
        }

    def run(self, pixels: Pixels) -> dict[str, Array]:
        """One invocation; each output without its batch axis."""
        self._interpreter.set_tensor(self._input, pixels[None])
        self._interpreter.invoke()
        return {
            name: self._interpreter.get_tensor(index)[0] for name, index in self._outputs.items()
        }

    def milliseconds(self, pixels: Pixels) -> list[float]:
        """The time of each of many invocations, the first ones left out."""
        self._interpreter.set_tensor(self._input, pixels[None])
        for _ in range(WARM_UP):
            self._interpreter.invoke()
        return [_timed(self._interpreter.invoke) for _ in range(REPETITIONS)]


@dataclass(frozen=True)
class Detection:
    """One box (ymin, xmin, ymax, xmax, relative) with its class and score."""

    box: Array
    label: int
    score: float


def classify(model: Model, pixels: Pixels) -> Array:
    """The 1,000 scores as numbers of 0 to 1."""
    return model.run(pixels)["scores"].astype(np.float32) / 256


def detect(model: Model, pixels: Pixels) -> list[Detection]:
    """The detections, best first."""
    outputs = model.run(pixels)
    boxes, labels, scores, count = (outputs[name] for name in ssd_detector.OUTPUTS)
    rows = zip(boxes[: int(count)], labels, scores, strict=False)
    return [Detection(box, int(label), float(score)) for box, label, score in rows]


def best_float_detection(boxes: Array, scores: Array) -> Detection:
    """The best detection of the float heads, which suppression never removes."""
    anchor, label = np.unravel_index(scores[:, 1:].argmax(), scores[:, 1:].shape)
    y, x, height, width = boxes[anchor] / (10, 10, 5, 5)
    anchor_y, anchor_x, anchor_height, anchor_width = ssd_detector.anchors()[anchor]
    centre = np.array([y * anchor_height + anchor_y, x * anchor_width + anchor_x])
    half = np.array([np.exp(height) * anchor_height, np.exp(width) * anchor_width]) / 2
    return Detection(
        np.concatenate([centre - half, centre + half]), int(label), float(scores[anchor, label + 1])
    )


def overlap(first: Array, second: Array) -> float:
    """The intersection of two boxes over their union."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    areas = float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]))
    return shared / (areas - shared)


def results_table(classifier: Model, detector: Model, packages: PackageReader) -> Iterator[str]:
    """What both models say of the wheels' photos."""
    yield "| photo | classifier, centre crop 0.875: top 3 | detector: score >= 0.3 |"
    yield "|---|---|---|"
    for photo in CALIBRATION:
        image = photo.open(packages)
        scores = classify(classifier, CENTRE_CROP.of(image, efficientnet_lite.SIZE))
        top = ", ".join(
            f"{classifier.labels[index]} {scores[index]:.2f}" for index in _descending(scores)[:3]
        )
        found = [
            row
            for row in detect(detector, stretch(image, ssd_detector.SIZE))
            if row.score >= SHOWN_SCORE
        ]
        boxes = ", ".join(f"{detector.labels[row.label]} {row.score:.2f}" for row in found)
        yield f"| {photo.name} | {top} | {boxes or '-'} |"


def speed_table(models: dict[str, tuple[Model, int]], image: Image.Image) -> Iterator[str]:
    """How long one invocation takes on one thread."""
    yield "| model | median ms | fastest ms | 95th percentile ms |"
    yield "|---|---|---|---|"
    for name, (model, size) in models.items():
        times = sorted(model.milliseconds(stretch(image, size)))
        median, slow = statistics.median(times), times[int(len(times) * 0.95)]
        yield f"| {name} | {median:.1f} | {times[0]:.1f} | {slow:.1f} |"


def classifier_agreement(model: Model, packages: PackageReader) -> Iterator[str]:
    """How near the uint8 classifier stays to the float network."""
    network = tf.function(efficientnet_lite.float_network(packages))
    yield (
        "| classifier, crops of | crops | same top 1 | same, float >= 0.3 "
        "| largest difference | mean of largest |"
    )
    yield "|---|---|---|---|---|---|"
    for name, photos in _photo_sets():
        pairs = [
            (classify(model, crop), network(efficientnet_lite.normalised(crop))[0].numpy())
            for crop in crops(photos, COMPARISON_CROPS, efficientnet_lite.SIZE, packages)
        ]
        same = [_descending(ours)[0] == _descending(theirs)[0] for ours, theirs in pairs]
        clear = [
            agree
            for agree, (_, theirs) in zip(same, pairs, strict=True)
            if theirs.max() >= SHOWN_SCORE
        ]
        differences = [float(np.abs(ours - theirs).max()) for ours, theirs in pairs]
        worst, mean = max(differences), statistics.mean(differences)
        counts = f"{len(pairs)} | {sum(same)} | {sum(clear)} of {len(clear)}"
        yield f"| {name} | {counts} | {worst:.3f} | {mean:.3f} |"


def detector_agreement(model: Model, packages: PackageReader) -> Iterator[str]:
    """How near the best detection of the uint8 detector stays to that of the float network."""
    network = tf.function(ssd_detector.float_network(packages))
    yield (
        "| detector, crops of | crops, float >= 0.3 | same class "
        "| largest difference | mean | lowest IoU | mean |"
    )
    yield "|---|---|---|---|---|---|---|"
    for name, photos in _photo_sets():
        pairs = list(_detection_pairs(model, network, photos, packages))
        if not pairs:
            yield f"| {name} | 0 | - | - | - | - | - |"
            continue
        same = sum(ours.label == theirs.label for ours, theirs in pairs)
        gaps = [abs(ours.score - theirs.score) for ours, theirs in pairs]
        ious = [overlap(ours.box, theirs.box) for ours, theirs in pairs]
        scores = f"{max(gaps):.3f} | {statistics.mean(gaps):.3f}"
        overlap = f"{min(ious):.2f} | {statistics.mean(ious):.2f}"
        yield f"| {name} | {len(pairs)} | {same} | {scores} | {overlap} |"


def accuracy_table(model: Model, folder: Path) -> Iterator[str]:
    """The share of labelled photos whose label comes first, or among the first five."""
    ways: dict[str, Callable[[Image.Image], Pixels]] = {
        "centre crop 0.875": lambda image: CENTRE_CROP.of(image, efficientnet_lite.SIZE),
        "stretch": lambda image: stretch(image, efficientnet_lite.SIZE),
    }
    photos = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in PHOTO_ENDINGS)
    yield "| resize | photos | top 1 | top 5 |"
    yield "|---|---|---|---|"
    for name, resize in ways.items():
        ranks = [
            _rank(model, resize(Image.open(path).convert("RGB")), path.parent.name)
            for path in photos
        ]
        shares = (sum(rank < limit for rank in ranks) / len(ranks) for limit in (1, 5))
        yield f"| {name} | {len(ranks)} | " + " | ".join(f"{share:.1%}" for share in shares) + " |"


def main() -> None:
    """Reads the command line and prints every table."""
    parser = argparse.ArgumentParser(description="Measures the models that ship.")
    parser.add_argument(
        "--models", type=Path, default=Path(__file__).parents[1], help="the folder of the models"
    )
    parser.add_argument(
        "--packages", type=Path, help="keep the fetched packages here, and use those that are"
    )
    parser.add_argument(
        "--labelled", type=Path, help="photos in subfolders named by ImageNet label"
    )
    arguments = parser.parse_args()
    classifier, detector = Model(arguments.models / "imagenet"), Model(arguments.models / "objects")
    with tempfile.TemporaryDirectory() as scratch:
        packages = PackageReader(arguments.packages or Path(scratch))
        models = {
            "imagenet": (classifier, efficientnet_lite.SIZE),
            "objects": (detector, ssd_detector.SIZE),
        }
        _show(results_table(classifier, detector, packages))
        _show(speed_table(models, CALIBRATION[0].open(packages)))
        _show(classifier_agreement(classifier, packages))
        _show(detector_agreement(detector, packages))
    if arguments.labelled:
        _show(accuracy_table(classifier, arguments.labelled))


def _photo_sets() -> tuple[tuple[str, tuple[Photo, ...]], ...]:
    return (
        (f"the {len(CALIBRATION)} calibration photos, other crops", CALIBRATION),
        (f"{len(HELD_OUT)} photos not used in calibration", HELD_OUT),
    )


def _detection_pairs(
    model: Model, network: Callable[..., Any], photos: tuple[Photo, ...], packages: PackageReader
) -> Iterator[tuple[Detection, Detection]]:
    for crop in crops(photos, COMPARISON_CROPS, ssd_detector.SIZE, packages):
        boxes, scores = (head[0].numpy() for head in network(ssd_detector.normalised(crop)))
        best = best_float_detection(boxes, scores)
        if best.score >= SHOWN_SCORE:
            yield detect(model, crop)[0], best


def _rank(model: Model, pixels: Pixels, label: str) -> int:
    return [model.labels[index] for index in _descending(classify(model, pixels))].index(label)


def _descending(scores: Array) -> Array:
    return np.argsort(-scores, kind="stable")


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _show(lines: Iterator[str]) -> None:
    print(*lines, "", sep="\n")


if __name__ == "__main__":
    main()
