"""API keys: what one is, what it opens, and that every door asks for it."""

import json
import re
import signal
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime

import httpx
import pytest
from serving.pictures import photo
from serving.process import Server, run_edge
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from edge.api_key import ApiKey, Scope, find_key, hash_key, new_key
from edge.errors import SettingsError
from edge.settings import Settings, load_settings
from edge.web.access.keys import COOKIE, KeyGuard
from edge.web.app import create_app
from edge.web.pages.phone import PASS_S, Passes
from edge.wiring.bootstrap import build_service

KEYS = {name: new_key() for name in ("camera", "operator", "owner", "old")}
SCOPES = {"camera": ["predict"], "operator": ["view"], "owner": ["admin"], "old": ["admin"]}
TOLD = {name: {"hash": hash_key(key), "scopes": SCOPES[name]} for name, key in KEYS.items()}
TOLD["old"]["expires"] = "2020-02-29"

# Every door, and the names of the keys that open it. What is open to all is in its own table.
DOORS = {
    ("POST", "/predict"): {"camera", "owner"},
    ("POST", "/predict/objects"): {"camera", "owner"},
    ("POST", "/v1/models/imagenet:predict"): {"camera", "owner"},
    ("POST", "/V1/models/imagenet:predict"): {"camera", "owner"},
    ("GET", "/v1/models/imagenet/metadata"): {"camera", "owner"},
    ("GET", "/models"): {"camera", "owner"},
    ("GET", "/"): {"camera", "owner"},
    ("GET", "/kiosk"): {"camera", "owner"},
    ("POST", "/phone/picture"): {"camera", "owner"},
    ("GET", "/wall"): {"operator", "owner"},
    ("GET", "/wall/phone"): {"operator", "owner"},
    ("GET", "/wall/phone.svg"): {"operator", "owner"},
    ("GET", "/wall/pictures/1.jpg"): {"operator", "owner"},
    ("GET", "/page/info"): {"camera", "operator", "owner"},
    ("POST", "/wall/clear"): {"owner"},
    ("GET", "/corrections"): {"camera", "owner"},
    ("POST", "/corrections"): {"camera", "owner"},
    ("GET", "/docs"): {"operator", "owner"},
    ("GET", "/openapi.json"): {"operator", "owner"},
    ("GET", "/nothing-here"): {"camera", "owner"},
}
OPEN = (
    "/health/live",
    "/health/ready",
    "/login",
    "/session",
    "/static/style.css",
    "/samples/coffee.jpg",
    "/pair",
    "/pair/info",
    "/phone",
)


@pytest.fixture(scope="module")
def locked() -> Iterator[Server]:
    with Server("--host", "0.0.0.0", env={"EDGE_API_KEYS": json.dumps(TOLD)}) as running:
        yield running


@pytest.fixture
def stranger(locked) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"http://127.0.0.1:{locked.url.rpartition(':')[2]}", timeout=30
    ) as client:
        yield client


@pytest.mark.parametrize(("door", "opened_by"), DOORS.items(), ids=" ".join)
def test_a_door_opens_to_the_right_scope_and_to_no_other(stranger, door, opened_by):
    method, path = door

    def ask(headers):
        reply = stranger.request(method, path, headers=headers)
        return reply.status_code, reply.headers.get("X-Edge-Error")

    assert ask({}) == (401, "key_missing")
    assert ask({"X-API-Key": new_key()}) == (401, "key_missing")
    assert ask({"X-API-Key": TOLD["owner"]["hash"]}) == (401, "key_missing")  # the hash is no key
    assert ask({"X-API-Key": KEYS["old"]}) == (401, "key_expired")
    for name in ("camera", "operator", "owner"):
        for headers in ({"X-API-Key": KEYS[name]}, {"Authorization": f"Bearer {KEYS[name]}"}):
            status, code = ask(headers)
            if name in opened_by:
                assert status not in {401, 403}, (name, status)
            else:
                assert (status, code) == (403, "key_forbidden"), name


@pytest.mark.parametrize("path", OPEN)
def test_what_holds_no_secret_is_open(stranger, path):
    assert stranger.get(path).status_code == 200


def test_the_stream_asks_for_a_key_in_its_handshake(stranger):
    url = f"ws://127.0.0.1:{stranger.base_url.port}/stream"

    def refusal(headers):
        with pytest.raises(InvalidStatus) as error:
            connect(url, additional_headers=headers)
        return error.value.response.status_code

    assert refusal({}) == 401
    assert refusal({"X-API-Key": new_key()}) == 401
    assert refusal({"X-API-Key": KEYS["old"]}) == 401
    assert refusal({"X-API-Key": KEYS["operator"]}) == 403
    named = url.replace("127.0.0.1", f"front:{KEYS['camera']}@127.0.0.1")  # sent as HTTP Basic
    for target, headers in (
        (url, {"X-API-Key": KEYS["camera"]}),
        (url, {"Cookie": f"{COOKIE}={KEYS['camera']}"}),
        (named, {}),
    ):
        with connect(target, additional_headers=headers) as stream:
            stream.send(photo("coffee"))
            assert json.loads(stream.recv(timeout=30))["predictions"][0]["label"] == "espresso"


