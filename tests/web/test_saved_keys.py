"""`edge key --save`, `--list` and `--revoke`, and the command that the start prints."""

import json
import os  # tests stand outside the service: they hand the printed command its key
import re
import shutil
import subprocess
import threading
from datetime import date

import pytest
from serving.process import Server, run_edge
from serving.secure import SecureServer

from edge.api_key import ApiKey, Scope, check_name, hash_key, key_toml, new_key
from edge.errors import SettingsError
from edge.settings import Settings
from edge.wiring.saved_keys import (
    FILE,
    read_saved_keys,
    revoke_key,
    save_key,
    with_saved_keys,
)


def entry(secret="x", scopes=(Scope.PREDICT,), expires=None) -> ApiKey:
    return ApiKey(hash=hash_key(secret), scopes=frozenset(scopes), expires=expires)


@pytest.mark.parametrize("name", ["front", "ligne 1", "clé 🎈", 'a"b\\c', "a.b", "[x]", "'", "#"])
def test_a_saved_key_is_read_back_as_it_was_saved_whatever_its_name(tmp_path, name):
    folder = tmp_path / "new" / "data"
    first = entry(scopes=Scope, expires=date(2031, 1, 2))
    save_key(folder, name, first)
    save_key(folder, "other", entry("y"))
    assert read_saved_keys(folder) == {name: first, "other": entry("y")}
    assert revoke_key(folder, name) == 1
    assert read_saved_keys(folder) == {"other": entry("y")}


def test_only_the_owner_reads_the_file_and_it_holds_no_key(tmp_path):
    made = run_edge("key", "front", "--save", "--data", tmp_path)
    secret = made.stdout.strip()
    file = tmp_path / FILE
    assert made.returncode == 0, made.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret not in file.read_text()
    assert secret not in made.stderr
    assert read_saved_keys(tmp_path) == {"front": entry(secret)}


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x7f", "\udcff", "x" * 65, new_key()])
@pytest.mark.parametrize("flags", [(), ("--save",)])
def test_what_cannot_be_the_name_of_a_key_is_refused_and_not_repeated(name, flags, tmp_path):
    with pytest.raises(ValueError, match="name") as fault:
        check_name(name)
    assert not name.strip() or name not in str(fault.value)
    if name.isprintable():
        made = run_edge("key", name, *flags, *(["--data", tmp_path] if flags else []))
        assert (made.returncode, made.stdout) == (2, "")
        assert not name.strip() or name not in made.stderr
        assert not list(tmp_path.iterdir())


def test_a_name_is_taken_once_until_it_is_revoked(tmp_path):
    first = run_edge("key", "a", "--save", "--data", tmp_path)
    second = run_edge("key", "a", "--save", "--data", tmp_path)
    assert (second.returncode, second.stdout) == (2, "")
    assert "--revoke" in second.stderr
    assert read_saved_keys(tmp_path) == {"a": entry(first.stdout.strip())}
    assert run_edge("key", "--revoke", "a", "--data", tmp_path).returncode == 0
    assert run_edge("key", "a", "--save", "--data", tmp_path).returncode == 0


