"""The sign-in of the pages: its cookie, its limits, and whom it leads where. Asked without a
socket.
"""

import asyncio
import base64
import json
import re
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from http.cookies import SimpleCookie

import pytest
from builders.asgi import Request
from serving.direct import DirectClient
from serving.process import Server
from serving.raw import RawConnection

from edge.api_key import ApiKey, Scope, find_key, hash_key, new_key
from edge.errors import Overloaded, SettingsError
from edge.settings import Settings, load_settings
from edge.web.access.keys import COOKIE
from edge.web.app import create_app
from edge.wiring.bootstrap import build_repository, build_serving_service

TODAY = datetime.now(UTC).date()
DAY_S = 24 * 3600
BROWSERS_LIMIT_S = 400 * DAY_S
KEYS = {name: new_key() for name in ("lasting", "short", "far", "viewer", "camera")}
TOLD = {
    "lasting": ApiKey(hash=hash_key(KEYS["lasting"]), scopes={Scope.ADMIN}),
    "short": ApiKey(
        hash=hash_key(KEYS["short"]), scopes={Scope.ADMIN}, expires=TODAY + timedelta(days=2)
    ),
    "far": ApiKey(hash=hash_key(KEYS["far"]), scopes={Scope.ADMIN}, expires=date(2999, 12, 31)),
    "viewer": ApiKey(hash=hash_key(KEYS["viewer"]), scopes={Scope.VIEW}),
    "camera": ApiKey(hash=hash_key(KEYS["camera"]), scopes={Scope.PREDICT}),
}


@pytest.fixture(scope="module")
def app(service):
    """A service with these keys."""
    return create_app(service, Settings(api_keys=TOLD))


@pytest.fixture(scope="module")
def complete_app(tmp_path_factory):
    """An application with every dialect, those of the cloud and the outbox included."""
    settings = Settings(workers=1, outbox_dir=tmp_path_factory.mktemp("outbox"))
    service = build_serving_service(settings, build_repository(settings))
    yield create_app(service, settings)
    service.pool.close()


@pytest.fixture
def open_client(service, app):
    """Makes a client of a service with these keys, as if reached by that URL."""

    def make(url="http://localhost:8501", keys=TOLD) -> DirectClient:
        return DirectClient(
            app if keys is TOLD else create_app(service, Settings(api_keys=keys)), url
        )

    return make


def signed_in(client: DirectClient, name: str):
    """The cookie that the sign-in sets."""
    reply = client.post("/login", data={"key": KEYS[name]})
    assert reply.status_code == 303
    return SimpleCookie(reply.headers["set-cookie"])[COOKIE]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_cookie_is_for_this_service_s_pages_alone_and_over_https_never_sent_in_the_clear(
    open_client, scheme
):
    cookie = signed_in(open_client(f"{scheme}://edge"), "lasting")
    assert cookie.value == KEYS["lasting"]
    assert bool(cookie["secure"]) is (scheme == "https")
    assert cookie["httponly"]
    assert (cookie["samesite"].lower(), cookie["path"], cookie["domain"]) == ("strict", "/", "")


def test_the_cookie_ends_with_its_key_and_after_as_long_as_browsers_keep_one(open_client):
    client = open_client()
    end = datetime.combine(TODAY + timedelta(days=3), datetime.min.time(), UTC).timestamp()
    before = time.time()
    left = int(signed_in(client, "short")["max-age"])
    assert end - time.time() - 2 <= left <= end - before
    for name in ("lasting", "far"):
        assert int(signed_in(client, name)["max-age"]) == BROWSERS_LIMIT_S


def test_a_key_on_its_last_day_still_signs_in(open_client):
    keys = {
        "last": ApiKey(
            hash=hash_key(KEYS["short"]), scopes={Scope.VIEW}, expires=datetime.now(UTC).date()
        )
    }
    assert 1 <= int(signed_in(open_client(keys=keys), "short")["max-age"]) <= DAY_S


@pytest.mark.parametrize(
    "neighbours",
    [
        "{} a=1",
        "x{{y}}=2; {}",
        "{}; a,b=1",
        "@=1; {}",
        'a="1; {}',
        "a[b]=1; {}",
        "flag; {}",
        "n=\xe9; {}",
    ],
)
def test_a_cookie_of_another_service_on_this_host_locks_nobody_out(open_client, neighbours):
    cookie = neighbours.format(f"{COOKIE}={KEYS['viewer']};").encode("latin-1")
    assert open_client().get("/session", headers={"Cookie": cookie}).json()["name"] == "viewer"


