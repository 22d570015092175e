"""A model is tried in a process of its own: what ends that process is refused in words."""

import os
import threading
import time
from pathlib import Path

import pytest
from builders.damaged_model import plant_damaged
from builders.saved_model import IMAGE, SCORES, saved_model
from builders.tflite import classifier, detector

from edge.errors import ExportError
from edge.export.read import read_export
from edge.model.contract import Format
from edge.runtime import proof, proof_record
from edge.runtime.proof import Prover
from edge.runtime.proof_record import ProofRecord

LABELS = "\n".join(f"label {i}" for i in range(12))


def export(folder, content):
    folder.mkdir(exist_ok=True)
    (folder / "model.tflite").write_bytes(content)
    (folder / "dict.txt").write_text(LABELS)
    return read_export(folder)


@pytest.fixture
def good(tmp_path):
    return export(tmp_path / "good", classifier())


@pytest.fixture
def damaged(tmp_path, embedded_models):
    plant_damaged(tmp_path / "damaged", embedded_models)
    return read_export(tmp_path / "damaged")


def prove(one, prover=None):
    (prover or Prover()).prove(one.model, one.contract, one.digest)


def refused(one, reason, prover=None):
    with pytest.raises(ExportError, match=reason) as caught:
        prove(one, prover)
    assert caught.value.remedy
    return caught.value


def test_a_model_that_runs_is_proven(good):
    prove(good)


def test_a_model_that_aborts_its_process_is_refused_with_the_signal(damaged):
    fault = refused(damaged, "ended with SIGABRT")
    assert fault.file == str(damaged.model)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "lack of memory"),
        ("import os; os._exit(7)", "exit code 7"),
        ("print('x' * 100, flush=True); raise SystemExit(3)", "exit code 3"),
        ("import time; time.sleep(60)", "longer than"),
        ("import os\nwhile True: os.write(1, b'x' * 10000)", "longer than"),
    ],
)
def test_whatever_ends_the_child_is_that_models_end(code, words, good, monkeypatch):
    monkeypatch.setattr(proof, "_CHILD", code.replace("{", "{{").replace("}", "}}"))
    monkeypatch.setattr(proof, "MAX_S", dict.fromkeys(Format, 3.0))
    began = time.monotonic()
    refused(good, words)
    assert time.monotonic() - began < 20


def test_what_the_runtime_says_is_passed_on(tmp_path):
    names = {"boxes": "boxes", "classes": "classes", "scores": "scores", "count": "num"}
    odd = export(tmp_path / "odd", detector(operator="Mystery", names=names))
    refused(odd, "the operator Mystery, which LiteRT does not have")


def test_a_flex_operator_is_refused_as_any_custom_one(tmp_path):
    names = {"boxes": "boxes", "classes": "classes", "scores": "scores", "count": "num"}
    odd = export(tmp_path / "odd", detector(operator="FlexReadFile", names=names))
    refused(odd, "FlexReadFile|flex|Flex")


def test_a_model_that_needs_more_memory_than_there_may_be_is_refused(tmp_path):
    huge = export(tmp_path / "huge", classifier(side=20_000, classes=12))
    refused(huge, "memory|does not accept|ended with")


def test_no_child_is_left_and_no_file_open(good):
    def held() -> tuple[int, list[str]]:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        return len(list(Path("/proc/self/fd").iterdir())), children

    files, children = held()
    prove(good)
    files_after, children_after = held()
    assert files_after <= files
    assert set(children_after) <= set(children)  # other tests may have some


def test_the_child_knows_no_setting(good, monkeypatch, tmp_path):
    monkeypatch.setenv("EDGE_OUTBOX_KEY", "secret")
    shown = tmp_path / "shown"
    code = f"import os; open({str(shown)!r}, 'w').write(repr(dict(os.environ)))"
    monkeypatch.setattr(proof, "_CHILD", code)
    prove(good)
    assert "secret" not in shown.read_text()
    assert "PATH" in shown.read_text()


def test_a_stopped_prover_ends_its_children_and_starts_no_other(good, monkeypatch):
    monkeypatch.setattr(proof, "_CHILD", "import time; time.sleep(60)")
    prover = Prover()
    threading.Timer(1, prover.stop).start()
    began = time.monotonic()
    refused(good, "killed", prover)
    refused(good, "stops", prover)
    assert time.monotonic() - began < 20


def no_child(*_):
    raise AssertionError("it was tried again")


def test_a_model_that_was_proven_is_not_tried_again(good, tmp_path, monkeypatch):
    record = ProofRecord(tmp_path / "data" / "proofs")
    prove(good, Prover(record))
    monkeypatch.setattr(proof, "_try_in_child", no_child)
    prove(good, Prover(record))


@pytest.mark.parametrize("change", ["content", "runtime", "proof", "folder"])
def test_a_model_is_tried_again_if_anything_has_changed(change, good, tmp_path, monkeypatch):
    record = ProofRecord(tmp_path / "proofs")
    prove(good, Prover(record))
    monkeypatch.setattr(proof, "_try_in_child", no_child)
    if change == "content":
        good = export(tmp_path / "other", classifier(activation=14))
    elif change == "runtime":
        monkeypatch.setattr("importlib.metadata.version", lambda _: "99.0")
    elif change == "proof":
        monkeypatch.setattr(proof_record, "PROOF_VERSION", 99)
    else:
        record = ProofRecord(tmp_path / "elsewhere")
    with pytest.raises(AssertionError, match="tried again"):
        prove(good, Prover(record))


def test_a_model_that_was_refused_is_tried_again(damaged, tmp_path):
    record = ProofRecord(tmp_path / "proofs")
    for _ in range(2):
        refused(damaged, "SIGABRT", Prover(record))


@pytest.mark.parametrize("folder", ["/proc/nowhere", "/dev/null/x"])
def test_where_nothing_can_be_remembered_models_are_tried_each_time(folder, good):
    for _ in range(2):
        prove(good, Prover(ProofRecord(Path(folder))))


def test_the_record_forgets_the_oldest(tmp_path, monkeypatch):
    monkeypatch.setattr(proof_record, "_MAX_RECORDS", 3)
    record = ProofRecord(tmp_path)
    for number in range(5):
        record.add(str(number), Format.TFLITE)
        for file in tmp_path.iterdir():
            os.utime(file, (file.stat().st_mtime - 10,) * 2)
    assert [record.has(str(number), Format.TFLITE) for number in range(5)] == [
        False, False, True, True, True,
    ]  # fmt: skip


def test_every_file_of_a_saved_model_counts(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(saved_model({"serving_default": (IMAGE, SCORES)}))
    digests = {proof._folder_digest(tmp_path)}
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.index").write_bytes(b"1")
    digests.add(proof._folder_digest(tmp_path))
    (tmp_path / "variables" / "variables.index").write_bytes(b"2")
    digests.add(proof._folder_digest(tmp_path))
    assert len(digests) == 3
    os.mkfifo(tmp_path / "variables" / "fifo")
    with pytest.raises(ExportError, match="not a regular file"):
        proof._folder_digest(tmp_path)
