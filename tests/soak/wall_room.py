"""Six cameras, a kiosk and a broken camera at once, with a wall open: by hand, for ten minutes.

    PYTHONPATH=tests .venv/bin/python -m soak.wall_room --minutes 10

The first half of the time the wall stays open: its tiles must keep their places, and the memory of
the service, of the wall's page and of the kiosk's must not rise. In the second half it is open and
closed in turns, and the CPU time of a frame is compared. Prints figures; ends with 1 if a tile
moved or a page failed, and, in a run of `MIN_JUDGED_MIN` or more, if memory rises or frames cost
more than `MAX_MORE` with the wall open. Needs Debian's Chromium, and a machine without other work.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
from playwright.sync_api import sync_playwright
from serving.pictures import photo
from serving.process import Server

from soak.sampler import sample
from soak.slope import MIN_SAMPLES, fit

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

CAMERAS = tuple(f"line {number}" for number in range(1, 7))
BROKEN = "broken"
PHOTOS = ("coffee", "chelsea", "astronaut")
FRAMES_PER_S = 2.0  # of each camera
SAMPLE_S = 5.0
SETTLED_S = 3.0  # the first words and pictures of a tile may come after it
WARM_UP = 0.2
"""Share of the steady half in which caches and free lists fill up."""

MIN_JUDGED_MIN = 8.0
"""In less, a line through the memory says nothing, and the CPU time of a phase is too coarse."""

MAX_MORE = 1.02
"""Of a frame's CPU time, with the wall open."""

MAX_MIB_PER_HOUR = {"service": 64.0, "wall page": 32.0, "kiosk page": 32.0}
_MIB = 1 << 20
_COLLECT = "HeapProfiler.collectGarbage"


