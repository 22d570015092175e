"""Where the captions of boxes stand, so that none covers another.

The pages' copy of the same rule is `edge/web/pages/static/captions.js`; a test compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Rect(NamedTuple):
    """A rectangle in pixels; it ends before ``right`` and ``bottom``."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Rect) -> bool:
        """Whether they share an area; rectangles that only touch do not."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


class Caption(NamedTuple):
    """What is to be placed: the box that it names, and its own size in pixels."""

    box: Rect
    width: float
    height: float


def place_captions(captions: Sequence[Caption], area: Rect) -> list[Rect | None]:
    """Find a place for each caption, in their order: the best one first.

    Each may stand at six places: above its box, inside at the top, or below, at the left or the
    right edge. It takes the first one within the area that no earlier caption overlaps.

    Returns:
        For each caption its place, or ``None`` if there is none: then it is left out.
    """
    taken: list[Rect] = []
    places: list[Rect | None] = []
    for caption in captions:
        place = next(
            (one for one in _candidates(caption, area) if _is_free(one, area, taken)), None
        )
        places.append(place)
        if place is not None:
            taken.append(place)
    return places


def _candidates(caption: Caption, area: Rect) -> Iterator[Rect]:
    box, width, height = caption
    for wanted in (box.left, box.right - width):
        left = max(area.left, min(wanted, area.right - width))
        for top in (box.top - height, box.top, box.bottom):
            yield Rect(left, top, left + width, top + height)


def _is_free(place: Rect, area: Rect, taken: Sequence[Rect]) -> bool:
    is_inside = place.top >= area.top and place.bottom <= area.bottom
    return is_inside and not any(place.overlaps(other) for other in taken)
