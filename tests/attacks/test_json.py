"""JSON and forms that become far more than their bytes, or take far longer than they should."""

import base64
import json
import threading

import pytest
from serving.automl import b64
from serving.pictures import encoded, picture
from serving.process import Server

from attacks.victim import attack

pytestmark = pytest.mark.slow

LONGEST_S = 2.0
"""That the camera may wait; the attacks here stalled it for 4 to 10 s."""

PREDICT = "/v1/models/default:predict"
IMAGE = encoded(picture(size=(64, 48)), "JPEG")


def refused(server: Server, body: bytes) -> str:
    """What the door says of a body that it must refuse as malformed."""
    reply = server.client.post(PREDICT, content=body)
    assert reply.status_code == 400, reply.text[:200]
    assert reply.headers["x-edge-error"] == "bad_request"
    message = reply.json()["error"]
    assert len(message) < 300
    return str(message)


@pytest.mark.parametrize("size", [1_100_000, 11_000_000])
def test_millions_of_values_are_refused_before_they_are_made(server: Server, size: int) -> None:
    body = b'{"instances":[' + b"[]," * (size // 3) + b"[]]}"
    with attack(server) as watched:
        assert "65,536" in refused(server, body)
        assert "65,536" in refused(server, body.replace(b"[]", b"{}"))
        assert "65,536" in refused(server, b'{"x":{' + b'"a":1,' * (size // 6) + b'"b":1}}')
    assert watched.camera.all_answered
    assert watched.camera.longest < LONGEST_S
    assert watched.grown_mib < 100


def test_a_request_has_at_most_256_images(server: Server) -> None:
    rows = [{"image_bytes": b64(IMAGE), "key": str(number)} for number in range(256)]
    assert len(server.client.post(PREDICT, json={"instances": rows}).json()["predictions"]) == 256
    assert "257" in refused(server, json.dumps({"instances": [*rows, rows[0]]}).encode())
    columns = {"inputs": {"image_bytes": [b64(IMAGE)] * 257}}
    assert "256" in refused(server, json.dumps(columns).encode())
    columns["inputs"]["key"] = ["1"] * 30_000  # type: ignore[assignment]
    assert "256" in refused(server, json.dumps(columns).encode())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"instances":' * 30_000, "nested"),
        (b'{"instances":' + b"[" * 60_000, "nested"),
        (b'{"instances":[], "instances":[{"b64":""}]}', "twice"),
        (b'{"instances":[{"b64":"", "b64":""}]}', "twice"),
        (b'{"instances":[{"image_bytes":{"b64":""},"\\u006bey":"1","key":"2"}]}', "twice"),
        (b'{"instances":[{"image_bytes":{"b64":""},"key":"' + b"k" * 2000 + b'"}]}', "1,024"),
        (b'{"instances":[{"' + b"n" * 100_000 + b'":1}]}', "unknown input"),
        ('{"instances":[]}'.encode("utf-16"), "UTF-16"),
        ('{"instances":[]}'.encode("utf-16-le"), "UTF-16"),
        ('{"instances":[]}'.encode("utf-32"), "UTF-16"),
        (b'{"instances":["\xff"]}', "not UTF-8"),
        (b'{"instances":' + b"9" * 1_000_000 + b"}", "list"),
        (b'{"signature_name":' + b"9" * 5000 + b',"instances":[]}', "signature_name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_odd_json_is_refused_in_words(server: Server, body: bytes, words: str) -> None:
    assert words in refused(server, body)


def test_a_number_of_any_length_and_a_mark_at_the_start_do_not_matter(server: Server) -> None:
    row = json.dumps({"image_bytes": b64(IMAGE)}).encode()
    body = b'\xef\xbb\xbf{"any":' + b"9" * 20_000 + b',"nan":-Infinity,"instances":[' + row + b"]}"
    assert server.client.post(PREDICT, content=body).status_code == 200


def test_bodies_as_large_as_allowed_are_parsed_beside_the_camera(server: Server) -> None:
    """Six at once, each one image in 31 MB of base64, half of it blanks or line breaks."""
    image = base64.b64encode(IMAGE + bytes(11 << 20)).decode()
    spaced = " ".join(image)
    body = b'{"instances":[{"image_bytes":{"b64":"' + spaced.encode() + b'"}}]}'
    statuses: list[int] = []

    def post() -> None:
        statuses.append(server.client.post(PREDICT, content=body, timeout=60).status_code)

    with attack(server) as watched:
        posts = [threading.Thread(target=post) for _ in range(6)]
        for thread in posts:
            thread.start()
        for thread in posts:
            thread.join()
    assert set(statuses) <= {200, 503, 504}
    assert 200 in statuses
    assert watched.camera.longest < LONGEST_S
    assert watched.grown_mib < 500


PART = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


def test_a_form_is_taken_apart_in_linear_time(server: Server) -> None:
    """11 MB of header lines that are continued took 10 s on the event loop."""
    lines = b"".join(b"A%d: b\r\n" % number + b" x\r\n" * 1500 for number in range(7))
    body = (PART + lines + b"\r\nx\r\n") * 256 + b"--x--\r\n"
    with attack(server) as watched:
        reply = server.client.post("/predict", content=body, headers=FORM)
    assert (reply.status_code, reply.headers["x-edge-error"]) == (400, "bad_request")
    assert watched.camera.longest < LONGEST_S


@pytest.mark.parametrize(
    ("content_type", "words"),
    [
        ("multipart/form-data; boundary=" + "x" * 71, "71"),
        ("multipart/form-data; boundary=x" + '; a="\\' * 3000, "Content-Type"),
    ],
)
def test_a_boundary_is_bounded(server: Server, content_type: str, words: str) -> None:
    reply = server.client.post("/predict", content=PART, headers={"Content-Type": content_type})
    assert reply.status_code == 400
    assert words in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("top_k=" + "9" * 5000, "top_k"),
        ("deadline_ms=" + "9" * 5000, "deadline_ms"),
        ("threshold=" + "9" * 5000, "threshold"),
        ("top_k=1&top_k=2", "twice"),
        ("fallback=" + "x," * 2000, "fallback"),
        ("x" * 5000 + "=1", "no query parameter"),
    ],
)
def test_a_query_is_bounded_and_is_not_repeated_at_length(
    server: Server, query: str, words: str
) -> None:
    reply = server.client.post(f"/predict?{query}", content=IMAGE)
    assert reply.status_code == 400
    assert words in reply.json()["error"]["message"]
    assert len(reply.content) < 600
