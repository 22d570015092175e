"""Trains: the built-in classifier with another last layer, in seconds, without TensorFlow.

features -> split -> head -> int8 head in the TFLite file -> answers of that file -> thresholds,
report. If a time is given, `best.py` fine-tunes the backbone first. What is reported is what the
finished file answers, never what the float head would.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import UsageError
from edge.training.choice import MIN_VALIDATION
from edge.training.fine_tuning_time import FineTuningTime, TimeIsUp
from edge.training.learn import learn, learn_again, seconds_to_read
from edge.training.output_folder import refuse_foreign
from edge.training.write_export import write_export

if TYPE_CHECKING:
    from edge.datasets.picture_cache import PictureCache
    from edge.training.learn import Learned
    from edge.training.report import Report
    from edge.training.task import Progress, Task


def train(task: Task, cache: PictureCache, progress: Progress) -> Report:
    """Train, and write the export.

    Args:
        cache: of the first data set; what is read of all pictures is kept there.

    Raises:
        DataSetError: nothing can be learned from the set.
        OutputError: the folder or the cache cannot be written, or the folder holds something else.
        UsageError: a time is given, and TensorFlow is not installed.
    """
    began = time.monotonic()
    refuse_foreign(task.out)
    if task.seconds is not None:
        _need_tensorflow()
    learned = learn(task, cache, progress)
    notes = tuple(note for one in (task.base, *task.added) for note in one.notes)
    notes += _unlabeled_note(task)
    with tempfile.TemporaryDirectory(prefix="edge-train-") as scratch:
        if task.seconds is not None:
            quick_s = time.monotonic() - began + seconds_to_read(learned, cache.reused)
            times = FineTuningTime(task.seconds, began, quick_s)
            learned, what_came = _fine_tuned(task, learned, Path(scratch), times, progress)
            notes += (what_came,)
        return write_export(task, learned, notes, progress)


def _unlabeled_note(task: Task) -> tuple[str, ...]:
    """Says that pictures wait for a label, if some do."""
    count = sum(len(one.unlabeled) for one in (task.base, *task.added))
    if not count:
        return ()
    if count == 1:
        return ("1 picture has no label yet, and nothing was learnt from it.",)
    return (f"{count:,} pictures have no label yet, and nothing was learnt from them.",)


def _need_tensorflow() -> None:
    if importlib.util.find_spec("tensorflow") is None:
        raise UsageError(
            "--minutes needs TensorFlow, which is not installed. Install it (pip install "
            "tensorflow), or leave --minutes out: quick training needs none."
        )


def _fine_tuned(
    task: Task, learned: Learned, scratch: Path, times: FineTuningTime, progress: Progress
) -> tuple[Learned, str]:
    """What is learned on a fine-tuned backbone, if that does better in validation; and a note."""
    before = learned.chosen.loss
    if before is None:
        return learned, (
            f"Fine-tuning needs at least {MIN_VALIDATION} validation pictures, to tell whether it "
            "helps; the model is that of quick training."
        )
    if not times.suffices():
        return learned, times.too_short()
    progress.stage("Starting TensorFlow")
    from edge.training.best import fine_tuned  # noqa: PLC0415 -- 6 s and 500 MB

    progress.stage("Fine-tuning")
    try:
        backbone = fine_tuned(
            learned.backbone,
            learned.training_set,
            learned.chosen.head,
            learned.reader,
            scratch,
            times.tuning_s(),
            progress.advance,
        )
        tuned = None
        if backbone is not None:
            tuned = learn_again(task, learned, backbone, scratch, times.limit(progress))
    except TimeIsUp:
        return learned, times.too_short()
    if tuned is None or tuned.chosen.loss is None or tuned.chosen.loss >= before:
        return learned, (
            "Fine-tuning did not do better in validation; the model is that of quick training."
        )
    return tuned, "The last layers of the built-in classifier were fine-tuned."
