"""Bodies while they arrive: what each holds in memory, and which give way when memory is short.

A caller may send most of a large body and then stop. Until its time is up it would keep the bytes
that others need, so it is cut off first: the cost of a body is its bytes times the seconds it has
been arriving.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.dataplane.admission import Admission

MIN_AGE_S = 1.0
"""Bodies younger than this give way to none: in a burst of good cameras nobody is at fault."""


class ArrivingBody:
    """One body that arrives.

    Args:
        admission: counts its bytes.
        cut: called when it must give way, after its bytes are released; ends its arrival.

    Attributes:
        held: its bytes that count as held in memory.
        began: on `time.monotonic`.
        cut: as given.
    """

    def __init__(self, admission: Admission, cut: Callable[[], None] | None = None) -> None:
        self._admission = admission
        self.held = 0
        self.began = time.monotonic()
        self.cut = cut

    def hold(self, size: int) -> None:
        """Count more bytes of it; raises ``Overloaded``."""
        self._admission.hold(size, self)
        self.held += size

    def release(self) -> None:
        """Count none of its bytes any more."""
        self._admission.release(self.held)
        self.held = 0

    def give_way(self) -> None:
        """Release its bytes and end its arrival."""
        self.release()
        if self.cut is not None:
            self.cut()


def to_give_way(
    bodies: Iterable[ArrivingBody], excess: int, asker: ArrivingBody | None, now: float
) -> list[ArrivingBody]:
    """The bodies to cut off so that ``excess`` bytes become free; none if that is not possible.

    Args:
        bodies: those that arrive.
        excess: bytes that are missing, 1 or more.
        asker: the body that needs them; only bodies that cost more than it give way to it.
        now: on `time.monotonic`.
    """

    def cost(body: ArrivingBody) -> float:
        return body.held * (now - body.began)

    asker_cost = cost(asker) if asker is not None else 0.0
    old = [
        body
        for body in bodies
        if body is not asker and now - body.began >= MIN_AGE_S and cost(body) > asker_cost
    ]
    chosen: list[ArrivingBody] = []
    for body in sorted(old, key=cost, reverse=True):
        chosen.append(body)
        excess -= body.held
        if excess <= 0:
            return chosen
    return []
