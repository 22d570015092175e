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


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc is told to give memory back"
)
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
