"""What an online model costs a frame when its network has become a black hole. An acceptance test.

`python tests/bench/black_hole.py` measures it in full; `test_black_hole.py` runs it briefly.

Several servers run the same model, each in its own process, and answer the same frames one after
the other, in a random order per frame, so that anything else on the machine affects all of them
alike. Two have no online model; any difference between these two is chance. The others want an
online model for every frame, at an address that neither accepts nor refuses connections; one of
them keeps every frame in an outbox. Measuring starts when their breakers have opened; probes go on
meanwhile.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from edge.bench.frames import WEBCAM, make_frames
from edge.bench.load import percentile
from edge.bench.machine import machine_facts
from edge.bench.procfs import cpu_seconds
from edge.bench.report import Aim, aim
from edge.bench.server import running
from edge.errors import MeasurementFailed
from edge.runtime.cpus import usable_cpus
from edge.settings import Settings
from edge.wiring.bootstrap import build_repository, embedded_models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from edge.bench.load import Target
    from edge.repository.version import ModelVersion

FRAMES = 6_000
"""Sent to each server."""

MAX_P99 = 1.05
"""Of the server with a black-holed online model, as a ratio to the one without."""

_OFF, _OFF_AGAIN, _HOLE, _OUTBOX = "off", "off, again", "black hole", "black hole and outbox"
_ENDPOINT = "projects/bench/locations/nowhere/endpoints/0"
_WARM = 200
_OPENS_S = 60.0  # Google's library takes seconds to import, and a probe some more
_QUEUE = 3  # connections that fill a queue of length 0: Linux takes one or two more


@dataclass(frozen=True, slots=True)
class Row:
    """One server.

    Attributes:
        p50_ms: from the first byte sent to the last received, one frame at a time; so the next two.
        cpu_ms: CPU milliseconds of the server's process per frame, including all background work.
        p50: as a ratio to the first server; so the next two.
    """

    name: str
    p50_ms: float
    p99_ms: float
    slowest_ms: float
    cpu_ms: float
    p50: float
    p99: float
    cpu: float


@dataclass(frozen=True, slots=True)
class BlackHoleReport:
    """All figures of a run."""

    machine: Mapping[str, str | int]
    model: str
    frames: int
    rows: list[Row]
    aims: list[Aim]


@dataclass(slots=True)
class _Server:
    name: str
    target: Target
    connection: http.client.HTTPConnection
    latencies_ms: list[float] = field(default_factory=list)
    cpu_s: float = 0.0

    def ask(self, frame: bytes) -> None:
        began = time.perf_counter()
        self.connection.request("POST", "/predict", frame, {"Content-Type": "image/jpeg"})
        reply = self.connection.getresponse()
        body = reply.read()
        self.latencies_ms.append((time.perf_counter() - began) * 1000)
        if reply.status != HTTPStatus.OK:
            raise MeasurementFailed(
                f"The server ({self.name}) answered {reply.status}: {body.decode()[:200]}"
            )

    def get(self, path: str) -> Any:
        self.connection.request("GET", path)
        return json.load(self.connection.getresponse())


def measure_black_hole(
    version: ModelVersion, settings: Settings, frames: int, advance: Callable[[], None]
) -> BlackHoleReport:
    """Measure the model as `edge serve` would serve it with and without such an online model.

    Raises:
        MeasurementFailed: a server did not start, or did not do what is to be measured.
    """
    photos = make_frames()[WEBCAM]
    workers = settings.workers or usable_cpus()
    plain = [
        *("--models", str(settings.models), "--default-model", version.name),
        *("--workers", str(workers), "--log-level", "error"),
    ]
    with ExitStack() as stack:
        wanted = [
            *("--cloud-endpoint", _ENDPOINT, "--cloud-credentials", "anonymous"),
            *("--cloud-address", stack.enter_context(black_hole())),
            *("--cloud-mode", "low_confidence", "--cloud-threshold", "1", "--cloud-margin", "1"),
            *("--cloud-repeat-s", "0"),  # each frame is wanted, though it shows what others did
        ]
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-bench-"))
        flags = {
            _OFF: [],
            _OFF_AGAIN: [],
            _HOLE: wanted,
            _OUTBOX: [*wanted, "--outbox-dir", folder],
        }
        servers = [
            _started(stack, name, [*plain, *more], photos[0]) for name, more in flags.items()
        ]
        for server in servers:
            if flags[server.name]:
                _wait_for_the_breaker(server)
        _ask_all(servers, islice(cycle(photos), _WARM), lambda: None)
        _ask_all(servers, islice(_different(photos), frames), advance)
        for server in servers:
            _check(server, wanted=bool(flags[server.name]), photo=photos[0])
    rows = make_rows([(one.name, one.latencies_ms, one.cpu_s) for one in servers])
    (hole,) = (row for row in rows if row.name == _HOLE)
    return BlackHoleReport(
        machine_facts(),
        version.name,
        frames,
        rows,
        [aim("p99 with a black-holed cloud / off", MAX_P99, hole.p99)],
    )


@contextmanager
def black_hole() -> Iterator[str]:
    """Yield an address that neither accepts nor refuses connections: a listener with a full queue.

    Raises:
        MeasurementFailed: this system accepts connections there all the same.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(_QUEUE):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        knocking = stack.enter_context(socket.socket())
        knocking.settimeout(0.5)
        try:
            knocking.connect(listener.getsockname())
        except TimeoutError:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        else:
            raise MeasurementFailed("No address can be made here that leads nowhere.")


