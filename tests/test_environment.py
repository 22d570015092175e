"""The environment as env files, Kubernetes and Docker fill it."""

import json
import subprocess
import sys

import pytest
from serving.process import ROOT, Server, clean_environment, run_edge

from edge.environment import CONFIG, PREFIX, service_links, without_quotes
from edge.errors import SettingsError
from edge.settings import FIELDS, load_settings

KEYS = {"one": {"hash": "sha256:" + "0" * 64, "scopes": ["predict"]}}

LINKS = {
    "EDGE_SERVICE_HOST": "10.96.12.7",
    "EDGE_SERVICE_PORT": "8501",
    "EDGE_SERVICE_PORT_HTTP": "8501",
    "EDGE_PORT": "tcp://10.96.12.7:8501",
    "EDGE_PORT_8501_TCP": "tcp://10.96.12.7:8501",
    "EDGE_PORT_8501_TCP_PROTO": "tcp",
    "EDGE_PORT_8501_TCP_PORT": "8501",
    "EDGE_PORT_8501_TCP_ADDR": "10.96.12.7",
    "EDGE_PORT_53_UDP": "udp://[fd00::7]:53",
    "EDGE_PORT_53_UDP_ADDR": "fd00::7",
    "EDGE_PORT_38412_SCTP_PROTO": "sctp",
    "EDGE_PAIRING_SERVICE_HOST": "10.96.12.8",
    "EDGE_PAIRING_PORT": "tcp://10.96.12.8:8502",
    "EDGE_CAMERAS_2_SERVICE_PORT_WEB_UI": "80",
    "EDGE_CAMERAS_2_PORT": "tcp://10.96.12.9:80",
    "EDGE_CAMERAS_2_PORT_80_TCP_ADDR": "10.96.12.9",
}
"""As Kubernetes names them, of the services edge, edge-pairing and edge-cameras-2."""


@pytest.mark.parametrize("variable", LINKS)
def test_a_variable_of_a_kubernetes_service_is_no_setting(variable, monkeypatch):
    monkeypatch.setenv(variable, LINKS[variable])
    assert service_links() == [variable]
    assert load_settings() == load_settings({"port": "8501"})


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("EDGE_PORT", "10.96.12.7:8501"),
        ("EDGE_PORT", "http://10.96.12.7:8501"),
        ("EDGE_PORT", "tcp://10.96.12.7"),
        ("EDGE_PROT", "tcp://10.96.12.7:8501"),
        ("EDGE_SERVICE", "10.96.12.7"),
        ("EDGE_PORT_TCP", "10.96.12.7"),
        ("EDGE_PORTS_80_TCP", "10.96.12.7"),
        ("EDGE_HOST", "tcp://10.96.12.7:99999999"),
    ],
)
def test_a_mistake_is_not_taken_for_one_of_kubernetes(variable, text, monkeypatch):
    monkeypatch.setenv(variable, text)
    assert service_links() == []
    if variable != "EDGE_HOST":
        with pytest.raises(SettingsError, match=variable):
            load_settings()


def test_the_port_of_the_settings_counts_beside_the_variables_of_kubernetes(monkeypatch, tmp_path):
    for variable, text in LINKS.items():
        monkeypatch.setenv(variable, text)
    file = tmp_path / "edge.toml"
    file.write_text("port = 1234\n")
    assert load_settings(config=file).port == 1234
    monkeypatch.setenv("EDGE_WORKER", "1")
    with pytest.raises(SettingsError, match="EDGE_WORKER"):
        load_settings()


def test_a_service_beside_a_kubernetes_service_of_its_name_starts_with_one_line_about_it():
    with Server(env=LINKS) as server:
        lines = [line for line in server.log.splitlines() if "Kubernetes" in line]
    assert len(lines) == 1
    assert all(variable in lines[0] for variable in LINKS)


def test_the_health_check_looks_where_the_service_listens_beside_a_kubernetes_service():
    command = [sys.executable, "-m", "edge.commands.health"]
    environment = clean_environment() | LINKS | {"EDGE_HOST": "'127.0.0.3'"}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.stdout.startswith("127.0.0.3:8501 does not answer"), run.stderr


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("'single'", "single"),
        ('"double"', "double"),
        (" 'blanks around' ", "blanks around"),
        ("'with a return'\r", "with a return"),
        (r'"{\"a\": \"\$1 \\ \`\"}"', r'{"a": "$1 \ `"}'),
        (r"'a\"b'", r"a\"b"),
        (r'"a\nb"', r"a\nb"),
        ("''", ""),
        ('""', ""),
        ("'", "'"),
        ('"', '"'),
        ("'one side", "'one side"),
        ("'mixed\"", "'mixed\""),
        ("it's", "it's"),
        ("", ""),
        ("  ", "  "),
    ],
)
def test_quotes_around_a_whole_value_are_taken_off(text, value):
    assert without_quotes(text) == value


SAMPLES = {
    "port": ("8502", 8502),
    "host": ("0.0.0.0", "0.0.0.0"),
    "tls": ("true", None),
    "stream_idle_s": ("1.5", 1.5),
    "log_level": ("debug", "debug"),
    "allowed_origins": ("https://a.example", ("https://a.example",)),
    "models": ("/srv/models", None),
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("quote", ["'", '"'])
def test_every_kind_of_setting_may_be_in_quotes_in_the_environment(name, quote, monkeypatch):
    text, value = SAMPLES[name]
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", f"{quote}{text}{quote}")
    settings = load_settings()
    assert settings == load_settings({name: text})
    if value is not None:
        assert getattr(settings, name) == value


@pytest.mark.parametrize("quote", ["'{}'", '"{}"', "{}"])
def test_the_line_that_makes_a_key_may_go_into_an_env_file_with_its_quotes(quote, monkeypatch):
    line = next(
        line.strip()
        for line in run_edge("key", "one", "--scope", "predict").stderr.splitlines()
        if "EDGE_API_KEYS=" in line
    )
    value = line.partition("EDGE_API_KEYS=")[2]
    monkeypatch.setenv("EDGE_API_KEYS", value)
    assert set(load_settings().api_keys) == {"one"}
    escaped = json.dumps(KEYS).replace('"', r"\"") if quote[0] == '"' else json.dumps(KEYS)
    monkeypatch.setenv("EDGE_API_KEYS", quote.format(escaped))
    assert load_settings().api_keys["one"].hash == KEYS["one"]["hash"]


def test_the_name_of_the_settings_file_may_be_in_quotes(tmp_path, monkeypatch):
    file = tmp_path / "edge.toml"
    file.write_text("port = 1234\n")
    monkeypatch.setenv(CONFIG, f'"{file}"')
    assert load_settings().port == 1234
    monkeypatch.setenv(CONFIG, "''")
    assert load_settings().port == FIELDS["port"].default
