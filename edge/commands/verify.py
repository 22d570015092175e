"""`edge verify`: whether an export answers as its SavedModel, the cloud or a recording does."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from edge.commands.exit_code import INTERRUPTED
from edge.commands.images import find_images, read_streams
from edge.commands.named_model import find_model
from edge.commands.progress import progress
from edge.commands.results.text import echo_json
from edge.errors import EdgeError, UsageError
from edge.evaluation.parity.beside import find_saved_model
from edge.evaluation.parity.page import COMMAND, make_page
from edge.evaluation.parity.parity import Picture, verify
from edge.evaluation.parity.preprocessing import explain
from edge.evaluation.parity.report import ParityReport, report_json, text_lines
from edge.evaluation.parity.sources import (
    OnlineModel,
    OtherModel,
    OutboxResults,
    RecordedFile,
)
from edge.export.read import read_export
from edge.model.contract import PixelInput
from edge.outbox.entry import EntryState
from edge.printable import escape
from edge.report_file import check_page, write_page
from edge.repository.version import ModelVersion
from edge.runtime.pipeline import DecodeOptions
from edge.training import golden
from edge.vision.decode_memory import decode_memory
from edge.wiring.bootstrap import build_prover
from edge.wiring.cloud import build_cloud_parts, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from edge.evaluation.parity.difference import Expected
    from edge.evaluation.parity.parity import Outcome, Parity
    from edge.evaluation.parity.preprocessing import Explanation
    from edge.evaluation.parity.sources import Source
    from edge.export.read import Export
    from edge.outbox.entry import Entry
    from edge.outbox.store import Store
    from edge.repository.repository import ModelRepository
    from edge.settings import Settings

_WORKERS: Final = 1  # one picture after the other

_PAGE: Final = 200
"""Entries of the outbox that are read at a time."""


@dataclass(frozen=True, slots=True)
class Request:
    """The command's arguments."""

    model: str
    images: tuple[str, ...]
    saved_model: Path | None
    answers: Path | None
    online: bool
    outbox: bool
    tolerance: float
    as_json: bool
    html: Path | None


def run(request: Request, settings: Settings) -> int:
    """Compare and print the report.

    Returns:
        0 if all answers are the same, 1 if not, 130 after Ctrl-C.

    Raises:
        EdgeError: nothing can be compared.
    """
    if request.html is not None:
        check_page(request.html, COMMAND)
    try:
        with ExitStack() as stack:
            report = _verify(request, settings, stack)
            if request.html is not None:  # while the outbox, whose frames it shows, is open
                write_page(request.html, make_page(report, settings.max_pixels))
    except KeyboardInterrupt:
        return INTERRUPTED
    if request.as_json:
        echo_json(report_json(report))
    else:
        for line in text_lines(report):
            click.echo(line)
        if request.html is not None:
            click.echo(f"\nThe page is in {escape(str(request.html))}.", err=True)
    if report.outcome.done < report.outcome.planned:
        return INTERRUPTED
    return 0 if report.is_verified else 1


def _verify(request: Request, settings: Settings, stack: ExitStack) -> ParityReport:
    if request.outbox and request.images:
        raise UsageError("Give either images or --outbox, whose frames are the images then.")
    repository, version, settings = find_model(request.model, settings)
    request = _with_golden(request, version.export)
    options = DecodeOptions(settings.max_pixels, exact=settings.exact_decode)
    decode_memory.limit(settings.max_decoded_bytes, _WORKERS)
    version.load(_WORKERS, options)
    sources: list[Source] = []
    if request.outbox:
        store = open_store(settings, create=False)
        stack.callback(store.close)
        results = _results(store, version)
        sources.append(OutboxResults(results, version))
        pictures = [Picture(key, partial(store.image, key)) for key in results]
    else:
        images = read_streams(find_images(request.images))
        pictures = [Picture(str(image.path), image.read) for image in images]
    sources += _other_sources(request, settings, repository, version, options)
    for source in sources:
        stack.callback(source.close)
    with progress("pictures", len(pictures)) as advance:
        outcome = verify(version, options, pictures, sources, request.tolerance, advance)
    _refuse_empty(outcome)
    export = version.export
    return ParityReport(
        model={
            "path": str(export.path),
            "family": export.family,
            "digest": version.ref.digest,
        },
        outcome=outcome,
        pictures=pictures,
        tolerance=request.tolerance,
        explanations=_explanations(version, outcome, pictures, request.tolerance, settings),
    )


