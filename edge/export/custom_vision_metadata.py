"""Reads Custom Vision's `metadata_properties.json`: pixel range, channel order, and resize.

Its values are text. What is not known here may change the pixels, so it is refused.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from edge.errors import ExportError
from edge.export.pixel_range import BYTES, SIGNED_UNIT, UNIT
from edge.export.text_file import read_json
from edge.model.contract import ChannelOrder, Normalization, Resize

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PREPROCESS: Final = "CustomVision.Preprocess."
_IMAGE: Final = "Image."
_METHOD: Final = "CustomVision.Postprocess.Method"

_RANGES: Final = {
    "NominalRange_0_255": BYTES,
    "Normalized_0_1": UNIT,
    "Normalized_1_1": SIGNED_UNIT,
}
_ORDERS: Final = {"Rgb8": ChannelOrder.RGB, "Bgr8": ChannelOrder.BGR}
_GAMMAS: Final = {"", "SRGB"}

_UNUSED_IF_ZERO: Final = ("MaxDimension", "MaxScale", "MinDimension", "MinScale")
_KNOWN: Final = {
    *_UNUSED_IF_ZERO,
    *("CropHeight", "CropMethod", "CropWidth", "NormalizeMean", "NormalizeStd"),
    *("ResizeMethod", "TargetHeight", "TargetWidth"),
}
_KNOWN_IMAGE: Final = {"BitmapPixelFormat", "ColorSpaceGamma", "NominalPixelRange"}

_GENERAL_COMPACT_CROP: Final = "FullImageShorterSide"

_WHOLE_IMAGE: Final = {
    ("", ""),  # as Microsoft's own sample code: it stretches the image to the input
    ("Stretch", "NoCrop"),
    ("Stretch", ""),
    ("ByShorterSideAlign32", _GENERAL_COMPACT_CROP),
}
"""Resize and crop methods after which the model sees the whole image.