def test_a_program_that_sends_a_password_only_when_it_is_asked_gets_in(stranger):
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, str(stranger.base_url), "front", KEYS["camera"])
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    request = urllib.request.Request(f"{stranger.base_url}/predict", photo("coffee"))
    with opener.open(request, timeout=30) as reply:
        assert json.load(reply)["predictions"][0]["label"] == "espresso"


def test_a_refusal_says_what_to_do_and_never_repeats_a_key(stranger):
    wrong = new_key()
    missing = stranger.post("/predict", content=photo("coffee"))
    assert missing.headers["WWW-Authenticate"] == 'Bearer, Basic realm="edge", charset="UTF-8"'
    assert "X-API-Key" in missing.json()["error"]["message"]
    assert wrong not in stranger.post("/predict", headers={"X-API-Key": wrong}).text
    assert (
        "2020-02-29"
        in stranger.post("/predict", headers={"X-API-Key": KEYS["old"]}).json()["error"]["message"]
    )
    assert "error" in stranger.get("/v1/models/imagenet").json()  # in the door's own shape


def test_a_person_is_led_to_the_sign_in_and_back(stranger):
    html = {"Accept": "text/html,*/*"}
    led = stranger.get("/wall?camera=1", headers=html)
    assert (led.status_code, led.headers["location"]) == (303, "/login?next=%2Fwall")
    wrong = stranger.post("/login", data={"key": new_key(), "next": "/wall"})
    assert wrong.headers["location"] == "/login?next=%2Fwall&fault=key_missing"
    old = stranger.post("/login", data={"key": KEYS["old"], "next": "/wall"})
    assert old.headers["location"] == "/login?next=%2Fwall&fault=key_expired"
    assert "set-cookie" not in wrong.headers
    assert "set-cookie" not in old.headers
    right = stranger.post("/login", data={"key": f" {KEYS['operator']} ", "next": "/wall"})
    assert (right.status_code, right.headers["location"]) == (303, "/wall")
    cookie = right.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert stranger.get("/wall", headers=html).status_code == 200
    assert stranger.get("/session").json() == {"keys": True, "name": "operator", "scopes": ["view"]}
    assert (
        stranger.get("/kiosk", headers=html).headers["location"]
        == "/login?next=%2Fkiosk&fault=key_forbidden"
    )
    stranger.post("/logout")
    assert stranger.get("/wall", headers=html).status_code == 303
    assert stranger.get("/session").json() == {"keys": True, "name": None, "scopes": []}


@pytest.mark.parametrize(
    "elsewhere", ["//example.com", "https://example.com", "/\\example.com", "wall", "/a\nb: c"]
)
def test_the_sign_in_leads_nowhere_else(stranger, elsewhere):
    reply = stranger.post("/login", data={"key": KEYS["owner"], "next": elsewhere})
    assert reply.headers["location"] == "/"


def test_pages_of_other_sites_cannot_sign_in_or_out(stranger):
    for path in ("/login", "/logout"):
        reply = stranger.post(
            path, data={"key": KEYS["owner"]}, headers={"Origin": "https://example.com"}
        )
        assert (reply.status_code, reply.headers["X-Edge-Error"]) == (403, "foreign_page")


def test_a_phone_sends_with_the_pass_of_the_code_and_opens_nothing_else_with_it(stranger):
    url = stranger.get("/wall/phone", headers={"X-API-Key": KEYS["operator"]}).json()["url"]
    shown = re.fullmatch(r"http://[^/]+/phone\?pass=(\S+)", url)[1]
    good = stranger.post(f"/phone/picture?pass={shown}", content=photo("coffee"))
    assert good.json()["predictions"][0]["label"] == "espresso"
    assert stranger.get(f"/page/info?pass={shown}").json()["default"] == "imagenet"
    until, _, signature = shown.partition(".")
    for bad in ("", "x", f"{int(until) + 1}.{signature}", f"{until}.{'0' * 32}", f"{until}."):
        assert (
            stranger.post(f"/phone/picture?pass={bad}", content=photo("coffee")).status_code == 401
        )
        assert stranger.get(f"/page/info?pass={bad}").status_code == 401
    assert stranger.post(f"/predict?pass={shown}", content=photo("coffee")).status_code == 401


def test_a_pass_ends_with_its_hours_and_with_the_process():
    passes = Passes()
    shown = passes.new(now=1000.5)
    assert passes.is_valid(shown, now=1000.5 + PASS_S - 1)
    assert not passes.is_valid(shown, now=1000.5 + PASS_S)
    assert not Passes().is_valid(shown, now=1001)
    assert not passes.is_valid("9" * 5000 + ".x", now=1001)


