"""`python -m soak.fuzz`: mutated bodies and requests at every entrance of real servers.

Request N of seed S is always the same. A server fails by a 5xx other than 503 and 504, by a stack
trace in its log, by its end, by memory that stays, by two replies to one request, or by a request
that hangs.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate, count, islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import uvloop

from soak.lanes import Tally, fire_all
from soak.log_watch import LogWatch
from soak.sampler import sample
from soak.shot import Pen
from soak.targets import targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soak.shot import Shot
    from soak.targets import Target

LANES = 32
"""Connections at once: fewer than the places of a queue, so that most shots are not refused."""

MAX_GROWTH_MIB = 128.0
"""Memory that a server may hold more of at the end than after the warm-up.

Pictures of the wall (64 MiB), caches and the allocator's free lists fill up at first.
"""

_WARM_SHARE = 0.1
_WARM_SHOTS = 20_000
_LOOK_S = 1.0
_SETTLE_S = 3.0  # after it the service has given back a burst's memory


@dataclass(slots=True)
class Phase:
    """What came of one server.

    Attributes:
        seconds: that its shots took.
        warm_mib: resident memory after the warm-up.
        peak_mib: the most at any look.
        end_mib: when all was answered.
        stray: lines in the log that belong to no entry.
    """

    name: str
    tally: Tally
    seconds: float = 0.0
    warm_mib: float = 0.0
    peak_mib: float = 0.0
    end_mib: float = 0.0
    stray: Counter[str] = field(default_factory=Counter)


def shots(target: Target, seed: int, first: int, number: int) -> Iterator[Shot]:
    """Shots from ``first`` on; each depends on its number and the seed alone."""
    names = list(target.entrances)
    weights = list(accumulate(weight for _, weight in target.entrances.values()))
    for at in islice(count(first), number):
        random = Random(f"{seed}/{target.name}/{at}")
        (name,) = random.choices(names, cum_weights=weights)
        make, _ = target.entrances[name]
        yield make(Pen(random, target.host, name, f"{seed}.{at}", target.key))


async def fuzz(
    target: Target, seed: int, first: int, number: int, seconds: float, max_growth_mib: float
) -> Phase:
    """Fire at one server, watch it meanwhile, and judge it at the end."""
    tally = Tally()
    watch = LogWatch(target.server)
    phase = Phase(target.name, tally, stray=watch.stray)
    began = time.monotonic()

    def stopping() -> bool:
        return time.monotonic() - began > seconds or target.server.process.poll() is not None

    fired: dict[str, Shot] = {}
    some = _remembered(shots(target, seed, first, number), fired)
    firing = asyncio.create_task(fire_all(target.address, some, LANES, tally, stopping))
    warm_after = min(_WARM_SHOTS, round(number * _WARM_SHARE))
    said = began
    while not firing.done():
        await asyncio.wait({firing}, timeout=_LOOK_S)
        _look(target, phase, watch, fired)
        is_warm = tally.shots >= warm_after or time.monotonic() - began > seconds * _WARM_SHARE
        if is_warm and not phase.warm_mib:
            phase.warm_mib = sample(target.server.pid).resident_mib
        if time.monotonic() - said > 10:
            said = time.monotonic()
            _say_progress(phase, said - began)
    phase.seconds = time.monotonic() - began
    await firing
    if target.server.process.poll() is None:
        await asyncio.sleep(_SETTLE_S)
        _look(target, phase, watch, fired)
        phase.end_mib = sample(target.server.pid).resident_mib
        growth = phase.end_mib - phase.warm_mib
        if growth > max_growth_mib:
            words = f"by {growth:.0f} MiB, to {phase.end_mib:.0f} MiB"
            tally.failures.add("memory grew", None, words)
    return phase


def _remembered(some: Iterator[Shot], fired: dict[str, Shot]) -> Iterator[Shot]:
    """The shots; the latest of them stay in ``fired``, to find the one that a log line names."""
    for shot in some:
        fired[shot.request_id] = shot
        if len(fired) > 20_000:
            for old in list(islice(fired, 10_000)):
                del fired[old]
        yield shot


def _look(target: Target, phase: Phase, watch: LogWatch, fired: dict[str, Shot]) -> None:
    tally = phase.tally
    for trace in watch.read():
        shot = fired.get(trace.request_id or "")
        tally.failures.add(f"stack trace: {trace.error}", shot, trace.text)
    if (code := target.server.process.poll()) is not None:
        for shot in tally.under_way.values():
            words = f"the server ended with {code}"
            tally.failures.add(words, shot, target.server.log[-4_000:])
        return
    phase.peak_mib = max(phase.peak_mib, sample(target.server.pid).resident_mib)


def _say_progress(phase: Phase, seconds: float) -> None:
    tally = phase.tally
    sys.stderr.write(
        f"{phase.name}: {tally.shots:,} requests, {tally.shots / seconds:,.0f} a second, "
        f"{phase.peak_mib:.0f} MiB at most, {tally.failures.counts.total():,} failures\n"
    )


def run(seed: int, first: int, requests: int, seconds: float, max_growth_mib: float) -> list[Phase]:
    """Fuzz all servers, one after the other."""
    phases = []
    with targets() as all_targets:
        for target in all_targets:
            number = max(1, round(requests * target.share))
            for_this = seconds * target.share
            phases.append(uvloop.run(fuzz(target, seed, first, number, for_this, max_growth_mib)))
    return phases


def report(phase: Phase) -> str:
    """A phase as a table: the outcomes of each entrance."""
    tally = phase.tally
    lines = [
        (
            f"{phase.name}: {tally.shots:,} requests in {phase.seconds:.0f} s "
            f"({tally.shots / max(phase.seconds, 0.001):,.0f} a second), "
            f"{tally.messages:,} answers on streams"
        ),
        (
            f"  memory {phase.warm_mib:.0f} MiB when warm, {phase.peak_mib:.0f} at most, "
            f"{phase.end_mib:.0f} at the end; slowest {tally.slowest_s:.1f} s ({tally.slowest})"
        ),
    ]
    entrances = sorted({entrance for entrance, _ in tally.outcomes})
    for entrance in entrances:
        counts = sorted(
            (outcome, number)
            for (one, outcome), number in tally.outcomes.items()
            if one == entrance
        )
        words = ", ".join(f"{outcome} {number:,}" for outcome, number in counts)
        lines.append(f"  {entrance:12}{words}")
    for line, number in phase.stray.most_common(5):
        lines.append(f"  stray in the log: {number:,} x {line}")
    lines += [f"  {line}" for line in tally.failures.lines()]
    return "\n".join(lines)


def main() -> int:
    """Run as the command line says; 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m soak.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=86_400.0, help="end earlier than that")
    parser.add_argument("--seed", type=int, default=None, help="drawn if not given")
    parser.add_argument("--first", type=int, default=0, help="number of the first request")
    parser.add_argument("--max-growth-mib", type=float, default=MAX_GROWTH_MIB)
    parser.add_argument("--keep", type=Path, default=Path("build/soak"), help="for what failed")
    given = parser.parse_args()
    seed = Random().randrange(10**9) if given.seed is None else given.seed
    sys.stdout.write(f"seed {seed}\n")
    sys.stdout.flush()
    phases = run(seed, given.first, given.requests, given.seconds, given.max_growth_mib)
    failed = 0
    for phase in phases:
        sys.stdout.write(report(phase) + "\n")
        phase.tally.failures.write(given.keep / phase.name.replace(" ", "-"))
        failed += phase.tally.failures.counts.total()
    if failed:
        sys.stdout.write(
            f"\n{failed:,} failures; requests and replies are in {given.keep}. Request N again: "
            f"--seed {seed} --first N --requests 1\n"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
