"""Models as attacks: each is refused by name, and neither the service nor a command dies of it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders.damaged_model import plant_damaged
from builders.saved_model import IMAGE, SCORES, saved_model
from builders.tflite import classifier
from serving.pictures import photo
from serving.process import MODELS, ROOT, Server, run_edge

from attacks.victim import resident_mib

pytestmark = pytest.mark.slow

LABELS = "\n".join(f"label {i}" for i in range(12))


def plant_good(folder: Path) -> None:
    folder.mkdir()
    (folder / "model.tflite").write_bytes(classifier())
    (folder / "dict.txt").write_text(LABELS)


def plant_odd(models: Path) -> set[str]:
    """Every odd entry that there is, beside a good model; returns the names of the odd ones."""
    plant_good(models / "good")
    plant_damaged(models / "damaged", MODELS)
    (models / "dangling").symlink_to("nowhere")
    (models / "itself").symlink_to("itself")
    os.mkfifo(models / "fifo.tflite")
    (models / "device.zip").symlink_to("/dev/zero")
    for name in ("toml", "dotted", "labels"):
        plant_good(models / name)
    (models / "toml" / "model.toml").write_text("top_k = " + "[" * 100_000)
    (models / "dotted" / "model.toml").write_text("a" + ".a" * 100_000 + " = 1")
    os.truncate(models / "labels" / "dict.txt", 1 << 30)
    (models / "program").mkdir()
    program = saved_model({"serving_default": (IMAGE, SCORES)}, nodes=[("w", "WriteFile", [])])
    (models / "program" / "saved_model.pb").write_bytes(program)
    return {
        "damaged", "dangling", "itself", "fifo", "device", "toml", "dotted", "labels", "program",
    }  # fmt: skip


def test_odd_models_are_refused_by_name_and_the_others_serve(tmp_path: Path) -> None:
    """Bound: 192 MiB of memory, where a label file of 1 GiB took 7.8 GiB."""
    models = tmp_path / "models"
    models.mkdir()
    odd = plant_odd(models)
    with Server("--models", models, "--data", tmp_path / "data", default_model="good") as server:
        body = server.client.get("/health/ready").json()
        assert server.client.post("/predict", content=photo("coffee")).status_code == 200
        refused = {entry["name"] for entry in server.client.get("/models").json()["models"]}
        assert odd <= refused | set(json.dumps(body).replace('"', " ").split())
        for name in odd:
            assert f"model {name} is not served: " in server.log
        assert "SIGABRT" in server.log
        assert "WriteFile (node w)" in server.log
        assert "Traceback" not in server.log
        assert resident_mib(server.pid, "VmHWM") < 192


def test_a_damaged_model_ends_no_command(tmp_path: Path) -> None:
    plant_damaged(tmp_path / "damaged", MODELS)
    image = ROOT / "models/photos/coffee.jpg"
    for arguments in (
        ("inspect", tmp_path / "damaged"),
        ("predict", "--model", tmp_path / "damaged", image),
    ):
        ended = run_edge(*arguments)
        assert ended.returncode == 2, ended
        assert "the process in which it was tried ended with SIGABRT" in ended.stderr
        assert ended.stderr.count("\n") == 1


def test_a_model_that_writes_files_is_refused_by_inspect_and_never_run(tmp_path: Path) -> None:
    program = saved_model(
        {"serving_default": (IMAGE, SCORES)},
        nodes=[("steal", "ReadFile", []), ("keep", "WriteFile", [])],
    )
    (tmp_path / "saved_model.pb").write_bytes(program)
    ended = run_edge("inspect", tmp_path)
    assert ended.returncode == 2
    assert "ReadFile (node steal), WriteFile (node keep)" in ended.stderr
    assert "EDGE_ALLOW_UNSAFE_MODELS" in ended.stderr


def test_inspecting_a_fifo_returns_at_once(tmp_path: Path) -> None:
    """Bound: 30 s, where it never returned."""
    os.mkfifo(tmp_path / "model.tflite")
    ended = subprocess.run(
        [sys.executable, "-m", "edge", "inspect", tmp_path / "model.tflite"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert "it is a FIFO" in ended.stderr


def test_a_service_that_is_stopped_while_a_model_is_tried_ends_at_once(tmp_path: Path) -> None:
    """Bound: 20 s; the trial alone may take a minute."""
    with Server("--data", tmp_path / "data", ready=False) as server:
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 20
        assert "is not served" not in server.log


def test_mutated_models_never_end_the_service() -> None:
    """Eighty here; MUTATIONS=50000 takes hours. None that passed its trial kills after it."""
    count = int(os.environ.get("MUTATIONS", "80"))
    script = Path(__file__).with_name("mutated_models.py")
    ended = subprocess.run(
        [sys.executable, script, str(count)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    counts = json.loads(ended.stdout)
    assert sum(counts.values()) == count
    assert counts.get("served", 0) > 0
    assert {name for name in counts if name.startswith("served and")} == set(), counts
