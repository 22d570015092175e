"""What a client can make the service spend, and what a cloud that answers nonsense can do to it.

Bounds: a camera that repeats itself costs one call in 5 s, whatever it sends in that time; one
client leaves the last quarter of a day's budget to the others; no answer of the cloud that makes no
sense is shown; an endpoint that refuses every frame makes no dead letter.
"""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders.waiting import wait
from serving.pictures import photo
from serving.process import MODELS, Server
from websockets.sync.client import connect

from attacks.victim import attack
from edge.frame_key import digest_of, frame_key
from edge.testing.vertex import ENDPOINT, FakeVertex

pytestmark = pytest.mark.slow

REPEAT_S = 5.0
ATTACK_S = 2.5
DAY = 100
CAMERA = "127.0.0.2"
"""Address of the good client; the attacker's is 127.0.0.1."""

UNSURE: dict[str, Any] = {
    "models": MODELS,
    "workers": 2,
    "cloud_endpoint": ENDPOINT,
    "cloud_credentials": "anonymous",
    "cloud_mode": "low_confidence",
    "cloud_threshold": 1.0,
}


@pytest.fixture(scope="module")
def vertex() -> Iterator[FakeVertex]:
    with FakeVertex() as fake:
        yield fake


@pytest.fixture(scope="module")
def server(vertex: FakeVertex) -> Iterator[Server]:
    """The edge is unsure of every frame."""
    with Server(**UNSURE, cloud_address=vertex.address) as running:
        wait_up(running)
        yield running


def noisy(number: int) -> bytes:
    """One picture as a camera takes it again and again: other bytes, the same view."""
    return photo("chelsea") + b"%08d" % number


