"""TensorFlow's start-up lines are dropped, and everything else on standard error appears."""

import subprocess
import sys

import pytest

from edge.runtime.start_up_noise import quiet

NOTICE = b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
INFORMATION = b"I0000 00:00:1795715643.514229   31390 port.cc:153] oneDNN custom operations on.\n"
NO_DRIVER = (
    b"E0000 00:00:1795715664.618301   31390 cuda_platform.cc:52] failed call to cuInit: INTERNAL: "
    b"CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)\n"
)
REAL_ERRORS = [
    b"F0000 00:00:1795715643.514229   31390 cpu_feature_guard.cc:210] compiled to use AVX\n",
    b"E0000 00:00:1795715643.514229   31390 cuda_platform.cc:52] failed call to cuInit: 803\n",
    b"W0000 00:00:1795715643.514229   31390 cache.cc:1] something else\n",
    b"Traceback (most recent call last):\n",
    b"\n",
]


@pytest.mark.parametrize("line", [NOTICE, INFORMATION, NO_DRIVER])
def test_a_start_up_line_is_dropped_and_its_neighbours_stay(line):
    assert quiet(b"before\n" + line + b"after\n") == (b"before\nafter\n", b"")


@pytest.mark.parametrize("line", REAL_ERRORS)
def test_what_is_no_start_up_line_stays(line):
    assert quiet(line) == (line, b"")


def test_a_line_that_arrives_in_two_parts_is_dropped():
    first, waiting = quiet(INFORMATION[:30])
    assert first == b""
    assert quiet(waiting + INFORMATION[30:]) == (b"", b"")


def test_a_progress_bar_is_shown_at_once():
    bar = b"\r\x1b[2KStarting TensorFlow 0:00:01"
    assert quiet(bar) == (bar, b"")


BLOCK = """
import os
from edge.runtime.start_up_noise import without_start_up_noise
with without_start_up_noise():
    os.write(2, {lines!r})
    {then}
os.write(2, b"after\\n")
"""


def stderr_of(lines, then="pass"):
    program = BLOCK.format(lines=lines, then=then)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=120, check=False
    )


def test_the_block_drops_the_lines_and_nothing_else():
    done = stderr_of(NOTICE + b"kept\n" + INFORMATION + b"unfinished")
    assert done.stderr == b"kept\nunfinishedafter\n"


@pytest.mark.parametrize("death", ["os.abort()", "os.kill(os.getpid(), 9)", "os._exit(3)"])
def test_the_reason_of_a_process_that_dies_in_the_block_is_written(death):
    done = stderr_of(INFORMATION + b"compiled to use AVX\n", death)
    assert done.returncode != 0
    assert done.stderr == b"compiled to use AVX\n"


def test_an_error_in_the_block_is_raised_with_standard_error_in_its_place():
    done = stderr_of(INFORMATION, "raise ImportError('libstdc++ is too old')")
    assert done.stderr.endswith(b"ImportError: libstdc++ is too old\n")


def run(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=300, check=True
    )


def test_a_closed_standard_error_is_no_fault():
    program = (
        "import os\n"
        "from edge.runtime.start_up_noise import without_start_up_noise\n"
        "os.close(2)\n"
        "with without_start_up_noise():\n"
        "    print('inside')\n"
    )
    done = run(program)
    assert done.stdout == b"inside\n"


@pytest.mark.slow
def test_tensorflow_starts_without_a_word():
    """The import, the threads that are set after it, and the first operation."""
    pytest.importorskip("tensorflow")
    program = (
        "from edge.runtime.tensorflow import _set_threads, tf\n"
        "_set_threads(2, 1)\n"
        "assert tf.config.threading.get_intra_op_parallelism_threads() == 1\n"
        "print(float(tf.Variable(1.0) + 1))\n"
    )
    done = run(program)
    assert done.stdout == b"2.0\n"
    assert done.stderr == b""
