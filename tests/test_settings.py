"""Every setting by flag, environment and file; which goes first; and every mistake by name."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.settings import _GROUPED, FIELDS, SECRETS, TOPICS, Settings, load_settings

ENDPOINT = "projects/p/locations/l/endpoints/1"

GOOD = {  # setting: text of three values, in the order flag, environment, file
    "models": ("/flag", "/env", "/file"),
    "default_model": ("flag", "env", "file"),
    "host": ("0.0.0.0", "::1", "10.0.0.1"),
    "port": ("1", "2", "3"),
    "workers": ("1", "2", "3"),
    "latency": ("low", "throughput", "low"),
    "queue_size": ("0", "2", "3"),
    "deadline_ms": ("1", "2", "3"),
    "max_body_bytes": ("1", "2", "3"),
    "max_pixels": ("1", "2", "3"),
    "max_decoded_bytes": ("1", "2", "3"),
    "exact_decode": ("true", "false", "true"),
    "allow_unsafe_models": ("true", "false", "true"),
    "shutdown_grace_s": ("0", "0.5", "3"),
    "log_level": ("debug", "error", "warning"),
}
WRONG = {
    "port": ["-1", "65536", "http", "1.5"],
    "workers": ["0", "-1", "many"],
    "latency": ["lowest", "2"],
    "queue_size": ["-1", "x"],
    "deadline_ms": ["0", "x"],
    "max_body_bytes": ["0", "32M"],
    "max_pixels": ["0", "x"],
    "max_decoded_bytes": ["0", "512M"],
    "exact_decode": ["perhaps"],
    "allow_unsafe_models": ["perhaps"],
    "shutdown_grace_s": ["-1", "x"],
    "log_level": ["loud", "INFO "],
}


def value(name, text):
    return value_of(Settings.model_validate({name: text}), name)


def value_of(settings, name):
    """The value of a flat name, wherever it stands; ``None`` where its group is not configured."""
    group, field = _GROUPED.get(name, (None, name))
    return getattr(settings if group is None else getattr(settings, group), field, None)


def load(name, text):
    """The value that a setting takes, with what configures its group."""
    given = {"cloud_endpoint": ENDPOINT, "outbox_dir": "/box", "tls": "true"} | {name: text}
    return value_of(load_settings(given), name)


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
    assert set(GOOD) <= set(FIELDS)


@pytest.mark.parametrize("name", GOOD)
def test_a_setting_is_taken_from_flag_before_environment_before_file_before_default(
    name, tmp_path, monkeypatch
):
    flag, env, file = GOOD[name]
    config = toml(tmp_path / "edge.toml", **{name: file})
    assert getattr(load_settings(), name) == FIELDS[name].default
    assert getattr(load_settings(config=config), name) == value(name, file)
    monkeypatch.setenv(f"EDGE_{name.upper()}", env)
    assert getattr(load_settings(config=config), name) == value(name, env)
    assert getattr(load_settings({name: flag}, config), name) == value(name, flag)
    assert getattr(load_settings({name: None}, config), name) == value(name, env)


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in WRONG.items() for text in texts]
)
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
    with pytest.raises(
        SettingsError, match=r"EDGE_WORKER is not a setting\. Did you mean workers\?"
    ):
        load_settings()


def test_an_unknown_key_of_the_file_is_refused_with_the_nearest_name(tmp_path):
    config = toml(tmp_path / "edge.toml", prot="80")
    with pytest.raises(SettingsError, match=r"prot in .*edge\.toml.*Did you mean port\?"):
        load_settings(config=config)


def test_a_name_that_resembles_none_is_answered_with_all(monkeypatch):
    monkeypatch.setenv("EDGE_QQQQ", "1")
    with pytest.raises(SettingsError, match=", ".join(FIELDS)):
        load_settings()


def test_an_empty_variable_sets_nothing(monkeypatch):
    monkeypatch.setenv("EDGE_PORT", "")
    assert load_settings().port == FIELDS["port"].default


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
    with pytest.raises(SettingsError, match=r"gone\.toml does not exist"):
        load_settings(config=tmp_path / "gone.toml")


def test_paths_become_paths_and_settings_stay_as_they_are():
    settings = load_settings({"models": "here"})
    assert settings.models == Path("here")
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


# Setting: refused just below, minimum, maximum, refused just above.
BOUNDS = {
    "port": (-1, 0, 65_535, 65_536),
    "workers": (0, 1, 256, 257),
    "queue_size": (-1, 0, 10_000, 10_001),
    "deadline_ms": (0, 1, 600_000, 600_001),
    "max_body_bytes": (0, 1, 512 << 20, (512 << 20) + 1),
    "max_held_bytes": (0, 1, 1 << 40, (1 << 40) + 1),
    "max_pixels": (0, 1, 10**9, 10**9 + 1),
    "max_decoded_bytes": (0, 1, 1 << 40, (1 << 40) + 1),
    "shutdown_grace_s": (-0.001, 0, 86_400, 86_401),
    "pairing_port": (-1, 0, 65_535, 65_536),
    "max_streams": (0, 1, 10_000, 10_001),
    "max_streams_per_client": (0, 1, 10_000, 10_001),
    "stream_idle_s": (0, 0.001, 86_400, 86_401),
    "wall_size": (0, 1, 1_000, 1_001),
    "wall_bytes": (0, 1, 1 << 34, (1 << 34) + 1),
    "cloud_threshold": (-0.001, 0, 1, 1.001),
    "cloud_margin": (-0.001, 0, 1, 1.001),
    "cloud_timeout_ms": (0, 1, 600_000, 600_001),
    "cloud_calls_per_day": (-1, 0, 10**9, 10**9 + 1),
    "cloud_calls_per_month": (-1, 0, 10**9, 10**9 + 1),
    "cloud_price": (-0.001, 0, 10**9, 10**9 + 1),
    "cloud_cost_per_day": (-0.001, 0, 10**9, 10**9 + 1),
    "cloud_cost_per_month": (-0.001, 0, 10**9, 10**9 + 1),
    "cloud_rate": (0, 0.001, 10_000, 10_001),
    "cloud_concurrency": (0, 1, 256, 257),
    "cloud_repeat_s": (-0.001, 0, 86_400, 86_401),
    "outbox_max_bytes": (0, 1, 1 << 44, (1 << 44) + 1),
    "outbox_max_entries": (0, 1, 10**6, 10**6 + 1),
    "outbox_max_age_days": (0, 0.001, 36_500, 36_501),
    "outbox_ack_ms": (-1, 0, 600_000, 600_001),
}
CHOICES = {  # setting: what is taken, and what is nearly so
    "cloud_endpoint": (
        ["projects/p/locations/l/endpoints/1"],
        ["endpoints/1", "projects/p/locations/l", "projects//locations/l/endpoints/1",
         "projects/p/locations/l/endpoints/", "projects/p/locations/l/endpoints/1/more",
         "x/projects/p/locations/l/endpoints/1"],
    ),
    "cloud_transport": (["grpc", "rest"], ["http", "GRPC"]),
    "cloud_request": (["automl", "tf_serving"], ["tf-serving", "other"]),
    "outbox_webhook": (
        ["http://host/", "https://host/path", "https://name:p%40ss@[::1]:9/path?token=1"],
        ["host", "ftp://host/", "HTTP//host", " http://host/", "http://", "http://[", "http://h:x/",
         "http://name@/", "http://ho st/", "http://h\u00f6st/"],
    ),
    "alerts_webhook": (
        ["http://host/", "https://name:p%40ss@[::1]:9/path?token=1"],
        ["host", "ftp://host/", "file:///etc/passwd", "http://", "http://ho st/"],
    ),
    "alerts_webhook_secret": (
        ["whsec_" + "A" * 32, "whsec_" + "A" * 84 + "AA=="],
        ["whsec_", "A" * 32, "whsec_" + "A" * 31, "whsec_" + "A" * 28, "whsec_" + "A" * 88,
         "whsec_" + "-" * 32, "whpk_" + "A" * 32],
    ),
    "alerts_mqtt": (
        ["mqtt://host", "mqtts://host:1", "mqtts://na%20me:p%40ss@[::1]:8883/", "mqtt://user@h"],
        ["host", "http://host", "mqtt://", "mqtt:host", "mqtt://h:0", "mqtt://h:x", "mqtt://h/topic",
         "mqtt://h?x=1", "mqtt://h o", "mqtt://h\u00f6st", "mqtt://[", "MQTT//h", "ws://h",
         "tls://h:8883", "wss://na:pw@h:8883", "http://h:1883", "//h:1883"],
    ),
    "latency": (["throughput", "low"], ["lowest", "LOW"]),
    "log_level": (["debug", "info", "warning", "error"], ["loud", "INFO", "critical"]),
    "log_format": (["console", "json"], ["text", "JSON"]),
}  # fmt: skip
SWITCHES = {
    "builtin",
    "allow_unsafe_models",
    "exact_decode",
    "allow_open",
    "tls",
    "outbox_images",
    "log_requests",
}
LISTS = {  # setting: a text, what it means, and words that are refused
    "allowed_hosts": (
        "edge.example.org, b\u00fccher.example *",
        ("edge.example.org", "b\u00fccher.example", "*"),
        ["https://edge.example.org", "edge.example.org:443", "*.example.org", "a/b", "..", "["],
    ),
    "allowed_origins": (
        "https://shop.example.org/,http://localhost:3000 capacitor://localhost",
        ("https://shop.example.org", "http://localhost:3000", "capacitor://localhost"),
        ["shop.example.org", "*", "null", "https://a.example/path", "https://", "http://["],
    ),
    "trusted_proxies": (
        "127.0.0.1, 10.0.0.0/8\t::1",
        (ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"), ip_network("::1/128")),
        ["proxy", "*", "10.0.0.0/33", "127.0.0.1:80"],
    ),
}
DEFAULTS = {
    "host": "127.0.0.1",
    "port": 8501,
    "workers": None,
    "latency": "throughput",
    "queue_size": 64,
    "deadline_ms": 10_000,
    "max_body_bytes": 32 << 20,
    "max_held_bytes": 256 << 20,
    "max_pixels": 50_000_000,
    "max_decoded_bytes": 512 << 20,
    "builtin": True,
    "exact_decode": False,
    "allow_unsafe_models": False,
    "shutdown_grace_s": 30.0,
    "api_keys": {},
    "allow_open": False,
    "allowed_hosts": (),
    "allowed_origins": (),
    "trusted_proxies": (),
    "root_path": "",
    "tls": False,
    "pairing_port": 8502,
    "max_streams": 32,
    "max_streams_per_client": 8,
    "stream_idle_s": 60.0,
    "wall_size": 32,
    "wall_bytes": 64 << 20,
    "cloud_transport": "grpc",
    "cloud_request": "automl",
    "cloud_mode": "off",
    "cloud_request_modes": ("off",),
    "cloud_threshold": 0.5,
    "cloud_margin": 0.1,
    "cloud_timeout_ms": 2_000,
    "cloud_price": 0.0,
    "cloud_calls_per_day": 1_000,
    "cloud_repeat_s": 5.0,
    "cloud_concurrency": 8,
    "outbox_max_bytes": 1 << 30,
    "outbox_max_entries": 10_000,
    "outbox_max_age_days": 30.0,
    "outbox_images": True,
    "outbox_ack_ms": 0,
    "kiosk_title": "",
    "log_level": "info",
    "log_format": "console",
    "log_requests": True,
}


def test_every_number_has_its_bounds_here_and_every_choice_its_words():
    """A number is known by its default, or by what it makes of a text."""

    def takes(name, given):
        try:
            return load_settings({name: given}) is not None
        except SettingsError:
            return False

    numbers = {name for name in FIELDS if takes(name, 1) and not takes(name, "word")}
    assert numbers - SWITCHES == set(BOUNDS)
    wordless = {name for name in FIELDS if not takes(name, "word")}
    assert wordless - numbers - {"api_keys", *LISTS} == set(CHOICES)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "name",
    ["cloud_price", "cloud_cost_per_day", "cloud_cost_per_month", "cloud_rate", "cloud_repeat_s"],
)
def test_what_bounds_the_cost_is_a_finite_number(name, text):
    """Nothing is ever above a limit of NaN."""
    with pytest.raises(SettingsError, match=name.replace("_", "-")):
        load(name, text)


def test_calls_are_unlimited_only_if_the_owner_says_so():
    assert load("cloud_calls_per_day", "unlimited") == "unlimited"
    assert Settings(cloud_endpoint=ENDPOINT).cloud.calls_per_day == 1_000


@pytest.mark.parametrize("name", BOUNDS)
def test_a_number_is_taken_within_its_bounds_and_refused_by_name_beyond_them(name):
    below, least, most, above = BOUNDS[name]
    for text in (least, most):
        assert load(name, str(text)) == text
    for text in (below, above, "nan"):
        with pytest.raises(SettingsError, match=rf"^--{name.replace('_', '-')} = {text}: "):
            load_settings({name: str(text)})


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_takes_its_words_alone(name):
    taken, refused = CHOICES[name]
    for text in taken:
        assert plain(load(name, text)) == text
    for text in refused:
        value = ": " if name in SECRETS else " = "
        with pytest.raises(SettingsError, match=f"^--{name.replace('_', '-')}{value}"):
            load_settings({name: text})


def plain(value):
    """A value, or what a secret holds."""
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


@pytest.mark.parametrize("name", LISTS)
def test_a_list_takes_words_between_blanks_and_commas_or_a_list_of_the_file(name, tmp_path):
    text, expected, refused = LISTS[name]
    assert load(name, text) == expected
    (tmp_path / "edge.toml").write_text(f"{name} = {text.replace(',', ' ').split()}")
    assert getattr(load_settings(config=tmp_path / "edge.toml"), name) == expected
    for word in refused:
        with pytest.raises(SettingsError, match=f"^--{name.replace('_', '-')} = "):
            load_settings({name: f"{text} {word}"})


def load_switch(name, text):
    """What a switch takes; the one of TLS alone decides whether there is a group at all."""
    settings = load_settings({"outbox_dir": "/box", name: text})
    return settings.tls is not None if name == "tls" else value_of(settings, name)


@pytest.mark.parametrize("name", sorted(SWITCHES))
def test_a_switch_is_on_or_off(name):
    texts = ("true", "false", "1", "0")
    taken = [bool(load_switch(name, text)) for text in texts]
    assert taken == [True, False, True, False]
    for text in ("2", "perhaps"):
        with pytest.raises(SettingsError, match=f"^--{name.replace('_', '-')} = "):
            load_settings({name: text})


def test_what_is_not_set_is_as_documented():
    settings = load_settings()
    assert (settings.cloud, settings.outbox, settings.tls) == (None, None, None)
    configured = load_settings({"cloud_endpoint": ENDPOINT, "outbox_dir": "/box", "tls": "true"})
    given = {"cloud_endpoint", "outbox_dir", "tls"}
    values = {name: value_of(configured, name) for name in FIELDS if name not in given}
    defaults = {name: default for name, default in DEFAULTS.items() if name not in given}
    assert {
        name: value for name, value in values.items() if value is not None or name in defaults
    } == defaults
    assert FIELDS["tls"].default is DEFAULTS["tls"]


@pytest.mark.parametrize("name", ["outbox_key", "outbox_webhook_secret"])
def test_a_secret_is_not_shown(name):
    settings = load_settings({"outbox_dir": "/box", name: "s3cret"})
    assert value_of(settings, name).get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)


def test_a_wrong_api_key_is_refused_by_name_and_not_shown(monkeypatch):
    monkeypatch.setenv("EDGE_API_KEYS", '{"door": {"hash": "s3cret", "scopes": ["predict"]}}')
    with pytest.raises(SettingsError, match=r"^EDGE_API_KEYS: .*edge key NAME") as refusal:
        load_settings()
    assert "s3cret" not in str(refusal.value)


def test_a_credential_is_a_file_or_the_word_for_none():
    assert plain(load("cloud_credentials", "anonymous")) == Path("anonymous")
    assert plain(load("cloud_credentials", "/a/file")) == Path("/a/file")


def test_the_data_folder_is_the_one_set_or_the_users(monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    assert load_settings().data_folder == Path("/home/someone/.local/share/edge")
    monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere")
    assert load_settings().data_folder == Path("/elsewhere/edge")
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")
    assert load_settings().data_folder == Path("/home/someone/.local/share/edge")
    assert load_settings({"data": "/mine"}).data_folder == Path("/mine")


def test_variables_of_others_are_left_alone(monkeypatch):
    monkeypatch.setenv("EDGED_PORT", "1")
    monkeypatch.setenv("PORT", "1")
    assert load_settings().port == 8501


def test_an_optional_part_is_none_until_it_is_configured():
    unconfigured = Settings(cloud_price=1, outbox_images=False, tls_key="key.pem", tls=False)
    assert (unconfigured.cloud, unconfigured.outbox, unconfigured.tls) == (None, None, None)
    cloud = Settings(cloud_endpoint=ENDPOINT, cloud_price=1).cloud
    assert (cloud.endpoint, cloud.price) == (ENDPOINT, 1)
    outbox = Settings(outbox_dir="/box", outbox_images=False).outbox
    assert (outbox.dir, outbox.images) == (Path("/box"), False)
    assert Settings(tls=True).tls.cert is None
    assert plain(Settings(tls_cert="chain.pem").tls.cert) == Path("chain.pem")
    assert Settings(tls=False, tls_cert="chain.pem").tls is not None


def test_the_rules_of_escalation_are_there_without_an_online_model():
    settings = Settings(cloud_mode="on_error", cloud_threshold=0.7)
    assert settings.cloud is None
    assert (settings.fallback.mode, settings.fallback.threshold) == ("on_error", 0.7)


def test_a_wrong_value_is_refused_where_its_group_is_not_configured():
    with pytest.raises(SettingsError, match=r"^--cloud-price = -1: "):
        load_settings({"cloud_price": "-1"})


def test_a_table_of_the_file_is_as_good_as_flat_names(tmp_path, monkeypatch):
    flat, tables = tmp_path / "flat.toml", tmp_path / "tables.toml"
    flat.write_text(
        f"tls = true\ntls_names = 'kiosk.lan'\ncloud_endpoint = '{ENDPOINT}'\n"
        "cloud_mode = 'on_error'\noutbox_dir = '/box'\noutbox_max_entries = 5\n"
    )
    tables.write_text(
        f"[tls]\nnames = 'kiosk.lan'\n[cloud]\nendpoint = '{ENDPOINT}'\nmode = 'on_error'\n"
        "[outbox]\ndir = '/box'\nmax_entries = 5\n"
    )
    assert load_settings(config=tables) == load_settings(config=flat)
    monkeypatch.setenv("EDGE_OUTBOX_MAX_ENTRIES", "6")
    monkeypatch.setenv("EDGE_TLS", "false")
    settings = load_settings({"cloud_mode": "shadow"}, tables)
    assert (settings.outbox.max_entries, settings.fallback.mode) == (6, "shadow")
    assert settings.tls is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[outbox]\ndri = '/box'", r"outbox_dri in .*Did you mean outbox_dir\?"),
        ("[outbox]\nmax_entries = 0", r"^outbox_max_entries in .*edge\.toml = 0: "),
        ("outbox_dir = '/a'\n[outbox]\ndir = '/b'", r"outbox_dir twice.*\[outbox\]"),
        ("[fallback]\nmode = 'off'", "fallback in .* is not a setting"),
        ("outbox = '/box'", "outbox in .* is not a setting"),
    ],
)
def test_a_mistake_in_a_table_is_refused_by_its_flat_name(content, words, tmp_path):
    (tmp_path / "edge.toml").write_text(content)
    with pytest.raises(SettingsError, match=words):
        load_settings(config=tmp_path / "edge.toml")


def test_a_secret_of_the_wrong_kind_is_refused_without_printing_it(tmp_path):
    (tmp_path / "edge.toml").write_text("outbox_key = 12345")
    with pytest.raises(SettingsError, match="outbox_key") as refusal:
        load_settings(config=tmp_path / "edge.toml")
    assert "12345" not in str(refusal.value)


def test_every_setting_has_one_topic():
    by_topic = [name for names in TOPICS.values() for name in names]
    groups = {group for group, _ in _GROUPED.values()}
    assert sorted(by_topic) == sorted({*Settings.model_fields, *_GROUPED} - groups | {"tls"})


ABSURD = ("inf", "-inf", "nan", "1e300", "-1", str(2**62), "9" * 30, "9" * 5_000)


@pytest.mark.parametrize("absurd", ABSURD, ids=lambda text: text[:8])
@pytest.mark.parametrize("name", BOUNDS)
def test_a_number_that_no_machine_can_serve_is_refused(name, absurd, monkeypatch):
    monkeypatch.setenv(f"EDGE_{name.upper()}", absurd)
    with pytest.raises(SettingsError, match=f"^EDGE_{name.upper()}"):
        load_settings()


@pytest.mark.parametrize(
    "content", ["workers = " + "9" * 5_000, "workers = " + "[" * 100_000, "a = nan\nport = inf"]
)
def test_a_file_with_an_absurd_number_or_nesting_is_refused_by_name(content, tmp_path):
    (tmp_path / "edge.toml").write_text(content)
    with pytest.raises(SettingsError, match=r"edge\.toml"):
        load_settings(config=tmp_path / "edge.toml")


def test_the_line_that_edge_key_prints_works_in_a_file_that_keeps_its_quotes():
    """As docker's --env-file does."""
    keys = '{"line1": {"hash": "sha256:' + "0" * 64 + '", "scopes": ["predict"]}}'
    assert Settings(api_keys=f"'{keys}'").api_keys == Settings(api_keys=keys).api_keys
    with pytest.raises(ValueError, match="is not JSON"):
        Settings(api_keys=f"'{keys}")
