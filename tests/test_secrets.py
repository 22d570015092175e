"""No secret is ever told: every setting is walked through refusals, log lines and status pages."""

import json
import logging
import re
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest
from builders.waiting import wait
from click.testing import CliRunner
from pydantic import BaseModel, ValidationError
from serving.pictures import photo
from serving.process import ROOT, clean_environment

from edge.api_key import hash_key, new_key
from edge.cli import main
from edge.errors import EdgeError, SettingsError
from edge.settings import _GROUPED, FIELDS, SECRETS, Settings, load_settings
from edge.tls.provisioning import certificate

MARKER = "s3cret-Marker"
ENDPOINT = "projects/p/locations/l/endpoints/1"
ACCOUNT = json.dumps({"type": "service_account", "private_key": f"-----BEGIN {MARKER}-----\n"})
SHAPES = {  # what people give in place of a value, each with the marker in it
    "word": MARKER,
    "lines": f"-----BEGIN PRIVATE KEY-----\n{MARKER}\n-----END PRIVATE KEY-----",
    "account": ACCOUNT,
    "credentials": f"http://name:{MARKER}@127.0.0.1:9/",
    "ftp": f"ftp://name:{MARKER}@host/",
    "broken": f"http://[{MARKER}",
    "command": f"\x1b]52;c;{MARKER}\x07",
    "long": MARKER + "x" * 5000,
    "key": f'{{"line1": "edge_{MARKER}"}}',
    "key as its own hash": f'{{"line1": {{"hash": "{MARKER}", "scopes": ["predict"]}}}}',
    "key as a name": json.dumps({"edge_" + MARKER + "x" * 36: {"hash": 1}}),
    "key as a field": json.dumps({"line1": {"edge_" + MARKER + "x" * 36: 1}}),
    "key as a scope": json.dumps({"line1": {"hash": hash_key("x"), "scopes": [MARKER]}}),
    "list": [MARKER],
    "table": {"private_key": MARKER},
    "nested": {"private_key": {"a": [MARKER]}},
}


def configured(name, value):
    """The setting, with what its group needs to be there."""
    return {"cloud_endpoint": ENDPOINT, "outbox_dir": "/box", "tls": True} | {name: value}


def everything_told(given):
    """All that a refusal or the settings themselves tell: words, causes, representations."""
    told = []
    for load in (
        lambda: load_settings(given),
        lambda: Settings(**given),
        lambda: Settings.model_validate(given),
    ):
        try:
            settings = load()
        except (EdgeError, ValidationError) as error:
            chain = error
            while chain is not None:
                told += [str(chain), repr(chain)]
                chain = chain.__cause__
        else:
            told += [repr(settings), str(settings)]
            told.append(json.dumps(settings.model_dump(mode="json"), default=str))
    return "\n".join(told)


def test_every_setting_that_may_hold_a_secret_is_known_as_one():
    words = ("key", "secret", "credential", "password", "token", "webhook", "address")
    named = {name for name in FIELDS if any(word in name for word in words)}
    assert named <= SECRETS
    assert set(FIELDS) >= SECRETS


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_no_refusal_and_no_representation_tells_a_secret(name):
    for shape, value in SHAPES.items():
        if name == "cloud_address" and shape == "word":
            continue  # a host, which is no secret; what is written around it may be one
        assert MARKER not in everything_told(configured(name, value)), shape


@pytest.mark.parametrize("way", ["flag", "environment", "file", "table"])
@pytest.mark.parametrize("name", FIELDS)
def test_whichever_way_a_setting_comes_in_a_secret_is_not_told(name, way, tmp_path, monkeypatch):
    """A setting that is no secret may be quoted, but only in words that a terminal prints."""
    for shape in [*SHAPES, "number"]:
        check_that_no_secret_is_told(name, shape, way, tmp_path, monkeypatch)


def check_that_no_secret_is_told(name, shape, way, tmp_path, monkeypatch):
    value = SHAPES.get(shape, 53_111_953)
    marker = "53111953" if shape == "number" else MARKER
    flags, config = None, None
    if way == "flag":
        flags = {name: value if isinstance(value, str) else json.dumps(value)}
    elif way == "environment":
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv(f"EDGE_{name.upper()}", text)
    else:
        config = tmp_path / "edge.toml"
        group, field = _GROUPED.get(name, (None, name))
        table = {"fallback": "cloud"}.get(group, group)
        if name == "tls":
            table = None
        head = f"[{table}]\n" if way == "table" and table else ""
        config.write_text(f"{head}{field if head else name} = {toml(value)}\n", "utf-8")
    told, cause = "", None
    try:
        told = repr(load_settings(flags, config))
    except SettingsError as error:
        told, cause = str(error), error.__cause__
    assert told.isprintable(), shape
    assert cause is None
    if name in SECRETS:
        is_host = name == "cloud_address" and shape in {"word", "number"}
        assert is_host or marker not in told, shape


