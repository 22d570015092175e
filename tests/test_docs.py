"""Tests the documentation: settings, error codes, commands, links and CI are as the texts say."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from edge import errors
from edge.alerts.rule import Rule
from edge.alerts.rules_file import KEYS, parse_rules
from edge.export.model_toml import _FallbackToml, _ModelToml, read_model_toml
from edge.fallback.policy import BlockedBy
from edge.model.contract import Tuning
from edge.model.rules import Mode
from edge.outbox.webhook import signature
from edge.secret_text import webhook_key
from edge.settings import FIELDS, PREFIX, TOPICS, default_text, load_settings
from edge.sinks.webhook import signature as alert_signature

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


TEXTS = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "models/README.md",
    "docker/README.md",
    *(f"docs/{file.name}" for file in sorted((ROOT / "docs").glob("*.md"))),
]


def subclasses(kind):
    return {kind, *(leaf for below in kind.__subclasses__() for leaf in subclasses(below))}


def settings_tables():
    """The body of docs/settings.md; after a change of a setting, paste what the test prints."""
    tables = []
    for topic, names in TOPICS.items():
        rows = [f"## {topic}", "", "| setting | default | what it sets |", "|---|---|---|"]
        for name in names:
            default = default_text(FIELDS[name])
            shown = f"`{default}`" if default else ""
            rows.append(f"| `{PREFIX}{name.upper()}` | {shown} | {FIELDS[name].description} |")
        tables.append("\n".join(rows))
    return "\n\n".join(tables) + "\n"


def test_the_settings_page_lists_every_setting_with_its_default():
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    assert page.endswith(settings_tables()), settings_tables()


def test_the_example_of_the_settings_page_is_taken_as_it_is(tmp_path):
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "edge.toml").write_text(example)
    settings = load_settings(config=tmp_path / "edge.toml")
    assert settings.tls is not None
    assert (settings.cloud.calls_per_day, settings.fallback.mode) == (
        500,
        "low_confidence,on_error",
    )
    assert (settings.outbox.dir, settings.tls_names) == (Path("/var/lib/edge"), "kiosk.lan")


def test_the_errors_page_lists_every_error_code_with_its_status():
    page = (ROOT / "docs/errors.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", page, re.MULTILINE)
    documented = {(int(status), code) for status, codes in rows for code in codes.split(", ")}
    kinds = subclasses(errors.RequestError) | subclasses(errors.Refusal)
    assert {(int(kind.status), f"`{kind.code}`") for kind in kinds} <= documented


def test_the_page_of_the_online_model_lists_every_mode_and_every_obstacle():
    page = (ROOT / "docs/cloud.md").read_text("utf-8")
    assert not [word for word in {*Mode, *BlockedBy} - {Mode.OFF} if f"`{word}`" not in page]


def test_the_example_of_the_model_toml_page_is_taken_as_it_is(tmp_path):
    page = (ROOT / "docs/model_toml.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "model.toml").write_text(example)
    tuning = read_model_toml(tmp_path, Tuning())
    assert (tuning.display_name, tuning.top_k, tuning.fallback.rules.threshold) == (
        "Flowers",
        3,
        0.6,
    )
    assert set(tomllib.loads(example)) == set(_ModelToml.model_fields)
    assert set(tomllib.loads(example)["fallback"]) == set(_FallbackToml.model_fields)


def test_ci_runs_the_test_command_of_the_readme():
    (command,) = re.findall(r"^    (.*-m pytest)$", README, re.MULTILINE)
    run = (ROOT / ".ci/run").read_text("utf-8").replace("pip install -q", "pip install")
    assert f"{command} || .ci/again .venv/bin/python" in run.splitlines()


def test_the_command_of_the_readme_that_shows_the_main_job_works(tmp_path):
    (arguments,) = re.findall(r"&& \.venv/bin/edge (predict .*)$", README, re.MULTILINE)
    photos = [str(path) for path in sorted((ROOT / "models/photos").glob("*.jpg"))]
    words = [word for name in arguments.split() for word in (photos if "*" in name else [name])]
    command = [sys.executable, "-m", "edge", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    # The README shows what a terminal does; a pipe gets the same words, with its own columns.
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    shown = re.findall(r"^(\w+\.jpg)  +(.+)$", README, re.MULTILINE)
    assert [(Path(file).name, words) for file, _, words in lines] == shown
    assert {status for _, status, _ in lines} == {"certain"}
    drawn = sorted(file.name for file in (tmp_path / "drawn").iterdir())
    assert drawn == [Path(photo).name for photo in photos]


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
        *FIELDS,
        "config",
        "",
    }


def test_every_file_that_the_architecture_names_is_there():
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    named = set(re.findall(r"`(edge/[\w/]+\.py)`", text))
    assert len(named) > 25
    assert not [path for path in named if not (ROOT / path).is_file()]
    below = {file.name for file in (ROOT / "edge").rglob("*.py")}
    assert set(re.findall(r"`(?:[\w/]+/)?(\w+\.py)`", text)) <= below
    rooms = set(re.findall(r"`(\w+/|\w+\.py)`", text[text.index("## The rooms") :]))
    packages = {f"{init.parent.name}/" for init in (ROOT / "edge").glob("*/__init__.py")}
    modules = {file.name for file in (ROOT / "edge").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert not (packages | modules) - rooms


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


def test_the_rules_of_the_alerts_page_are_taken_as_they_are():
    page = (ROOT / "docs/alerts.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    first, second = parse_rules(example, Path("alerts.toml"))
    assert set(tomllib.loads(example)["rule"][0]) == set(KEYS)
    assert (first.slug, first.count, first.sound) == ("crowd_at_the_gate", 3, False)
    assert second == Rule("cat", "cat", "Cat")
    stated = dict(re.findall(r"^(\w+) = .*?# .*; (\S+) if left out$", example, re.MULTILINE))
    assert {key: str(getattr(second, key)).removesuffix(".0").lower() for key in stated} == stated
    assert set(stated) == {"score", "count", "for_s", "cooldown_s", "silent_s", "sound"}


def test_a_receiver_of_alerts_that_does_as_the_text_says_knows_what_is_genuine():
    page = (ROOT / "docs/alerts.md").read_text("utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    there = {}
    exec(snippet, there)
    is_genuine, secret, stamp = there["is_genuine"], "whsec_" + "A" * 32, int(time.time())

    def headers(identity, stamp):
        signed = alert_signature(webhook_key(secret), identity, stamp, b"body")
        return {
            "webhook-id": identity,
            "webhook-timestamp": str(stamp),
            "webhook-signature": f"v1,another {signed}",
        }

    good = headers("alert_1", stamp)
    assert is_genuine(secret, good, b"body")
    assert not is_genuine("whsec_" + "B" * 32, good, b"body")
    assert not is_genuine(secret, good, b"forged")
    assert not is_genuine(secret, good | {"webhook-id": "alert_2"}, b"body")
    assert not is_genuine(secret, headers("alert_1", stamp - 3_600), b"body")


def test_the_alerts_page_lists_the_metrics_of_alerts():
    page = (ROOT / "docs/alerts.md").read_text("utf-8")
    source = (ROOT / "edge/metrics.py").read_text("utf-8")
    named = set(re.findall(r'"(edge_alert\w+)"', source))
    assert len(named) == 7
    assert not [name for name in named if f"`{name}" not in page]
