"""Checks rules against the labels of the models that serve. Pure.

A label that no model has is a typing error, and the rule an alarm that never rings: it is refused.
It is only warned about where it may exist all the same: an online model may know more labels, some
SavedModels name theirs only when they run, and a container serves on while one export is refused.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.alerts.rule import Rule

_MAX_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ModelLabels:
    """What a model can see.

    Attributes:
        name: of the model.
        labels: its labels; ``None`` if they are not known before it runs.
        counts_objects: whether it finds several objects in a frame, rather than classes of it.
    """

    name: str
    labels: tuple[str, ...] | None
    counts_objects: bool

    def may_see(self, label: str) -> bool:
        """Whether the model has this label, or may have it."""
        return self.labels is None or label in self.labels


def label_fault(rule: Rule, models: Sequence[ModelLabels]) -> str | None:
    """Say what is wrong with a rule's label or count, and what to do; ``None`` if nothing is."""
    able = [model for model in models if model.may_see(rule.label)]
    if not able:
        return f'no model has the label "{rule.label}". {_suggestion(rule.label, models)}'
    if rule.count > 1 and not any(model.counts_objects for model in able):
        names = ", ".join(model.name for model in able)
        return (
            f'count {rule.count}, but "{rule.label}" is a class of the whole picture for {names}: '
            "it is there or not. Remove count, or use a model that detects objects."
        )
    return None


def _suggestion(label: str, models: Sequence[ModelLabels]) -> str:
    known = sorted({one for model in models for one in model.labels or ()})
    by_fold = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(label.casefold(), by_fold, n=1)
    if close:
        return f'Did you mean "{by_fold[close[0]]}"?'
    shown = ", ".join(known[:_MAX_SHOWN])
    return f"Labels: {shown}{', ...' if len(known) > _MAX_SHOWN else ''}."
