"""Freed memory goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# A thousand blocks too small for a mapping of their own, with one above them that stays: free() alone keeps them.
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to give memory back")
def test_freed_memory_goes_back_to_the_system():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    kept, left = map(int, done.stdout.split())
    assert left < kept - 80
