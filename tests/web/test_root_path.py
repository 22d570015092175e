"""The service under a path of a reverse proxy that takes it off, or that does not."""

import json
import re
from http.cookies import SimpleCookie

import httpx
import pytest
from serving.automl import AutoMLClient
from serving.direct import DirectClient
from serving.pictures import photo
from serving.process import Server
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from edge.api_key import ApiKey, Scope, hash_key, new_key
from edge.errors import SettingsError
from edge.settings import Settings, load_settings
from edge.web.access.keys import COOKIE
from edge.web.app import create_app
from edge.web.root_path import raw_route_path, root_path, route_path

KEY = new_key()
KEYS = {"one": ApiKey(hash=hash_key(KEY), scopes={Scope.ADMIN})}
ROOT = "/behind/a-proxy"
WAYS = ("", ROOT)
"""What is left of the prefix when the request comes here."""


@pytest.fixture(scope="module")
def behind():
    with Server(root_path=ROOT) as running:
        yield running


@pytest.fixture(scope="module")
def open_client(service):
    app = create_app(service, Settings(root_path=ROOT))
    return lambda: DirectClient(app)


@pytest.fixture(scope="module")
def locked_client(service):
    app = create_app(service, Settings(root_path=ROOT, api_keys=KEYS))
    return lambda: DirectClient(app)


# --- the setting


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("", ""),
        ("/", ""),
        ("edge", "/edge"),
        ("/edge", "/edge"),
        ("/edge/", "/edge"),
        ("/a/b.c/d-e_f~g/", "/a/b.c/d-e_f~g"),
    ],
)
def test_the_prefix_is_taken_with_slashes_and_without(given, root):
    assert load_settings({"root_path": given}).root_path == root


@pytest.mark.parametrize(
    "given",
    ["https://example.org/edge", "/a//b", "/a b", "/a?b", "/../a", "/a/./b", "/ü", "/%65", "/a#b"],
)
def test_what_is_no_path_is_refused_by_name(given):
    with pytest.raises(SettingsError, match="--root-path"):
        load_settings({"root_path": given})


@pytest.mark.parametrize("given", ["/predict", "/v1", "/V1/x", "/wall", "/static/edge", "/docs"])
def test_a_prefix_that_is_a_path_of_the_service_is_refused(service, given):
    with pytest.raises(SettingsError, match="root_path"):
        create_app(service, Settings(root_path=given))


# --- at the doors


@pytest.mark.parametrize("way", WAYS)
def test_every_door_answers(behind, way):
    client = behind.client
    image = photo("coffee")
    for path in ("/predict", "/predict/imagenet", "/phone/picture"):
        reply = client.post(f"{way}{path}", content=image)
        assert reply.json()["predictions"][0]["label"] == "espresso", path
    assert AutoMLClient(f"{behind.url}{way}").predict(image)[0]["key"] == "1"
    metadata = client.get(f"{way}/V1/Models/image%6eet/metadata").json()
    assert metadata["model_spec"]["name"] == "imagenet"
    for path in ("/models", "/health/live", "/health/ready", "/metrics", "/session", "/wall/phone"):
        assert client.get(f"{way}{path}").status_code == 200, path
        assert client.head(f"{way}{path}").status_code == 200, path
    for page in ("kiosk", "wall", "phone", "login", "pair"):
        assert client.get(f"{way}/{page}").status_code == 200, page
    assert client.get(f"{way}/favicon.ico").status_code == 200
    with connect(f"ws{behind.url[4:]}{way}/stream") as stream:
        stream.send(image)
        assert json.loads(stream.recv(timeout=30))["predictions"][0]["label"] == "espresso"
    with client.stream("GET", f"{way}/wall/events") as events:
        assert next(events.iter_lines()).startswith("retry")


@pytest.mark.parametrize("way", WAYS)
def test_errors_have_the_shape_of_their_door(open_client, way):
    client = open_client()
    missing = client.get(f"{way}/nothing")
    assert missing.json()["error"]["code"] == missing.headers["X-Edge-Error"] == "not_found"
    assert f"{ROOT}/docs" in missing.json()["error"]["message"]
    assert isinstance(client.get(f"{way}/v1/models/none").json()["error"], str)
    assert client.get(f"{way}/predict").status_code == 405


def test_what_only_begins_like_the_prefix_is_another_path(open_client):
    for path in (f"{ROOT}s/models", f"{ROOT}models", f"/x{ROOT}/models", f"{ROOT}{ROOT}/models"):
        assert open_client().get(path).status_code == 404, path
    for path in ("/behind/a%2Dproxy/v1/models/x", "/%62ehind/a-proxy/v1/models/x"):
        assert open_client().get(path).status_code in {400, 404}, path