@pytest.mark.parametrize(
    "cookie", [f"{COOKIE}=", f"{COOKIE}=x", f"{COOKIE}=\xe9", COOKIE, "=;;=", "\xff" * 100]
)
def test_a_cookie_that_is_no_key_opens_nothing(open_client, cookie):
    client = open_client()
    reply = client.get("/wall", headers={"Cookie": cookie.encode("latin-1")})
    assert (reply.status_code, reply.headers["X-Edge-Error"]) == (401, "key_missing")


def test_a_key_that_was_taken_out_of_the_settings_signs_nobody_in_nor_does_its_cookie(open_client):
    cookie = {"Cookie": f"{COOKIE}={KEYS['viewer']}"}
    assert open_client().get("/wall", headers=cookie).status_code == 200
    without = open_client(keys={name: key for name, key in TOLD.items() if name != "viewer"})
    assert without.get("/wall", headers=cookie).headers["X-Edge-Error"] == "key_missing"
    assert (
        without.post("/login", data={"key": KEYS["viewer"]})
        .headers["location"]
        .endswith("fault=key_missing")
    )


def test_signing_out_takes_the_cookie_away(open_client):
    client = open_client()
    signed_in(client, "viewer")
    assert client.get("/wall").status_code == 200
    gone = SimpleCookie(client.post("/logout").headers["set-cookie"])[COOKIE]
    assert (gone.value, gone["max-age"], gone["path"]) == ("", "0", "/")
    assert client.get("/wall").status_code == 401


@pytest.mark.parametrize("spelling", ["Bearer", "bearer", "BEARER"])
def test_bearer_is_one_word_in_any_case(open_client, spelling):
    client = open_client()
    assert (
        client.get("/wall", headers={"Authorization": f"{spelling} {KEYS['viewer']}"}).status_code
        == 200
    )


@pytest.mark.parametrize(
    "authorization", ["Basic {}", "Token {}", "{}", "Bearer", "Bearer  ", "Digest {}"]
)
def test_any_other_authorization_is_no_key(open_client, authorization):
    headers = {"Authorization": authorization.format(KEYS["viewer"])}
    assert open_client().get("/wall", headers=headers).status_code == 401


def basic(name, password, encode=base64.b64encode):
    return {"Authorization": "Basic " + encode(f"{name}:{password}".encode()).decode()}


@pytest.mark.parametrize("name", ["", "front", "edge", "Jürgen"])
def test_the_key_is_taken_as_the_password_of_http_basic_under_any_name(open_client, name):
    client = open_client()
    headers = basic(name, KEYS["viewer"])
    assert client.get("/wall", headers=headers).status_code == 200
    spelled = {"Authorization": headers["Authorization"].replace("Basic", "BASIC ")}
    assert client.get("/wall", headers=spelled).status_code == 200
    session = client.get("/session", headers=headers).json()
    assert (session["name"], session["scopes"]) == ("viewer", ["view"])
    assert client.post("/predict", content=b"x", headers=headers).status_code == 403
    assert client.post("/phone/picture", content=b"x", headers=headers).status_code == 403
    sent = client.post("/phone/picture", content=b"x", headers=basic(name, KEYS["camera"]))
    assert sent.headers["X-Edge-Error"] == "model_unavailable"  # the pass was enough


@pytest.mark.parametrize(
    "credentials",
    [
        base64.b64encode(b"front:" + new_key().encode()).decode(),
        base64.b64encode(KEYS["viewer"].encode() + b":").decode(),
        base64.b64encode(KEYS["viewer"].encode()).decode(),
        base64.b64encode(b"front:").decode(),
        base64.b64encode(b"\xff\xfe:" + KEYS["viewer"].encode()).decode(),
        f"front:{KEYS['viewer']}",
        "%%%",
        "",
        "=",
        "a",
        "ä",
    ],
)
def test_a_wrong_or_malformed_password_of_http_basic_opens_nothing(open_client, credentials):
    header = [(b"Authorization", f"Basic {credentials}".encode("latin-1"))]
    reply = open_client().get("/wall", headers=header)
    assert (reply.status_code, reply.headers["X-Edge-Error"]) == (401, "key_missing")
    assert KEYS["viewer"] not in reply.text


