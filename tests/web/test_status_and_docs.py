"""What the service says of itself: models, health, and a documentation that needs no network."""

import asyncio
import re
import subprocess
import sys
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from serving.pictures import photo
from serving.process import MODELS, ROOT, Server, clean_environment

from edge.dataplane.watchdog import Watchdog
from edge.settings import Settings
from edge.web.app import create_app
from edge.web.status import status_dialect
from edge.wiring.bootstrap import build_service

METHODS = {"get", "post", "put", "delete", "patch", "head", "options"}


def test_models_tells_the_contract_of_each(client: httpx.Client) -> None:
    told = client.get("/models").json()
    assert told["default"] == "imagenet"
    assert told["refused"] == {}
    imagenet, objects = told["models"]
    assert (imagenet["name"], imagenet["task"], len(imagenet["labels"])) == (
        "imagenet",
        "classification",
        1000,
    )
    assert (objects["name"], objects["task"]) == ("objects", "detection")
    for model in (imagenet, objects):
        assert (model["version"], model["state"], model["fault"]) == (1, "AVAILABLE", None)
        assert (
            model["digest"]
            == client.post(f"/predict/{model['name']}", content=photo("coffee")).json()["model"][
                "digest"
            ]
        )


def test_it_lives_and_is_ready_with_every_model_named(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"live": True}
    ready = client.get("/health/ready")
    assert ready.json() == {
        "ready": True,
        "models": {"imagenet": "AVAILABLE", "objects": "AVAILABLE"},
    }