def test_who_revokes_a_key_that_is_not_there_is_told_so_and_nothing_is_made(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        revoked = run_edge("key", "--revoke", "front", "--data", folder)
        assert revoked.returncode == 2
        assert "No key called front" in revoked.stderr
    assert not list(tmp_path.iterdir())


def test_who_revokes_the_last_key_is_told_what_that_opens(tmp_path):
    for name in "ab":
        save_key(tmp_path, name, entry(name))
    assert "No key is left" not in run_edge("key", "--revoke", "a", "--data", tmp_path).stderr
    assert "No key is left" in run_edge("key", "--revoke", "b", "--data", tmp_path).stderr


def test_keys_that_are_saved_at_the_same_time_are_all_kept(tmp_path):
    names = [f"line-{number}" for number in range(12)]
    threads = [
        threading.Thread(target=save_key, args=(tmp_path, name, entry(name))) for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(read_saved_keys(tmp_path)) == set(names)


def test_the_list_names_all_keys_says_which_have_expired_and_holds_no_hash(tmp_path, monkeypatch):
    save_key(tmp_path, "old", entry("old", expires=date(2020, 1, 31)))
    save_key(tmp_path, "new", entry("new", [Scope.PREDICT, Scope.VIEW], date(9999, 1, 1)))
    config = tmp_path / "edge.toml"
    config.write_text(key_toml("from settings", entry("z", [Scope.ADMIN])))
    listed = run_edge("key", "--list", "--data", tmp_path, "--config", config)
    assert [re.split(" {2,}", line) for line in listed.stdout.splitlines()] == [
        ["from settings", "admin", "does not expire", "settings"],
        ["new", "predict, view", "until 9999-01-01", "keys.toml"],
        ["old", "predict", "EXPIRED after 2020-01-31", "keys.toml"],
    ]
    assert "sha256" not in listed.stdout + listed.stderr
    empty = run_edge("key", "--list", "--data", tmp_path / "none")
    assert (empty.returncode, empty.stdout) == (0, "")


@pytest.mark.parametrize("flags", [(), ("a", "--list"), ("a", "--revoke", "b"), ("--save",)])
def test_the_command_does_one_thing_at_a_time(flags):
    assert run_edge("key", *flags).returncode == 2


SECRET = new_key()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[api_keys.a", "not TOML"),
        (b"\xff", "not UTF-8"),
        (b"a = 1", "only tables"),
        (b"[api_keys.a]\nhash = 'x'\nscopes = ['view']", "a.hash: must be sha256:"),
        (b"[api_keys.a]\nscopes = ['view']", "a.hash"),
        (f"[api_keys.a]\nhash = '{SECRET}'\nscopes = ['view']".encode(), "a.hash: must be"),
        (f"[api_keys.{SECRET}]\nscopes = ['view']".encode(), "in place of a name"),
        (f"[api_keys.{SECRET}]\n[api_keys.{SECRET}]".encode(), "not TOML"),
        (b"[api_keys]\na = 3", "a: "),
        (b"api_keys = 3", ""),
        (b"#" * ((1 << 20) + 1), "more than 1048576 bytes"),
    ],
)
def test_a_damaged_file_stops_the_start_with_its_reason_and_without_its_secrets(
    tmp_path, content, reason
):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(SettingsError) as fault:
        with_saved_keys(Settings(data=tmp_path))
    assert reason in fault.value.message
    assert str(tmp_path / FILE) in fault.value.message
    assert SECRET not in fault.value.message
    with pytest.raises(SettingsError):  # nor is it overwritten
        save_key(tmp_path, "b", entry())
    assert (tmp_path / FILE).read_bytes() == content


def test_a_folder_or_a_pipe_in_the_files_place_stops_the_start_at_once(tmp_path):
    for number, make in enumerate((os.mkdir, os.mkfifo)):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(folder / FILE)
        with pytest.raises(SettingsError, match="cannot be used"):
            read_saved_keys(folder)


def test_two_keys_of_one_name_stop_the_start(tmp_path):
    save_key(tmp_path, "a", entry("saved"))
    with pytest.raises(SettingsError, match="two keys called a"):
        with_saved_keys(Settings(data=tmp_path, api_keys={"a": entry("given")}))
    same = Settings(data=tmp_path, api_keys={"a": entry("saved"), "b": entry("b")})
    assert set(with_saved_keys(same).api_keys) == {"a", "b"}


def test_who_has_no_home_folder_has_no_saved_keys_and_cannot_save_any(monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)

    def no_home():
        raise RuntimeError

    monkeypatch.setattr("edge.settings.Path.home", no_home)
    assert with_saved_keys(Settings()) == Settings()


def test_a_service_takes_saved_keys_and_no_longer_those_revoked_before_its_start(tmp_path):
    made = {
        name: run_edge("key", name, "--save", "--data", tmp_path).stdout.strip() for name in "ab"
    }
    assert run_edge("key", "--revoke", "a", "--data", tmp_path).returncode == 0
    with Server("--host", "0.0.0.0", data=tmp_path) as server:  # not open: it has a key
        status = {
            name: server.client.get("/models", headers={"X-API-Key": made[name]}).status_code
            for name in "ab"
        }
        assert status == {"a": 401, "b": 200}
        assert server.client.get("/models").status_code == 401


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not there")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("tls", "keys", "host"),
    [(False, False, "127.0.0.1"), (True, True, "127.0.0.1"), (True, True, "0.0.0.0")],
)
def test_the_command_that_the_start_prints_works_as_it_stands(tmp_path, tls, keys, host):
    data = tmp_path / "a folder's name"
    secret = run_edge("key", "k", "--save", "--data", data).stdout.strip() if keys else ""
    flags = {"pairing_port": 0, "allow_open": not keys, "host": host, "ready": False}
    with SecureServer(data, **flags) if tls else Server(data=data, **flags) as server:
        lines = iter(server.process.stdout.readline, "")
        command = next(line for line in lines if line.startswith("  curl")).strip()
        assert secret not in command or not secret
        assert ("--cacert" in command) == tls
        # From elsewhere, as whoever reads it; again while the models load.
        retry = command.replace("curl", "curl -sS --retry 20 --retry-delay 1 --fail", 1)
        asked = subprocess.run(
            ["/bin/sh", "-c", retry],
            cwd=tmp_path,
            env={**os.environ, "KEY": secret},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert asked.returncode == 0, asked.stderr
        assert json.loads(asked.stdout)["predictions"]
