"""After each burst, an idle service returns its memory to the system, and not before."""

import json
import platform
import subprocess
import sys

import pytest
from serving.process import ROOT, clean_environment

SCRIPT = """
import asyncio, json, re
from pathlib import Path
from edge.wiring.bootstrap import build_service
from edge.settings import Settings

def resident():
    return int(re.findall(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[0]) / 1024

def burst():
    'Fragments as many bodies leave them: a small block above every large one, which stays.'
    large, small = [], []
    for _ in range(1000):
        large.append(bytearray(b"x") * 100_000)
        small.append(bytearray(b"x") * 5000)
    return small

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
@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc is told to give memory back"
)
def test_the_memory_of_each_burst_is_given_back_when_the_service_is_idle():
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    start, *seen, everyday = json.loads(run.stdout)
    for after_burst, at_work, idle in (seen[:3], seen[3:]):
        assert after_burst > start + 70
        assert at_work > start + 70
        assert idle < start + 30
    assert everyday > start + 70  # small bodies are no burst: their memory is kept for the next


BUSY_SCRIPT = """
import asyncio, json, re
from pathlib import Path
from edge.dataplane.admission import Admission
from edge.runtime.memory import limit_free_memory

limit_free_memory()
now = 0.0

def resident():
    return int(re.findall(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[0]) / 1024

def burst():
    large, small = [], []
    for _ in range(1000):
        large.append(bytearray(b"x") * 100_000)
        small.append(bytearray(b"x") * 5000)
    return small

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


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc is told to give memory back"
)
def test_a_service_that_is_never_idle_gives_free_memory_back_once_a_minute():
    run = subprocess.run(
        [sys.executable, "-c", BUSY_SCRIPT],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    start, at_59_s, at_60_s, at_61_s, at_120_s = json.loads(run.stdout)
    assert at_59_s > start + 70
    assert at_60_s < start + 40
    assert at_61_s > start + 70
    assert at_120_s < start + 50
