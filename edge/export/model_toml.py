"""`model.toml`: the small optional file next to a model that sets what the export leaves open."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import ExportError
from edge.model.contract import FallbackTuning, Resize, Tuning
from edge.vision.resize import Kernel

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME: Final = "model.toml"
_MAX_SHOWN_LABELS: Final = 20

# strict: neither `true` nor "0.5" is a number
Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]


class _FallbackToml(BaseModel):
    """The keys of the table ``[fallback]``."""

    model_config = ConfigDict(extra="forbid")

    mode: str | None = None
    threshold: Share | None = None
    margin: Share | None = None
    bands: dict[str, tuple[Share, Share]] = Field(default_factory=dict)
    empty: bool | None = None
    endpoint: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)


class _ModelToml(BaseModel):
    """The keys of the file; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid")

    display_name: str | None = None
    resize: Resize = Resize.STRETCH
    crop_fraction: Annotated[float, Field(strict=True, gt=0.0, le=1.0)] = 1.0
    kernel: Kernel = Kernel.BILINEAR
    score_threshold: Share | None = None
    label_thresholds: dict[str, Share] = Field(default_factory=dict)
    top_k: Annotated[int, Field(strict=True, ge=1)] | None = None
    fallback: _FallbackToml = Field(default_factory=_FallbackToml)


def read_model_toml(folder: Path, defaults: Tuning) -> Tuning:
    """The settings of the folder's `model.toml`; the family's defaults for what it leaves out.

    Raises:
        ExportError: not TOML, an unknown key, or a value out of range; names the key.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        return defaults
    values = _parse(file)
    stated = {name: getattr(values, name) for name in values.model_fields_set}
    if "fallback" in stated:
        stated["fallback"] = FallbackTuning(**values.fallback.model_dump())
    tuning = replace(defaults, **stated)
    if "crop_fraction" in stated and tuning.resize is not Resize.CENTER_CROP:
        remedy = 'Set resize = "center_crop" too, or remove it.'
        raise ExportError(file, "crop_fraction without a crop", remedy)
    return tuning


def _parse(file: Path) -> _ModelToml:
    try:
        return _ModelToml.model_validate(tomllib.loads(file.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExportError(file, f"it is not TOML: {error}", "Fix it or remove it.") from error
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            key = ".".join(map(str, fault["loc"]))
            faults.append(f"{key}: {fault['msg']}")
        known = ", ".join(_ModelToml.model_fields)
        raise ExportError(file, "; ".join(faults), f"Known keys: {known}.") from error


def tuning_origins(tuning: Tuning, defaults: Tuning) -> dict[str, str]:
    """Where ``resize`` and ``selection`` of a contract come from: `model.toml` or the defaults."""
    groups = {
        "resize": ("resize", "crop_fraction", "kernel"),
        "selection": ("score_threshold", "label_thresholds", "top_k"),
    }
    origins = {}
    for fact, names in groups.items():
        is_changed = any(getattr(tuning, name) != getattr(defaults, name) for name in names)
        origins[fact] = FILE_NAME if is_changed else "default"
    return origins


def check_labels(tuning: Tuning, labels: tuple[str, ...], folder: Path) -> None:
    """Refuse settings for labels that the model does not have; raises ``ExportError``."""
    labels_by_key = {
        "label_thresholds": tuning.label_thresholds,
        "fallback.bands": tuning.fallback.bands,
        "fallback.labels": tuning.fallback.labels.values(),
    }
    for key, named in labels_by_key.items():
        unknown = [label for label in named if label not in labels]
        if unknown:
            raise _unknown_labels(key, unknown, labels, folder)


def _unknown_labels(
    key: str,
    unknown: list[str],
    labels: tuple[str, ...],
    folder: Path,
) -> ExportError:
    names = ", ".join(repr(label) for label in unknown)
    shown = ", ".join(labels[:_MAX_SHOWN_LABELS])
    if len(labels) > _MAX_SHOWN_LABELS:
        shown += ", ..."
    reason = f"{key} names {names}, which the model does not know"
    return ExportError(folder / FILE_NAME, reason, f"Its labels: {shown}.")
