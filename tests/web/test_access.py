"""Who may ask: hosts, origins, CORS and what a proxy forwards, at every door of the application."""

from ipaddress import ip_network

import pytest
from serving.direct import DirectClient
from serving.process import Server
from serving.raw import WEBSOCKET_HANDSHAKE, RawConnection

from edge.api_key import ApiKey, Scope, hash_key, new_key
from edge.settings import Settings
from edge.tls.addresses import machine_names
from edge.web.access.forwarded import apply_forwarded
from edge.web.access.hosts import host_policy
from edge.web.app import create_app
from edge.web.pages.pairing import pairing_app

KEY = new_key()
KEYS = {"one": ApiKey(hash=hash_key(KEY), scopes={Scope.ADMIN})}
SHOP = "https://shop.example.org"
DOORS = [
    ("POST", "/predict"),
    ("POST", "/predict/objects"),
    ("POST", "/v1/models/imagenet:predict"),
    ("POST", "/V1/models/imagenet:predict"),
    ("POST", "/phone/picture"),
    ("POST", "/wall/clear"),
    ("POST", "/corrections"),
    ("POST", "/login"),
    ("POST", "/logout"),
    ("PUT", "/predict"),
    ("DELETE", "/models"),
    ("PATCH", "/nothing-here"),
]
OWN = ["localhost", "localhost:80", "LOCALHOST.", "a.localhost", "127.0.0.1:8501", "127.8.9.1",
       "[::1]:8501", "kiosk.example:1", "10.9.8.7", "edge.example.org"]  # fmt: skip
LOCAL = ["edge", "edge:8501", "my_edge", "box.local", "box.lan", "edge.default.svc.cluster.local",
         "edge.internal", "edge.home.arpa", "192.0.2.1",
         "[2001:db8::1]:8501", "0.0.0.0"]  # fmt: skip
FOREIGN = ["evil.example", "evil.example:8501", "localhost.evil.example", "127.0.0.1.evil.example",
           "evil.localdomain", "127.1", "notlocal.lan.example",
           "xn--bcher-kva.example"]  # fmt: skip
MALFORMED = ["", ":80", "[", "[::1", "a b", "a,b", "user@localhost", "localhost:99999", "t\xfcr",
             "localhost/", "h" * 60_000, "h." * 100_000]  # fmt: skip


@pytest.fixture(scope="module")
def ask(service):
    """Send one request to a service with these settings; headers may come twice."""
    apps = {}

    def send(method, path, headers=(), **settings):
        known = repr(sorted(settings.items()))
        if known not in apps:
            apps[known] = create_app(service, Settings(**settings))
        headers = headers.items() if isinstance(headers, dict) else headers
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        return DirectClient(apps[known]).request(method, path, headers=raw, content=b"x")

    return send


def code(reply):
    return reply.status_code, reply.headers.get("X-Edge-Error")


# --- hosts


def test_on_this_machine_only_own_names_are_answered(ask):
    given = {"tls_names": "kiosk.example, 10.9.8.7", "allowed_hosts": "edge.example.org"}
    for host in [*OWN, *machine_names()]:
        assert ask("GET", "/session", {"Host": host}, **given).status_code == 200, host
    for host in [*FOREIGN, *LOCAL]:
        assert code(ask("GET", "/session", {"Host": host}, **given)) == (421, "unknown_host"), host


def test_on_a_network_addresses_and_names_that_no_public_dns_has_are_answered_as_well(ask):
    given = {"host": "0.0.0.0", "tls_names": "kiosk.example", "allowed_hosts": "edge.example.org"}
    for host in [*OWN, *LOCAL]:
        assert ask("GET", "/session", {"Host": host}, **given).status_code == 200, host
    for host in FOREIGN:
        assert code(ask("GET", "/session", {"Host": host}, **given)) == (421, "unknown_host"), host


