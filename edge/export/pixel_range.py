"""Whether a graph's own first operators, or its quantisation, contradict a stated pixel range.

Many graphs begin by scaling their input: `x * 2 - 1`, `x / 255`, `x` minus the mean of each
channel. What comes out of that is in one of a few usual ranges if the right pixels go in, and in
none of them otherwise. So the scaling tells which pixels the graph was made for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.model.contract import ChannelOrder, Normalization

if TYPE_CHECKING:
    from edge.model.contract import Quantization

BYTES: Final = Normalization((0.0,), (1.0,))
"""0..255."""

UNIT: Final = Normalization((0.0,), (255.0,))
"""0..1."""

SIGNED_UNIT: Final = Normalization((127.5,), (127.5,))
"""-1..1."""

_USUAL: Final = ((-1.0, 1.0), (0.0, 1.0), (-0.5, 0.5))
"""What a network behind the scaling takes, low and high."""

_USUAL_TOLERANCE: Final = 0.1

_STANDARDISED_SPAN: Final = (3.4, 5.6)
"""High minus low after division by a standard deviation: 4.2 to 4.6 for the usual ones."""

_CENTRED_SPAN: Final = (250.0, 260.0)
_CENTRED_LOW: Final = (-140.0, -85.0)
"""Bytes minus a mean: of photographs 104 to 128."""

_MEANS_RGB: Final = (123.7, 116.8, 103.9)
"""Of ImageNet, to which many networks were fitted."""

_MEAN_TOLERANCE: Final = 3.0
_QUANTISED_TOLERANCE: Final = 0.03  # of the range: exporters calibrate it from samples


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a graph does to its input first: x * factor + offset, for each of three channels.

    Attributes:
        operators: in order, such as ``("MUL", "SUB")``; empty if it does not scale its input.
    """

    factor: tuple[float, ...] = (1.0, 1.0, 1.0)
    offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    operators: tuple[str, ...] = ()

    def then(self, operator: str, factor: tuple[float, ...], offset: tuple[float, ...]) -> Scaling:
        """This scaling followed by another one; its values are one, or one for each channel."""
        factors, offsets = _three(factor), _three(offset)
        pairs = zip(self.offset, factors, offsets, strict=True)
        return Scaling(
            factor=tuple(own * more for own, more in zip(self.factor, factors, strict=True)),
            offset=tuple(own * more + added for own, more, added in pairs),
            operators=(*self.operators, operator),
        )


def range_of(normalization: Normalization) -> tuple[float, float]:
    """The lowest and highest value that bytes 0..255 become."""
    channels = _channel_ranges(normalization)
    return min(low for low, _ in channels), max(high for _, high in channels)


def range_words(normalization: Normalization) -> str:
    """The range in words: ``-1..1``."""
    low, high = range_of(normalization)
    return f"{low:.4g}..{high:.4g}"


def scaling_contradicts(stated: Normalization, scaling: Scaling) -> str | None:
    """Which pixels the graph was made for, in words, if those are surely not the stated ones."""
    if not scaling.operators or _is_usual(stated, scaling):
        return None
    fitting = [range_words(kind) for kind in (BYTES, UNIT, SIGNED_UNIT) if _is_usual(kind, scaling)]
    if not fitting:
        return None  # no scaling to a usual range: it tells nothing
    return f"its graph begins with {_operator_words(scaling)}, which expects {' or '.join(fitting)}"


def scaling_supports(stated: Normalization, scaling: Scaling) -> bool:
    """Whether the graph scales its input so that the stated pixels become usual ones."""
    return bool(scaling.operators) and _is_usual(stated, scaling)


def order_contradicts(order: ChannelOrder, scaling: Scaling) -> str | None:
    """The order of the graph's own means, in words, if it is surely not the stated one."""
    if not all(scaling.factor):
        return None
    means = [
        -offset / factor for factor, offset in zip(scaling.factor, scaling.offset, strict=True)
    ]
    for unit in (1.0, 255.0):  # of bytes, or of 0..1
        in_bytes = [mean * unit for mean in means]
        for found, usual in (
            (ChannelOrder.RGB, _MEANS_RGB),
            (ChannelOrder.BGR, _MEANS_RGB[::-1]),
        ):
            distances = [abs(mean - one) for mean, one in zip(in_bytes, usual, strict=True)]
            if max(distances) < _MEAN_TOLERANCE and found is not order:
                shown = ", ".join(f"{mean:.4g}" for mean in means)
                return f"its graph subtracts {shown}, the usual means in the order {found}"
    return None


def quantization_contradicts(
    stated: Normalization, quantization: Quantization, dtype: str
) -> str | None:
    """The range that a quantised input stores, in words, if it is not the stated one."""
    lowest = -128 if dtype == "int8" else 0
    low = quantization.scale * (lowest - quantization.zero_point)
    high = quantization.scale * (lowest + 255 - quantization.zero_point)
    stated_low, stated_high = range_of(stated)
    tolerance = _QUANTISED_TOLERANCE * (stated_high - stated_low)
    if abs(low - stated_low) <= tolerance and abs(high - stated_high) <= tolerance:
        return None
    return f"the quantisation of its input is for {low:.4g}..{high:.4g}"


def scaling_step(
    operator: str, values: tuple[float, ...], *, is_first: bool
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Factor and offset of `x operator values` or `values operator x`; ``None`` if it has none.

    The operator is ``MUL``, ``ADD``, ``SUB`` or ``DIV``.
    """
    if operator == "MUL":
        return values, (0.0,)
    if operator == "ADD":
        return (1.0,), values
    if operator == "SUB":
        return ((1.0,), tuple(-value for value in values)) if is_first else ((-1.0,), values)
    if is_first and all(values):  # DIV
        return tuple(1 / value for value in values), (0.0,)
    return None


def _is_usual(normalization: Normalization, scaling: Scaling) -> bool:
    """Whether each channel leaves the scaling in a range that networks take."""
    scaled = zip(_channel_ranges(normalization), scaling.factor, scaling.offset, strict=True)
    return all(
        _is_usual_range(low * factor + offset, high * factor + offset)
        for (low, high), factor, offset in scaled
    )


def _is_usual_range(low: float, high: float) -> bool:
    span = high - low
    is_standardised = _is_within(span, _STANDARDISED_SPAN) and abs(low + high) < span / 3
    is_centred = _is_within(span, _CENTRED_SPAN) and _is_within(low, _CENTRED_LOW)
    is_near = any(
        max(abs(low - usual_low), abs(high - usual_high)) < _USUAL_TOLERANCE
        for usual_low, usual_high in _USUAL
    )
    return is_near or is_standardised or is_centred


def _channel_ranges(normalization: Normalization) -> list[tuple[float, float]]:
    channels = zip(_three(normalization.mean), _three(normalization.std), strict=True)
    return [((0 - mean) / std, (255 - mean) / std) for mean, std in channels]


def _is_within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _three(values: tuple[float, ...]) -> tuple[float, ...]:
    return values * 3 if len(values) == 1 else values


def _operator_words(scaling: Scaling) -> str:
    factor = _values_words(scaling.factor)
    offset = _values_words(scaling.offset)
    return f"{' and '.join(scaling.operators)} (x * {factor} + {offset})"


def _values_words(values: tuple[float, ...]) -> str:
    if len(set(values)) == 1:
        return f"{values[0]:.4g}"
    return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"
