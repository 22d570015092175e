"""The pages and the phone's door as any client is answered: headers, copies, limits. Asked without
a socket.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from serving.direct import DirectClient
from serving.process import MODELS

from edge.api_key import ApiKey, Scope, hash_key, new_key
from edge.settings import Settings
from edge.web.app import create_app
from edge.web.pages.pages import PAGES, pages_dialect
from edge.web.pages.pairing import pairing_app
from edge.web.pages.phone import Passes

KEYS = {"viewer": new_key(), "camera": new_key()}
TOLD = {
    "viewer": ApiKey(hash=hash_key(KEYS["viewer"]), scopes={Scope.VIEW}),
    "camera": ApiKey(hash=hash_key(KEYS["camera"]), scopes={Scope.PREDICT}),
}
FILES = [f"/{page}" for page in PAGES] + [
    "/",
    "/samples/coffee.jpg",
    "/static/style.css",
    "/static/texts.js",
    "/static/icon.svg",
    "/favicon.ico",
]


@pytest.fixture(scope="module")
def client_of(service):
    """Makes a client of a service with these settings, as if reached by that URL."""
    return lambda url="http://localhost:8501", **given: DirectClient(
        create_app(service, Settings(**given)), url
    )


@pytest.fixture(scope="module")
def plain(client_of) -> DirectClient:
    """A client of a service without any setting."""
    return client_of()


@pytest.mark.parametrize("path", FILES)
def test_each_file_comes_with_the_policy_that_lets_nothing_else_in(plain, path):
    headers = plain.get(path).headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
    )
    assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == (
        "'none'",
        "'self'",
        "'self'",
    )
    assert (policy["frame-ancestors"], policy["base-uri"], policy["form-action"]) == (
        "'none'",
        "'none'",
        "'self'",
    )
    assert "unsafe" not in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["permissions-policy"] == "camera=(self), microphone=(), geolocation=()"


@pytest.mark.parametrize("path", FILES)
def test_a_browser_asks_each_time_and_is_sent_a_file_only_if_its_copy_is_old(plain, path):
    first = plain.get(path)
    assert first.headers["cache-control"] == "no-cache"
    same = plain.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content, same.headers["etag"]) == (
        304,
        b"",
        first.headers["etag"],
    )
    other = plain.get(path, headers={"If-None-Match": '"0123456789abcdef"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_files_that_differ_have_tags_that_differ(plain):
    replies = {path: plain.get(path) for path in FILES if path != "/favicon.ico"}
    assert len({reply.headers["etag"] for reply in replies.values()}) == len(replies)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/kiosk", "text/html; charset=utf-8"),
        ("/static/style.css", "text/css; charset=utf-8"),
        ("/static/texts.js", "text/javascript; charset=utf-8"),
        ("/favicon.ico", "image/svg+xml"),
    ],
)
def test_a_file_says_of_which_type_it_is(plain, path, kind):
    assert plain.get(path).headers["content-type"] == kind


@pytest.mark.parametrize(
    "name", [f"{page}.html" for page in PAGES] + ["nothing.js", "..%2Fpages.py"]
)
def test_a_page_is_not_served_past_its_key_nor_anything_else(client_of, plain, name):
    assert client_of(api_keys=TOLD).get(f"/static/{name}").status_code == 404
    assert plain.get(f"/static/{name}").status_code == 404


def test_the_root_is_the_front_page_and_asks_for_a_key_as_the_kiosk_does(client_of, plain):
    assert b"static/front.js" in plain.get("/").content
    locked = client_of(api_keys=TOLD)
    html = {"Accept": "text/html"}
    reply = locked.get("/", headers=html)
    assert (reply.status_code, reply.headers["location"]) == (303, "/login?next=%2F")
    assert locked.get("/").status_code == 401
    assert locked.get("/", headers={"X-API-Key": KEYS["camera"]}).status_code == 200
    assert locked.get("/", headers={"X-API-Key": KEYS["viewer"]}).status_code == 403


@pytest.mark.parametrize("photo", ["coffee", "chelsea", "astronaut"])
def test_anyone_gets_the_sample_photos_and_nothing_else_of_their_folder(client_of, photo):
    client = client_of(api_keys=TOLD)
    reply = client.get(f"/samples/{photo}.jpg")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/jpeg")
    assert reply.content == (MODELS / "photos" / f"{photo}.jpg").read_bytes()
    for name in ("..%2FREADME.md", "none.jpg", "..%2Fphotos%2Fcoffee.jpg"):
        assert client.get(f"/samples/{name}").status_code == 404


def test_an_installation_without_the_photos_serves_the_front_page(tmp_path):
    router = pages_dialect(samples=tmp_path / "none").router
    assert "/" in {route.path for route in router.routes}


@pytest.mark.parametrize("path", ["/nothing", "/a/b/c", "/static/nothing/at.all"])
def test_a_browser_gets_a_page_where_nothing_is_and_a_program_the_error(client_of, plain, path):
    shown = plain.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (shown.status_code, shown.headers["x-edge-error"]) == (404, "not_found")
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert set(re.findall(r'(?:href|src)="([^"]+)"', shown.text)) == {
        "/", "/static/icon.svg", "/static/style.css", "/static/lost.js",
    }  # fmt: skip
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        told = plain.get(path, headers=headers)
        assert (told.status_code, told.headers["content-type"]) == (404, "application/json")
    assert plain.post(path, content=b"", headers={"Accept": "text/html"}).json()["error"]
    behind = client_of(root_path="/edge").get(path, headers={"Accept": "text/html"})
    assert 'href="/edge/"' in behind.text
    assert 'src="/edge/static/lost.js"' in behind.text


def test_the_pairing_port_leads_to_its_page_and_shows_no_error_in_json_to_a_browser():
    client = DirectClient(pairing_app(Settings()), "http://edge:8502")
    reply = client.get("/")
    assert (reply.status_code, reply.headers["location"]) == (307, "/pair")
    lost = client.get("/kiosk", headers={"Accept": "text/html"})
    assert (lost.status_code, lost.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert client.get("/samples/coffee.jpg").status_code == 404


def test_the_pairing_port_serves_one_page_and_no_documentation():
    client = DirectClient(pairing_app(Settings()), "http://edge:8502")
    assert client.get("/pair").status_code == 200
    for page in [page for page in PAGES if page != "pair"] + [
        "docs",
        "redoc",
        "openapi.json",
        "predict",
        "session",
    ]:
        assert client.get(f"/{page}").status_code == 404, page


@pytest.mark.parametrize(
    ("settings", "url", "expected"),
    [
        (
            {"tls": True, "port": 8443},
            "http://10.1.2.3:8502",
            ("https://10.1.2.3:8443/", "http://10.1.2.3:8502/pair"),
        ),
        (
            {"tls": True, "port": 1},
            "https://10.1.2.3:8443",
            ("https://10.1.2.3:8443/", "http://10.1.2.3:8502/pair"),
        ),
        (
            {"tls": True, "pairing_port": 0},
            "https://h:8443",
            ("https://h:8443/", "https://h:8443/pair"),
        ),
        ({}, "http://[fd00::7]:8501", ("http://[fd00::7]:8501/", "http://[fd00::7]:8501/pair")),
        (
            {"tls_names": "k.lan, b.lan"},
            "http://localhost:8501",
            ("http://k.lan:8501/", "http://k.lan:8501/pair"),
        ),
        ({}, "http://edge", ("http://edge/", "http://edge/pair")),
    ],
)
def test_devices_are_sent_where_the_service_and_its_pairing_page_are(
    tmp_path, client_of, settings, url, expected
):
    given = settings | {"data": tmp_path}
    if given.get("tls"):
        from edge.tls.provisioning import certificate

        certificate(Settings(**given))
    for make in (
        lambda: client_of(url, host="0.0.0.0", **given),
        lambda: DirectClient(pairing_app(Settings(**given)), url),
    ):
        told = make().get("/pair/info").json()
        assert (told["url"], told["pairing_url"]) == expected
        assert told["tls"] is bool(given.get("tls"))


def test_the_pairing_code_leads_to_the_pairing_page_and_is_not_kept(tmp_path, client_of):
    client = client_of("http://10.1.2.3:8501", data=tmp_path, host="0.0.0.0")
    reply = client.get("/pair/qr.svg")
    assert f"<title>{client.get('/pair/info').json()['pairing_url']}</title>" in reply.text
    assert reply.headers["cache-control"] == "no-store"


def test_a_code_has_the_quiet_zone_that_scanners_need(plain):
    drawn = plain.get("/pair/qr.svg").text
    side = int(re.search(r'viewBox="0 0 (\d+) \1"', drawn)[1])
    assert (side - 2 * 4) % 4 == 1  # a code has 17 + 4 n modules a side
    assert 'fill="#fff"' in drawn
    assert re.search(r'd="M4 4\.5', drawn)


def test_without_an_authority_there_is_none_to_fetch(client_of, tmp_path):
    client = client_of(data=tmp_path)
    assert client.get("/pair/info").json()["authority"] is None
    reply = client.get("/pair/ca.crt")
    assert (reply.status_code, reply.headers["X-Edge-Error"]) == (404, "not_found")


def test_beside_an_owner_s_certificate_an_authority_of_earlier_is_not_handed_out(
    client_of, tmp_path
):
    from edge.tls.provisioning import certificate, uses_tls

    made = certificate(Settings(data=tmp_path, tls=True))
    given = {"data": tmp_path, "tls_cert": made.chain, "tls_key": made.key}
    assert uses_tls(Settings(**given))
    for tls in (False, True):
        client = client_of("https://edge", **given, tls=tls, host="0.0.0.0")
        assert client.get("/pair/ca.crt").status_code == 404
        assert client.get("/pair/info").json() == {
            "tls": True,
            "authority": None,
            "url": "https://edge/",
            "pairing_url": "https://edge/pair",
        }


# --- the phone's door


def test_a_phone_is_shown_the_way_only_where_one_gets_there(client_of):
    here = client_of("http://127.0.0.1:8501")
    assert here.get("/wall/phone").json() == {"url": None, "keeps": 32}
    reply = here.get("/wall/phone.svg")
    assert (reply.status_code, reply.headers["X-Edge-Error"]) == (404, "no_phone")
    told = client_of("http://10.1.2.3:8501", host="0.0.0.0", wall_size=7).get("/wall/phone").json()
    assert told == {"url": "http://10.1.2.3:8501/phone", "keeps": 7}
    named = (
        client_of("https://localhost", host="0.0.0.0", tls_names="kiosk.lan")
        .get("/wall/phone")
        .json()
    )
    assert named["url"] == "https://kiosk.lan/phone"


def test_the_phone_s_code_carries_a_pass_only_where_there_are_keys_and_is_not_kept(client_of):
    client = client_of("http://10.1.2.3:8501", host="0.0.0.0", api_keys=TOLD)
    headers = {"X-API-Key": KEYS["viewer"]}
    assert re.fullmatch(
        r"http://10\.1\.2\.3:8501/phone\?pass=\d+\.[0-9a-f]{32}",
        client.get("/wall/phone", headers=headers).json()["url"],
    )
    drawn = client.get("/wall/phone.svg", headers=headers)
    assert "/phone?pass=" in drawn.text
    assert drawn.headers["cache-control"] == "no-store"


def test_a_phone_without_a_pass_needs_a_key_that_opens_predict(client_of):
    client = client_of(api_keys=TOLD)

    def code(**headers) -> tuple[int, str]:
        reply = client.post("/phone/picture", content=b"x", headers=headers)
        return reply.status_code, reply.headers["X-Edge-Error"]

    assert code() == (401, "key_missing")
    assert code(**{"X-API-Key": new_key()}) == (401, "key_missing")
    assert code(**{"X-API-Key": KEYS["viewer"]}) == (403, "key_forbidden")
    assert code(**{"X-API-Key": KEYS["camera"]}) == (
        503,
        "model_unavailable",
    )  # let in; none was loaded here


def test_a_phone_s_picture_is_bounded_in_bytes_and_gives_them_back(client_of, service):
    client = client_of(max_body_bytes=1000)
    for _ in range(3):
        reply = client.post("/phone/picture", content=bytes(1001))
        assert (reply.status_code, reply.headers["X-Edge-Error"]) == (413, "body_too_large")
    assert (
        client.post("/phone/picture", content=bytes(1000)).headers["X-Edge-Error"]
        == "model_unavailable"
    )
    assert service.admission.held_bytes == 0


def test_a_phone_s_picture_that_does_not_arrive_is_waited_for_until_its_deadline(service):
    async def never() -> AsyncIterator[bytes]:
        yield b"the beginning"
        await asyncio.sleep(60)

    async def ask() -> httpx.Response:
        app = create_app(service, Settings(deadline_ms=300))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        ) as client:
            return await client.post("/phone/picture", content=never())

    began = time.monotonic()
    reply = asyncio.run(ask())
    assert (reply.status_code, reply.headers["X-Edge-Error"]) == (408, "body_timeout")
    assert 0.25 < time.monotonic() - began < 20
    assert service.admission.held_bytes == 0


@pytest.mark.parametrize(
    "shown", ["", ".", "1", "1.", ".x", "-1.x", "²3.x", "1e9.x", "9" * 5000 + ".x", "\xff.\xff"]
)
def test_what_is_no_pass_is_no_pass(shown):
    assert not Passes().is_valid(shown, now=1000)
