"""Whose fault a refusal is: the frame's, or an endpoint's that refuses whatever it gets. Pure.

An endpoint for another kind of model, or one that wants another request format, answers 400 to
every frame, exactly as a good one answers to a bad frame. What tells them apart is what happens to
the other frames:

| accepted since the start | refused since the last one was accepted     | whose fault    |
|--------------------------|---------------------------------------------|----------------|
| never                    | fewer than `MIN_FRAMES` different frames    | not known yet  |
| never                    | `MIN_FRAMES` different frames               | the endpoint's |
| yes                      | fewer than `MIN_FRAMES`, or `MIN_REFUSALS`  | the frame's    |
| yes                      | `MIN_FRAMES`, and `MIN_REFUSALS` in all     | the endpoint's |

The last row is an endpoint that was changed while the service ran. Until it is known, and while it
is the endpoint's, frames wait.
"""

from __future__ import annotations

from enum import StrEnum

MIN_FRAMES = 3
"""Different frames; one that is sent again and again says nothing about the others."""
MIN_REFUSALS = 10
"""Refusals in a row by an endpoint that has worked: a camera may send a few bad frames in a row."""


class Fault(StrEnum):
    """Who is to blame for a refusal."""

    UNKNOWN = "unknown"
    FRAME = "frame"
    ENDPOINT = "endpoint"


class Refusals:
    """Remembers what the endpoint accepted and refused. Not thread-safe."""

    def __init__(self) -> None:
        self._accepted = False
        self._frames: set[str] = set()
        self._in_a_row = 0

    def __repr__(self) -> str:
        return f"<Refusals {self._in_a_row} in a row, accepted before: {self._accepted}>"

    def record_accepted(self) -> None:
        """The endpoint has answered a frame."""
        self._accepted = True
        self._frames.clear()
        self._in_a_row = 0

    def record_refused(self, key: str) -> Fault:
        """The endpoint has refused the frame with this key; returns whose fault it is."""
        self._in_a_row += 1
        if len(self._frames) < MIN_FRAMES:
            self._frames.add(key)
        return fault_of(
            accepted_before=self._accepted, frames=len(self._frames), in_a_row=self._in_a_row
        )


def fault_of(*, accepted_before: bool, frames: int, in_a_row: int) -> Fault:
    """Whose fault the latest refusal is: the table above.

    Args:
        accepted_before: the endpoint has answered a frame since the start.
        frames: different frames that it has refused since.
        in_a_row: refusals since then.
    """
    if not accepted_before:
        return Fault.ENDPOINT if frames >= MIN_FRAMES else Fault.UNKNOWN
    is_long = frames >= MIN_FRAMES and in_a_row >= MIN_REFUSALS
    return Fault.ENDPOINT if is_long else Fault.FRAME