@pytest.mark.parametrize("given", [{"api_keys": KEYS}, {"allowed_hosts": "*"}], ids=["key", "any"])
def test_with_keys_or_where_the_owner_says_so_every_name_is_answered(ask, given):
    for host in [*OWN, *LOCAL, *FOREIGN]:
        reply = ask("GET", "/session", {"Host": host, "X-API-Key": KEY}, **given)
        assert reply.status_code == 200


@pytest.mark.parametrize("given", [{}, {"api_keys": KEYS}, {"allowed_hosts": "*"}], ids=str)
@pytest.mark.parametrize("host", MALFORMED, ids=lambda host: host[:12] or "empty")
def test_a_malformed_host_is_the_client_s_fault(ask, host, given):
    for path in ("/session", "/pair/info", "/pair/qr.svg", "/wall/phone.svg"):
        assert code(ask("GET", path, {"Host": host}, **given)) == (400, "bad_request")


def test_the_pairing_port_answers_to_every_name_but_to_no_malformed_one():
    client = DirectClient(pairing_app(Settings()))
    for host in (*OWN, *LOCAL, *FOREIGN):
        assert client.get("/pair/info", headers={"Host": host}).status_code == 200
    for host in MALFORMED:
        reply = client.get("/pair/qr.svg", headers={"Host": host.encode("latin-1")})
        assert code(reply) == (400, "bad_request")


def test_the_refusal_names_the_setting_and_every_door_gives_it_in_its_own_shape(ask):
    for method, path in [*DOORS, ("GET", "/health/live"), ("GET", "/kiosk"), ("GET", "/models")]:
        reply = ask(method, path, {"Host": "evil.example"})
        assert code(reply) == (421, "unknown_host"), path
        error = reply.json()["error"]
        assert "EDGE_ALLOWED_HOSTS" in (
            error if path.lower().startswith("/v1") else error["message"]
        )


def test_a_policy_shows_what_it_takes():
    assert repr(host_policy(Settings(api_keys=KEYS))) == "<HostPolicy any>"
    assert "kiosk.lan" in repr(host_policy(Settings(tls_names="kiosk.lan")))
    assert repr(host_policy(Settings(host="0.0.0.0"))).endswith("and local names>")


# --- origins


@pytest.mark.parametrize(("method", "path"), DOORS, ids=" ".join)
@pytest.mark.parametrize("keys", [{}, KEYS], ids=["open", "locked"])
def test_no_door_is_opened_to_another_site_s_page(ask, method, path, keys):
    def with_headers(*headers):
        own = [("Host", "localhost:8501"), ("X-API-Key", KEY)]
        return code(ask(method, path, [*own, *headers], api_keys=keys))

    for origin in ("https://evil.example", "http://localhost:3000", "null", "", "http://[", "x",
                   "http://localhost:8501/", "file://", "http://localhost:8501\xff",
                   "http://localhost:8501@evil.example", "h" * 60_000):  # fmt: skip
        assert with_headers(("Origin", origin)) == (403, "foreign_page"), origin
    twice = [("Origin", "http://localhost:8501")] * 2
    assert with_headers(*twice) == (403, "foreign_page")
    for site in ("cross-site", "same-site", "nonsense", ""):
        assert with_headers(("Sec-Fetch-Site", site)) == (403, "foreign_page")