def test_the_sign_in_goes_before_the_password_of_a_proxy_in_front(open_client):
    cookie = {"Cookie": f"{COOKIE}={KEYS['viewer']}"}
    proxys = basic("proxy", "its own password")
    assert open_client().get("/wall", headers=cookie | proxys).status_code == 200
    gone = {"Cookie": f"{COOKIE}={new_key()}"}
    reply = open_client().get("/wall", headers=gone | basic("front", KEYS["viewer"]))
    assert reply.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://localhost:8501"},
    ],
)
@pytest.mark.parametrize("path", ["/models", "/wall/events", "/docs", "/nothing"])
def test_no_page_makes_its_browser_ask_for_a_name_and_a_password(open_client, headers, path):
    reply = open_client().get(path, headers=headers)
    assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_program_is_told_what_is_missing_and_is_not_led_to_a_page(open_client):
    client = open_client()
    for method, accept in (
        ("GET", "*/*"),
        ("GET", "application/json"),
        ("POST", "text/html"),
        ("GET", ""),
    ):
        reply = client.request(method, "/wall", headers={"Accept": accept})
        assert reply.status_code == 401, (method, accept)
        assert reply.headers["WWW-Authenticate"].startswith("Bearer, Basic"), (method, accept)
    forbidden = client.get("/wall", headers={"X-API-Key": KEYS["camera"]})
    assert forbidden.status_code == 403
    assert "WWW-Authenticate" not in forbidden.headers


def test_a_key_in_the_header_goes_before_the_cookie(open_client):
    headers = {"X-API-Key": new_key(), "Cookie": f"{COOKIE}={KEYS['viewer']}"}
    assert open_client().get("/wall", headers=headers).status_code == 401


def test_the_session_tells_what_this_key_opens_and_without_keys_everything(open_client):
    client = open_client()
    for name, scopes in (
        ("viewer", ["view"]),
        ("camera", ["predict"]),
        ("lasting", ["predict", "view", "admin"]),
    ):
        told = client.get("/session", headers={"X-API-Key": KEYS[name]}).json()
        assert told == {"keys": True, "name": name, "scopes": scopes}
    without = open_client(keys={})
    assert without.get("/session").json() == {
        "keys": False,
        "name": None,
        "scopes": ["predict", "view", "admin"],
    }


def test_a_form_larger_than_any_key_is_refused_and_gives_its_place_back(open_client, service):
    client = open_client()
    for _ in range(3):
        reply = client.post("/login", content=b"key=" + bytes(5000))
        assert (reply.status_code, reply.headers["X-Edge-Error"]) == (413, "body_too_large")
    assert service.admission.held_bytes == 0
    assert client.post("/login", content=b"key=" + b"x" * 4000).status_code == 303


def begin_sign_in(app, *, length: int = 100) -> Request:
    """A sign-in whose form is announced and does not come yet."""
    return Request(app, "/login", {"content-length": str(length)})


async def end_sign_in(request: Request, key: str) -> int:
    request.body(f"key={key}".encode())
    await request.ended()
    return request.status


def test_an_operator_signs_in_while_every_slot_for_frames_is_taken(service, app):
    async def story():
        with ExitStack() as taken:
            for _ in range(service.admission.max_in_flight):
                taken.enter_context(service.admit())
            taken.enter_context(all_bytes_held(service))
            with pytest.raises(Overloaded), service.admit():
                pass
            return await end_sign_in(begin_sign_in(app), KEYS["viewer"])

    assert asyncio.run(story()) == 303


@contextmanager
def all_bytes_held(service):
    size = service.admission.max_held_bytes
    service.admission.hold(size)
    try:
        yield
    finally:
        service.admission.release(size)


def test_a_sign_in_takes_no_slot_of_a_frame(service, app):
    async def story():
        request = begin_sign_in(app)
        await asyncio.sleep(0.05)
        in_flight = service.admission.in_flight, service.admission.held_bytes
        return in_flight, await end_sign_in(request, KEYS["viewer"])

    assert asyncio.run(story()) == ((0, 0), 303)


def test_forms_that_do_not_arrive_keep_no_operator_out(app):
    """Forms that are held back in hundreds, and others that are too large or hang up."""

    async def story():
        waiting = [begin_sign_in(app, length=4096) for _ in range(300)]
        for request in waiting:
            request.body(b"key=" + bytes(3000), more=True)
        await asyncio.sleep(0.05)
        assert await end_sign_in(begin_sign_in(app), KEYS["viewer"]) == 303
        too_large = begin_sign_in(app, length=5000)
        await too_large.ended()
        assert too_large.status == 413
        for request in waiting:
            request.hang_up()
            await request.ended()
        return await end_sign_in(begin_sign_in(app), KEYS["viewer"])

    assert asyncio.run(story()) == 303