The last pair is for a network of any input size; an exported one has a fixed size.
"""

_CENTRE_CUT: Final = {("ByShorterSide", "OneCropCenter"), ("ByShorterSide", "CenterCrop")}
"""The shorter side is resized to the target, and the centre is cut out."""

_NONE: Final = {"", "null", "[]"}
_CHANNEL_COUNTS: Final = (1, 3)
_MAX_UNIT_MEAN: Final = 1.5  # a mean above it cannot be one of values 0..1 or -1..1


@dataclass(frozen=True, slots=True)
class CropRule:
    """Which part of the image the model sees, as `Tuning` has it."""

    resize: Resize
    crop_fraction: float = 1.0


class Properties:
    """The properties of one export.

    Every method raises ``ExportError``, naming the property and the remedy, if what it reads is
    missing or unknown.
    """

    def __init__(self, file: Path) -> None:
        values = read_json(file)
        if not isinstance(values, dict):
            raise ExportError(file, "it is no JSON object", "Copy it from the export again")
        self.file = file
        self._values: Mapping[str, Any] = values

    @property
    def method(self) -> str:
        """`CustomVision.Postprocess.Method`, empty if it is not stated."""
        return self._text(_METHOD)

    @property
    def is_general_compact(self) -> bool:
        """Whether the resize is that of exports of the domain General (compact), without [S1]."""
        return self._text(f"{_PREPROCESS}CropMethod") == _GENERAL_COMPACT_CROP

    def refuse_unknown(self) -> None:
        """Refuse properties of the pixels that are not known here."""
        for prefix, known in ((_PREPROCESS, _KNOWN), (_IMAGE, _KNOWN_IMAGE)):
            for name in self._values:
                if name.startswith(prefix) and name.removeprefix(prefix) not in known:
                    words = "mean, std, channel_order and resize"
                    raise self._refusal(name, "which is not known here", words)
        for name in _UNUSED_IF_ZERO:
            if self._number(_PREPROCESS + name) != 0:
                raise self._refusal(_PREPROCESS + name, "which is not done here", "resize")
        if self._text(f"{_IMAGE}ColorSpaceGamma").upper() not in _GAMMAS:
            raise self._refusal(f"{_IMAGE}ColorSpaceGamma", "and sRGB is fed here", "mean and std")

    def channel_order(self) -> ChannelOrder:
        """The order that `Image.BitmapPixelFormat` states."""
        name = f"{_IMAGE}BitmapPixelFormat"
        order = _ORDERS.get(self._text(name))
        if order is None:
            raise self._refusal(name, "which is not known here", "channel_order")
        return order

    def normalization(self) -> Normalization:
        """Bytes to the stated range, and then `NormalizeMean` and `NormalizeStd` of its values."""
        name = f"{_IMAGE}NominalPixelRange"
        stated = _RANGES.get(self._text(name))
        if stated is None:
            raise self._refusal(name, "which is not known here", "mean and std")
        mean = self._channels("NormalizeMean", default=0.0)
        std = self._channels("NormalizeStd", default=1.0)
        if min(std) <= 0:
            raise self._refusal(f"{_PREPROCESS}NormalizeStd", "and divides", "mean and std")
        if stated is not BYTES and max(map(abs, mean)) > _MAX_UNIT_MEAN:
            raise self._refusal(
                f"{_PREPROCESS}NormalizeMean", f"which is no mean of {name[6:]}", "mean and std"
            )
        # ((byte - a) / b - mean) / std = (byte - (a + b * mean)) / (b * std)
        (shift,), (scale,) = stated.mean, stated.std
        means = tuple(shift + scale * one for one in mean)
        deviations = tuple(scale * one for one in std)
        return Normalization(_one_if_equal(means), _one_if_equal(deviations))

    def crop(self, side: int) -> CropRule:
        """Which part of the image a network of that input size sees."""
        name = f"{_PREPROCESS}ResizeMethod"
        resize = self._text(name)
        crop = self._text(f"{_PREPROCESS}CropMethod")
        if (resize, crop) in _WHOLE_IMAGE:
            return CropRule(Resize.STRETCH)
        if (resize, crop) not in _CENTRE_CUT:
            raise self._refusal(
                name, f"with CropMethod {crop!r}, which is not known here", "resize"
            )
        target = self._number(f"{_PREPROCESS}TargetWidth") or side
        cut = self._number(f"{_PREPROCESS}CropWidth") or side
        is_square = target == (self._number(f"{_PREPROCESS}TargetHeight") or side) and cut == (
            self._number(f"{_PREPROCESS}CropHeight") or side
        )
        if not is_square or cut != side or target < cut:
            reason = f"with a cut of {cut:g} from {target:g} for an input of {side}"
            raise self._refusal(name, reason, "resize and crop_fraction")
        return CropRule(Resize.CENTER_CROP, cut / target)

    def _text(self, name: str) -> str:
        value = self._values.get(name)
        return "" if value is None or value == "null" else str(value).strip()

    def _number(self, name: str) -> float:
        """A number, 0 if it is not stated."""
        text = self._text(name)
        try:
            number = float(text or 0)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number >= 0):
            raise self._refusal(name, "which is no number", "resize")
        return number

    def _channels(self, name: str, *, default: float) -> tuple[float, ...]:
        name = _PREPROCESS + name
        value = self._values.get(name)
        if value is None or str(value).strip() in _NONE:
            return (default,)
        try:
            numbers = json.loads(value) if isinstance(value, str) else value
            listed = numbers if isinstance(numbers, list) else [numbers]
            channels = tuple(float(number) for number in listed)
        except (ValueError, TypeError, RecursionError, OverflowError):
            channels = ()
        if len(channels) not in _CHANNEL_COUNTS or not all(map(math.isfinite, channels)):
            raise self._refusal(name, "which is no number for each channel", "mean and std")
        return channels

    def _refusal(self, name: str, words: str, keys: str) -> ExportError:
        value = self._values.get(name)
        said = f"it states {name} = {value!r}, {words}"
        if value is None:
            said = f"it does not state {name}"
        return ExportError(self.file, said, f"Set {keys} in model.toml next to the model")


def _one_if_equal(channels: tuple[float, ...]) -> tuple[float, ...]:
    return channels[:1] if len(set(channels)) == 1 else channels
