"""Where a page has drawn boxes, against where the objects of an answer are."""

import base64
import io
import math
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Locator

_NEAR = 3  # CSS pixels that a line may lie off
_CAPTION = 48  # CSS pixels above and below a box's upper edge where its caption may stand
_OPAQUE = 128


def ink(canvas: Locator) -> np.ndarray:
    """Which of the canvas's own pixels are drawn on."""
    drawn = canvas.evaluate("(canvas) => canvas.toDataURL()").partition(",")[2]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(drawn))).convert("RGBA"))[..., 3] > _OPAQUE


def assert_boxes_are_drawn(canvas: Locator, answer: dict[str, Any], *, mirror: bool = False) -> None:
    """Each side of each box is drawn within a few pixels of where it belongs, and nothing elsewhere."""
    drawn = ink(canvas)
    width, height = canvas.evaluate("(canvas) => [canvas.clientWidth, canvas.clientHeight]")
    ratio = drawn.shape[1] / width
    scale = min(width / answer["image"]["width"], height / answer["image"]["height"])
    shown_width, shown_height = answer["image"]["width"] * scale, answer["image"]["height"] * scale
    left, top = (width - shown_width) / 2, (height - shown_height) / 2
    near = math.ceil((_NEAR + max(3, min(shown_width, shown_height) / 120) / 2) * ratio)
    allowed = np.zeros_like(drawn)
    boxes = [one["box"] for one in answer["predictions"] if one.get("box")]
    assert boxes
    for box in boxes:
        start, end = (1 - box["x_max"], 1 - box["x_min"]) if mirror else (box["x_min"], box["x_max"])
        x0, x1 = (round((left + x * shown_width) * ratio) for x in (start, end))
        y0, y1 = (round((top + box[y] * shown_height) * ratio) for y in ("y_min", "y_max"))
        for x, y in _points_on_sides(x0, y0, x1, y1):
            here = drawn[max(0, y - near) : y + near, max(0, x - near) : x + near]
            assert here.any(), f"no line at {x, y} of {drawn.shape[::-1]} for {box}"
        outer = np.zeros_like(drawn)
        outer[max(0, y0 - near) : y1 + near, max(0, x0 - near) : x1 + near] = True
        outer[y0 + near : y1 - near, x0 + near : x1 - near] = False
        caption = round(_CAPTION * ratio)
        outer[max(0, y0 - caption) : y0 + caption, round(left * ratio) : round((left + shown_width) * ratio)] = True
        allowed |= outer
    stray = np.argwhere(drawn & ~allowed)
    assert not len(stray), f"{len(stray)} pixels are drawn where nothing is, such as {stray[0][::-1]}"


def _points_on_sides(x0: int, y0: int, x1: int, y1: int) -> list[tuple[int, int]]:
    shares = (0.2, 0.5, 0.8)
    across = [(round(x0 + share * (x1 - x0)), y) for share in shares for y in (y0, y1)]
    return across + [(x, round(y0 + share * (y1 - y0))) for share in shares for x in (x0, x1)]