def test_the_forms_bytes_are_bounded(app):
    async def story():
        waiting = [begin_sign_in(app, length=4096) for _ in range(262)]  # 1 MiB and a little
        for request in waiting:
            request.body(bytes(4000), more=True)
        one_more = begin_sign_in(app)
        one_more.body(bytes(1000), more=True)
        await one_more.ended()
        for request in waiting:
            request.hang_up()
            await request.ended()
        return one_more.status, one_more.headers["x-edge-error"]

    assert asyncio.run(story()) == (503, "overloaded")


@pytest.mark.slow
def test_a_form_that_does_not_arrive_is_waited_for_five_seconds():
    key = f'{{"one": {{"hash": "{hash_key(new_key())}", "scopes": ["view"]}}}}'
    with Server(env={"EDGE_API_KEYS": key}) as server, RawConnection(server.address, 60) as browser:
        began = time.monotonic()
        browser.hold_place("/login", 100)
        reply = browser.reply()
        assert (reply.status, reply.code) == (408, "body_timeout")
        assert 4 < time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("origin", "host", "good"),
    [
        (None, "edge:8501", True),
        ("http://edge:8501", "edge:8501", True),
        ("https://edge:8501", "edge:8501", True),
        ("http://EDGE:8501", "edge:8501", True),
        ("http://edge:8501", "Edge:8501", True),
        ("http://edge:8502", "edge:8501", False),
        ("http://edge", "edge:8501", False),
        ("http://edge:8501.example.com", "edge:8501", False),
        ("http://example.com", "edge:8501", False),
        ("null", "edge:8501", False),
        ("", "edge:8501", False),
    ],
)
@pytest.mark.parametrize(
    "path", ["/login", "/logout", "/wall/clear", "/phone/picture", "/corrections"]
)
def test_only_this_service_s_own_pages_send_forms(open_client, path, origin, host, good):
    headers = {"X-API-Key": KEYS["lasting"], "Host": host} | (
        {} if origin is None else {"Origin": origin}
    )
    reply = open_client().post(path, content=b"x", headers=headers)
    assert (reply.headers.get("X-Edge-Error") == "foreign_page") is not good
    assert (reply.status_code == 403) is not good


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/wall/events", Scope.VIEW),
        ("/wall/pictures/1.jpg", Scope.VIEW),
        ("/outbox", Scope.VIEW),
        ("/outbox/entries", Scope.VIEW),
        ("/fallback", Scope.VIEW),
        ("/monitoring/prometheus/metrics", Scope.VIEW),
        ("/static-offline-docs/swagger-ui.css", Scope.VIEW),
        ("/wall/clear", Scope.ADMIN),
        ("/admin/anything", Scope.PREDICT),  # no such route: as any path that nobody claims
        ("/v2/repository/index", Scope.PREDICT),
        ("/predict", Scope.PREDICT),
        ("/stream", Scope.PREDICT),
        ("/login/", Scope.PREDICT),
        ("/pairs", Scope.PREDICT),
        ("/health/live/x", Scope.PREDICT),
        ("/health/live", None),
        ("/v2/health/ready", Scope.PREDICT),
        ("/favicon.ico", None),
        ("/pair/ca.crt", None),
        ("/static/style.css", None),
    ],
)
def test_a_path_needs_its_scope_in_any_spelling(complete_app, path, scope):
    dialects = complete_app.state.dialects
    assert dialects.find(path).scope is scope
    assert dialects.find(path.upper()).scope is scope


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"hash": hash_key("x") + "00", "scopes": ["view"]}, "must be sha256:"),
        ({"hash": hash_key("x")[:-1], "scopes": ["view"]}, "must be sha256:"),
        ({"hash": hash_key("x"), "scopes": []}, "scopes"),
        ({"hash": hash_key("x"), "scopes": ["view"], "expire": "2030-01-01"}, "expire"),
        ({"hash": hash_key("x")}, "scopes"),
    ],
)
def test_a_key_that_is_not_written_out_in_full_is_refused_at_the_start(fields, words):
    with pytest.raises(SettingsError, match=re.escape(words)):
        load_settings({"api_keys": json.dumps({"one": fields})})


def test_a_key_is_found_by_itself_alone_wherever_it_stands():
    keys = {
        str(number): ApiKey(hash=hash_key(str(number)), scopes={Scope.VIEW}) for number in range(5)
    }
    assert [find_key(keys, str(number))[0] for number in range(5)] == list(keys)
    assert find_key(keys, "5") is None
    assert find_key(keys, keys["1"].hash) is None