@pytest.mark.parametrize(("method", "path"), DOORS, ids=" ".join)
def test_every_door_is_open_to_programs_and_to_own_pages(ask, method, path):
    for headers in (
        {},
        {"Origin": "http://localhost:8501"},
        {"Origin": "http://LOCALHOST:8501", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ):
        reply = ask(method, path, {"Host": "localhost:8501", **headers})
        assert reply.status_code not in {403, 421}, headers


def test_a_link_on_another_site_leads_to_the_pages_but_its_scripts_read_nothing(ask):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert ask("GET", "/kiosk", link).status_code == 200
    assert ask("HEAD", "/nothing", link).status_code == 404
    script = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert code(ask("GET", "/wall/events", script)) == (403, "foreign_page")


def test_the_words_of_a_refusal_hold_no_command_of_a_terminal(ask):
    reply = ask("POST", "/predict", {"Origin": "http://\x9b31m.example"})
    message = reply.json()["error"]["message"]
    assert message.isprintable()
    assert "EDGE_ALLOWED_ORIGINS" in message


# --- CORS


LISTED = {"allowed_origins": f"{SHOP} http://localhost:3000"}


def test_the_preflight_of_a_listed_page_needs_no_key_and_says_what_it_may_send(ask):
    wanted = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-api-key,x-of-the-page",
    }
    for path in ("/predict", "/v1/models/imagenet:predict", "/fallback", "/nothing-here"):
        reply = ask("OPTIONS", path, wanted, api_keys=KEYS, **LISTED)
        assert reply.status_code == 204
        assert reply.headers["access-control-allow-origin"] == SHOP
        assert "POST" in reply.headers["access-control-allow-methods"]
        allowed = reply.headers["access-control-allow-headers"]
        assert allowed == "content-type,x-api-key,x-of-the-page"
        assert reply.headers["access-control-max-age"] == "600"
        assert "access-control-allow-credentials" not in reply.headers
        assert set(reply.headers["vary"].split(", ")) == {
            "Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers",
        }  # fmt: skip
        assert reply.headers["x-request-id"]


@pytest.mark.parametrize("wanted", ["", "a\xffb", "x" * 5000])
def test_odd_names_of_headers_are_not_repeated(ask, wanted):
    headers = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": wanted,
    }
    allowed = ask("OPTIONS", "/predict", headers, **LISTED).headers["access-control-allow-headers"]
    assert "X-API-Key" in allowed
    assert "Authorization" in allowed


def test_the_preflight_of_any_other_page_is_refused(ask):
    for origin in ("https://evil.example", "http://shop.example.org", f"{SHOP}:444", "null"):
        for given in ({}, LISTED, LISTED | {"api_keys": KEYS}):
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            reply = ask("OPTIONS", "/predict", headers, **given)
            assert code(reply) == (403, "foreign_page")
            assert "access-control-allow-origin" not in reply.headers


def test_an_options_request_that_is_no_preflight_goes_on_to_the_door(ask):
    assert ask("OPTIONS", "/predict", {"Origin": SHOP}, **LISTED).status_code == 405
    assert ask("OPTIONS", "/predict", {"Access-Control-Request-Method": "POST"}).status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/session", {}, 200),
        ("GET", "/models", {}, 401),
        ("GET", "/models", {"X-API-Key": KEY}, 200),
        ("POST", "/predict", {"X-API-Key": KEY}, 503),  # the models of this test are not loaded
        ("POST", "/predict?top_k=x", {"X-API-Key": KEY}, 400),
        ("POST", "/v1/nonsense", {"X-API-Key": KEY}, 400),
        ("GET", "/nothing", {"X-API-Key": KEY}, 404),
        ("GET", "/session", {"Host": "["}, 400),
    ],
)
def test_a_listed_page_may_read_every_answer_errors_included(ask, method, path, headers, status):
    reply = ask(method, path, {"Origin": SHOP, **headers}, api_keys=KEYS, **LISTED)
    assert reply.status_code == status
    assert reply.headers.get_list("access-control-allow-origin") == [SHOP]
    exposed = reply.headers["access-control-expose-headers"].split(", ")
    assert {"X-Edge-Error", "X-Request-ID", "Retry-After"} == set(exposed)
    assert "Origin" in reply.headers["vary"].split(", ")


