"""Checks of the whole project: lint, types, the direction of imports, and the wheel's contents."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",), ("lint-imports",)],
    ids=["lint", "format", "types", "import directions"],
)
def test_the_code_keeps_its_rules(command):
    done = subprocess.run(
        [SCRIPTS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wheel_carries_the_embedded_models_and_finds_them(tmp_path):
    # --no-build-isolation: needs no registry, since hatchling is one of the tests' packages
    offline = ["--no-deps", "--no-index", "--no-build-isolation"]
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", *offline, "--wheel-dir", tmp_path, ROOT]
    subprocess.run(pip, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as zipped:
        zipped.extractall(installed)
    predict = [
        sys.executable,
        "-m",
        "edge",
        "predict",
        ROOT / "models/photos/coffee.jpg",
        "--top-k",
        "1",
        "--json",
    ]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        predict, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert '"label": "espresso"' in done.stdout