def make_rows(measured: Sequence[tuple[str, Sequence[float], float]]) -> list[Row]:
    """Return the figures, also as ratios to those of the first.

    Args:
        measured: name, latencies in ms (one or more) and CPU seconds of each server.
    """
    figures = []
    for name, latencies, cpu_s in measured:
        ordered = sorted(latencies)
        p50, p99 = percentile(ordered, 50), percentile(ordered, 99)
        assert p50 is not None
        assert p99 is not None
        figures.append((name, p50, p99, ordered[-1], cpu_s / len(ordered) * 1000))
    _, p50_of_first, p99_of_first, _, cpu_of_first = figures[0]
    return [
        Row(
            name, p50, p99, slowest, cpu, p50 / p50_of_first, p99 / p99_of_first, cpu / cpu_of_first
        )
        for name, p50, p99, slowest, cpu in figures
    ]


def _started(stack: ExitStack, name: str, flags: Sequence[str], photo: bytes) -> _Server:
    target = stack.enter_context(running(flags, photo)).target
    connection = http.client.HTTPConnection(target.host, target.port, timeout=60)
    stack.callback(connection.close)
    return _Server(name, target, connection)


def _wait_for_the_breaker(server: _Server) -> None:
    until = time.monotonic() + _OPENS_S
    while server.get("/fallback")["link"]["breaker"] != "open":
        if time.monotonic() > until:
            raise MeasurementFailed(
                f"The breaker did not open within {_OPENS_S:.0f} s: {server.get('/fallback')}"
            )
        time.sleep(0.1)


def _different(photos: Sequence[bytes]) -> Iterator[bytes]:
    """Repeat the photos, no two alike: bytes after a JPEG's end change its digest alone."""
    for number, photo in enumerate(cycle(photos)):
        yield photo + number.to_bytes(8, "big")


def _ask_all(
    servers: Sequence[_Server], frames: Iterator[bytes], advance: Callable[[], None]
) -> None:
    """Send each frame to each server; earlier measurements are discarded."""
    order, drawn = list(servers), random.Random(1)
    for server in servers:
        server.latencies_ms, server.cpu_s = [], -cpu_seconds(server.target.pid)
    for frame in frames:
        drawn.shuffle(order)
        for server in order:
            server.ask(frame)
        advance()
    for server in servers:
        server.cpu_s += cpu_seconds(server.target.pid)


def _check(server: _Server, *, wanted: bool, photo: bytes) -> None:
    """Check that the server did what its row's name says."""
    server.connection.request("POST", "/predict", photo)
    answer = json.load(server.connection.getresponse())
    if answer["source"] != "edge" or answer.get("blocked_by") != ("link_down" if wanted else None):
        raise MeasurementFailed(
            f"The server ({server.name}) did not do what is measured: {answer}. Does the model's "
            "model.toml set fallback.mode?"
        )


def main() -> None:
    """Measure the built-in classifier in full; print the figures as JSON."""
    settings = Settings(models=embedded_models())
    version = build_repository(settings).find("imagenet")
    report = measure_black_hole(version, settings, FRAMES, lambda: None)
    json.dump(asdict(report), sys.stdout, indent=2)


if __name__ == "__main__":
    main()
