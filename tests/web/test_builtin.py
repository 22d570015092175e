"""A container without a mount: every answer, every page and the start say whose model answers."""

import re
import subprocess
import sys

import pytest
from serving.automl import b64
from serving.pictures import photo
from serving.process import ROOT, Server, clean_environment
from websockets.sync.client import connect

NOTICE = "built-in demonstration model"


@pytest.fixture(scope="module")
def container(tmp_path_factory):
    nothing = tmp_path_factory.mktemp("root") / "models"
    with Server(model_mounts=nothing) as server:
        yield server


def test_every_answer_says_it_at_every_door(container):
    picture = photo("coffee")
    answer = container.client.post("/predict", content=picture)
    assert (answer.json()["notice"], answer.headers["x-edge-notice"]) == (NOTICE, NOTICE)
    rows = {"instances": [{"image_bytes": b64(picture), "key": "1"}]}
    reply = container.client.post("/v1/models/default:predict", json=rows)
    assert (reply.status_code, reply.headers["x-edge-notice"]) == (200, NOTICE)
    with connect(container.url.replace("http", "ws") + "/stream") as stream:
        stream.send(picture)
        assert NOTICE in stream.recv(timeout=60)


def test_every_page_says_it_on_top(container):
    for page in ("/", "/kiosk", "/wall", "/phone"):
        text = container.client.get(page, follow_redirects=True).text
        (shown,) = re.findall(rf'<p class="builtin"([^>]*)>{NOTICE}</p>', text)
        assert "hidden" not in shown, page


def test_the_start_says_it(tmp_path):
    environment = clean_environment() | {"EDGE_MODEL_MOUNTS": str(tmp_path / "models")}
    command = [sys.executable, "-m", "edge", "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        first = process.stdout.readline().decode()
        process.terminate()
    assert first.startswith(f"edge serves {NOTICE}s imagenet")


def test_a_model_of_the_owner_says_nothing_of_the_kind(embedded_folder):
    with Server(model_mounts=embedded_folder) as server:
        answer = server.client.post("/predict", content=photo("coffee"))
        assert "notice" not in answer.json()
        assert "x-edge-notice" not in answer.headers
        page = server.client.get("/kiosk").text
        assert re.search(rf'<p class="builtin"[^>]* hidden>{NOTICE}</p>', page)


@pytest.fixture
def embedded_folder():
    return ROOT / "models"
