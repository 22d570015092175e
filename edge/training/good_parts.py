"""Training on good parts alone: no picture of a fault is needed, nor TensorFlow.

feature maps -> Gaussians at each place -> the bound, from parts held out -> one TFLite file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.counted import counted
from edge.datasets.dataset import Example, Split
from edge.datasets.learnt import write_learnt
from edge.datasets.picture_folder import PictureFolder
from edge.datasets.reading import FaultLog
from edge.errors import DataSetError
from edge.export.good_parts_buffer import BUFFER_NAME, encode_good_parts
from edge.export.tflite_graph import Graph
from edge.export.tflite_outputs import tensor_outputs
from edge.model.tasks.anomaly import FEATURE_MAP, GOOD
from edge.printable import escape
from edge.runtime.features import FeatureReader, with_whole_picture
from edge.training.export_files import MODEL_FILE, write_settings
from edge.training.gather import gather
from edge.training.good_parts_fit import (
    ENOUGH_FOR_RATE,
    MAX_PICTURES,
    MIN_PICTURES,
    alignment,
    fit_good_parts,
)
from edge.training.good_parts_report import GoodPartsReport, write_good_parts_report
from edge.training.output_folder import refuse_foreign, written_whole
from edge.training.trunk_file import MAP_SHAPE, write_trunk

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.datasets.picture_cache import PictureCache
    from edge.export.read import Export
    from edge.model.contract import Quantization
    from edge.training.feature_table import FeatureTable
    from edge.training.gather import Gathered
    from edge.training.task import Progress


@dataclass(frozen=True, slots=True)
class GoodTask:
    """What to learn from, and where to write it.

    Attributes:
        good: folder with pictures of good parts, at any depth.
        out: the folder to write.
        backbone: the built-in classifier.
        max_pixels: of a picture.
        workers: pictures at a time.
    """

    good: Path
    out: Path
    backbone: Export
    max_pixels: int
    workers: int


def train_good_parts(task: GoodTask, cache: PictureCache, progress: Progress) -> GoodPartsReport:
    """Learn how good parts look, and write the model.

    Args:
        cache: of the folder; what is read of its pictures is kept there.

    Raises:
        DataSetError: there are too few pictures that can be read.
        OutputError: the folder or the cache cannot be written, or the folder holds something else.
    """
    refuse_foreign(task.out)
    examples = _find_pictures(task.good)
    chosen = _thinned(examples)
    data = task.backbone.model.read_bytes()
    with written_whole(task.out) as folder:
        model = folder / MODEL_FILE
        model.write_bytes(write_trunk(data, task.backbone.model.name, {}))
        progress.stage("Reading pictures")
        gathered, quantization = _read_maps(task, model, chosen, cache, progress)
        maps = _distinct_maps(gathered.table)
        _refuse_too_few(escape(str(task.good)), len(maps), _unread_words(chosen, gathered))
        progress.stage("Fitting")
        fit = fit_good_parts(maps, quantization)
        content = encode_good_parts(fit.parts)
        model.write_bytes(write_trunk(data, task.backbone.model.name, {BUFFER_NAME: content}))
        write_settings(folder)
        write_learnt(folder, ((digest, Split.TRAINING) for digest in gathered.digests))
        broken = tuple((chosen[number].image, why) for number, why in gathered.broken.items())
        report = GoodPartsReport(
            name=task.out.name,
            learned=len(maps),
            passed_over=len(examples) - len(chosen),
            alignment=alignment(maps, quantization),
            drift=fit.drift,
            copies=len(chosen) - len(broken) - len(maps),
            broken=broken,
        )
        write_good_parts_report(folder, report)
    return report


def _find_pictures(folder: Path) -> list[Example]:
    shown = escape(str(folder))
    if not folder.is_dir():
        raise DataSetError(f"{shown} is no folder. Name one with pictures of good parts.")
    faults = FaultLog()
    walk = PictureFolder(folder, faults)
    pictures = list(walk.pictures_below(folder))
    if faults.count:
        first = faults.first[0]
        raise DataSetError(f"{shown} cannot be read whole: {first.source}: {first.reason}")
    _refuse_too_few(shown, len(pictures), "")
    return [Example(picture, (GOOD,)) for picture in pictures]


def _refuse_too_few(shown: str, count: int, why: str) -> None:
    if count >= MIN_PICTURES:
        return
    pictures = counted(count, "picture")
    raise DataSetError(
        f"{shown} has {pictures}{why}; at least {MIN_PICTURES} of good parts are needed, better "
        f"{ENOUGH_FOR_RATE} or more, taken as the camera will see them."
    )


def _unread_words(examples: list[Example], gathered: Gathered) -> str:
    """What keeps pictures that were found from counting."""
    words = " that can be read and are no copies of each other"
    if not gathered.broken:
        return words
    number, reason = next(iter(gathered.broken.items()))
    return f"{words} ({escape(examples[number].image.name)}: {reason.rstrip('.')})"


def _thinned(examples: list[Example]) -> list[Example]:
    """At most `MAX_PICTURES`, evenly spread over all."""
    if len(examples) <= MAX_PICTURES:
        return examples
    numbers = np.arange(MAX_PICTURES) * len(examples) // MAX_PICTURES
    return [examples[number] for number in numbers]


def _read_maps(
    task: GoodTask, trunk: Path, examples: list[Example], cache: PictureCache, progress: Progress
) -> tuple[Gathered, Quantization]:
    """Feature maps, flat, and the pictures that cannot be read."""
    graph = Graph(trunk.read_bytes())
    output = tensor_outputs({FEATURE_MAP: graph.outputs[0]}, graph)[FEATURE_MAP]
    assert output.quantization is not None
    reader = FeatureReader(
        trunk,
        with_whole_picture(task.backbone.contract),
        max_pixels=task.max_pixels,
        workers=task.workers,
        output=output,
    )
    # Of the whole backbone: the trunk is a part of it, and its maps have a size of their own.
    cache.open_features(reader.size, task.backbone.digest)
    gathered = gather(examples, task.good, reader, cache, task.max_pixels, progress.advance)
    return gathered, output.quantization


def _distinct_maps(table: FeatureTable) -> NDArray[np.int8]:
    """Maps int8 [pictures, height, width, channels], each once: a copy does not tell what varies.

    Near duplicates all stay: good parts look nearly the same.
    """
    seen: dict[bytes, int] = {}
    for number in range(len(table)):
        content = table.stored(number).tobytes()
        seen.setdefault(hashlib.sha256(content).digest(), number)
    rows = table.subset(list(seen.values())).stored(slice(None))
    return rows.reshape(len(rows), *MAP_SHAPE[1:])
