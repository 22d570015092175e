"""Training on good parts alone: no picture of a fault is needed, nor TensorFlow.

feature maps -> Gaussians at each place -> the bound, from parts held out -> one TFLite file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge.datasets.dataset import Example, Split
from edge.datasets.learnt import write_learnt
from edge.datasets.picture_folder import PictureFolder
from edge.datasets.reading import FaultLog
from edge.errors import DataSetError
from edge.export.good_parts_buffer import BUFFER_NAME, encode_good_parts
from edge.export.tflite_graph import Graph
from edge.export.tflite_outputs import tensor_outputs
from edge.model.contract import Resize
from edge.model.tasks.anomaly import FEATURE_MAP, GOOD
from edge.printable import escape
from edge.runtime.features import FeatureReader
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

    from edge.export.read import Export
    from edge.model.contract import Quantization
    from edge.training.gather import Gathered
    from edge.training.train import Progress


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


def train_good_parts(task: GoodTask, progress: Progress) -> GoodPartsReport:
    """Learn how good parts look, and write the model.

    Raises:
        DataSetError: there are too few pictures that can be read.
        OutputError: the folder cannot be written, or holds something else.
    """
    refuse_foreign(task.out)
    examples = _find_pictures(task.good)
    chosen = _thinned(examples)
    data = task.backbone.model.read_bytes()
    with written_whole(task.out) as folder:
        model = folder / MODEL_FILE
        model.write_bytes(write_trunk(data, task.backbone.model.name, {}))
        progress.stage("Reading pictures")
        maps, quantization, broken = _read_maps(task, model, chosen, progress)
        _refuse_too_few(escape(str(task.good)), len(maps))
        progress.stage("Fitting")
        content = encode_good_parts(fit_good_parts(maps, quantization))
        model.write_bytes(write_trunk(data, task.backbone.model.name, {BUFFER_NAME: content}))
        write_settings(folder)
        unread = {file for file, _ in broken}
        learnt = [one.image for one in chosen if one.image not in unread]
        write_learnt(folder, ((image, Split.TRAINING) for image in learnt))
        report = GoodPartsReport(
            name=task.out.name,
            learned=len(maps),
            passed_over=len(examples) - len(chosen),
            alignment=alignment(maps, quantization),
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
    _refuse_too_few(shown, len(pictures))
    return [Example(picture, (GOOD,)) for picture in pictures]


def _refuse_too_few(shown: str, count: int) -> None:
    if count >= MIN_PICTURES:
        return
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    raise DataSetError(
        f"{shown} has {pictures} that can be read; at least {MIN_PICTURES} of good parts are "
        f"needed, better {ENOUGH_FOR_RATE} or more, taken as the camera will see them."
    )


def _thinned(examples: list[Example]) -> list[Example]:
    """At most `MAX_PICTURES`, evenly spread over all."""
    if len(examples) <= MAX_PICTURES:
        return examples
    numbers = np.arange(MAX_PICTURES) * len(examples) // MAX_PICTURES
    return [examples[number] for number in numbers]


def _read_maps(
    task: GoodTask, trunk: Path, examples: list[Example], progress: Progress
) -> tuple[NDArray[np.int8], Quantization, tuple[tuple[Path, str], ...]]:
    """Maps int8 [pictures, height, width, channels], and the pictures that cannot be read."""
    graph = Graph(trunk.read_bytes())
    output = tensor_outputs({FEATURE_MAP: graph.outputs[0]}, graph)[FEATURE_MAP]
    assert output.quantization is not None
    contract = task.backbone.contract
    # The whole picture, as `write_settings` has it: a fault at its edge must be seen.
    tuning = replace(contract.tuning, resize=Resize.STRETCH, crop_fraction=1.0)
    reader = FeatureReader(
        trunk,
        replace(contract, tuning=tuning),
        max_pixels=task.max_pixels,
        workers=task.workers,
        output=output,
    )
    gathered = gather(examples, reader, output.quantization, progress.advance)
    broken = tuple((examples[number].image, reason) for number, reason in gathered.broken.items())
    return _distinct_maps(gathered), output.quantization, broken


def _distinct_maps(gathered: Gathered) -> NDArray[np.int8]:
    """Maps of the pictures that can be read, each once: a copy tells nothing about what varies.

    Near duplicates all stay: good parts look nearly the same.
    """
    stored = gathered.table.stored
    seen: dict[bytes, int] = {}
    for number in range(len(stored)):
        if number not in gathered.broken:
            seen.setdefault(stored[number].tobytes(), number)
    rows = stored[list(seen.values())]
    return rows.reshape(len(rows), *MAP_SHAPE[1:])