def test_a_listed_page_may_read_that_the_host_is_unknown_and_that_the_service_failed(
    ask, service, monkeypatch
):
    reply = ask("GET", "/session", {"Origin": SHOP, "Host": "evil.example"}, **LISTED)
    assert code(reply) == (421, "unknown_host")
    assert reply.headers["access-control-allow-origin"] == SHOP
    monkeypatch.setattr(service.repository, "statuses", None)
    failed = ask("GET", "/health/ready", {"Origin": SHOP}, **LISTED)
    assert code(failed) == (500, "internal")
    assert failed.headers.get_list("access-control-allow-origin") == [SHOP]


def test_what_is_cached_for_one_origin_is_not_given_to_another(ask):
    assert ask("GET", "/session", **LISTED).headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in ask("GET", "/session", **LISTED).headers
    assert "vary" not in ask("GET", "/session").headers


# --- proxies


TRUSTED = [ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("::1")]


def forwarded(client, *headers, kind="http", trusted=TRUSTED):
    """Client, scheme and hosts of a request with these headers."""
    scope = {
        "type": kind,
        "client": client and (client, 4711),
        "scheme": "http" if kind == "http" else "ws",
        "headers": [(b"host", b"inner"), *((name.encode(), value) for name, value in headers)],
    }
    apply_forwarded(scope, trusted)
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    return scope["client"] and scope["client"][0], scope["scheme"], hosts


