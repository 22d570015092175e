"""Each route belongs to a dialect and a scope, each claim has a route, and errors have the
dialect's format.
"""

import asyncio
import json
from http import HTTPStatus

import pytest
from builders.asgi import Stream
from fastapi import APIRouter
from serving.direct import DirectClient
from starlette.routing import Mount

from edge.api_key import Scope
from edge.errors import BadRequest, BodyTooLarge, UnsupportedImage
from edge.settings import Settings
from edge.web.app import create_app
from edge.web.dialects.dialect import UNCLAIMED, Dialect, DialectTable
from edge.web.pages.pairing import pairing_app
from edge.wiring.bootstrap import build_repository, build_serving_service


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """An application with every dialect, those of the cloud and the outbox included."""
    settings = Settings(workers=1, outbox_dir=tmp_path_factory.mktemp("outbox"))
    service = build_serving_service(settings, build_repository(settings))
    yield create_app(service, settings)
    service.pool.close()


@pytest.fixture(scope="module")
def edge_app():
    """An application without a cloud or an outbox."""
    settings = Settings(workers=1)
    service = build_serving_service(settings, build_repository(settings))
    yield create_app(service, settings)
    service.pool.close()


@pytest.fixture
def plain_app():
    """The pairing page on its own port."""
    return pairing_app(Settings(tls=True))


def paths_of(routes) -> set[str]:
    """A path for each route with its parameters filled in; also of routers, mounts, WebSockets."""
    paths = set()
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            paths |= paths_of(included.routes)
        elif isinstance(route, Mount):
            paths.add(f"{route.path}/file")
        else:
            path = route.path.replace("{path:path}", "models/m")
            for name in route.param_convertors:
                path = path.replace(f"{{{name}}}", "1")
            paths.add(path)
    return paths


def claims_of(app) -> dict[str, Scope | None]:
    return {path: claim.scope for path, claim in app.state.dialects._claims.items()}


@pytest.mark.parametrize("which", ["app", "edge_app", "plain_app"])
def test_every_route_belongs_to_a_dialect_and_a_scope(request, which):
    app = request.getfixturevalue(which)
    paths = paths_of(app.routes)
    assert len(paths) > 5
    unclaimed = {path for path in paths if app.state.dialects.find(path) is UNCLAIMED}
    assert unclaimed == set()


def test_the_walk_over_the_routes_sees_all_kinds_of_them(app):
    expected = {
        "/predict/1",
        "/stream",
        "/v1/models/m",
        "/docs",
        "/openapi.json",
        "/docs/oauth2-redirect",
    }
    assert paths_of(app.routes) >= expected | {"/static-offline-docs/file", "/outbox/1", "/login"}


@pytest.mark.parametrize("which", ["app", "edge_app", "plain_app"])
def test_no_dialect_claims_a_path_without_a_route(request, which):
    app = request.getfixturevalue(which)
    paths = {path.lower() for path in paths_of(app.routes)}

    def has_route(claimed: str) -> bool:
        if claimed.endswith("/") and claimed != "/":
            return any(path.startswith(claimed) for path in paths)
        return claimed in paths

    assert [path for path in claims_of(app) if not has_route(path)] == []


def test_each_path_needs_the_scope_that_its_dialect_states(app):
    assert claims_of(app) == {
        "/predict": Scope.PREDICT, "/predict/": Scope.PREDICT, "/stream": Scope.PREDICT,
        "/v1/": Scope.PREDICT,
        "/models": Scope.PREDICT, "/health/live": None, "/health/ready": None,
        "/metrics": Scope.VIEW, "/monitoring/prometheus/metrics": Scope.VIEW,
        "/wall/": Scope.VIEW, "/wall/clear": Scope.ADMIN,
        "/phone/picture": None, "/wall/phone": Scope.VIEW, "/wall/phone.svg": Scope.VIEW,
        "/login": None, "/logout": None, "/session": None, "/pair/": None,
        "/": Scope.PREDICT, "/samples/": None, "/favicon.ico": None, "/static/": None,
        "/kiosk": Scope.PREDICT,
        "/wall": Scope.VIEW, "/corrections": Scope.PREDICT,
        "/phone": None, "/pair": None, "/page/info": None,
        "/fallback": Scope.VIEW, "/outbox": Scope.VIEW, "/outbox/": Scope.VIEW,
        "/docs": Scope.VIEW, "/docs/": Scope.VIEW, "/openapi.json": Scope.VIEW,
        "/static-offline-docs/": Scope.VIEW,
    }  # fmt: skip


def test_without_a_cloud_nothing_claims_its_paths(edge_app):
    assert not [path for path in claims_of(edge_app) if path.startswith(("/fallback", "/outbox"))]


