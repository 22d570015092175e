"""A crowd of cameras before an admission, played in a time of its own: exact, and free of noise."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from itertools import count, pairwise
from statistics import median

from edge.dataplane.turns import Turns


@dataclass(frozen=True)
class Played:
    """What the cameras got.

    Attributes:
        frames: answered, by camera, fewest first.
        longest_silence: seconds.
    """

    frames: list[int]
    longest_silence: float

    @property
    def median(self) -> float:
        return median(self.frames)


def play(
    *,
    cameras: int,
    slots: int,
    workers: int = 2,
    frame_s: float,
    turns: bool = True,
    honour: bool = False,
    reconnecting: int = 0,
    seconds: float = 20.0,
) -> Played:
    """Let cameras ask without a pause, and again when refused: after 20 to 60 ms, or as told.

    Args:
        reconnecting: so many of the cameras come over a new connection each time.
    """
    chance = random.Random(1)
    now = 0.0
    turn_rule = Turns(slots, workers if turns else 0, clock=lambda: now)
    ports = count(10_000)
    events: list[tuple[float, int, bool, int]] = []
    numbers = count()

    def at(when: float, camera: int, *, ends: bool) -> None:
        heapq.heappush(events, (when, next(numbers), ends, camera))

    for camera in range(cameras):
        at(chance.random(), camera, ends=False)
    answered: list[list[float]] = [[0.0] for _ in range(cameras)]
    waiting: list[int] = []
    in_flight = busy = 0
    while events[0][0] < seconds:
        now, _, ends, camera = heapq.heappop(events)
        if ends:
            in_flight -= 1
            answered[camera].append(now)
            at(now + chance.random() * 0.002, camera, ends=False)
            if waiting:
                at(now + frame_s, waiting.pop(0), ends=True)
            else:
                busy -= 1
            continue
        caller = ("10.0.0.1", next(ports) if camera < reconnecting else camera)
        full = in_flight >= slots
        if full or (turn_rule.overloaded and not turn_rule.may_enter(caller, in_flight)):
            told_s = turn_rule.refuse(caller)
            wait_s = told_s + chance.random() * 0.02 if honour else 0.02 + chance.random() * 0.04
            at(now + wait_s, camera, ends=False)
            continue
        in_flight += 1
        if busy < workers:
            busy += 1
            at(now + frame_s, camera, ends=True)
        else:
            waiting.append(camera)
    silences = [b - a for times in answered for a, b in pairwise([*times, seconds])]
    return Played(sorted(len(times) - 1 for times in answered), max(silences))
