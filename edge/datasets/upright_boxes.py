"""Turns boxes to the upright picture where they were drawn on the stored pixels.

COCO and Pascal VOC give pixels of a picture whose width and height they state. A camera that was
held upright stores its picture lying, with an EXIF orientation; tools disagree whether they draw on
the stored pixels (older LabelImg, torchvision) or on the upright picture (browsers, CVAT, newer
LabelImg; detectron2 refuses others). The stated sides tell, unless turning does not change them.
Then the other pictures of the set do: one tool drew all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from edge.datasets.dataset import LabeledBox
from edge.datasets.picture_file import read_picture
from edge.errors import EdgeError
from edge.vision.structure.inspect import inspect
from edge.vision.structure.structure import MAX_SIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.datasets.dataset import Example
    from edge.datasets.reading import FaultLog

    Box = tuple[float, float, float, float]
    Size = tuple[float, float]

_TOLERANCE: Final = 0.02
"""By which proportions may differ: a picture that was made smaller has its sides rounded."""

_TURNS: Final[Mapping[int, Callable[[float, float], tuple[float, float]]]] = {
    2: lambda x, y: (1 - x, y),
    3: lambda x, y: (1 - x, 1 - y),
    4: lambda x, y: (x, 1 - y),
    5: lambda x, y: (y, x),
    6: lambda x, y: (1 - y, x),
    7: lambda x, y: (1 - y, 1 - x),
    8: lambda x, y: (y, 1 - x),
}
"""EXIF 2.32, tag 0x0112: where a point of the stored picture lies in the upright one, 0..1."""


class _DrawnOn(Enum):
    """What boxes were drawn on, by the sides that their source states."""

    STORED = auto()
    UPRIGHT = auto()
    EITHER = auto()
    ANOTHER = auto()
    """A picture of other proportions. One without orientation may have been stretched since: its
    boxes hold, unless it was turned."""


@dataclass(frozen=True, slots=True)
class _Sides:
    """What a picture says of itself: its sides as stored, and its EXIF orientation."""

    stored: Size
    upright: Size
    orientation: int


def with_upright_boxes(
    examples: list[Example], stated: Mapping[Path, Size], faults: FaultLog
) -> list[Example]:
    """The examples with boxes relative to the upright picture.

    Args:
        stated: width and height that the source gives, by picture; of the others boxes stay.
        faults: gets pictures whose sides contradict the source, which are left out, and a note if
            it remains open what boxes were drawn on.
    """
    kept: list[Example] = []
    open_ones: dict[int, int] = {}
    found = set()
    for example in examples:
        sides = _sides(example.image) if example.boxes and example.image in stated else None
        if sides is None:
            kept.append(example)
            continue
        size = stated[example.image]
        drawn_on = _drawn_on(size, sides)
        if drawn_on is _DrawnOn.ANOTHER:
            faults.add(example.source, _turned_words(size, sides))
            continue
        if drawn_on is _DrawnOn.EITHER:
            open_ones[len(kept)] = sides.orientation
        elif sides.orientation != 1:
            found.add(drawn_on)
        is_turned = drawn_on is _DrawnOn.STORED
        kept.append(_turned(example, sides.orientation) if is_turned else example)
    if found == {_DrawnOn.STORED}:
        for index, orientation in open_ones.items():
            kept[index] = _turned(kept[index], orientation)
    elif open_ones and found != {_DrawnOn.UPRIGHT}:
        faults.notes.append(_open_words(len(open_ones)))
    return kept


def _drawn_on(size: Size, sides: _Sides) -> _DrawnOn:
    """What boxes on a picture of the stated size were drawn on."""
    fits_stored, fits_upright = _fits(size, sides.stored), _fits(size, sides.upright)
    if sides.orientation == 1:
        is_lying = not fits_stored and _fits(size, sides.stored[::-1])
        return _DrawnOn.ANOTHER if is_lying else _DrawnOn.UPRIGHT
    if fits_stored and fits_upright:
        return _DrawnOn.EITHER
    if fits_stored:
        return _DrawnOn.STORED
    return _DrawnOn.UPRIGHT if fits_upright else _DrawnOn.ANOTHER


def upright_box(box: Box, orientation: int) -> Box:
    """A box relative to the stored pixels, as one relative to the upright picture.

    Args:
        box: (x_min, y_min, x_max, y_max), 0..1.
        orientation: of EXIF, 1..8.
    """
    turn = _TURNS.get(orientation)
    if turn is None:
        return box
    (x1, y1), (x2, y2) = turn(*box[:2]), turn(*box[2:])
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _turned(example: Example, orientation: int) -> Example:
    boxes = [
        LabeledBox(one.label, upright_box(one.box, orientation)) for one in example.boxes or ()
    ]
    return replace(example, boxes=tuple(boxes))


def _sides(image: Path) -> _Sides | None:
    """Of a picture's structure, which is not decoded; ``None`` if it is broken."""
    try:
        structure = inspect(read_picture(image), max_pixels=MAX_SIDE * MAX_SIDE)
    except EdgeError:  # reported when its pixels are decoded
        return None
    stored = (float(structure.width), float(structure.height))
    across, down = structure.upright_size
    return _Sides(stored, (float(across), float(down)), structure.orientation)


def _fits(one: Size, other: Size) -> bool:
    """Whether two sizes have the same proportions."""
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= _TOLERANCE


def _turned_words(stated: Size, sides: _Sides) -> str:
    width, height = (int(side) for side in sides.stored)
    there = f"{width} x {height}"
    if sides.orientation != 1:
        there += f" with the EXIF orientation {sides.orientation}"
    return (
        f"The boxes were drawn on a picture of {stated[0]:g} x {stated[1]:g} pixels, and this one "
        f"has {there}: it was turned or replaced since. Annotate it again, or turn it back."
    )


def _open_words(count: int) -> str:
    pictures = "1 picture is" if count == 1 else f"{count:,} pictures are"
    return (
        f"{pictures} turned or mirrored by EXIF, and the stated sides do not tell whether the "
        "boxes were drawn before that: they are taken to be those of the upright picture."
    )