@dataclass
class Findings:
    """What was measured and what went wrong.

    Attributes:
        memory: name to (seconds, MiB) of each sample.
        frames: whether the wall was open, and milliseconds of CPU a frame, of each phase.
        faults: what must not happen and did.
    """

    memory: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    frames: list[tuple[bool, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def note(self, name: str, at: float, mib: float) -> None:
        """Keep a sample of memory."""
        self.memory.setdefault(name, []).append((at, mib))


class Cameras:
    """Cameras that post until the context ends, each on a thread of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ended = threading.Event()
        self.wrong: list[str] = []  # replies that a camera should not get
        threads = [(name, photo(PHOTOS[n % len(PHOTOS)]), 200) for n, name in enumerate(CAMERAS)]
        threads.append((BROKEN, b"\xff\xd8\xff broken", 400))
        self._threads = [threading.Thread(target=self._post, args=one) for one in threads]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _post(self, name: str, image: bytes, status: int) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._ended.wait(1 / FRAMES_PER_S):
                reply = client.post("/predict", params={"camera": name}, content=image)
                if reply.status_code != status:
                    self.wrong.append(f"{name} got {reply.status_code}: {reply.text[:200]}")


class Room:
    """The service with its cameras, its kiosk and its wall."""

    def __init__(self, server: Server, kiosk: Page, wall: Page) -> None:
        self.findings = Findings()
        self._server = server
        self._kiosk, self._wall = kiosk, wall
        self._sessions: dict[str, CDPSession] = {
            name: page.context.new_cdp_session(page)
            for name, page in (("kiosk page", kiosk), ("wall page", wall))
        }
        for name, page in (("kiosk", kiosk), ("wall", wall)):
            page.on("pageerror", lambda error, name=name: self._fail(f"{name}: {error}"))
        for session in self._sessions.values():
            session.send("Performance.enable")
        self._places: dict[str, Any] = {}

    def _fail(self, words: str) -> None:
        if words not in self.findings.faults:
            self.findings.faults.append(words)

    def open_wall(self) -> None:
        """Open the wall, and wait for a tile of every camera."""
        self._wall.goto(f"{self._server.url}/wall?lang=en")
        every = len(CAMERAS) + 2  # the broken one, and the kiosk
        self._wall.locator(".tiles > li").nth(every - 1).wait_for(timeout=60_000)
        self._wall.wait_for_timeout(1000 * SETTLED_S)

    def close_wall(self) -> None:
        """Leave the wall for an empty page."""
        self._wall.goto("about:blank")

    def check_tiles(self) -> None:
        """Each camera's tile must stay where it was first, in the order of names."""
        script = (
            "() => [...document.querySelectorAll('.tiles > li')].map((tile) => {"
            " const {x, y, width} = tile.getBoundingClientRect();"
            " return [tile.querySelector('.camera').textContent, x, y + scrollY, width]; })"
        )
        tiles = self._wall.evaluate(script)
        names = [name for name, *_ in tiles]
        if names != sorted(names):
            self._fail(f"the tiles are not in the order of names: {names}")
        for name, *place in tiles:
            if self._places.setdefault(name, place) != place:
                self._fail(f"the tile of {name} moved from {self._places[name]} to {place}")

    def stay(self, seconds: float) -> None:
        """Keep the wall open, and look at tiles and memory meanwhile."""
        began = time.monotonic()
        while (at := time.monotonic() - began) < seconds:
            self.check_tiles()
            resident = sample(self._server.pid).resident_mib
            self.findings.note("service", at, resident)
            for name, session in self._sessions.items():
                session.send(_COLLECT)
                metrics = session.send("Performance.getMetrics")["metrics"]
                (used,) = [one["value"] for one in metrics if one["name"] == "JSHeapUsedSize"]
                self.findings.note(name, at, used / _MIB)
            self._wall.wait_for_timeout(SAMPLE_S * 1000)

    def phase(self, seconds: float, *, is_open: bool) -> None:
        """Measure the CPU time of the service for a frame, with the wall open or closed."""
        if is_open:
            self.open_wall()
        else:
            self.close_wall()
        self._wall.wait_for_timeout(1000)  # what opening and closing cost is not a frame's
        cpu_s, frames = sample(self._server.pid).cpu_s, self._frames()
        self._wall.wait_for_timeout(seconds * 1000)
        cpu_s = sample(self._server.pid).cpu_s - cpu_s
        frames = self._frames() - frames
        if is_open:
            self.check_tiles()
        self.findings.frames.append((is_open, 1000 * cpu_s / frames))

    def _frames(self) -> float:
        text = httpx.get(f"{self._server.url}/metrics").text
        found = re.findall(r"^edge_frames_total\{[^}]*\} (\S+)$", text, re.MULTILINE)
        return sum(map(float, found))


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def report(findings: Findings, *, judged: bool) -> list[str]:
    """Print the figures; returns what is too much, if the run was long enough to say so."""
    faults = list(findings.faults)
    tell(f"{'MiB':12} {'first':>8} {'last':>8} {'per hour':>10} {'99 %':>22}")
    for name, series in findings.memory.items():
        kept = series[int(len(series) * WARM_UP) :]
        seconds, values = [at for at, _ in kept], [mib for _, mib in kept]
        line = f"{name:12} {values[0]:8.1f} {values[-1]:8.1f}"
        if len(kept) >= MIN_SAMPLES:
            slope = fit(seconds, values)
            line += f" {slope.per_hour:10.1f} {slope.least:10.1f} ..{slope.most:10.1f}"
            if judged and slope.rises_above(MAX_MIB_PER_HOUR[name]):
                faults.append(f"memory of the {name} rises by {slope.per_hour:.0f} MiB an hour")
        tell(line)
    opened = [ms for is_open, ms in findings.frames if is_open]
    closed = [ms for is_open, ms in findings.frames if not is_open]
    for name, values in (("wall open", opened), ("wall closed", closed)):
        spread = f"{min(values):.2f} .. {max(values):.2f}"
        tell(f"{name:12} {statistics.median(values):8.2f} ms of CPU a frame ({spread})")
    pairs = [one / other for one, other in zip(opened, closed, strict=False)]
    ratio = statistics.median(pairs)
    tell(f"open/closed  {ratio:8.3f} ({min(pairs):.3f} .. {max(pairs):.3f} in {len(pairs)} pairs)")
    if judged and ratio > MAX_MORE:
        faults.append(f"a frame costs {ratio - 1:.1%} more with the wall open")
    return faults


def run(minutes: float, phases: int) -> list[str]:
    """Run it all; returns what went wrong."""
    half_s = minutes * 30
    home = tempfile.mkdtemp()
    clip = Path(home) / "coffee.mjpeg"
    clip.write_bytes(photo("coffee") * 30)
    arguments = [
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={clip}",
    ]
    how = {"executable_path": "/usr/bin/chromium", "env": {**os.environ, "HOME": home}}
    with Server(workers=2) as server, sync_playwright() as running, Cameras(server.url) as cameras:
        browsers = [running.chromium.launch(args=arguments, **how) for _ in range(2)]
        kiosk, wall = (one.new_page() for one in browsers)
        room = Room(server, kiosk, wall)
        kiosk.goto(f"{server.url}/kiosk?lang=en")
        wall.set_viewport_size({"width": 1920, "height": 1080})
        room.open_wall()
        room.stay(half_s)
        wall.screenshot(path=str(Path(home) / "wall.png"))
        for number in range(phases):
            room.phase(half_s / phases, is_open=number % 2 == 0)
        for browser in browsers:
            browser.close()
    room.findings.faults += cameras.wrong[:10]
    tell(f"the wall as it was: {home}/wall.png")
    return report(room.findings, judged=minutes >= MIN_JUDGED_MIN)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of the whole run")
    parser.add_argument("--phases", type=int, default=20, help="of the second half; at least 4")
    options = parser.parse_args()
    faults = run(options.minutes, max(options.phases, 4))
    tell("\n".join(faults) or "nothing went wrong")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
