"""Every setting by flag, environment and file; which goes first; and every mistake by name."""

from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.settings import Settings, load_settings

GOOD = {  # setting: text of three values, in the order flag, environment, file
    "models": ("/flag", "/env", "/file"),
    "default_model": ("flag", "env", "file"),
    "host": ("0.0.0.0", "::1", "10.0.0.1"),
    "port": ("1", "2", "3"),
    "workers": ("1", "2", "3"),
    "queue_size": ("0", "2", "3"),
    "deadline_ms": ("1", "2", "3"),
    "max_body_bytes": ("1", "2", "3"),
    "max_pixels": ("1", "2", "3"),
    "exact_decode": ("true", "false", "true"),
    "shutdown_grace_s": ("0", "0.5", "3"),
    "log_level": ("debug", "error", "warning"),
}
WRONG = {
    "port": ["-1", "65536", "http", "1.5"],
    "workers": ["0", "-1", "many"],
    "queue_size": ["-1", "x"],
    "deadline_ms": ["0", "x"],
    "max_body_bytes": ["0", "32M"],
    "max_pixels": ["0", "x"],
    "exact_decode": ["perhaps"],
    "shutdown_grace_s": ["-1", "x"],
    "log_level": ["loud", "INFO "],
}


def value(name, text):
    return getattr(Settings.model_validate({name: text}), name)


def toml(path, **settings):
    numbers = {"true", "false"}
    lines = [
        f"{name} = {text if text in numbers or text.replace('.', '', 1).isdigit() else repr(text)}"
        for name, text in settings.items()
    ]
    path.write_text("\n".join(lines))
    return path


def test_each_setting_has_its_cases_here():
    """Settings that others add bring their own tests; those of the main job are all below."""
    assert set(GOOD) <= set(Settings.model_fields)


@pytest.mark.parametrize("name", GOOD)
def test_a_setting_is_taken_from_flag_before_environment_before_file_before_default(name, tmp_path, monkeypatch):
    flag, env, file = GOOD[name]
    config = toml(tmp_path / "edge.toml", **{name: file})
    assert getattr(load_settings(), name) == Settings.model_fields[name].default
    assert getattr(load_settings(config=config), name) == value(name, file)
    monkeypatch.setenv(f"EDGE_{name.upper()}", env)
    assert getattr(load_settings(config=config), name) == value(name, env)
    assert getattr(load_settings({name: flag}, config), name) == value(name, flag)
    assert getattr(load_settings({name: None}, config), name) == value(name, env)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in WRONG.items() for text in texts])
def test_a_wrong_value_is_named_as_it_was_given(name, text, tmp_path, monkeypatch):
    with pytest.raises(SettingsError, match=f"^--{name.replace('_', '-')} = "):
        load_settings({name: text})
    config = toml(tmp_path / "edge.toml", **{name: text})
    with pytest.raises(SettingsError, match=f"^{name} in .*edge.toml = "):
        load_settings(config=config)
    monkeypatch.setenv(f"EDGE_{name.upper()}", text)
    with pytest.raises(SettingsError, match=f"^EDGE_{name.upper()} = "):
        load_settings()


def test_a_wrong_value_that_another_source_overrides_does_no_harm(monkeypatch):
    monkeypatch.setenv("EDGE_PORT", "http")
    assert load_settings({"port": "80"}).port == 80


def test_an_unknown_variable_is_refused_with_the_nearest_name(monkeypatch):
    monkeypatch.setenv("EDGE_WORKER", "2")
    with pytest.raises(SettingsError, match=r"EDGE_WORKER is no setting\. Did you mean workers\?"):
        load_settings()


def test_an_unknown_key_of_the_file_is_refused_with_the_nearest_name(tmp_path):
    config = toml(tmp_path / "edge.toml", prot="80")
    with pytest.raises(SettingsError, match=r"prot in .*edge\.toml.*Did you mean port\?"):
        load_settings(config=config)


def test_a_name_that_resembles_none_is_answered_with_all(monkeypatch):
    monkeypatch.setenv("EDGE_QQQQ", "1")
    with pytest.raises(SettingsError, match=", ".join(Settings.model_fields)):
        load_settings()


def test_an_empty_variable_sets_nothing(monkeypatch):
    monkeypatch.setenv("EDGE_PORT", "")
    assert load_settings().port == Settings.model_fields["port"].default


def test_the_file_is_named_by_the_environment_where_no_flag_names_one(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGE_CONFIG", str(toml(tmp_path / "a.toml", port="1")))
    assert load_settings().port == 1
    assert load_settings(config=toml(tmp_path / "b.toml", port="2")).port == 2


@pytest.mark.parametrize("content", [b"port 80", b"port = 1\nport = 2", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_refused_by_name(content, tmp_path):
    (tmp_path / "edge.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"edge\.toml cannot be read"):
        load_settings(config=tmp_path / "edge.toml")


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(SettingsError, match=r"gone\.toml is not there"):
        load_settings(config=tmp_path / "gone.toml")


def test_paths_become_paths_and_settings_stay_as_they_are():
    settings = load_settings({"models": "here"})
    assert settings.models == Path("here")
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1
