"""The README's small install, for TFLite only, in an empty environment; and what it weighs."""

import importlib.util
import json
import re
import subprocess
import sys

import pytest
from serving.process import ROOT, clean_environment

README = (ROOT / "README.md").read_text("utf-8")
LARGE = {"tensorflow", "google-cloud-aiplatform"}
COMMANDS = re.findall(r"^    (\.venv/bin/pip install (?:-r|--no-deps) .*)$", README, re.MULTILINE)


def test_it_is_the_projects_own_list_without_the_two_large_packages():
    specification = importlib.util.spec_from_file_location("lock", ROOT / "docker/lock.py")
    lock = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(lock)
    lines = (ROOT / "docker/requirements-tflite.txt").read_text("utf-8").splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    assert listed == lock.dependencies(lite=True)
    assert {lock.name_of(one) for one in lock.dependencies(lite=False)} - {
        lock.name_of(one) for one in listed
    } == LARGE


def run(*command, cwd):
    return subprocess.run(
        command, cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_it_predicts_without_tensorflow_and_the_cloud_client(tmp_path):
    """Needs the package index."""
    assert len(COMMANDS) == 2
    subprocess.run([sys.executable, "-m", "venv", tmp_path / ".venv"], check=True)
    for command in COMMANDS:
        program, *arguments = command.split()
        done = run(tmp_path / program, *arguments, cwd=ROOT)
        assert done.returncode == 0, done.stderr
    python, edge = tmp_path / ".venv/bin/python", tmp_path / ".venv/bin/edge"
    for module in ("tensorflow", "google.cloud.aiplatform", "grpc"):
        absent = run(python, "-c", f"import {module}", cwd=tmp_path)
        assert "ModuleNotFoundError" in absent.stderr, f"{module} is installed"
    photo = ROOT / "models/photos/coffee.jpg"
    done = run(edge, "predict", photo, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["predictions"][0]["label"] == "espresso"
    files = (file for file in (tmp_path / ".venv").rglob("*") if file.is_file())
    (promised_mb,) = map(int, re.findall(r"\((\d+) MB\)", README))
    assert sum(file.lstat().st_size for file in files) / 1e6 < 1.2 * promised_mb
