"""Runs a model over a data set and judges it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edge.dataplane.answer import Answer
from edge.datasets.learnt import read_learnt
from edge.datasets.picture_file import picture_digest
from edge.errors import InputError, UsageError
from edge.evaluation.evaluation import Evaluation, Failure, learners
from edge.evaluation.judge import as_judged, make_judge
from edge.evaluation.run import answer_all
from edge.evaluation.truth import Known, select

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.dataplane.service import InferenceService
    from edge.datasets.dataset import DataSet
    from edge.errors import EdgeError
    from edge.evaluation.truth import Selected
    from edge.repository.version import ModelVersion


def choose_pictures(data_set: DataSet, version: ModelVersion, split: str | None) -> Selected:
    """Choose the pictures to judge a loaded model by; see `edge.evaluation.truth.select`."""
    contract = version.contract
    known = Known(version.labels, contract.multi_label, contract.task.has_boxes)
    return select(as_judged(data_set, contract), known, split)


def evaluate(
    service: InferenceService,
    version: ModelVersion,
    data_set: DataSet,
    selected: Selected,
    advance: Callable[[], None] = lambda: None,
    *,
    compared_with: ModelVersion | None = None,
) -> Evaluation:
    """Answer the pictures and judge the answers; after Ctrl-C those that were answered.

    Args:
        service: serves the model and nothing else; it is stopped in the end.
        version: the model, loaded.
        advance: called after each picture.
        compared_with: another model, whose figures stand next to these: what it has learnt from
            is left out as well, so that both are of the same pictures.

    Raises:
        UsageError: no picture could be answered.
    """
    judge = make_judge(selected, version.contract)
    learnt: frozenset[str] = frozenset()
    if selected.leaves_out_learnt:
        learnt = _learnt(version)
        if compared_with is not None:
            learnt |= _learnt(compared_with)
    failures: list[Failure] = []
    done = left_out = 0

    def take(number: int, outcome: Answer | EdgeError | None) -> None:
        nonlocal done, left_out
        if outcome is None:
            left_out += 1
        elif isinstance(outcome, Answer):
            judge.add(number, outcome)
        else:
            failures.append(Failure(selected.examples[number], outcome.message))
        done += 1
        advance()

    started = time.perf_counter()
    finished = answer_all(
        service,
        version.name,
        [one.image for one in selected.examples],
        take,
        lambda content: bool(learnt) and picture_digest(content).hex() in learnt,
    )
    seconds = time.perf_counter() - started
    if finished and left_out == done:
        who = learners(compared=compared_with is not None).capitalize()
        raise UsageError(
            f"{who} has learnt from all {done} pictures: they say nothing about others. "
            "--split all takes them nevertheless."
        )
    if finished and len(failures) + left_out == done:
        first = failures[0].message if failures else ""
        count = len(failures)
        raise UsageError(f"None of the {count} pictures could be answered. The first: {first}")
    return Evaluation(
        model=_model_facts(version),
        task=version.contract.task.name,
        multi_label=version.contract.multi_label,
        data_set={"path": str(data_set.path), "layout": data_set.layout},
        selected=selected,
        done=done,
        failures=failures,
        learnt=left_out,
        compared=compared_with is not None,
        seconds=seconds,
        judgement=judge.judge(),
    )


def _learnt(version: ModelVersion) -> frozenset[str]:
    """Digests of the pictures that the model has learnt from, if it says."""
    model = version.export.model
    folder = model if model.is_dir() else model.parent
    try:
        return read_learnt(folder)
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror or error}.") from error


def _model_facts(version: ModelVersion) -> Mapping[str, Any]:
    return {
        "name": version.name,
        "version": version.version,
        "path": str(version.export.path),
        "family": version.export.family,
        "digest": version.ref.digest,
    }
