"""`model.toml`: the small optional file next to a model that sets what the export leaves open."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from edge.errors import ExportError
from edge.export.regular_file import MAX_TEXT_BYTES, read_bounded
from edge.model.contract import ChannelOrder, ModelFallback, Resize, Tuning
from edge.model.rules import Mode, RuleOverrides, parse_modes
from edge.printable import first_unprintable
from edge.vision.resize import Kernel

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME: Final = "model.toml"
_MAX_SHOWN_LABELS: Final = 20
_MAX_SHOWN_FAULTS: Final = 5
_CHANNEL_COUNTS: Final = (1, 3)

_MAX_WORDS: Final = 100
"""Characters shown instead of a label: more than two lines of the largest screen."""

_LONG_DOTTED_KEY: Final = re.compile(
    r"""(?:\s*\.\s*(?:[\w-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')){50}"""
)
"""A key of more than 50 parts (`a.b.c`). `tomllib` takes seconds for 5,000, hours for 500,000."""

# strict: neither `true` nor "0.5" is a number
Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]
Level = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Spread = Annotated[float, Field(strict=True, gt=0.0, allow_inf_nan=False)]


def _check_words(words: str) -> str:
    if not words.strip():
        raise ValueError("it is blank")
    found = first_unprintable(words.replace("\u00a0", " "))  # French writes "60 %" with one
    if found is not None:
        position, name = found
        raise ValueError(f"character {position + 1}, {name}, does not print")
    return words


Words = Annotated[str, Field(max_length=_MAX_WORDS), AfterValidator(_check_words)]
Language = Literal["en", "fr"]
"""Those of the pages."""


def _read_modes(value: Any) -> Any:
    return parse_modes(value) if isinstance(value, str) else value


def _read_channels(value: Any) -> Any:
    """One number for all channels, or a list of one for each."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number:
        return (value,)
    if isinstance(value, list) and len(value) in _CHANNEL_COUNTS:
        return tuple(value)
    raise ValueError("a number or a list of three numbers is needed")


class _FallbackToml(BaseModel):
    """The keys of the table ``[fallback]``."""

    model_config = ConfigDict(extra="forbid")

    mode: Annotated[frozenset[Mode] | None, BeforeValidator(_read_modes)] = None
    threshold: Share | None = None
    margin: Share | None = None
    bands: dict[str, tuple[Share, Share]] | None = None
    empty: bool | None = None
    endpoint: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)


class _ModelToml(BaseModel):
    """The keys of the file; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid")

    display_name: str | None = None
    display_names: dict[Language, dict[str, Words]] = Field(default_factory=dict)
    resize: Resize = Resize.STRETCH
    crop_fraction: Annotated[float, Field(strict=True, gt=0.0, le=1.0)] = 1.0
    kernel: Kernel = Kernel.BILINEAR
    mean: Annotated[tuple[Level, ...] | None, BeforeValidator(_read_channels)] = None
    std: Annotated[tuple[Spread, ...] | None, BeforeValidator(_read_channels)] = None
    channel_order: ChannelOrder | None = None
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
        stated["fallback"] = _model_fallback(values.fallback)
    tuning = replace(defaults, **stated)
    if "crop_fraction" in stated and tuning.resize is not Resize.CENTER_CROP:
        remedy = 'Set resize = "center_crop" too, or remove it.'
        raise ExportError(file, "crop_fraction without a crop", remedy)
    if (tuning.mean is None) is not (tuning.std is None):
        missing = "std" if tuning.std is None else "mean"
        remedy = f"Set {missing} too: the model gets (byte - mean) / std."
        raise ExportError(file, f"mean and std go together, and {missing} is missing", remedy)
    return tuning


def stated_keys(folder: Path) -> frozenset[str]:
    """The keys that the folder's `model.toml` sets; raises ``ExportError`` as `read_model_toml`."""
    file = folder / FILE_NAME
    return frozenset(_parse(file).model_fields_set) if file.is_file() else frozenset()


def _model_fallback(values: _FallbackToml) -> ModelFallback:
    rules = RuleOverrides(
        modes=values.mode,
        threshold=values.threshold,
        margin=values.margin,
        bands=values.bands,
        empty=values.empty,
    )
    return ModelFallback(rules, values.endpoint, values.labels)


def _parse(file: Path) -> _ModelToml:
    try:
        text = read_bounded(file, MAX_TEXT_BYTES).decode("utf-8-sig")
        if _LONG_DOTTED_KEY.search(text):
            raise _nested_too_deep(file)
        return _ModelToml.model_validate(tomllib.loads(text))
    except RecursionError:
        raise _nested_too_deep(file) from None
    except ValidationError as error:
        faults = []
        for fault in error.errors()[:_MAX_SHOWN_FAULTS]:
            key = ".".join(map(str, fault["loc"]))
            faults.append(f"{key}: {fault['msg']}")
        known = ", ".join(_ModelToml.model_fields)
        raise ExportError(file, "; ".join(faults), f"Known keys: {known}.") from error
    except ValueError as error:  # of tomllib, of UTF-8, or of a number with too many digits
        raise ExportError(file, f"it is not TOML: {error}", "Fix it or remove it.") from error


def _nested_too_deep(file: Path) -> ExportError:
    return ExportError(file, "its values are nested too deep", "Fix it or remove it.")


def tuning_origins(
    tuning: Tuning, defaults: Tuning, resize_origin: str = "default"
) -> dict[str, str]:
    """Where ``resize`` and ``selection`` of a contract come from: `model.toml` or the defaults.

    Args:
        resize_origin: where the family read its defaults for ``resize``.
    """
    groups = {
        "resize": ("resize", "crop_fraction", "kernel"),
        "selection": ("score_threshold", "label_thresholds", "top_k"),
    }
    origins = {}
    for fact, names in groups.items():
        is_changed = any(getattr(tuning, name) != getattr(defaults, name) for name in names)
        unchanged = resize_origin if fact == "resize" else "default"
        origins[fact] = FILE_NAME if is_changed else unchanged
    return origins


def check_labels(tuning: Tuning, labels: tuple[str, ...], folder: Path) -> None:
    """Refuse settings for labels that the model does not have; raises ``ExportError``."""
    labels_by_key = {
        "label_thresholds": tuning.label_thresholds,
        "fallback.bands": tuning.fallback.rules.bands or {},
        "fallback.labels": tuning.fallback.labels.values(),
        **{f"display_names.{name}": words for name, words in tuning.display_names.items()},
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
