"""LiteRT's start-up banner is hidden, and everything else on standard error appears."""

import gc
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from builders.tflite import LOGISTIC, OperatorSpec, TensorSpec, write
from serving.process import Server

from edge.runtime.litert_banner import BANNER, SMALLEST_MODEL, hide_banner, without_line

LOAD = """
import os, sys
from pathlib import Path
from edge.export.read import read_export
from edge.runtime.open import open_pipeline
export = read_export(Path(sys.argv[1]))
open_pipeline(export.model, export.contract, 2)
os.write(2, b"after\\n")
"""

PROVOKE = """
import sys
from ai_edge_litert.interpreter import Interpreter
from edge.runtime.litert_banner import SMALLEST_MODEL
Interpreter(model_content=SMALLEST_MODEL).allocate_tensors()
"""


def stderr_of(*arguments):
    ended = subprocess.run(
        [sys.executable, *arguments], capture_output=True, timeout=120, check=True
    )
    return ended.stderr


def test_the_smallest_model_is_what_it_says():
    tensors = [TensorSpec("x", [1]), TensorSpec("y", [1])]
    assert write(tensors, [OperatorSpec(LOGISTIC, [0], [1])], [0], [1]) == SMALLEST_MODEL


def test_the_smallest_model_makes_litert_write_exactly_the_banner():
    assert stderr_of("-c", PROVOKE) == BANNER


def test_opening_a_model_writes_nothing_and_leaves_standard_error_in_place(embedded_models):
    assert stderr_of("-c", LOAD, str(embedded_models / "imagenet")) == b"after\n"


def test_predict_writes_nothing_to_standard_error(embedded_models):
    assert stderr_of("-m", "edge", "predict", str(embedded_models / "photos/coffee.jpg")) == b""


def test_serve_writes_only_its_own_log_lines():
    with Server() as server:
        server.stop()
        lines = server.log.splitlines()
    assert any("is ready" in line for line in lines)
    assert [line for line in lines if not re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line)] == []


def test_other_lines_of_a_diverted_block_are_forwarded_in_their_order(capfd):
    with without_line(BANNER):
        os.write(2, b"WARNING: before\n")
        os.write(2, BANNER)
        os.write(2, b"ERROR: behind\n")
        assert capfd.readouterr().err == ""
    os.write(2, b"at once\n")
    assert capfd.readouterr().err == "WARNING: before\nERROR: behind\nat once\n"


def test_a_failing_block_puts_standard_error_back_and_loses_nothing(capfd):
    def break_down():
        with without_line(BANNER):
            os.write(2, b"ERROR: it breaks\n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_down()
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "ERROR: it breaks\nlater\n"


def test_lines_that_other_threads_write_meanwhile_all_appear(capfd):
    stop = threading.Event()
    counts = [0, 0]

    def log(number):
        while not stop.is_set():
            os.write(2, b"thread %d line %d\n" % (number, counts[number]))
            counts[number] += 1

    threads = [threading.Thread(target=log, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        with without_line(BANNER):
            os.write(2, BANNER)
    stop.set()
    for thread in threads:
        thread.join()
    lines = sorted(capfd.readouterr().err.splitlines())
    expected = [f"thread {one} line {line}" for one in range(2) for line in range(counts[one])]
    assert lines == sorted(expected)


def test_no_file_descriptor_stays_open():
    open_files = Path("/proc/self/fd")
    gc.collect()  # what other tests have left would close its files in between
    before = len(list(open_files.iterdir()))
    with without_line(BANNER):
        os.write(2, BANNER)
    assert len(list(open_files.iterdir())) == before


def test_a_process_with_closed_standard_error_still_opens_models():
    code = (
        "import os; os.close(2)\nfrom edge.runtime.litert_banner import hide_banner\nhide_banner()"
    )
    assert stderr_of("-c", code) == b""


def test_the_banner_is_provoked_once(monkeypatch):
    hide_banner()
    monkeypatch.setattr("edge.runtime.litert_banner.Interpreter", None)
    hide_banner()
