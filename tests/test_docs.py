"""The documentation is tested: settings, error codes, routes, commands and CI are as the texts say."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge import errors
from edge.outbox.webhook import signature
from edge.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


TEXTS = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "models/README.md",
    "docker/README.md",
    "docs/outbox.md",
]


def subclasses(kind):
    return {kind, *(leaf for below in kind.__subclasses__() for leaf in subclasses(below))}


def settings_table():
    rows = ["| setting | default | what it sets |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = (
            ""
            if field.default is None
            else f"`{str(field.default).lower() if field.annotation is bool else field.default}`"
        )
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def test_the_readme_lists_every_setting_with_its_default():
    assert settings_table() in README


def test_the_readme_lists_every_error_code():
    codes = {error.code for error in subclasses(errors.RequestError) | subclasses(errors.Refusal)}
    assert not [code for code in codes if f"`{code}`" not in README]


def test_ci_runs_the_test_command_of_the_readme():
    (command,) = re.findall(r"^    (.*-m pytest)$", README, re.MULTILINE)
    run = (ROOT / ".ci/run").read_text("utf-8").replace("pip install -q", "pip install")
    assert command in run.splitlines()


def test_the_command_of_the_readme_that_shows_the_main_job_works():
    (arguments,) = re.findall(r"&& \.venv/bin/edge (predict .*)$", README, re.MULTILINE)
    photos = [str(path) for path in sorted((ROOT / "models/photos").glob("*.jpg"))]
    words = [word for name in arguments.split() for word in (photos if "*" in name else [name])]
    done = subprocess.run(
        [sys.executable, "-m", "edge", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "espresso" in done.stdout


@pytest.mark.parametrize("name", TEXTS)
def test_links_between_the_texts_lead_somewhere(name):
    text = (ROOT / name).read_text("utf-8")
    targets = [target.split("#")[0] for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text)]
    assert not [
        target
        for target in targets
        if target and not (ROOT / name).parent.joinpath(target).exists()
    ]


@pytest.mark.parametrize("name", TEXTS)
def test_every_setting_that_a_text_names_is_one(name):
    named = set(re.findall(r"`?EDGE_([A-Z_]+)\b", (ROOT / name).read_text("utf-8")))
    not_of_the_service = {"EXPORT", "TARGET", "PUBLISH"}  # of the compose file
    assert {one.lower() for one in named - not_of_the_service} <= {
        *Settings.model_fields,
        "config",
        "",
    }


def test_a_receiver_that_does_as_the_text_says_knows_what_is_genuine():
    (snippet,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/outbox.md").read_text("utf-8"), re.DOTALL
    )
    there = {}
    exec(snippet, there)
    is_genuine, now = there["is_genuine"], time.time()
    header = signature("s3cret", b"body", now)
    assert is_genuine("s3cret", header, b"body")
    assert not is_genuine("another", header, b"body")
    assert not is_genuine("s3cret", header, b"forged")
    assert not is_genuine("s3cret", signature("s3cret", b"body", now - 3_600), b"body")