@pytest.mark.parametrize("way", WAYS)
def test_pages_files_and_documentation_link_below_the_prefix(open_client, way):
    client = open_client()
    for page in ("", "kiosk", "wall", "phone", "login", "pair"):
        html = client.get(f"{way}/{page}").text
        links = re.findall(r'(?:href|src|action)="([^"]*)"', html)
        for link in links:
            target = httpx.URL(f"https://example.org{ROOT}/{page}").join(link)
            assert target.path.startswith(f"{ROOT}/"), (page, link)
            if "static" in link:
                stripped = target.path.removeprefix(ROOT)
                assert client.get(f"{way}{stripped}").status_code == 200, (page, link)
    docs = client.get(f"{way}/docs").text
    links = re.findall(r'(?:href|src)="([^"]*)"|url: \'([^\']*)\'', docs)
    linked = [one or other for one, other in links]
    assert any("openapi.json" in link for link in linked)
    for link in linked:
        assert link.startswith(f"{ROOT}/"), link
        assert client.get(way + link.removeprefix(ROOT)).status_code == 200, link
    assert client.get(f"{way}/openapi.json").json()["servers"] == [{"url": ROOT}]


@pytest.mark.parametrize("way", WAYS)
def test_redirects_stay_below_the_prefix(open_client, locked_client, way):
    if way:  # without the slash the front page's own links would leave the prefix
        assert open_client().get(way).headers["Location"] == f"{ROOT}/"
    assert open_client().get(f"{way}/").status_code == 200
    slash = open_client().get(f"{way}/models/").headers["Location"]
    assert httpx.URL(slash).path == f"{ROOT}/models"
    page = locked_client().get(f"{way}/wall", headers={"Accept": "text/html"})
    assert page.headers["Location"] == f"{ROOT}/login?next={ROOT.replace('/', '%2F')}%2Fwall"
    out = locked_client().post(f"{way}/logout")
    assert out.headers["Location"] == f"{ROOT}/login"
    assert SimpleCookie(out.headers["Set-Cookie"])[COOKIE]["path"] == ROOT


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("following", "location"),
    [
        (f"{ROOT}/wall?x=1", f"{ROOT}/wall?x=1"),
        ("/", f"{ROOT}/"),
        ("/another-app", f"{ROOT}/"),
        (f"{ROOT}/../another-app", f"{ROOT}/"),
        (f"{ROOT}/%2E%2e/another-app", f"{ROOT}/"),
        ("//example.org", f"{ROOT}/"),
        ("https://example.org", f"{ROOT}/"),
    ],
)
def test_the_sign_in_keeps_to_the_prefix(locked_client, way, following, location):
    client = locked_client()
    reply = client.post(f"{way}/login", data={"key": KEY, "next": following})
    assert (reply.status_code, reply.headers["Location"]) == (303, location)
    cookie = SimpleCookie(reply.headers["Set-Cookie"])[COOKIE]
    assert cookie["path"] == ROOT
    wrong = client.post(f"{way}/login", data={"key": new_key(), "next": following})
    assert wrong.headers["Location"].startswith(f"{ROOT}/login?")


@pytest.mark.parametrize("way", WAYS)
def test_keys_and_origins_are_asked_for_as_without_a_prefix(locked_client, way):
    client = locked_client()
    assert client.get(f"{way}/models").status_code == 401
    assert client.get(f"{way}/health/live").status_code == 200
    assert client.get(f"{way}/static/kiosk.js").status_code == 200
    assert client.get(f"{way}/models", headers={"X-API-Key": KEY}).status_code == 200
    assert client.get(f"{ROOT}/%2e%2e/models").status_code == 401
    foreign = client.post(f"{way}/predict", headers={"Origin": "https://other.example"})
    assert (foreign.status_code, foreign.headers["X-Edge-Error"]) == (403, "foreign_page")


@pytest.mark.parametrize("way", WAYS)
def test_codes_for_phones_lead_through_the_proxy(service, way):
    settings = Settings(root_path=ROOT, trusted_proxies="127.0.0.1", allowed_hosts="edge.example")
    client = DirectClient(create_app(service, settings))
    public = {"X-Forwarded-Host": "edge.example", "X-Forwarded-Proto": "https"}
    url = client.get(f"{way}/wall/phone", headers=public).json()["url"]
    assert url == f"https://edge.example{ROOT}/phone"
    info = client.get(f"{way}/pair/info", headers=public).json()
    assert info["url"] == f"https://edge.example{ROOT}/"


def test_a_stream_elsewhere_is_refused(behind):
    with pytest.raises(InvalidStatus):
        connect(f"ws{behind.url[4:]}/elsewhere/stream")


def test_without_a_prefix_the_path_is_as_it_came():
    scope = {"type": "http", "path": "/a b", "raw_path": b"/a%20b?c"}
    assert (route_path(scope), raw_route_path(scope), root_path(scope)) == ("/a b", "/a%20b", "")