def test_the_documentation_page_loads_nothing_from_outside(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    loaded = re.findall(r"(?:src|href)\s*=\s*[\"']([^\"']+)", page.text)
    assert any(url.endswith(".js") for url in loaded)
    assert any(url.endswith(".css") for url in loaded)
    for url in loaded:
        assert url.startswith("/")
        assert not url.startswith("//")
        local = client.get(url)
        assert local.status_code == 200
        assert len(local.content) > 100
    assert not re.search(r"(?:https?:)?//(?!localhost)[\w.-]+\.\w", page.text)


@pytest.fixture(scope="module")
def description(server: Server) -> dict[str, Any]:
    return dict(server.client.get("/openapi.json").json())


PAGES = {
    "/",
    "/favicon.ico",
    "/static/{name}",
    "/kiosk",
    "/wall",
    "/phone",
    "/login",
    "/logout",
    "/session",
}
PAGES |= {"/samples/{name}", "/pair", "/pair/info", "/pair/ca.crt", "/pair/qr.svg", "/page/info"}
STREAM = "/stream"  # a WebSocket, which OpenAPI cannot describe: see docs/stream.md


def test_every_route_stands_in_the_description(description: dict[str, Any]) -> None:
    """All but the pages for people, the stream, and the catch-all behind the TensorFlow Serving
    door.
    """
    settings = Settings(models=MODELS)
    app = create_app(build_service(settings), settings)
    hidden = {
        "/docs",
        "/docs/oauth2-redirect",
        "/openapi.json",
        "/static-offline-docs",
        "/v1/{path:path}",
        STREAM,
        *PAGES,
    }
    served = {
        (path, method) for path, method in _routes(app) if path.replace("/V1", "/v1") not in hidden
    }
    described = {(path, method) for path, about in description["paths"].items() for method in about}
    assert served == described
    assert ("/predict", "post") in described
    assert ("/v1/models/{model}:predict", "post") in described


def _routes(app: Any) -> set[tuple[str, str]]:
    """Path and method of every route, those of included routers too."""
    found = set()
    for route in app.routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if isinstance(route, APIRoute):
            found |= {(route.path, method.lower()) for method in route.methods}
        elif inner is not None:
            found |= _routes(inner)
        elif hasattr(route, "methods"):
            found |= {(route.path, method.lower()) for method in route.methods or ()} - {
                (route.path, "head")
            }
        else:
            found.add((route.path, "get"))
    return found


def test_every_documented_path_leads_somewhere(
    client: httpx.Client, description: dict[str, Any]
) -> None:
    for path, about in description["paths"].items():
        for method in about:
            path = path.replace("{model}", "default").replace("{version}", "1")  # noqa: PLW2901
            with client.stream(method, path) as reply:  # the events of the wall never end
                pass
            assert reply.headers.get("x-edge-error") not in {"not_found", "method_not_allowed"}, (
                method,
                path,
            )


def test_the_description_is_sound(description: dict[str, Any]) -> None:
    assert description["openapi"].startswith("3.1")
    schemas = description["components"]["schemas"]
    for pointer in re.findall(r"'\$ref': '([^']+)'", str(description)):
        assert pointer.removeprefix("#/components/schemas/") in schemas
    identities = []
    for path, about in description["paths"].items():
        assert path.startswith("/")
        for method, operation in about.items():
            assert method in METHODS
            identities.append(operation["operationId"])
            assert operation["summary"]
            assert operation["responses"]
            in_path = {
                one["name"] for one in operation.get("parameters", []) if one["in"] == "path"
            }
            assert in_path == set(re.findall(r"{(\w+)}", path))
            assert all(
                one["required"] for one in operation.get("parameters", []) if one["in"] == "path"
            )
    assert len(identities) == len(set(identities))


def test_every_parameter_of_the_camera_door_is_described_and_taken(
    client: httpx.Client, description: dict[str, Any]
) -> None:
    values = {
        "model": "imagenet", "top_k": "1", "threshold": "0.1", "deadline_ms": "9000",
        "camera": "line-1",
        "fallback": "off",
    }  # fmt: skip
    described = {one["name"] for one in description["paths"]["/predict"]["post"]["parameters"]}
    assert described == set(values)
    assert client.post("/predict", params=values, content=photo("coffee")).status_code == 200


def test_every_error_status_of_the_camera_door_is_described(description: dict[str, Any]) -> None:
    described = set(description["paths"]["/predict"]["post"]["responses"])
    assert described >= {"200", "400", "404", "408", "413", "415", "500", "503", "504"}


def test_a_tflite_server_imports_nothing_of_tensorflow_or_google_cloud(server: Server) -> None:
    server.client.post("/predict", content=photo("coffee"))
    maps = Path(f"/proc/{server.pid}/maps").read_text()
    assert "litert" in maps  # the test looks in the right place
    assert "/tensorflow/" not in maps
    assert "/grpc/" not in maps


def test_importing_the_web_doors_imports_nothing_heavy() -> None:
    script = "import sys, edge.commands.serve; print(*sys.modules)"
    imported = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "fastapi" in imported
    assert not {
        "tensorflow",
        "keras",
        "google.cloud.aiplatform",
        "google.protobuf",
        "grpc",
        "pandas",
    } & set(imported)


def test_a_stuck_worker_fails_the_liveness_probe():
    service = build_service(Settings(workers=1))
    asyncio.run(_run_late_job(service))
    service.pool.close()


async def _run_late_job(service):
    stuck, let_go = threading.Event(), threading.Event()

    def never_ends(_):
        stuck.set()
        assert let_go.wait(30)

    job = asyncio.create_task(service.pool.run(never_ends, time.monotonic() + 20))
    await asyncio.to_thread(stuck.wait, 30)
    app = FastAPI()
    app.include_router(status_dialect(service).router)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://edge"
    ) as client:
        assert (await client.get("/health/live")).status_code == HTTPStatus.OK
        service.watchdog = Watchdog(service.pool, clock=lambda: time.monotonic() + 90)
        reply = await client.get("/health/live")
        assert reply.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert reply.json()["live"] is False
        assert "worker 0 is" in reply.json()["reason"]
        let_go.set()
        await job
        assert (await client.get("/health/live")).json() == {"live": True}
