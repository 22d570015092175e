"""Lays a heat map over a picture: what is odd glows, the rest stays as it is.

The pages do the same in `edge/web/pages/static/heat.js`; a test holds both against each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.vision.geometry import Region

COLOUR: Final = (255, 40, 0)
_FAINTEST: Final = 0.3
"""Score from which on a place begins to glow; the typical good part has 0.1."""

_STRONGEST: Final = 0.65  # of the colour, so that what is odd can still be seen


class Heat(Protocol):
    """A grid of scores over a part of a picture."""

    @property
    def scores(self) -> NDArray[np.float32]:
        """float32 [rows, columns], 0..1, the stronger the odder."""
        ...

    @property
    def region(self) -> Region:
        """The part of the picture that was judged."""
        ...


def lay_heat(picture: Image.Image, heat: Heat) -> None:
    """Blend a colour into an RGB picture, the stronger the higher the score."""
    left, top, right, bottom = (round(edge) for edge in heat.region.pixels(*picture.size))
    size = max(right - left, 1), max(bottom - top, 1)
    small = Image.fromarray(opacity(heat.scores))
    picture.paste(COLOUR, (left, top), small.resize(size, Image.Resampling.BICUBIC))


def opacity(scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    """How opaque the colour lies on each place, 0..255, of scores [rows, columns], 0..1."""
    glow = np.clip((scores - _FAINTEST) / (1 - _FAINTEST), 0, 1) * _STRONGEST
    # A broken model's NaN does not glow.
    bytes_of_glow: NDArray[np.uint8] = (np.nan_to_num(glow) * 255).astype(np.uint8)
    return bytes_of_glow
