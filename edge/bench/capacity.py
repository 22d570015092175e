"""Says in a sentence what a measured rate means: how many cameras the machine serves. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

CAMERA_FPS = 10
"""Frames per second of one camera, the unit in which people count."""

_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many cameras the machine serves.

    Attributes:
        frames_per_s: frames of that size that were answered in a second, as measured.
        cameras: that send `CAMERA_FPS` each; of the rate as the sentence rounds it down.
        sentence: for people.
    """

    size: str
    frames_per_s: float
    cameras: int
    sentence: str


def make_capacity(size: str, frames_per_s: float) -> Capacity:
    """Round the rate down, to two digits, and count the cameras it is enough for."""
    rate = _round_down(frames_per_s)
    cameras = rate // CAMERA_FPS
    if rate == 0:
        sentence = f"less than one frame/s of {size} here: not enough for a camera"
    elif cameras == 0:
        noun = "frame" if rate == 1 else "frames"
        sentence = (
            f"about {rate} {noun}/s of {size} here: not enough for one camera at {CAMERA_FPS} fps"
        )
    else:
        noun = "camera" if cameras == 1 else "cameras"
        sentence = f"about {rate} frames/s of {size} here: {cameras} {noun} at {CAMERA_FPS} fps"
    return Capacity(size, frames_per_s, cameras, sentence)


def _round_down(rate: float) -> int:
    whole = math.floor(rate)
    unit: int = 10 ** max(len(str(whole)) - _DIGITS, 0)
    return whole // unit * unit
