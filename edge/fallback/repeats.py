"""Cameras that repeat themselves: one question for one view, and not one for every frame.

A kiosk in front of an unchanging picture sends it a dozen times a second. The online model is asked
about it once, or the outbox keeps it once; for `repeat_s` seconds the edge's own answer is the
answer to the frames after it, marked as ``unchanged``. The online model's answer is never reused:
it was given to another frame, of which nobody knows whether it shows the same.

A frame is unchanged if its sender was asked about with the same `View` less than ``repeat_s`` ago:

| before, of this sender          | now                        | unchanged          |
|---------------------------------|----------------------------|--------------------|
| nothing                         | any view                   | no                 |
| a view                          | the same, within repeat_s  | yes                |
| a view                          | the same, after repeat_s   | no                 |
| a view                          | another label              | no                 |
| a view                          | one object more or less    | no                 |
| a sure view                     | the same labels, unsure    | no                 |
| a view, another, both in time   | the first one              | yes: noise does it |
| a view, whose call was not made | the same                   | no                 |

Pure, apart from its memory: the clock is an argument.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MAX_VIEWS = 4_096
"""Views that are remembered, the latest ones: some dozens for each of a hundred cameras. Each is
kept as its hash, in a hundred bytes, however long its labels are."""


@dataclass(frozen=True, slots=True)
class View:
    """What one sender's frame shows, as far as the edge can tell.

    Attributes:
        client: who sent it: an API key or an address.
        sender: which of the client's cameras or streams, or which picture.
        model: name of the model that was asked.
        labels: that the edge answers, in order of the alphabet; an object that is seen twice is in
            it twice.
        unsure: the edge is not sure of its answer.
    """

    client: str
    sender: str
    model: str
    labels: tuple[str, ...]
    unsure: bool


class Repeats:
    """The views that were asked about or kept lately. Used from one thread."""

    def __init__(self, repeat_s: float) -> None:
        """Nothing was asked yet.

        Args:
            repeat_s: seconds after which an unchanged view is new again; with 0 every view is new.
        """
        self.repeat_s = repeat_s
        self._asked: OrderedDict[int, float] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Repeats {len(self._asked)} views, for {self.repeat_s:g} s each>"

    def take(self, view: View, now: float) -> bool:
        """Whether this view is new; it is then remembered as asked about.

        Args:
            now: seconds on a clock that does not go back.
        """
        key = hash(view)
        if is_unchanged(self._asked.get(key), now, self.repeat_s):
            return False
        self._asked[key] = now
        self._asked.move_to_end(key)
        if len(self._asked) > MAX_VIEWS:
            self._asked.popitem(last=False)
        return True

    def forget(self, view: View) -> None:
        """The view was neither sent nor kept after all: the next frame may be."""
        self._asked.pop(hash(view), None)


def is_unchanged(asked: float | None, now: float, repeat_s: float) -> bool:
    """Whether a view that was last asked about at ``asked`` (``None``: never) needs no call now."""
    return asked is not None and now - asked < repeat_s
