"""A TFLite file from which interpreters are opened now and later, while the file may change."""

import os
import platform
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from serving.process import MODELS

from edge.errors import ExportError
from edge.export.read import read_export
from edge.runtime.interpreter import IMAGE
from edge.runtime.interpreters import open_interpreters
from edge.runtime.litert import LiteRTModel

CHANGED = "it was changed after it had been loaded"


@pytest.fixture
def export(tmp_path):
    shutil.copytree(MODELS / "imagenet", tmp_path / "imagenet")
    return read_export(tmp_path / "imagenet")


@pytest.fixture
def model(export):
    return LiteRTModel(export.model, export.contract, 1)


def noise(contract):
    levels = np.random.default_rng(1).integers(0, 256, contract.input.shape)
    return {IMAGE: levels.astype(contract.input.dtype)}


def write_over(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    os.utime(file, ns=(1, 1))
    file.write_bytes(content)


def replace_file(file):
    copy = file.with_name("copy")
    shutil.copy2(file, copy)
    copy.replace(file)


def test_an_interpreter_that_is_opened_later_answers_the_same(model, export):
    first = model.open().invoke(noise(export.contract))
    later = model.open().invoke(noise(export.contract))
    assert first.keys() == later.keys()
    assert all(np.array_equal(first[role], later[role]) for role in first)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only there pages are released")
def test_the_mapped_file_takes_no_memory_once_its_weights_are_packed(model):
    interpreter = model.open()
    interpreter.invoke(noise(model._contract))
    lines = Path("/proc/self/smaps").read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.endswith(f" {model._model}"))
    resident = next(line for line in lines[start:] if line.startswith("Rss:"))
    assert int(resident.split()[1]) < 1024, "KiB, of 5127"


@pytest.mark.parametrize("change", [write_over, replace_file])
def test_no_interpreter_is_opened_from_a_file_that_is_not_the_one_that_was_loaded(model, change):
    model.open()
    change(model._model)
    with pytest.raises(ExportError, match=CHANGED):
        model.open()


def test_no_interpreter_is_opened_from_a_file_that_is_gone(model):
    model.open()
    model._model.unlink()
    with pytest.raises(ExportError):
        model.open()


def test_a_model_has_one_interpreter_until_two_frames_need_it_for_long(export):
    pool = open_interpreters(export.model, export.contract, 2)
    assert repr(pool) == "<InterpreterPool 1/1 free, at most 2>"
    frame = noise(export.contract)
    answers = []

    def answer():
        with pool.lease(1) as interpreter:
            answers.append((interpreter, interpreter.invoke(frame)["scores"]))

    with pool.lease(0) as first:
        thread = threading.Thread(target=answer)
        thread.start()
        thread.join(60)
        expected = first.invoke(frame)["scores"]
    ((second, scores),) = answers
    assert second is not first
    assert np.array_equal(scores, expected)
    assert repr(pool) == "<InterpreterPool 2/2 free, at most 2>"


def test_a_model_goes_on_with_the_interpreter_it_has_when_its_file_was_replaced(export, caplog):
    pool = open_interpreters(export.model, export.contract, 2)
    replace_file(export.model)
    done = threading.Event()

    def wait_for_it():
        with pool.lease(1):
            done.set()

    with pool.lease(0):
        thread = threading.Thread(target=wait_for_it)
        thread.start()
        while not caplog.records and thread.is_alive():
            thread.join(0.01)
        assert not done.is_set()
    thread.join(60)
    assert done.is_set()
    assert CHANGED in caplog.text