def _with_golden(request: Request, export: Export) -> Request:
    """Take the pictures and answers that `edge train` wrote with the export, if none are given."""
    if request.images or request.outbox:
        return request
    folder = (export.model if export.model.is_dir() else export.model.parent) / golden.FOLDER
    answers = folder / golden.ANSWERS
    if not answers.is_file():
        raise UsageError(
            "Give images, or --outbox, whose frames are the images then. Only an export of edge "
            f"train has pictures of its own ({golden.FOLDER}/{golden.ANSWERS})."
        )
    return replace(request, images=(str(folder),), answers=request.answers or answers)


def _other_sources(
    request: Request,
    settings: Settings,
    repository: ModelRepository,
    version: ModelVersion,
    options: DecodeOptions,
) -> Iterator[Source]:
    """The sources that are named; the SavedModel that is found beside the export if none is."""
    is_named = request.answers is not None or request.online or request.outbox
    if request.saved_model is not None:
        export = read_export(request.saved_model, allow_unsafe=settings.allow_unsafe_models)
        yield _other_model(export, settings, version, options)
    elif not is_named:
        beside = find_saved_model(version.export, allow_unsafe=settings.allow_unsafe_models)
        if beside is None:
            raise UsageError(
                f"Nothing to compare {request.model} with: no SavedModel of this model is beside "
                "it. Name one with --saved-model, recorded answers with --answers, or use --online "
                "or --outbox."
            )
        yield _other_model(beside, settings, version, options)
    if request.answers is not None:
        yield RecordedFile(request.answers, version)
    if request.online:
        if settings.cloud is None:
            raise UsageError("--online needs an endpoint: set cloud_endpoint.")
        link = build_cloud_parts(settings, repository).link
        assert link is not None
        yield OnlineModel(link, version, settings.fallback.timeout_ms / 1000)


def _other_model(
    export: Export, settings: Settings, version: ModelVersion, options: DecodeOptions
) -> OtherModel:
    other = ModelVersion(export.model.stem, 1, export, build_prover(settings))
    other.load(1, options)
    own_task, task = version.contract.task, other.contract.task
    if own_task is not task:
        raise UsageError(f"{export.path} is a model for {task}, not for {own_task}.")
    if version.labels and other.labels and set(version.labels) != set(other.labels):
        raise UsageError(f"{export.path} has other labels: it is not the same model.")
    return OtherModel(other, options)


def _results(store: Store, version: ModelVersion) -> Mapping[str, Mapping[str, Any]]:
    """The online model's answers to frames of this model, by the entry's key."""
    results: dict[str, Mapping[str, Any]] = {}
    others: set[str] = set()
    for entry in _resolved(store):
        if entry.result is None:
            continue
        if version.ref.digest == entry.model_digest or version.name == entry.model:
            results[entry.key] = entry.result
        else:
            others.add(entry.model)
    if not results:
        of_others = f" It has some of {', '.join(sorted(others))}." if others else ""
        raise UsageError(f"The outbox has no answers for the model {version.name}.{of_others}")
    return results


def _resolved(store: Store) -> Iterator[Entry]:
    after = 0
    while page := store.entries(state=EntryState.RESOLVED, after=after, limit=_PAGE):
        yield from page
        after = page[-1].sequence


def _refuse_empty(outcome: Outcome) -> None:
    """Refuse to judge where a source has no answer for any picture."""
    for parity in outcome.parities:
        is_finished = outcome.done == outcome.planned
        if is_finished and not parity.compared and not parity.failures:
            reason = parity.ended.removesuffix(".") or f"none for the {parity.missing} pictures"
            raise UsageError(f"Nothing to compare with from {parity.source}: {reason}.")


def _explanations(
    version: ModelVersion,
    outcome: Outcome,
    pictures: Sequence[Picture],
    tolerance: float,
    settings: Settings,
) -> Mapping[int, Explanation]:
    """What explains each gap, if the export takes pixels from edge."""
    found: dict[int, Explanation] = {}
    if not isinstance(version.contract.input, PixelInput):
        return found
    for number, parity in enumerate(outcome.parities):
        if parity.is_verified(tolerance) or not parity.sample:
            continue
        try:
            with progress("preprocessing", len(parity.sample)) as advance:
                explanation = explain(
                    version.export.model,
                    version.contract,
                    _read_again(parity, pictures),
                    settings.max_pixels,
                    advance,
                )
        except KeyboardInterrupt:  # the comparison itself is done, and reported
            return found
        if explanation is not None:
            found[number] = explanation
    return found


def _read_again(parity: Parity, pictures: Sequence[Picture]) -> Iterator[tuple[bytes, Expected]]:
    for number, expected in parity.sample.items():
        try:
            content = pictures[number].read()
        except EdgeError:  # it is gone since
            continue
        yield content, expected