@pytest.mark.parametrize(
    ("values", "client"),
    [
        ([], "127.0.0.1"),
        ([b""], "127.0.0.1"),
        ([b"192.0.2.1"], "192.0.2.1"),
        ([b"192.0.2.1:4711"], "192.0.2.1"),
        ([b"[2001:db8::1]:4711"], "2001:db8::1"),
        ([b"2001:db8::1"], "2001:db8::1"),
        ([b"::ffff:192.0.2.1"], "192.0.2.1"),
        ([b"6.6.6.6, 192.0.2.1"], "192.0.2.1"),  # the first one is forged
        ([b"6.6.6.6", b"192.0.2.1"], "192.0.2.1"),
        ([b"6.6.6.6, 192.0.2.1, 10.1.1.1"], "192.0.2.1"),  # through two proxies of ours
        ([b"10.2.2.2, 10.1.1.1"], "10.2.2.2"),
        ([b"192.0.2.1, unknown"], "127.0.0.1"),
        ([b"192.0.2.1, nonsense, 10.1.1.1"], "10.1.1.1"),
        ([b"\xff\xfe"], "127.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(values, client):
    headers = [("x-forwarded-for", value) for value in values]
    for nearest in ("127.0.0.1", "::1"):
        expected = nearest if client == "127.0.0.1" else client
        assert forwarded(nearest, *headers) == (expected, "http", [b"inner"])


@pytest.mark.parametrize(
    ("values", "http", "websocket"),
    [
        ([b"https"], "https", "wss"),
        ([b"HTTPS "], "https", "wss"),
        ([b"http"], "http", "ws"),
        ([b"wss"], "http", "wss"),
        ([b"http, https"], "https", "wss"),
        ([b"https", b"http"], "http", "ws"),
        ([b"gopher"], "http", "ws"),
        ([b""], "http", "ws"),
    ],
)
def test_the_scheme_is_that_of_the_nearest_proxy(values, http, websocket):
    headers = [("x-forwarded-proto", value) for value in values]
    assert forwarded("10.1.1.1", *headers)[1] == http
    assert forwarded("10.1.1.1", *headers, kind="websocket")[1] == websocket


def test_the_host_is_that_of_the_nearest_proxy():
    headers = [("x-forwarded-host", b"evil.example, edge.example.org")]
    assert forwarded("10.1.1.1", *headers)[2] == [b"edge.example.org"]


@pytest.mark.parametrize("client", ["192.0.2.1", "127.0.0.2", "", None, "nonsense"])
def test_nobody_else_is_believed(client):
    headers = [
        ("x-forwarded-for", b"10.1.1.1"),
        ("x-forwarded-proto", b"https"),
        ("x-forwarded-host", b"edge.example.org"),
    ]
    assert forwarded(client, *headers) == (client, "http", [b"inner"])
    assert forwarded("127.0.0.1", *headers, trusted=[]) == ("127.0.0.1", "http", [b"inner"])


PROXIED = {
    "X-Forwarded-Host": "edge.example.org",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "192.0.2.1",
}


def test_links_and_cookies_are_those_of_the_proxy_that_is_trusted(ask):
    given = {"trusted_proxies": "127.0.0.1", "allowed_hosts": "edge.example.org"}
    info = ask("GET", "/pair/info", PROXIED, **given).json()
    assert (info["url"], info["pairing_url"]) == (
        "https://edge.example.org/",
        "https://edge.example.org/pair",
    )
    phone = ask("GET", "/wall/phone", PROXIED, **given).json()
    assert phone["url"] == "https://edge.example.org/phone"
    assert ask("GET", "/wall/phone", **given).json()["url"] is None
    own = {**PROXIED, "Origin": "https://edge.example.org"}
    assert ask("POST", "/logout", own, **given).status_code == 303
    plain = {**PROXIED, "Origin": "http://edge.example.org"}
    assert code(ask("POST", "/logout", plain, **given)) == (403, "foreign_page")
    unknown = {**PROXIED, "X-Forwarded-Host": "evil.example"}
    assert code(ask("GET", "/pair/info", unknown, **given)) == (421, "unknown_host")
    malformed = {**PROXIED, "X-Forwarded-Host": "["}
    assert code(ask("GET", "/pair/info", malformed, **given)) == (400, "bad_request")


def test_links_are_those_of_the_request_where_no_proxy_is_trusted(ask):
    info = ask("GET", "/pair/info", PROXIED | {"Host": "localhost:8501"}, tls_names="k.lan").json()
    assert info["url"] == "http://k.lan:8501/"


# --- cameras' names


@pytest.mark.parametrize(
    "character", ["%1b", "%00", "%7f", "%c2%9b", "%e2%80%ae", "%e2%80%a8", "%0a"]
)
@pytest.mark.parametrize("path", ["/predict", "/predict/objects"])
def test_a_camera_s_name_holds_no_command_of_a_terminal(ask, path, character):
    reply = ask("POST", f"{path}?camera=door{character}%5D52;c;eA==")
    assert code(reply) == (400, "bad_request")
    message = reply.json()["error"]["message"]
    assert message.isprintable()
    assert "at position 5" in message


@pytest.mark.parametrize(
    "name", ["T%C3%BCr", "%E3%82%AB%E3%83%A1%E3%83%A9", "line 1", "%F0%9F%93%B7"]
)
def test_a_camera_s_name_may_be_of_any_language(ask, name):
    assert code(ask("POST", f"/predict?camera={name}")) == (503, "model_unavailable")


@pytest.mark.parametrize(
    ("host", "origin", "is_open"),
    [
        ("edge.example.org:443", "https://edge.example.org", True),
        ("edge.example.org", "https://edge.example.org", True),
        ("edge.example.org:443", "https://edge.example.org:443", True),
        ("[::1]:443", "https://[::1]", True),
        ("edge.example.org:443", "https://other.example.org", False),
        ("edge.example.org:443", "http://edge.example.org", False),
    ],
)
def test_a_stream_opens_to_the_page_that_a_proxy_offers(behind_a_proxy, host, origin, is_open):
    lines = [
        b"GET /stream HTTP/1.1",
        f"Host: {host}".encode(),
        f"Origin: {origin}".encode(),
        *WEBSOCKET_HANDSHAKE.split(b"\r\n")[2:],
    ]
    with RawConnection(behind_a_proxy.address) as connection:
        connection.send(b"\r\n".join(lines))
        assert connection.reply().status == (101 if is_open else 403)


@pytest.fixture(scope="module")
def behind_a_proxy():
    with Server(allowed_hosts="edge.example.org") as running:
        yield running