def link(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.client.get("/fallback").json()["link"]
    return found


def wait_up(server: Server) -> None:
    wait(lambda: link(server)["state"] == "up")


def answers_for(seconds: float, answer: Callable[[int], dict[str, Any]]) -> list[dict[str, Any]]:
    """As many answers as come in that time, one after the other."""
    until, answers = time.monotonic() + seconds, list[dict[str, Any]]()
    while time.monotonic() < until:
        answers.append(answer(len(answers)))
    return answers


def calls_allowed(began: float) -> int:
    """Calls for one unchanged view since then."""
    return 1 + int((time.monotonic() - began) / REPEAT_S)


def told(answers: list[dict[str, Any]]) -> set[tuple[str, str | None]]:
    return {(answer["source"], answer.get("blocked_by")) for answer in answers}


def test_a_kiosk_in_front_of_an_unchanging_picture_costs_one_call_in_five_seconds(
    server: Server, vertex: FakeVertex
) -> None:
    vertex.behave()
    with connect(server.url.replace("http", "ws") + "/stream") as stream:

        def show(number: int) -> dict[str, Any]:
            stream.send(noisy(number))
            answer: dict[str, Any] = json.loads(stream.recv())
            return answer

        began = time.monotonic()
        answers = answers_for(ATTACK_S, show)
        calls = len(vertex.calls())
    assert len(answers) > 5
    assert 1 <= calls <= calls_allowed(began)
    assert told(answers) == {("cloud", None), ("edge", "unchanged")}
    # An old answer of the cloud is never the answer to a new frame.
    assert all(
        ("cloud" in answer) == (answer["predictions"][0]["label"] == "daisy") for answer in answers
    )


@pytest.mark.parametrize(("query", "is_noisy"), [("?camera=gate", True), ("", False)])
def test_a_camera_that_posts_the_same_costs_no_more(
    server: Server, vertex: FakeVertex, query: str, is_noisy: bool
) -> None:
    vertex.behave()
    began = time.monotonic()
    answers = answers_for(
        ATTACK_S / 2,
        lambda n: server.client.post(
            "/predict" + query, content=noisy(n if is_noisy else 0)
        ).json(),
    )
    assert len(answers) > 3
    assert 1 <= len(vertex.calls()) <= calls_allowed(began)
    assert told(answers) == {("cloud", None), ("edge", "unchanged")}


def test_a_camera_that_sees_something_else_is_asked_about_at_once(
    server: Server, vertex: FakeVertex
) -> None:
    vertex.behave()
    answers = [
        server.client.post("/predict?camera=door", content=photo(name)).json()
        for name in ("coffee", "chelsea", "astronaut")
    ]
    assert told(answers) == {("cloud", None)}
    assert len(vertex.calls()) == 3


NONSENSE = [
    {"displayNames": ["cup"], "confidences": [0.9], "bboxes": [[120, 400, 80, 300]]},
    {"labels": [{"b64": "ZXNwcmVzc28="}], "scores": [0.8]},
    {"displayNames": [None], "confidences": [0.9]},
    {"displayNames": ["cup\x1b]52;c;aGk=\x07"], "confidences": [0.9]},
    {"displayNames": ["cup" * (1 << 18)], "confidences": [0.9]},
    {"displayNames": "cup", "confidences": [0.9, 0.8, 0.7]},
    {"displayNames": ["cup"], "confidences": ["0.9"]},
]


def test_nonsense_of_the_cloud_leaves_the_edges_answer(server: Server, vertex: FakeVertex) -> None:
    for number, nonsense in enumerate(NONSENSE):
        model = "objects" if "bboxes" in nonsense else "imagenet"
        vertex.behave(nonsense)
        logged = len(server.log)
        reply = server.client.post(f"/predict/{model}", content=noisy(1_000 + number))
        answer = reply.json()
        assert (reply.status_code, answer["source"]) == (200, "edge"), nonsense
        assert answer["blocked_by"] == "cloud_failed"
        assert len(vertex.calls()) == 1
        assert "\x1b" not in server.log
        assert len(server.log) < logged + 2_000
        vertex.behave()  # one good answer between two of them keeps the link up
        good = server.client.post("/predict", content=noisy(2_000 + number)).json()
        assert good["source"] == "cloud"


def post_from(server: Server, address: str, image: bytes) -> dict[str, Any]:
    connection = http.client.HTTPConnection(
        *server.address, timeout=60, source_address=(address, 0)
    )
    connection.request("POST", "/predict", image)
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def test_one_client_cannot_spend_the_budget_of_all(vertex: FakeVertex, tmp_path: Path) -> None:
    vertex.behave()
    settings = {"cloud_address": vertex.address, "cloud_calls_per_day": DAY}
    with Server(**UNSURE, **settings, cloud_budget_file=tmp_path / "budget.json") as server:
        wait_up(server)
        with attack(server) as attacked:
            for number in range(2 * DAY):
                greedy = server.client.post("/predict", content=noisy(number)).json()
        assert attacked.camera.all_answered
        assert attacked.camera.p99() < 5
        assert (greedy["source"], greedy["blocked_by"]) == ("edge", "share_spent")
        assert len(vertex.calls()) <= DAY * 3 // 4
        assert post_from(server, CAMERA, noisy(-1))["source"] == "cloud"


def test_the_start_states_the_budget_in_force(server: Server) -> None:
    assert "1,000 calls in 24 hours, 1,000 left; price not set" in server.log
    assert link(server)["budget"]["calls_per_day"] == 1_000


def test_the_outbox_keeps_a_camera_that_repeats_itself_once(tmp_path: Path) -> None:
    settings = {name: UNSURE[name] for name in UNSURE if "endpoint" not in name}
    with Server(**settings, outbox_dir=tmp_path, outbox_ack_ms=3_000) as server:
        began = time.monotonic()
        answers = answers_for(
            ATTACK_S / 2,
            lambda n: server.client.post("/predict?camera=gate", content=noisy(n)).json(),
        )
        assert len(answers) > 3
        assert told(answers) == {("edge", "no_endpoint"), ("edge", "unchanged")}
        kept = server.client.get("/outbox").json()["status"]["waiting"]
        assert 1 <= kept <= calls_allowed(began)


def entries(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.client.get("/outbox").json()["entries"]
    return found


def test_an_endpoint_that_refuses_everything_makes_no_dead_letter_and_one_bad_frame_does(
    vertex: FakeVertex, tmp_path: Path
) -> None:
    frames = [noisy(number) for number in range(6)]
    bad = frame_key(digest_of(frames[0]), "imagenet")
    vertex.behave(status=400)
    settings = UNSURE | {"cloud_address": vertex.address, "outbox_dir": tmp_path}
    with Server(**settings) as server:
        wait_up(server)
        for frame in frames:
            assert server.client.post("/predict", content=frame).json()["source"] == "edge"
        wait(lambda: link(server)["state"] == "down")
        assert "misconfigured" in link(server)["fault"]
        assert "misconfigured" in server.log
        wait(lambda: len(vertex.calls()) >= 5, seconds=40)
        assert {(one["state"], one["attempts"]) for one in entries(server)} == {("waiting", 0)}

        vertex.behave(refused_keys=[bad])
        # A good frame shows that the endpoint accepts frames again.
        wait(
            lambda: (
                server.client.post("/predict", content=noisy(99)).json()["source"] == "cloud"
                or link(server)["state"] == "up"
            ),
            seconds=60,
        )
        wait(lambda: server.client.get("/outbox").json()["status"]["waiting"] <= 1, seconds=60)
        states = {one["key"]: one["state"] for one in entries(server)}
        assert states.pop(bad) in {"waiting", "dead_letter"}
        assert set(states.values()) == {"resolved"}
        wait(
            lambda: next(one for one in entries(server) if one["key"] == bad)["attempts"] > 0,
            seconds=60,
        )