def toml(value):
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value).replace("\x7f", "\\u007f")


@pytest.mark.parametrize(
    "variable", ["EDGE_CLOUD_CREDENTIAL", "EDGE_OUTBOX_KEYS", "EDGE_WEBHOOK", "EDGE_APIKEYS"]
)
def test_a_wrong_name_is_told_and_its_value_is_not(variable, monkeypatch, tmp_path):
    monkeypatch.setenv(variable, ACCOUNT)
    with pytest.raises(SettingsError, match=f"^{variable} is not a setting") as refusal:
        load_settings()
    assert MARKER not in str(refusal.value)
    monkeypatch.delenv(variable)
    (tmp_path / "edge.toml").write_text(f"{variable.lower()} = '{MARKER}'")
    with pytest.raises(SettingsError, match="is not a setting") as refusal:
        load_settings(config=tmp_path / "edge.toml")
    assert MARKER not in str(refusal.value)


@pytest.mark.parametrize(
    "line", [f"outbox_key = {MARKER}", f"outbox_key = '{MARKER}", f"a = 1\n{MARKER}", f"= {MARKER}"]
)
def test_a_file_that_is_not_toml_is_not_quoted(line, tmp_path):
    (tmp_path / "edge.toml").write_text(line)
    with pytest.raises(SettingsError, match="cannot be read") as refusal:
        load_settings(config=tmp_path / "edge.toml")
    assert MARKER not in str(refusal.value)


def test_a_missing_file_of_a_certificate_is_named_by_its_setting(tmp_path):
    (tmp_path / "cert.pem").write_text("x")
    given = {"tls_cert": tmp_path / "cert.pem", "tls_key": MARKER}
    with pytest.raises(SettingsError, match=r"^The file that tls_key names") as refusal:
        certificate(Settings(**given))
    assert MARKER not in str(refusal.value)
    with pytest.raises(SettingsError, match=r"^The file that tls_cert names"):
        certificate(Settings(tls_cert="x" * 3000))


def test_every_model_of_the_settings_hides_what_was_given():
    def models(model):
        yield model
        for field in model.model_fields.values():
            kind = type(field.default)
            if issubclass(kind, BaseModel):
                yield from models(kind)

    for model in models(Settings):
        assert model.model_config["hide_input_in_errors"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve", MARKER),
        ("serve", "--outbox-key", "x", MARKER),
        ("serve", "--outbox-keyy", MARKER),
        ("serve", "-outbox-key", MARKER),
        ("serve", f"--outbox-keyy={MARKER}"),
        ("serve", f"--tls={MARKER}"),
        ("outbox", "list", "--outbox-dir", "/nowhere", MARKER),
        ("outbox", "list", "--outbox-dir", "/nowhere", "--outbox-key", MARKER),
        ("outbox", "list", "--outbox-key", MARKER),
        ("serve", "--outbox-dir", "/nowhere", "--outbox-key", MARKER),
        ("serve", "--outbox-dir", "/nowhere", "--outbox-webhook", f"ftp://a:{MARKER}@b/"),
        ("serve", "--cloud-endpoint", ENDPOINT, "--cloud-credentials", ACCOUNT),
        ("serve", "--cloud-endpoint", ENDPOINT, "--cloud-address", f"name:{MARKER}@host"),
        ("serve", "--tls-cert", f"-----BEGIN\n{MARKER}"),
    ],
    ids=lambda arguments: " ".join(arguments)[:50].replace("\n", " "),
)
@pytest.mark.usefixtures("logging_as_it_was")
def test_no_refusal_at_the_command_line_tells_a_secret(arguments):
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert MARKER not in done.output
    assert isinstance(done.exception, SystemExit)


