"""The online model of the soak: the double that ships, well most of the time."""

from __future__ import annotations

import threading
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any, Self

from edge.testing.vertex import FakeVertex

if TYPE_CHECKING:
    pass

_MOODS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("well", {}, 10),
    ("slow", {"delay_s": 1.0}, 2),
    ("503", {"status": 503}, 2),
    ("429", {"status": 429}, 1),
    ("500", {"status": 500}, 1),
    ("garbage", {"garbage": True}, 1),
    ("hangs", {"hang": True}, 1),
    ("away", {}, 2),
)
"""Name, behaviour and weight. Away: its process has ended, until the next mood."""

_SHORTEST_S, _LONGEST_S = 3.0, 8.0


class FickleCloud:
    """The double, well until `begin` is called; then its mood changes every few seconds.

    Attributes:
        address: for `EDGE_CLOUD_ADDRESS`.
        calls: mood to the number of calls that it got.
    """

    def __init__(self, seed: int) -> None:
        self._vertex = FakeVertex()
        self._random = Random(f"{seed}/cloud")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._change, daemon=True)
        self.address = self._vertex.address
        self.calls: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def begin(self) -> None:
        """Let its mood change from now on."""
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self._vertex.stop()

    def _change(self) -> None:
        weights = [weight for _, _, weight in _MOODS]
        mood, behaviour = "well", {}
        while not self._end.is_set():
            if mood == "away":
                self._vertex.stop()
            else:
                self._vertex.behave(**behaviour)  # forgets the calls of the last mood
            self._end.wait(self._random.uniform(_SHORTEST_S, _LONGEST_S))
            if mood != "away":
                self.calls[mood] += len(self._vertex.calls())
            if mood == "hangs":
                self._vertex.stop()  # else its threads would go on hanging
            if mood in {"hangs", "away"}:
                self._vertex.start()
            ((mood, behaviour, _),) = self._random.choices(_MOODS, weights)
