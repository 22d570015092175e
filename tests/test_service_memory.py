"""After each burst an idle service returns its memory to the system; a busy one once a minute."""

import json
import platform
import subprocess
import sys

import pytest
from serving.process import ROOT, clean_environment

PRELUDE = """
import asyncio, json, re
from pathlib import Path

def resident():
    return int(re.findall(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[0]) / 1024

def burst():
    'Fragments as many bodies leave them: a small block above every large one, which stays.'
    large, small = [], []
    for _ in range(1000):
        large.append(bytearray(b"x") * 100_000)
        small.append(bytearray(b"x") * 5000)
    return small
"""

only_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc is told to give memory back"
)


def run_script(script):
    """What a process of its own prints, which has `resident` and `burst`."""
    ended = subprocess.run(
        [sys.executable, "-c", PRELUDE + script],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ended.stdout)


IDLE_SCRIPT = """
from edge.wiring.bootstrap import build_service
from edge.settings import Settings

async def main():
    service = build_service(Settings(workers=1, queue_size=1))
    kept, seen = [], []
    await asyncio.sleep(0)
    seen.append(resident())
    for _ in range(2):
        with service.admit() as place:
            place.hold(100_000_000)
            kept.append(burst())
        seen.append(resident())
        with service.admit():  # one is at work when the memory could be given back
            await asyncio.sleep(1.3)
            seen.append(resident())
        await asyncio.sleep(1.3)
        seen.append(resident())
    with service.admit() as place:
        place.hold(1000)
        kept.append(burst())
    await asyncio.sleep(1.3)
    seen.append(resident())
    print(json.dumps(seen))
    await service.stop()

asyncio.run(main())
"""


@pytest.mark.slow
@only_glibc
def test_the_memory_of_each_burst_is_given_back_when_the_service_is_idle():
    start, *seen, everyday = run_script(IDLE_SCRIPT)
    for after_burst, at_work, idle in (seen[:3], seen[3:]):
        assert after_burst > start + 70
        assert at_work > start + 70
        assert idle < start + 30
    assert everyday > start + 70  # small bodies are no burst: their memory is kept for the next


BUSY_SCRIPT = """
from edge.dataplane.admission import Admission
from edge.runtime.memory import limit_free_memory

limit_free_memory()
now = 0.0

async def main():
    global now
    admission = Admission(4, 1000, clock=lambda: now)
    kept, seen = [], [resident()]
    with admission.admit():
        for now in (59.0, 60.0, 61.0, 120.0):
            kept.append(burst())
            with admission.admit():
                pass
            seen.append(resident())
    print(json.dumps(seen))

asyncio.run(main())
"""


@only_glibc
def test_a_service_that_is_never_idle_gives_free_memory_back_once_a_minute():
    start, at_59_s, at_60_s, at_61_s, at_120_s = run_script(BUSY_SCRIPT)
    assert at_59_s > start + 70
    assert at_60_s < start + 40
    assert at_61_s > start + 70
    assert at_120_s < start + 50
