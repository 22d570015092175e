"""Each mode against the cloud's double, over HTTP, with the models that ship."""

from __future__ import annotations

import base64
import json
import time
import urllib.request

import pytest

from edge.web.schema import AnswerSchema

CAR = {
    "ids": ["1"],
    "displayNames": ["Car"],
    "confidences": [0.9],
    "bboxes": [[0.1, 0.6, 0.2, 0.8]],
}


@pytest.fixture(scope="module")
def server(serve, cloud, vertex):
    """One server; what it does is asked for by each request."""
    modes = "off on_error low_confidence overload prefer_cloud shadow"
    with serve(
        **cloud, cloud_mode="low_confidence", cloud_threshold=0.6, cloud_request_modes=modes
    ) as one:
        vertex.behave()
        one.link_is("up")
        yield one


@pytest.fixture(autouse=True)
def told(vertex, server, photo):
    vertex.behave()
    server.heals(photo)
    vertex.behave()


def checked(answer):
    AnswerSchema.model_validate(answer)
    return answer


def test_an_unsure_answer_is_replaced_by_the_clouds_and_both_are_shown(server, photo, vertex):
    answer = checked(server.post(photo, model="imagenet"))
    assert (answer["source"], answer["decision"], answer["reason"]) == (
        "cloud",
        "escalate",
        "low_score",
    )
    assert answer["predictions"] == [{"label": "daisy", "index": 985, "score": 0.97}]
    assert answer["cloud"]["predictions"] == answer["predictions"]
    assert answer["edge"]["predictions"][0]["label"] == "football helmet"
    assert answer["edge"]["latency_ms"] > 0
    assert answer["cloud"]["latency_ms"] > 0
    assert answer["cloud"]["unknown_labels"] == []
    assert len(vertex.calls()) == 1


def test_a_sure_answer_stands_without_a_call(server, vertex, coffee):
    answer = checked(server.post(coffee, model="imagenet"))
    assert (answer["source"], answer["decision"]) == ("edge", "accept")
    assert "reason" not in answer
    assert vertex.calls() == []


def test_detections_are_replaced_too(server, photo, vertex):
    vertex.behave(CAR)
    answer = checked(server.post(photo, model="objects", fallback="prefer_cloud"))
    assert answer["source"] == "cloud"
    assert answer["predictions"][0]["label"] == "Car"
    assert answer["predictions"][0]["box"] == {
        "x_min": 0.1,
        "y_min": 0.2,
        "x_max": 0.6,
        "y_max": 0.8,
    }


def test_a_label_the_edge_does_not_know_is_kept_and_flagged(server, photo, vertex):
    vertex.behave({"displayNames": ["spacesuit"], "confidences": [0.9]})
    answer = checked(server.post(photo, model="imagenet"))
    assert answer["predictions"][0]["label"] == "spacesuit"
    assert answer["predictions"][0]["index"] == 1000
    assert answer["cloud"]["unknown_labels"] == ["spacesuit"]


def test_a_request_that_turns_it_off_gets_the_plain_answer(server, photo, vertex):
    answer = checked(server.post(photo, model="imagenet", fallback="off"))
    assert set(answer) == {
        "task",
        "predictions",
        "certain",
        "source",
        "model",
        "image",
        "timing_ms",
    }
    assert vertex.calls() == []


def test_a_request_may_not_ask_for_what_the_owner_does_not_allow(server, photo):
    assert server.post(photo, fallback="on_error,overload")["error"]["code"] == "bad_request"
    assert server.post(photo, fallback="nonsense")["error"]["code"] == "bad_request"


def test_prefer_cloud_asks_for_every_frame(server, vertex, coffee):
    answer = checked(server.post(coffee, model="imagenet", fallback="prefer_cloud"))
    assert (answer["source"], answer["reason"]) == ("cloud", "preferred")


def test_shadow_answers_from_the_edge_at_once_and_compares(server, photo, vertex):
    vertex.behave(delay_s=0.5)
    before = server.get("/fallback")["shadow"]
    started = time.monotonic()
    answer = checked(server.post(photo, model="imagenet", fallback="shadow", camera="gate"))
    assert time.monotonic() - started < 0.5
    assert (answer["source"], answer["decision"]) == ("edge", "shadow")
    server.wait(lambda: server.get("/fallback")["shadow"]["compared"] == before["compared"] + 1)
    after = server.get("/fallback")["shadow"]
    assert after["agreed"] == before["agreed"]
    latest = after["latest"][0]
    assert (latest["model"], latest["camera"], latest["agreed"]) == ("imagenet", "gate", False)
    assert latest["edge"]["predictions"] == answer["predictions"]
    assert latest["cloud"]["predictions"][0]["label"] == "daisy"
    assert latest["cloud"]["latency_ms"] > 500 > latest["edge"]["latency_ms"] > 0


