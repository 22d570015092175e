"""Which way of preparing pixels explains a gap: tries them all and says which fits best.

The export that is checked gets the same pictures under every combination of crop, kernel, channel
order and range. If one of them comes clearly nearer to the expected answers than what is in force,
that is what the model was trained with, and a few lines of `model.toml` set it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge.evaluation.parity.difference import compare
from edge.export.pixel_range import BYTES, SIGNED_UNIT, UNIT
from edge.model.contract import ChannelOrder, Normalization, PixelInput, Resize
from edge.model.preprocess import preprocess
from edge.runtime.interpreter import IMAGE
from edge.runtime.interpreters import open_interpreters
from edge.vision.decode import decode
from edge.vision.resize import Kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from edge.evaluation.parity.difference import Expected
    from edge.model.contract import Contract, Tuning
    from edge.model.tasks.task import Prediction
    from edge.runtime.interpreter_pool import InterpreterPool
    from edge.vision.frame import Frame

MAX_PICTURES: Final = 24
"""Pictures that are tried: 40 ways of a 224 pixel classifier take 0.2 s each, 160 ways 0.8 s."""

_IMAGENET: Final = Normalization((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""The mean and standard deviation of ImageNet's pixels, as PyTorch's models take them."""

_CROPS: Final = (1.0, 0.875)
"""The whole shorter side, and the 224 of 256 that most networks are evaluated with."""

_NEAR: Final = 0.1
_NEAR_LEAST: Final = 0.002
"""Within this much of the best, or this share of it, the fewest changes win: many pictures cannot
tell one kernel from another."""

_CLEAR: Final = 0.3
_CLEAR_LEAST: Final = 0.005
"""By how much a choice must be nearer to explain anything: quantised scores move by 1/256."""


_REST: Final = {False: 0.02, True: 0.15}
"""How far answers may still be apart under a choice that explains the difference; by whether the
model finds boxes, whose overlap counts as well. Quantisation moves single scores by up to 0.05 and
all of them by far less on average. What leaves more is another model, whatever fits it best."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way of preparing pixels.

    Attributes:
        crop_fraction: of a centre crop; ``None`` for a stretch.
        normalization: ``None`` for an input that takes bytes as they are.
    """

    crop_fraction: float | None
    kernel: Kernel
    channel_order: ChannelOrder
    normalization: Normalization | None

    def words(self) -> str:
        """The choice in words."""
        crop = "stretched" if self.crop_fraction is None else f"centre crop {self.crop_fraction:g}"
        words = f"{crop}, {self.kernel}, {self.channel_order.upper()}"
        if self.normalization is not None:
            mean, std = _numbers(self.normalization.mean), _numbers(self.normalization.std)
            words += f", (byte - {mean}) / {std}"
        return words


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a choice fits.

    Attributes:
        distance: mean distance of the answers from the expected ones, 0 for equal.
    """

    choice: Choice
    distance: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was tried and found.

    Attributes:
        current: what is in force, with JPEG decoded at full scale.
        best: the choice to take: the nearest, or one as near with fewer changes.
        fits: all choices, the nearest first.
        explains: the best one is clearly nearer than what is in force, and near enough.
        lines: of `model.toml`, that set it; empty if it explains nothing.
        pictures: how many were tried.
    """

    current: Fit
    best: Fit
    fits: Sequence[Fit]
    explains: bool
    lines: Sequence[str]
    pictures: int


def explain(
    model: Path,
    contract: Contract,
    pictures: Iterable[tuple[bytes, Expected]],
    max_pixels: int,
    advance: Callable[[], None] = lambda: None,
) -> Explanation | None:
    """Try every choice on pictures whose answers are expected.

    Args:
        model: the file or folder of the model, which takes pixels.
        pictures: encoded, with what they should get; those that cannot be decoded are not to be
            among them.

    Returns:
        ``None`` if the model prepares pixels itself, or no picture is given.
    """
    spec = contract.input
    if not isinstance(spec, PixelInput):
        return None
    current = _current(contract.tuning, spec)
    choices = _choices(current)
    totals = np.zeros(len(choices))
    interpreters = open_interpreters(model, contract, 1)
    count = 0
    for encoded, expected in pictures:
        frame = decode(encoded, max_pixels=max_pixels)
        for number, choice in enumerate(choices):
            own = _answer(contract, spec, choice, frame, interpreters)
            totals[number] += compare(own, expected, contract.selection(), 0.0).distance
        count += 1
        advance()
    if not count:
        return None
    fits = [
        Fit(choice, float(total / count)) for choice, total in zip(choices, totals, strict=True)
    ]
    return _judge(fits, contract.tuning, count, _REST[contract.task.has_boxes])


