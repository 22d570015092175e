"""`edge evaluate`: how good a model is on a data set, against another one, and against demands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from edge.commands.exit_code import INTERRUPTED
from edge.commands.named_model import find_model
from edge.commands.progress import progress
from edge.commands.results.text import echo_json
from edge.datasets.read import read_data_set
from edge.errors import UsageError
from edge.evaluation.comparison import compare
from edge.evaluation.evaluate import choose_pictures, evaluate
from edge.evaluation.evaluation import Report
from edge.evaluation.gate import check_names, judge, parse_demand
from edge.evaluation.judge import make_judge
from edge.evaluation.label_thresholds import set_thresholds
from edge.evaluation.report.as_json import report_json
from edge.evaluation.report.page import COMMAND, make_page
from edge.evaluation.report.text import text_lines
from edge.report_file import check_page, write_page
from edge.wiring.bootstrap import build_service
from edge.wiring.limits import fit_to_memory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.dataplane.service import InferenceService
    from edge.datasets.dataset import DataSet
    from edge.evaluation.comparison import Comparison
    from edge.evaluation.evaluation import Evaluation
    from edge.evaluation.gate import Demand
    from edge.repository.repository import ModelRepository
    from edge.repository.version import ModelVersion
    from edge.settings import Settings

    FoundModel = tuple[ModelRepository, ModelVersion, Settings]


@dataclass(frozen=True, slots=True)
class Request:
    """The command's arguments."""

    model: str
    data_set: Path
    split: str | None
    against: str | None
    precision: float | None
    dry_run: bool
    fail_under: tuple[str, ...]
    as_json: bool
    html: Path | None


def run(request: Request, settings: Settings) -> int:
    """Evaluate the model and print the report.

    Returns:
        0, or 1 if a demand is not met or a picture could not be answered, or 130 after Ctrl-C.

    Raises:
        EdgeError: nothing can be evaluated, or a file cannot be written.
    """
    demands = [parse_demand(text) for text in request.fail_under]
    if request.dry_run and request.precision is None:
        raise UsageError("--dry-run shows what --precision would write: give --precision too.")
    if request.html is not None:
        check_page(request.html, COMMAND)
    try:
        report = _evaluate(request, settings, demands)
    except KeyboardInterrupt:
        return INTERRUPTED
    if request.html is not None:
        page = make_page(report, request.html, settings.max_pixels)
        write_page(request.html, page)
    if request.as_json:
        echo_json(report_json(report))
    else:
        for line in text_lines(report):
            click.echo(line)
        if request.html is not None:
            click.echo(f"\nThe page is in {request.html}.", err=True)
    return _exit_code(report)


def _evaluate(request: Request, settings: Settings, demands: Sequence[Demand]) -> Report:
    data_set = read_data_set(request.data_set)
    found = find_model(request.model, settings)
    against = None if request.against is None else find_model(request.against, settings)
    compared_with = None if against is None else against[1]
    service, version = _load(found)
    selected = choose_pictures(data_set, version, request.split)
    empty = make_judge(selected, version.contract).judge()
    check_names(demands, empty.figures, selected.labels)
    with progress("pictures", len(selected.examples)) as advance:
        evaluation = evaluate(
            service, version, data_set, selected, advance, compared_with=compared_with
        )
    if evaluation.done < evaluation.planned:
        return Report(evaluation)
    other = comparison = None
    if against is not None:
        other = _evaluate_other(against, request, data_set, evaluation, version)
        comparison = _compare(evaluation, other)
    thresholds = None
    if request.precision is not None:
        writes = not request.dry_run
        thresholds = set_thresholds(evaluation, version.export, request.precision, writes=writes)
    verdicts = judge(demands, evaluation.judgement.figures)
    return Report(evaluation, other, comparison, thresholds, verdicts)


def _load(found: FoundModel) -> tuple[InferenceService, ModelVersion]:
    repository, version, settings = found
    service = build_service(fit_to_memory(settings, repository), repository)
    version.load(service.pool.workers, service.options)
    return service, version


def _evaluate_other(
    found: FoundModel,
    request: Request,
    data_set: DataSet,
    evaluation: Evaluation,
    first: ModelVersion,
) -> Evaluation:
    service, version = _load(found)
    contract = version.contract
    if (contract.task.name, contract.multi_label) != (evaluation.task, evaluation.multi_label):
        raise UsageError(f"{request.against} does another task than {evaluation.model['name']}.")
    selected = choose_pictures(data_set, version, request.split)
    with progress("pictures, other model", len(selected.examples)) as advance:
        return evaluate(service, version, data_set, selected, advance, compared_with=first)


def _compare(evaluation: Evaluation, other: Evaluation) -> Comparison:
    """Compare on the pictures that both answered, which are numbered as the first has them."""
    numbers = {example: number for number, example in enumerate(evaluation.selected.examples)}
    others = {
        numbers[other.selected.examples[number]]: right
        for number, right in other.judgement.right.items()
        if other.selected.examples[number] in numbers
    }
    return compare(evaluation.judgement.right, others)


def _exit_code(report: Report) -> int:
    evaluations = [one for one in (report.evaluation, report.other) if one is not None]
    if any(one.done < one.planned for one in evaluations):
        return INTERRUPTED
    has_failures = any(one.failures for one in evaluations)
    is_missed = any(not verdict.passed for verdict in report.verdicts)
    is_unreached = report.thresholds is not None and (
        report.thresholds.failed
        or any(one.threshold is None for one in report.thresholds.thresholds)
    )
    return 1 if has_failures or is_missed or is_unreached else 0