@pytest.mark.slow
def test_the_cloud_is_not_kept_busy_for_a_caller_who_has_gone(serve, cloud, photo, vertex):
    with serve(**cloud, cloud_mode="prefer_cloud", cloud_timeout_ms=9000) as server:
        server.link_is("up")
        vertex.behave(hang=True)
        for path in ("/predict", "/v1/models/imagenet:predict"):
            body = photo
            if path.startswith("/v1"):
                body = json.dumps(
                    {"instances": [{"image_bytes": {"b64": base64.b64encode(photo).decode()}}]}
                ).encode()
            with pytest.raises(TimeoutError):
                server.post(body, path, timeout=1)
            server.wait(lambda: server.get("/fallback")["link"]["calls_under_way"] == 0, seconds=5)
        assert len(vertex.calls()) == 2
        vertex.behave()
        assert (
            server.post(photo)["source"] == "cloud"
        )  # who goes away says nothing against the link


def test_on_error_does_not_ask_about_an_answer_that_is_merely_unsure(server, photo, vertex):
    answer = checked(server.post(photo, model="imagenet", fallback="on_error"))
    assert (answer["source"], answer["decision"]) == ("edge", "accept")
    assert vertex.calls() == []


def test_a_broken_image_is_the_callers_fault_in_every_mode(server, photo, vertex):
    for mode in ("on_error", "prefer_cloud"):
        assert server.post(photo[:999], fallback=mode)["error"]["code"] == "corrupt_image"
    assert vertex.calls() == []


def test_a_busy_endpoint_is_asked_again_within_the_deadline(server, photo, vertex):
    vertex.behave(status=503, times=2)
    assert server.post(photo, model="imagenet")["source"] == "cloud"
    assert len(vertex.calls()) == 3


def test_several_images_of_one_request_are_decided_one_by_one(server, photo, coffee):
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
        + one
        + b"\r\n"
        for one in (photo, coffee)
    )
    request = urllib.request.Request(
        server.url + "/predict?model=imagenet",
        body + b"--b--\r\n",
        {"Content-Type": "multipart/form-data; boundary=b"},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        answers = json.load(reply)["answers"]
    assert [answer["source"] for answer in answers] == ["cloud", "edge"]


@pytest.mark.parametrize(
    "garbage", [None, 3, {}, {"displayNames": ["x"], "confidences": []}], ids=repr
)
def test_garbage_leaves_the_edges_answer(server, photo, vertex, garbage):
    vertex.behave(garbage)
    answer = checked(server.post(photo, model="imagenet"))
    assert (answer["source"], answer["blocked_by"]) == ("edge", "cloud_failed")
    vertex.behave()
    server.post(
        photo, model="imagenet"
    )  # a success in between: the breaker counts failures in a row


def test_a_slow_cloud_leaves_the_edges_answer_within_the_deadline(server, photo, vertex):
    vertex.behave(delay_s=0.79)
    started = time.monotonic()
    answer = checked(server.post(photo, model="imagenet", deadline_ms=800))
    assert answer["source"] == "edge"
    assert answer["blocked_by"] == "timed_out"
    assert time.monotonic() - started < 0.8 + 0.2  # the client's own share
    vertex.behave()


def test_a_cloud_that_is_just_in_time_answers(server, photo, vertex):
    vertex.behave(delay_s=0.3)
    assert server.post(photo, model="imagenet", deadline_ms=3000)["source"] == "cloud"


def test_the_tensorflow_serving_door_answers_from_the_cloud_in_its_own_shape(server, photo, vertex):
    body = json.dumps(
        {"instances": [{"image_bytes": {"b64": base64.b64encode(photo).decode()}, "key": "1"}]}
    )
    with urllib.request.urlopen(
        server.url + "/v1/models/imagenet:predict", body.encode(), timeout=30
    ) as reply:
        found = json.load(reply)["predictions"][0]
    assert found["scores"][found["labels"].index("daisy")] == pytest.approx(0.97)


def test_metrics_count_who_answered_and_why_and_show_the_link(server, photo):
    server.post(photo, model="imagenet")
    with urllib.request.urlopen(f"{server.url}/metrics") as reply:
        text = reply.read().decode()
    labels = 'decision="escalate",model="imagenet",reason="low_score",source="cloud"'
    label = f"edge_escalations_total{{{labels}}}"
    assert any(line.startswith(label) for line in text.splitlines())
    assert "edge_link_up 1.0" in text
