"""CPU time and memory of a process tree, read from a real one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edge.bench import procfs

# A parent that waits for its child, which burns 0.3 s of CPU, holds 64 MiB, and says so.
CHILD = """
import time
held = b'x' * (64 << 20)
while time.process_time() < 0.3: pass
print('done', flush=True)
input()
"""
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


@pytest.fixture(scope="module")
def parent():
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "done\n"
    yield process.pid
    process.communicate("\n")


def test_the_tree_has_the_process_and_its_child(parent):
    assert len(procfs.tree(parent)) == 2


def test_the_cpu_time_of_children_counts(parent):
    assert procfs.cpu_seconds(parent) >= 0.3


def test_the_memory_of_children_counts(parent):
    memory = procfs.memory(parent)
    assert 64 < memory.pss_mib <= memory.rss_mib


def test_a_process_that_has_ended_has_nothing():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert procfs.memory(process.pid).rss_mib == 0


def test_litert_is_not_taken_for_tensorflow():
    script = "import ai_edge_litert.interpreter; print('done', flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "done\n"
    assert not procfs.maps_tensorflow(process.pid)
    process.communicate("\n")


@pytest.mark.slow
def test_tensorflow_is_seen():
    pytest.importorskip("tensorflow")
    script = "import tensorflow; print('done', flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "done\n"
    assert procfs.maps_tensorflow(process.pid)
    process.communicate("\n")
