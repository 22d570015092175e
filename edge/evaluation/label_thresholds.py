"""Chooses thresholds for a wanted precision, and sets them in the model's `model.toml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import ExportError, OutputError
from edge.evaluation.evaluation import ThresholdReport
from edge.evaluation.thresholds import find_threshold
from edge.evaluation.toml_thresholds import TomlEdit, threshold_lines
from edge.wiring.bootstrap import embedded_models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge.evaluation.evaluation import Evaluation
    from edge.evaluation.thresholds import LabelThreshold
    from edge.export.read import Export


def set_thresholds(
    evaluation: Evaluation, export: Export, wanted: float, *, writes: bool
) -> ThresholdReport:
    """Choose the threshold of each label that the model and the set have, and write them.

    Labels whose precision no threshold reaches keep what they have.

    Args:
        wanted: precision, above 0 and at most 1.
        writes: ``False`` only shows what would be written.

    A file that cannot be written or edited safely is left alone; the report says so.
    """
    thresholds = [
        find_threshold(label, curve, wanted)
        for label, curve in evaluation.judgement.curves.items()
        if label not in evaluation.selected.unknown
    ]
    chosen = {one.label: one.threshold for one in thresholds if one.threshold is not None}
    folder = export.model if export.model.is_dir() else export.model.parent
    reason = _not_writable(export, folder)
    if not chosen:
        note = "No threshold reaches that precision: nothing is written."
        return _unwritten(wanted, thresholds, note, failed=False)
    if reason:
        note = f"{reason} Set these lines there yourself:\n" + _lines(chosen)
        return _unwritten(wanted, thresholds, note, failed=writes)
    try:
        edit = TomlEdit(folder, chosen)
        diff = edit.diff()
        if diff and writes:
            edit.write()
    except (OutputError, ExportError) as error:
        return _unwritten(wanted, thresholds, error.message, failed=writes)
    note = _note(edit, diff, writes=writes)
    written = bool(diff) and writes
    return ThresholdReport(wanted, thresholds, diff, str(edit.file), written, note)


def _unwritten(
    wanted: float, thresholds: Sequence[LabelThreshold], note: str, *, failed: bool
) -> ThresholdReport:
    return ThresholdReport(wanted, thresholds, "", None, written=False, note=note, failed=failed)


def _not_writable(export: Export, folder: Path) -> str:
    """Why the model has no `model.toml` that may be written; empty if it has."""
    if export.unpacked is not None:
        return "The export is a zip: unpack it, and put a model.toml next to the model."
    if folder.resolve().is_relative_to(embedded_models().resolve()):
        return "This is a built-in model: copy its folder, and change the copy's model.toml."
    return ""


def _note(edit: TomlEdit, diff: str, *, writes: bool) -> str:
    if not diff:
        return f"{edit.file} has these thresholds already."
    if not writes:
        return "Nothing is written: this is a dry run."
    return f"Written to {edit.file}. A service that runs takes it when it starts again."


def _lines(chosen: Mapping[str, float]) -> str:
    return "\n".join(threshold_lines(chosen))
