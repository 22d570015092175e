"""What the start tells: people on standard output, programs as JSON lines, and nobody a key."""

import json
import subprocess
import sys

import pytest
from builders.waiting import wait
from serving.pictures import photo
from serving.process import ROOT, Server, clean_environment
from websockets.sync.client import connect

from edge.api_key import ApiKey, Scope, hash_key, new_key
from edge.commands import serve
from edge.settings import Settings
from edge.web.addresses import machine_addresses

KEY = ApiKey(hash=hash_key("x"), scopes={Scope.VIEW})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api_keys": {"b": KEY, "a": KEY}, "host": "0.0.0.0"}, "API keys: a, b."),
        ({"host": "localhost"}, "this machine only"),
        ({"host": "0.0.0.0", "allow_open": True}, "everyone who reaches this address"),
    ],
)
def test_the_start_says_who_can_use_the_service(settings, words):
    assert words in serve._who(Settings(**settings))


def test_phones_are_told_where_the_pairing_page_is(capsys):
    serve._show_pairing(Settings(tls_names=" kiosk.lan, b.lan", pairing_port=1234))
    assert capsys.readouterr().out == "Phones and other devices: open http://kiosk.lan:1234/pair\n"
    serve._show_pairing(Settings(pairing_port=1234))
    mine = next((str(one) for one in machine_addresses() if one.version == 4), None)
    assert capsys.readouterr().out == (f"Phones and other devices: open http://{mine}:1234/pair\n" if mine else "")


def test_with_json_lines_the_start_is_told_in_them_and_in_nothing_else(tmp_path):
    log = tmp_path / "log"
    with log.open("w") as errors:
        command = [sys.executable, "-m", "edge", "serve", "--port", "0", "--log-format", "json", "--models", tmp_path]
        process = subprocess.Popen(
            command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        wait(lambda: "this machine only" in log.read_text())
        process.terminate()
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert any(event.startswith("edge serves no model") for event in events)


def test_no_log_line_tells_a_key_or_a_pass_however_much_is_told():
    good, wrong, shown = new_key(), new_key(), "1999999999.0123456789abcdef0123456789abcdef"
    told = json.dumps({"one": {"hash": hash_key(good), "scopes": ["admin"]}})
    with Server("--log-level", "debug", env={"EDGE_API_KEYS": told}) as server:
        for key in (good, wrong):
            bearer = {"Authorization": f"Bearer {key}"}
            server.client.post("/predict", content=b"no picture", headers={"X-API-Key": key})
            server.client.post("/predict", params={"key": key}, content=photo("coffee"), headers=bearer)
            server.client.post("/login", data={"key": key, "next": "/wall"})
            server.client.get("/wall", headers={"Cookie": f"edge_key={key}"})
        server.client.post("/phone/picture", params={"pass": shown}, content=b"x")
        with connect(f"ws://127.0.0.1:{server.address[1]}/stream", additional_headers={"X-API-Key": good}) as stream:
            stream.send(photo("coffee"))
            assert "predictions" in stream.recv(timeout=30)
        wait(lambda: server.log.count("path=/phone/picture"))
        assert server.stop() == 0
        assert server.log.count("path=/login") == 2
        for secret in (good, wrong, shown):
            assert secret not in server.log