def test_a_path_is_found_without_regard_to_case_and_the_longest_prefix_wins():
    outer, inner = Dialect("outer", {"/a/": Scope.VIEW}), Dialect("inner", {"/a/b/": None})
    exact = Dialect("exact", {"/a/b/c": Scope.ADMIN, "/": Scope.PREDICT})
    for dialects in ([outer, inner, exact], [exact, inner, outer]):
        table = DialectTable(dialects)
        assert table.find("/A/x") == (outer, Scope.VIEW)
        assert table.find("/a/B/x") == (inner, None)
        assert table.find("/a/b/C") == (exact, Scope.ADMIN)
        assert table.find("/a/b/c/d") == (inner, None)
        assert table.find("/") == (exact, Scope.PREDICT)
        assert table.find("/a") is UNCLAIMED
        assert table.find("/b") is UNCLAIMED
    assert UNCLAIMED.scope is Scope.PREDICT


@pytest.mark.parametrize(
    ("dialects", "words"),
    [
        ([Dialect("one", {"/a": None}), Dialect("two", {"/a": Scope.VIEW})], "both one and two"),
        ([Dialect("one", {"/A": None})], "lower case"),
    ],
)
def test_a_table_that_could_not_decide_is_refused(dialects, words):
    with pytest.raises(ValueError, match=words):
        DialectTable(dialects)


ERRORS = {
    BadRequest("no"): (400, 400),
    UnsupportedImage("no"): (415, 400),
    BodyTooLarge("no"): (413, 413),
}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_errors_have_the_format_and_the_status_of_their_dialect(app, error):
    native_status, tf_serving_status = ERRORS[error]
    camera = app.state.dialects.find("/predict").dialect
    assert camera.error_body(error) == {"error": {"code": error.code, "message": "no"}}
    assert camera.error_status(error) == native_status
    tf_serving = app.state.dialects.find("/v1/models/m").dialect
    assert tf_serving.error_body(error) == {"error": "no"}
    assert tf_serving.error_status(error) == tf_serving_status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/predict?top_k=x", 400),
        ("GET", "/predict", 405),
        ("POST", "/models", 405),
        ("GET", "/wall/pictures/1.jpg", 404),
        ("GET", "/wall/phone.svg", 404),
        ("GET", "/static/nothing", 404),
        ("GET", "/pair/ca.crt", 404),
        ("GET", "/nothing-here", 404),
    ],
)
def test_every_native_door_answers_errors_alike(app, method, path, status):
    reply = DirectClient(app).request(method, path)
    assert reply.status_code == status
    assert set(reply.json()["error"]) == {"code", "message"}
    assert reply.json()["error"]["code"] == reply.headers["X-Edge-Error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/models/nobody", 404, "model_not_found"),
        ("GET", "/V1/models/nobody", 404, "model_not_found"),
        ("POST", "/v1/models/imagenet:predict", 400, "bad_request"),
        ("POST", "/v1/models/imagenet:classify", 501, "not_served"),
        ("PUT", "/v1/models/imagenet", 405, "method_not_allowed"),
        ("GET", "/v1/nonsense", 400, "bad_request"),
    ],
)
def test_the_tensorflow_serving_door_answers_errors_in_its_own_format(
    app, method, path, status, code
):
    reply = DirectClient(app).request(method, path)
    assert (reply.status_code, reply.headers["X-Edge-Error"]) == (status, code)
    assert set(reply.json()) == {"error"}
    assert isinstance(reply.json()["error"], str)


def test_the_stream_answers_a_refusal_in_the_place_of_its_handshake(app):
    async def story():
        stream = Stream(app, "nonsense=1")
        await stream.ended()
        bodies = [message.get("body", b"") for message in stream.sent[1:]]
        return stream.refused, json.loads(b"".join(bodies))

    status, body = asyncio.run(story())
    assert (status, body["error"]["code"]) == (400, "bad_request")


def test_another_protocol_is_one_value(tmp_path):
    """Its routes, its errors, its scope and its name in the metrics come from the dialect alone."""
    router = APIRouter()

    @router.post("/other/infer")
    async def infer() -> None:
        raise BadRequest("not yet")

    other = Dialect(
        "other",
        {"/other/": Scope.ADMIN},
        router,
        error_body=lambda error: {"fault": error.code},
        error_status=lambda _: HTTPStatus.IM_A_TEAPOT,
    )
    settings = Settings(workers=1)
    service = build_serving_service(settings, build_repository(settings))
    app = create_app(service, settings)
    dialects = {claim.dialect.name: claim.dialect for claim in app.state.dialects._claims.values()}
    app.include_router(other.router)
    app.state.dialects = DialectTable([*dialects.values(), other])
    client = DirectClient(app)
    reply, metrics = client.post("/other/infer"), client.get("/metrics").text
    service.pool.close()
    assert (reply.status_code, reply.json()) == (418, {"fault": "bad_request"})
    assert 'edge_requests_total{door="other",model="",outcome="bad_request"} 1.0' in metrics
