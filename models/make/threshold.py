"""Measures the detector's precision and recall at every score threshold, and prints tables.

Usage: python models/make/threshold.py FOLDER...

The folders hold the pictures that `TRUTH` names, at any depth; it says for each which of the
model's classes can be seen in it, as one person judged by looking. Only whether a class is in the
picture is judged, not where: boxes were not drawn by hand.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge.dataplane.answer import InferRequest
from edge.settings import Settings
from edge.wiring.bootstrap import build_service

MODEL: Final = Path(__file__).parents[1] / "objects"
THRESHOLDS: Final = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7)

SAME: Final = {"Mug": "Coffee cup", "Car": "Vehicle", "Boot": "Footwear", "High heels": "Footwear"}
"""Classes that overlap, of which suppression keeps one: either counts as right."""


@dataclass(frozen=True)
class Truth:
    """What a picture shows.

    Attributes:
        seen: classes that must be found.
        unclear: classes that are neither right nor wrong there: tiny, half hidden, or arguable.
    """

    seen: frozenset[str] = frozenset()
    unclear: frozenset[str] = field(default=frozenset())


def _shows(*seen: str, unclear: Sequence[str] = ()) -> Truth:
    return Truth(frozenset(seen), frozenset(unclear))


_NOTHING: Final = (
    "brick.png",
    "cell.png",
    "clock_motion.png",
    "coins.png",
    "color.png",
    "grass.png",
    "gravel.png",
    "horse.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "retina.jpg",
)
"""Pictures of scikit-image with none of the classes: textures, medicine, space, a silhouette."""

TRUTH: Final[Mapping[str, Truth]] = {
    # wheel scikit-image 0.26.0
    "astronaut.png": _shows("Person"),
    "camera.png": _shows("Person", "Camera"),
    "chelsea.png": _shows("Cat"),
    "coffee.png": _shows("Coffee cup", "Table"),
    "motorcycle_left.png": _shows("Vehicle", "Box", unclear=["Chair"]),
    "rocket.jpg": _shows(unclear=["Vehicle"]),
    "page.png": _shows(unclear=["Book"]),
    "text.png": _shows(unclear=["Book"]),
    **dict.fromkeys(_NOTHING, _shows()),
    # wheel scikit-learn 1.9.1
    "china.jpg": _shows(unclear=["Vehicle"]),
    "flower.jpg": _shows(),
    # wheel ultralytics 8.4.190
    "bus.jpg": _shows("Person", "Vehicle", "Footwear"),
    "zidane.jpg": _shows("Person"),
    # wheel gradio 6.31.0: no class is a big cat
    "cheetah.jpg": _shows(),
    "cheetah1.jpg": _shows(),
    "cheetah2.jpg": _shows(),
    "lion.jpg": _shows(),
    "tower.jpg": _shows(),
    "groot.jpeg": _shows(unclear=["Person"]),
    # the repositories tflite-support and automl-video-ondevice
    "burger.jpg": _shows(unclear=["Table"]),
    "cats_and_dogs.jpg": _shows("Cat", "Dog"),
    "husky_original.jpg": _shows("Dog"),
    "0001.bmp": _shows("Vehicle"),
    "0010.bmp": _shows("Vehicle"),
    # the repositories automl-vision-edge-in-mlkit and quickstart-android
    "dandelion_2817950_640.jpg": _shows(),
    "dandelion_4110356_640.jpg": _shows(),
    "rose_1463562_640.jpg": _shows(unclear=["Table", "Chair"]),
    "rose_3063284_640.jpg": _shows(),
    "sunflower_1627193_640.jpg": _shows(),
    "sunflower_3292932_640.jpg": _shows(unclear=["Table"]),
    "DandelionFlower.jpg": _shows(),
}


@dataclass(frozen=True)
class Found:
    """The best score of each class in a picture, overlapping classes as one."""

    name: str
    scores: Mapping[str, float]


def find_pictures(folders: Sequence[Path]) -> list[Path]:
    """Find one file for each name of the truth; says on standard error which are missing."""
    by_name = {path.name: path for folder in folders for path in sorted(folder.rglob("*"))}
    missing = sorted(TRUTH.keys() - by_name.keys())
    if missing:
        print("not found:", ", ".join(missing), file=sys.stderr)
    return [by_name[name] for name in TRUTH if name in by_name]


def detect_all(pictures: Sequence[Path]) -> list[Found]:
    """Run the detector as the service does, and keep every score from the lowest threshold up."""
    service = build_service(Settings(models=MODEL, workers=1, exact_decode=True))
    service.load_models()
    request = InferRequest(math.inf, threshold=THRESHOLDS[0])

    async def detect_each() -> list[Found]:
        found = []
        for path in pictures:
            answer = await service.infer(path.read_bytes(), request)
            scores: dict[str, float] = {}
            for item in reversed(answer.items):  # the best one of a class last
                scores[SAME.get(item.label, item.label)] = item.score
            found.append(Found(path.name, scores))
        await service.stop()
        return found

    return asyncio.run(detect_each())


def count(found: Sequence[Found], threshold: float) -> tuple[int, int, int]:
    """How many classes are shown rightly, shown wrongly, and missed, at a threshold."""
    right = wrong = missed = 0
    for one in found:
        truth = TRUTH[one.name]
        shown = {label for label, score in one.scores.items() if score >= threshold}
        right += len(shown & truth.seen)
        wrong += len(shown - truth.seen - truth.unclear)
        missed += len(truth.seen - shown)
    return right, wrong, missed


def main() -> None:
    """Print the table of thresholds, and what was found in each picture."""
    found = detect_all(find_pictures([Path(name) for name in sys.argv[1:]]))
    print("| threshold | right | wrong | missed | precision | recall | F1 |")
    print("|---|---|---|---|---|---|---|")
    for threshold in THRESHOLDS:
        right, wrong, missed = count(found, threshold)
        precision = right / max(right + wrong, 1)
        recall = right / (right + missed)
        f1 = 2 * right / (2 * right + wrong + missed)
        figures = f"{right} | {wrong} | {missed} | {precision:.2f} | {recall:.2f} | {f1:.2f}"
        print(f"| {threshold} | {figures} |")
    print("\n| picture | shows | found |\n|---|---|---|")
    for one in found:
        truth = ", ".join(sorted(TRUTH[one.name].seen)) or "-"
        scores = ", ".join(f"{label} {score:.2f}" for label, score in one.scores.items()) or "-"
        print(f"| {one.name} | {truth} | {scores} |")


if __name__ == "__main__":
    main()
