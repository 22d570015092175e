"""`model.toml`: the small optional file beside an export that sets what the export leaves open."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import ExportError
from edge.model.contract import Resize, Tuning
from edge.vision.resize import Kernel

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "model.toml"

# strict: neither `true` nor "0.5" is a number
Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]


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


def read_tuning(folder: Path) -> Tuning:
    """The file's settings, or the defaults where there is none.

    Raises:
        ExportError: not TOML, an unknown key, or a value out of range; names the key.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        return Tuning()
    try:
        values = _ModelToml.model_validate(tomllib.loads(file.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExportError(file, f"it is not TOML: {error}", "Mend it or remove it.") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        known = ", ".join(_ModelToml.model_fields)
        raise ExportError(file, faults, f"Known keys: {known}.") from error
    if "crop_fraction" in values.model_fields_set and values.resize is not Resize.CENTER_CROP:
        raise ExportError(file, "crop_fraction without a crop", 'Set resize = "center_crop" too, or remove it.')
    return Tuning(**{name: getattr(values, name) for name in _ModelToml.model_fields})


def check_labels(tuning: Tuning, labels: tuple[str, ...], folder: Path) -> None:
    """Refuse thresholds for labels that the model does not have."""
    unknown = [label for label in tuning.label_thresholds if label not in labels]
    if unknown:
        raise ExportError(
            folder / FILE_NAME,
            f"label_thresholds names {', '.join(map(repr, unknown))}, which the model does not know",
            f"Its labels: {', '.join(labels[:20])}{', ...' if len(labels) > 20 else ''}.",  # noqa: PLR2004
        )