def _judge(fits: Sequence[Fit], tuning: Tuning, count: int, rest: float) -> Explanation:
    """Choose among the nearest the one with the fewest changes; the first fit is in force."""
    current = fits[0]
    ordered = sorted(fits, key=lambda fit: fit.distance)
    limit = ordered[0].distance + max(_NEAR_LEAST, _NEAR * ordered[0].distance)
    near = [fit for fit in ordered if fit.distance <= limit]
    best = min(near, key=lambda fit: (_changes(fit.choice, current.choice), fit.distance))
    gain = current.distance - best.distance
    is_clear = gain > max(_CLEAR_LEAST, _CLEAR * current.distance)
    explains = is_clear and best.distance <= rest
    lines = toml_lines(best.choice, current.choice, tuning) if explains else []
    return Explanation(current, best, ordered, explains, lines, count)


def toml_lines(choice: Choice, current: Choice, tuning: Tuning) -> list[str]:
    """The lines of `model.toml` that set a choice, where it differs from what is in force."""
    lines = []
    if choice.crop_fraction != current.crop_fraction:
        if choice.crop_fraction is None:
            lines.append('resize = "stretch"')
            if tuning.resize is Resize.CENTER_CROP:
                lines.append("# and remove crop_fraction")
        else:
            lines += ['resize = "center_crop"', f"crop_fraction = {choice.crop_fraction!r}"]
    if choice.kernel is not current.kernel:
        lines.append(f'kernel = "{choice.kernel}"')
    if choice.channel_order is not current.channel_order:
        lines.append(f'channel_order = "{choice.channel_order}"')
    if choice.normalization != current.normalization and choice.normalization is not None:
        lines.append(f"mean = {_numbers(choice.normalization.mean)}")
        lines.append(f"std = {_numbers(choice.normalization.std)}")
    return lines


def _current(tuning: Tuning, spec: PixelInput) -> Choice:
    crop = tuning.crop_fraction if tuning.resize is Resize.CENTER_CROP else None
    return Choice(crop, tuning.kernel, spec.channel_order, spec.normalization)


def _choices(current: Choice) -> list[Choice]:
    """Every combination, the current one first, each once."""
    ranges: list[Normalization | None] = [current.normalization]
    if current.normalization is not None:
        ranges += [SIGNED_UNIT, UNIT, BYTES, _IMAGENET]
    crops = (current.crop_fraction, None, *_CROPS)
    every = product(crops, Kernel, ChannelOrder, ranges)
    combined = (Choice(crop, kernel, order, scale) for crop, kernel, order, scale in every)
    return list(dict.fromkeys([current, *(_in_order(choice) for choice in combined)]))


def _in_order(choice: Choice) -> Choice:
    """The means of ImageNet are those of red, green and blue: the other way round for BGR."""
    if choice.normalization is not _IMAGENET or choice.channel_order is ChannelOrder.RGB:
        return choice
    return replace(choice, normalization=Normalization(_IMAGENET.mean[::-1], _IMAGENET.std[::-1]))


def _changes(choice: Choice, current: Choice) -> int:
    return sum(
        (
            choice.crop_fraction != current.crop_fraction,
            choice.kernel is not current.kernel,
            choice.channel_order is not current.channel_order,
            choice.normalization != current.normalization,
        )
    )


def _answer(
    contract: Contract,
    spec: PixelInput,
    choice: Choice,
    frame: Frame,
    interpreters: InterpreterPool,
) -> Prediction:
    is_cropped = choice.crop_fraction is not None
    tuning = replace(
        contract.tuning,
        resize=Resize.CENTER_CROP if is_cropped else Resize.STRETCH,
        crop_fraction=choice.crop_fraction or 1.0,
        kernel=choice.kernel,
    )
    spec = replace(spec, channel_order=choice.channel_order, normalization=choice.normalization)
    tensor, region = preprocess(frame, spec, tuning)
    outputs: Any
    with interpreters.lease(0) as interpreter:
        outputs = interpreter.invoke({IMAGE: tensor[np.newaxis]})
    return contract.task.read_tensors(contract.real(outputs), contract.classes, region)


def _numbers(values: tuple[float, ...]) -> str:
    """As TOML has them: one number, or a list of one for each channel."""
    words = [f"{value:g}" for value in values]
    return words[0] if len(words) == 1 else f"[{', '.join(words)}]"