def test_help_tells_nothing_of_the_environment(monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(f"EDGE_{name.upper()}", MARKER)
    for command in (("--help",), ("serve", "--help"), ("outbox", "list", "--help")):
        done = CliRunner().invoke(main, command)
        assert (done.exit_code, MARKER in done.output) == (0, False)


@pytest.fixture
def logging_as_it_was():
    """A command that starts to serve configures the logging of this process."""
    root = logging.getLogger()
    level, handlers, source = root.level, root.handlers[:], logging._srcfile
    yield
    logging._srcfile = source
    root.setLevel(level)
    root.handlers[:] = handlers


@contextmanager
def serving(environment, log):
    """Serve with this environment, and write all that the process says to ``log``."""
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "serve", "--port", "0"],
            cwd=ROOT, env=clean_environment() | environment, stdout=said, stderr=said,
        )  # fmt: skip
    try:
        wait(lambda: re.search(r" on (http://[\d.]+:\d+)", log.read_text()), 60)
        url = re.search(r" on (http://[\d.]+:\d+)", log.read_text())[1]
        with httpx.Client(base_url=url, timeout=60) as client:
            yield client
    finally:
        process.terminate()
        assert process.wait(60) == 0


PAGES = [
    *("/fallback", "/outbox", "/outbox/x", "/outbox?state=waiting", "/metrics", "/models"),
    *("/health/live", "/health/ready", "/session", "/pair/info", "/wall/phone", "/wall", "/kiosk"),
    *("/docs", "/openapi.json", "/login", "/nothing", "/v1/models/imagenet/metadata"),
]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["console", "json"])
def test_a_service_full_of_secrets_tells_none_of_them(form, tmp_path):
    """Each secret in force, each fault that quotes what it cannot use, at the most talkative."""
    key, wrong_key = new_key(), new_key()
    secrets = {
        "outbox_key": "c2VjcmV0LU1hcmtlci1vZi0zMi1ieXRlcy1pbi1hbGw=",
        "outbox_webhook_secret": f"{MARKER}-signature",
        "cloud_credentials": f"{MARKER}-token",
    }
    environment = {
        "EDGE_API_KEYS": json.dumps({"one": {"hash": hash_key(key), "scopes": ["admin"]}}),
        "EDGE_OUTBOX_WEBHOOK": f"http://{MARKER}-name:{MARKER}-pass@127.0.0.1:1/{MARKER}-path?a={MARKER}",
        **{f"EDGE_{name.upper()}": value for name, value in secrets.items()},
        "EDGE_CLOUD_ENDPOINT": ENDPOINT,
        "EDGE_CLOUD_ADDRESS": "http://127.0.0.1:1",
        "EDGE_CLOUD_MODE": "low_confidence",
        "EDGE_CLOUD_THRESHOLD": "1",
        "EDGE_OUTBOX_DIR": str(tmp_path / "box"),
        "EDGE_LOG_LEVEL": "debug",
        "EDGE_LOG_FORMAT": form,
    }
    hidden = [MARKER, secrets["outbox_key"], key, wrong_key, hash_key(key)]
    config = tmp_path / "edge.toml"
    not_text = {"EDGE_API_KEYS", "EDGE_CLOUD_THRESHOLD"}
    lines = [
        f"{name[5:].lower()} = {json.dumps(value)}\n"
        for name, value in environment.items()
        if name not in not_text
    ]
    config.write_text("".join(lines))
    environment["EDGE_CONFIG"] = str(config)
    told = []
    with serving(environment, tmp_path / "log") as client:
        client.headers["X-API-Key"] = key
        wait(lambda: client.get("/health/ready").status_code == 200)
        for _ in range(2):
            reply = client.post("/predict?camera=door", content=photo("coffee"))
            assert reply.status_code == 200
            told.append(reply.text)
        wait(lambda: "cannot be read" in client.get("/fallback").text, 120)  # imports Google's
        for path in PAGES:
            for headers in ({}, {"X-API-Key": wrong_key}, {"Authorization": f"Bearer {wrong_key}"},
                            {"Authorization": f"Basic {wrong_key}"}):  # fmt: skip
                reply = client.get(path, headers=headers)
                told += [reply.text, repr(reply.headers)]
            client.get(path, params={"key": wrong_key, "api_key": key})
        listed = subprocess.run(
            [sys.executable, "-m", "edge", "outbox", "list"],
            cwd=ROOT, env=clean_environment() | environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert "waiting" in listed.stdout, listed.stderr
        told += [listed.stdout, listed.stderr]
    told.append((tmp_path / "log").read_text())
    everything = "\n".join(told)
    assert "cloud_credentials" in everything
    assert not [secret for secret in hidden if secret in everything]