@pytest.mark.slow
def test_the_start_says_who_may_ask(stranger):
    with Server("--host", "127.0.0.1", ready=False) as alone:
        assert "No API keys: it listens on this machine only." in alone.process.stdout.readline()
    with Server("--host", "0.0.0.0", "--allow-open", ready=False) as opened:
        assert "WARNING open to everyone who reaches this address" in opened.log
        opened.process.send_signal(signal.SIGTERM)
        assert (
            "Phones" not in opened.process.stdout.read()
        )  # there is no pairing page without --tls
        assert opened.ended() == 0


def test_without_keys_the_network_is_refused_unless_told_otherwise():
    refused = run_edge("serve", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 2
    assert "edge key NAME" in refused.stderr
    assert "--allow-open" in refused.stderr


def test_without_keys_nothing_is_asked_and_no_request_pays_for_it():
    app = create_app(build_service(Settings(workers=1)), Settings())
    assert KeyGuard not in [layer.cls for layer in app.user_middleware]


def test_what_is_not_named_needs_at_least_predict():
    app = create_app(build_service(Settings(workers=1)), Settings())

    def needed_scope(path):
        return app.state.dialects.find(path).scope

    assert needed_scope("/wall/unheard-of") is Scope.VIEW
    assert needed_scope("/WALL/clear") is Scope.ADMIN
    # A dialect that is not served claims no path: its paths are as unknown as any other.
    assert needed_scope("/v2/repository/models/x/unload") is Scope.PREDICT
    assert needed_scope("/v2/models/x/infer") is Scope.PREDICT
    assert needed_scope("/unheard-of") is Scope.PREDICT
    assert needed_scope("/metrics") is Scope.VIEW
    assert needed_scope("/staticky") is Scope.PREDICT


@pytest.mark.parametrize(
    ("scopes", "opens"),
    [
        ({"predict"}, {"predict"}),
        ({"view"}, {"view"}),
        ({"predict", "view"}, {"predict", "view"}),
        ({"admin"}, {"predict", "view", "admin"}),
    ],
)
def test_admin_opens_all_the_others_themselves(scopes, opens):
    key = ApiKey(hash=hash_key("x"), scopes=scopes)
    assert {scope for scope in Scope if key.opens(scope)} == opens


def test_a_key_is_good_through_its_last_day():
    key = ApiKey(hash=hash_key("x"), scopes={"view"}, expires=date(2027, 1, 31))
    assert not key.expired(datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC))
    assert key.expired(datetime(2027, 2, 1, tzinfo=UTC))
    assert not ApiKey(hash=hash_key("x"), scopes={"view"}).expired(datetime.max.replace(tzinfo=UTC))


def test_keys_are_random_and_found_by_what_is_kept_of_them():
    first, second = new_key(), new_key()
    keys = {
        "first": ApiKey(hash=hash_key(first), scopes={"view"}),
        "second": ApiKey(hash=hash_key(second), scopes={"view"}),
    }
    assert first != second
    assert len(first) == len("edge_") + 43  # 32 bytes in base64
    assert [find_key(keys, key)[0] for key in (first, second)] == ["first", "second"]
    assert find_key(keys, first[:-1]) is None
    assert find_key(keys, "") is None
    assert find_key(keys, "clé") is None


def test_the_command_prints_a_key_and_settings_that_know_it(tmp_path):
    made = run_edge(
        "key", "line 1", "--scope", "predict", "--scope", "view", "--expires", "2030-12-31"
    )
    key = made.stdout.strip()
    told = json.loads(re.search(r"EDGE_API_KEYS='(.*)'", made.stderr)[1])
    assert key not in made.stderr
    assert told == {
        "line 1": {"hash": hash_key(key), "scopes": ["predict", "view"], "expires": "2030-12-31"}
    }
    file = tmp_path / "edge.toml"
    file.write_text(made.stderr[made.stderr.index("[api_keys") :])
    by_file, by_flag = load_settings(config=file), load_settings({"api_keys": json.dumps(told)})
    assert by_file.api_keys == by_flag.api_keys
    assert find_key(by_file.api_keys, key)[0] == "line 1"


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("edge_secret", "is not JSON"),
        ("[]", "must be a JSON object"),
        ('{"a": {"hash": "edge_secret", "scopes": ["predict"]}}', "a.hash: must be sha256:"),
        ('{{"a": {{"hash": "{}", "scopes": ["all"]}}}}'.format(hash_key("x")), "a.scopes"),
        ('{{"a": {{"hash": "{}", "scopes": []}}}}'.format(hash_key("x")), "a.scopes"),
        (
            '{{"a": {{"hash": "{}", "scopes": ["view"], "expires": "soon"}}}}'.format(
                hash_key("x")
            ),
            "a.expires",
        ),
    ],
)
def test_a_wrong_setting_is_told_where_it_is_wrong_and_never_repeated(value, fault):
    with pytest.raises(SettingsError) as error:
        load_settings({"api_keys": value})
    assert fault in error.value.message
    assert "edge_secret" not in error.value.message
