"""`python -m soak.run`: mixed load on a real server for minutes; what it holds must not rise.

Cameras, bad input, reconnecting streams, walls that come and go, an owner's tools, and an online
model that fails now and then, so that the outbox keeps frames and forwards them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from serving.process import MODELS, Server

from edge.testing.vertex import ENDPOINT
from soak.cloud import FickleCloud
from soak.drift import Bounds, drifts
from soak.log_watch import LogWatch
from soak.processes import Clients
from soak.sampler import sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soak.drift import Drift
    from soak.log_watch import Trace
    from soak.sampler import Sample

SAMPLE_S = 4.0
LINK_S = 180.0
REST_S = 60.0
"""How long the server may take to close what its clients have left."""

REST_DESCRIPTORS = 12
"""Descriptors that it may then hold more of than before: connections to the online model."""

_WARM_SHARE = 0.2
_PROGRESS_S = 60.0


@dataclass
class Soak:
    """What came of a run.

    Attributes:
        samples: all that were taken, the warm-up's first.
        warm_s: seconds of the warm-up.
        resting: what the server held before its clients came, and after they had gone.
        forwarded: mood of the online model to the calls that it got.
        faults: what must not happen and did: the kind, and what is known of it.
    """

    seed: int
    warm_s: float
    samples: list[Sample] = field(default_factory=list)
    resting: list[Sample] = field(default_factory=list)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    forwarded: dict[str, int] = field(default_factory=dict)
    log: dict[str, int] = field(default_factory=dict)
    drifts: list[Drift] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether anything rose, or anything happened that must not."""
        return bool(self.faults) or any(drift.is_leak for drift in self.drifts)


def soak(
    seconds: float, seed: int, bounds: Bounds | None = None, sample_s: float = SAMPLE_S
) -> Soak:
    """Load a server for so long, a fifth of it as warm-up, and judge it."""
    result = Soak(seed, seconds * _WARM_SHARE)
    with FickleCloud(seed) as cloud, _served(cloud) as server:
        watch = LogWatch(server)
        _wait_for_link(server)
        cloud.begin()
        result.resting.append(sample(server.pid))
        with Clients(server.address, seed) as clients:
            _load(server, clients, watch, result, seconds, sample_s)
        result.counts = dict(clients.counts)
        result.faults += clients.faults
        if server.process.poll() is None:
            _rest(server, result)
            server.client.close()
            code = server.stop()
            if code != 0:
                result.faults.append(("the server ended badly", f"with {code}"))
        else:
            ended = f"with {server.process.poll()}: {server.log[-4_000:]}"
            result.faults.append(("the server ended by itself", ended))
        result.faults += map(_fault, watch.rest())
        result.log = dict(watch.entries)
    result.forwarded = dict(cloud.calls)
    warm_until = result.samples[0].at + result.warm_s
    warm = [one for one in result.samples if one.at >= warm_until]
    result.drifts = drifts(warm, bounds or Bounds())
    return result


@contextmanager
def _served(cloud: FickleCloud) -> Iterator[Server]:
    """The server: small quotas of the wall and the outbox, which the warm-up fills."""
    with (
        tempfile.TemporaryDirectory(prefix="edge-soak-") as folder,
        Server(
            models=MODELS,
            workers=2,
            wall_size=8,
            outbox_dir=folder,
            outbox_max_entries=500,
            cloud_endpoint=ENDPOINT,
            cloud_address=cloud.address,
            cloud_credentials="anonymous",
            cloud_mode="low_confidence,on_error",
            cloud_threshold=0.6,
            cloud_calls_per_day=10**9,
        ) as server,
    ):
        yield server


def _wait_for_link(server: Server) -> None:
    """Google's library takes seconds to import, and memory: neither is part of the run."""
    until = time.monotonic() + LINK_S
    while server.client.get("/fallback").json()["link"]["state"] != "up":
        if time.monotonic() > until:
            raise TimeoutError(f"no link to the double within {LINK_S:.0f} s: {server.log}")
        time.sleep(0.2)


def _load(
    server: Server, clients: Clients, watch: LogWatch, result: Soak, seconds: float, sample_s: float
) -> None:
    """Sample until the time is over or the server has ended."""
    began = said = time.monotonic()
    while (now := time.monotonic()) < began + seconds and server.process.poll() is None:
        result.samples.append(sample(server.pid))
        result.faults += map(_fault, watch.read())
        if now - said >= _PROGRESS_S:
            said = now
            _say_progress(result, clients, now - began)
        time.sleep(sample_s)


def _say_progress(result: Soak, clients: Clients, seconds: float) -> None:
    last = result.samples[-1]
    faults = len(result.faults) + len(clients.faults)
    sys.stderr.write(
        f"{seconds / 60:.0f} min: {clients.answers:,} answers, {last.resident_mib:.0f} MiB, "
        f"{last.descriptors} descriptors, {last.threads} threads, {faults} faults\n"
    )


def _rest(server: Server, result: Soak) -> None:
    """Wait until the server has closed what its clients have left."""
    most = result.resting[0].descriptors + REST_DESCRIPTORS
    until = time.monotonic() + REST_S
    while (held := sample(server.pid)).descriptors > most and time.monotonic() < until:
        time.sleep(0.5)
    result.resting.append(held)
    if held.descriptors > most:
        detail = (
            f"{held.descriptors}, {REST_S:.0f} s after the last client; at most {most} expected"
        )
        result.faults.append(("descriptors stay open", detail))


def _fault(trace: Trace) -> tuple[str, str]:
    return f"stack trace: {trace.error}", trace.text


def report(result: Soak) -> str:
    """The run as a table."""
    cpu_s = result.samples[-1].cpu_s - result.samples[0].cpu_s
    seconds = result.samples[-1].at - result.samples[0].at
    lines = [
        (
            f"seed {result.seed}; {seconds / 60:.1f} minutes, the first {result.warm_s / 60:.1f} "
            f"of them as warm-up; the server used {cpu_s / 60:.1f} minutes of CPU"
        ),
        "",
        f"{'':14}{'first':>9}{'last':>9}{'per hour, and its error':>23}   99 %",
        *map(str, result.drifts),
        "",
        "at rest, before and after: "
        + " -> ".join(
            f"{one.resident_mib:.0f} MiB, {one.descriptors} descriptors, {one.threads} threads"
            for one in result.resting
        ),
        "",
        *_counted(result.counts),
        "calls of the online model, by its mood: " + _words(result.forwarded),
        "log entries: " + _words(result.log),
    ]
    kinds = Counter(kind for kind, _ in result.faults)
    firsts = dict(reversed(result.faults))
    for kind, number in kinds.items():
        lines.append(f"FAILED {number} x {kind}; the first:\n{firsts[kind]}")
    return "\n".join(lines)


def _counted(counts: dict[tuple[str, str], int]) -> list[str]:
    lines = []
    for what in sorted({what for what, _ in counts}):
        outcomes = {outcome: number for (one, outcome), number in counts.items() if one == what}
        lines.append(f"{what:18}{_words(outcomes)}")
    return lines


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items())) or "none"


def main() -> int:
    """Run as the command line says; 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m soak.run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=None, help="drawn if not given")
    parser.add_argument("--max-mib-per-hour", type=float, default=Bounds.resident_mib)
    given = parser.parse_args()
    seed = Random().randrange(10**9) if given.seed is None else given.seed
    result = soak(given.minutes * 60, seed, Bounds(resident_mib=given.max_mib_per_hour))
    sys.stdout.write(report(result) + "\n")
    return 1 if result.failed else 0


if __name__ == "__main__":
    sys.exit(main())
