"""Freed memory goes back to the system."""

from __future__ import annotations

import mmap
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from edge.runtime.memory import release_mapped_file

# Many blocks too small for mmap, and a last one that stays: free() alone keeps their memory.
SCRIPT = """
from pathlib import Path
from edge.runtime.memory import release_free_memory

def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

blocks = [b"x" * (100_000 + number) for number in range(1000)]
above = b"y" * 100_001
del blocks
kept = resident_mib()
release_free_memory()
print(kept, resident_mib())
"""


ARENAS_SCRIPT = """
import ctypes
import os
import sys
from threading import Barrier, Thread
from edge.runtime.memory import limit_free_memory

if sys.argv[1] == "limited":
    limit_free_memory()
c = ctypes.CDLL(None)
c.malloc.restype = c.fdopen.restype = ctypes.c_void_p
c.malloc.argtypes = [ctypes.c_size_t]
together = Barrier(12)

def allocate():
    together.wait()
    for size in range(1_000, 100_000, 1_000):
        c.malloc(size)
    together.wait()

threads = [Thread(target=allocate) for _ in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
stream = ctypes.c_void_p(c.fdopen(os.dup(1), b"w"))
c.malloc_info(0, stream)
c.fflush(stream)
"""

only_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc is told to give memory back"
)


def arenas_of_twelve_threads(limit):
    done = subprocess.run(
        [sys.executable, "-c", ARENAS_SCRIPT, limit], capture_output=True, text=True, check=True
    )
    return done.stdout.count("<heap nr=")


@only_glibc
def test_threads_share_two_arenas():
    assert arenas_of_twelve_threads("limited") == 2


@only_glibc
def test_without_the_limit_threads_have_more_arenas():
    assert arenas_of_twelve_threads("as it comes") > 2


@only_glibc
def test_freed_memory_goes_back_to_the_system():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    kept, left = map(int, done.stdout.split())
    assert left < kept - 80


def test_the_pages_of_a_mapped_file_are_let_go_and_can_still_be_read(tmp_path):
    file = tmp_path / "model.tflite"
    content = bytes(range(256)) * 8192
    file.write_bytes(content)

    def resident_kib():
        lines = Path("/proc/self/smaps").read_text().splitlines()
        start = next(number for number, line in enumerate(lines) if line.endswith(f" {file}"))
        return int(next(line for line in lines[start:] if line.startswith("Rss:")).split()[1])

    with (
        file.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        assert mapped[:] == content
        assert resident_kib() >= 2048
        release_mapped_file(file)
        assert resident_kib() == 0
        assert mapped[:] == content
