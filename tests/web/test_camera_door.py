"""The camera door over real sockets: bodies, parameters, errors, and the form of its answers."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from builders.waiting import wait
from PIL import Image
from pydantic import TypeAdapter
from serving.pictures import encoded, every_format, photo, picture, png_bomb
from serving.process import Server
from serving.raw import RawConnection

from edge.web.schema import AnswerSchema, ErrorSchema, ManySchema

ANSWER = TypeAdapter(AnswerSchema)
MANY = TypeAdapter(ManySchema)
ERROR = TypeAdapter(ErrorSchema)


def best(reply: httpx.Response) -> str:
    """The best label of an answer that follows the schema to the letter."""
    assert reply.status_code == 200, reply.text
    return ANSWER.validate_json(reply.content, strict=False).predictions[0].label


def assert_refused(reply: httpx.Response, status: int, code: str, *words: str) -> None:
    """The reply is an error of the camera door with this status and code, and says these words."""
    assert (reply.status_code, reply.headers["x-edge-error"]) == (status, code), reply.text
    fault = ERROR.validate_json(reply.content).error
    assert fault.code == code
    assert fault.message.endswith(".")
    for word in words:
        assert word in fault.message


@pytest.mark.parametrize(
    "content_type",
    [
        "image/jpeg",
        "image/*",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "image/png",
        None,
    ],
)
def test_a_raw_body_is_an_image_whatever_its_content_type_calls_it(
    client: httpx.Client, content_type: str | None
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    assert best(client.post("/predict", content=photo("coffee"), headers=headers)) == "espresso"


def test_a_chunked_body_without_a_length_is_read_to_its_end(client: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        data = photo("coffee")
        yield from (data[i : i + 5000] for i in range(0, len(data), 5000))

    assert best(client.post("/predict", content=chunks())) == "espresso"


@pytest.mark.parametrize("name", sorted(every_format(Image.new("RGB", (8, 8)))))
def test_every_format_gives_an_answer(client: httpx.Client, name: str) -> None:
    reply = client.post("/predict", content=every_format(picture("coffee", (320, 240)))[name])
    assert ANSWER.validate_json(reply.content).predictions


def test_one_multipart_image_is_answered_like_a_raw_one(client: httpx.Client) -> None:
    raw = client.post("/predict", content=photo("coffee")).json()
    form = client.post("/predict", files={"image": ("a.jpg", photo("coffee"), "image/jpeg")}).json()
    for answer in (raw, form):
        del answer["timing_ms"]
    assert raw == form


def test_several_multipart_images_are_answered_in_their_order(client: httpx.Client) -> None:
    files = [("image", (f"{name}.jpg", photo(name))) for name in ("coffee", "chelsea", "coffee")]
    answers = MANY.validate_json(client.post("/predict", files=files).content).answers
    labels = [answer.predictions[0].label for answer in answers if isinstance(answer, AnswerSchema)]
    assert labels[0] == labels[2] == "espresso"
    assert "cat" in labels[1]


def test_a_bad_image_among_good_ones_leaves_the_others(client: httpx.Client) -> None:
    files = [
        ("a", ("a.jpg", photo("coffee"))),
        ("b", ("b.jpg", photo("coffee")[:3000])),
        ("c", ("c.jpg", b"hello")),
        ("d", ("d.jpg", photo("chelsea"))),
    ]
    reply = client.post("/predict", files=files)
    assert reply.status_code == 200
    first, second, third, fourth = MANY.validate_json(reply.content).answers
    assert isinstance(first, AnswerSchema)
    assert isinstance(fourth, AnswerSchema)
    assert isinstance(second, ErrorSchema)
    assert isinstance(third, ErrorSchema)
    assert (second.error.code, third.error.code) == ("corrupt_image", "unsupported_image")


def test_plain_form_fields_beside_the_image_are_passed_over(client: httpx.Client) -> None:
    reply = client.post(
        "/predict", files={"image": ("a.jpg", photo("coffee"))}, data={"camera": "line 3"}
    )
    assert best(reply) == "espresso"


def test_a_large_multipart_image_arrives_whole(client: httpx.Client) -> None:
    large = encoded(
        picture("coffee", (3000, 2000)), "BMP"
    )  # 18 MB, through many reads of the socket
    assert best(client.post("/predict", files={"image": ("a.bmp", large)})) == "espresso"


@pytest.mark.parametrize(
    ("content_type", "body", "words"),
    [
        ("multipart/form-data", b"whatever", "boundary"),
        ("multipart/form-data; boundary=x", b"no such thing", "multipart"),
        ("multipart/form-data; boundary=x", b"", "multipart"),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nabc",
            "malformed",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="camera"\r\n\r\nabc\r\n--x--\r\n',
            "camera",
        ),
    ],
)
def test_a_multipart_body_that_is_none_or_holds_no_image_is_a_bad_request(
    client: httpx.Client, content_type: str, body: bytes, words: str
) -> None:
    reply = client.post("/predict", content=body, headers={"content-type": content_type})
    assert_refused(reply, 400, "bad_request", words)


def test_models_are_chosen_by_query_or_by_path_and_the_default_one_by_its_name(
    client: httpx.Client,
) -> None:
    for url in ("/predict?model=objects", "/predict/objects"):
        answer = ANSWER.validate_json(client.post(url, content=photo("astronaut")).content)
        assert (answer.model.name, answer.task) == ("objects", "detection")
    for url in (
        "/predict",
        "/predict/default",
        "/predict?model=default",
        "/predict?model=imagenet",
    ):
        assert client.post(url, content=photo("coffee")).json()["model"]["name"] == "imagenet"


def test_top_k_and_threshold_choose_what_is_shown(client: httpx.Client) -> None:
    def scores(query: str) -> list[float]:
        answer = client.post(f"/predict?{query}", content=photo("chelsea")).json()
        return [found["score"] for found in answer["predictions"]]

    all_of_them = scores("top_k=100000")
    assert len(all_of_them) == 1000
    assert all_of_them == sorted(all_of_them, reverse=True)
    assert scores("top_k=3") == all_of_them[:3]
    limit = all_of_them[1]
    assert scores(f"threshold={limit}&top_k=1000") == [
        score for score in all_of_them if score >= limit
    ]
    assert scores("threshold=1") == []


@pytest.mark.parametrize(
    "query",
    ["top_k=0", "top_k=-1", "top_k=x", "top_k=1.5", "top_k=", "top_k=" + "9" * 5000,
     "threshold=1.1", "threshold=nan",
     "threshold=-0.1", "deadline_ms=0", "deadline_ms=1e3", "deadline_ms=99999999999"],
)  # fmt: skip
def test_a_parameter_out_of_its_range_is_refused_by_its_name(
    client: httpx.Client, query: str
) -> None:
    assert_refused(
        client.post(f"/predict?{query}", content=photo("coffee")),
        400,
        "bad_request",
        query.split("=", maxsplit=1)[0],
    )


def test_an_unknown_parameter_is_refused_with_the_known_ones(client: httpx.Client) -> None:
    reply = client.post("/predict?topk=3", content=photo("coffee"))
    assert_refused(reply, 400, "bad_request", "topk", "top_k", "threshold", "deadline_ms", "model")


def test_a_model_named_in_the_path_and_differently_in_the_query_is_refused(
    client: httpx.Client,
) -> None:
    reply = client.post("/predict/imagenet?model=objects", content=photo("coffee"))
    assert_refused(reply, 400, "bad_request", "imagenet", "objects")


@pytest.mark.parametrize(
    "url", ["/predict?model=nobody", "/predict/nobody", "/predict?model=", "/predict/%00"]
)
def test_an_unknown_model_is_not_found_and_the_known_ones_are_named(
    client: httpx.Client, url: str
) -> None:
    assert_refused(
        client.post(url, content=photo("coffee")), 404, "model_not_found", "imagenet, objects"
    )


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        (b"", 400, "corrupt_image", "empty"),
        (b"hello", 415, "unsupported_image", "68 65 6c 6c 6f"),
        (b"%PDF-1.4", 415, "unsupported_image", "PDF"),
        (b'{"instances": []}', 415, "unsupported_image", "JSON"),
        (b"\0\0\0\x1cftypheic", 415, "unsupported_image", "HEIC"),
        (photo("coffee")[:5000], 400, "corrupt_image", "truncated"),
        (b"\xff\xd8\xff\xe0", 400, "corrupt_image", "JPEG"),
        (png_bomb(), 413, "image_too_large", "50000 x 50000"),
    ],
    ids=["empty", "text", "pdf", "json", "heic", "truncated", "head alone", "bomb"],
)
def test_a_body_that_is_no_good_image_is_the_callers_error(
    client: httpx.Client, body: bytes, status: int, code: str, words: str
) -> None:
    assert_refused(client.post("/predict", content=body), status, code, words)
    assert_refused(client.post("/predict", files={"image": ("a.jpg", body)}), status, code, words)


def test_a_bomb_costs_no_memory(server: Server) -> None:
    server.client.post("/predict", content=photo("coffee"))
    before = server.resident_mib()
    for _ in range(20):
        assert server.client.post("/predict", content=png_bomb()).status_code == 413
    assert server.resident_mib() - before < 16  # one decoded bomb would be 7 GB


def test_boxes_tell_x_before_y_from_the_top_left(client: httpx.Client) -> None:
    face = picture("astronaut", (300, 300))
    wide, tall = Image.new("RGB", (900, 300), "white"), Image.new("RGB", (300, 900), "white")
    wide.paste(face, (600, 0))  # at the right
    tall.paste(face, (0, 600))  # at the bottom
    boxes = []
    for image in (wide, tall):
        reply = client.post("/predict/objects?threshold=0.1", content=encoded(image, "PNG"))
        found = ANSWER.validate_json(reply.content).predictions
        assert found
        assert found[0].box is not None
        boxes.append(found[0].box)
    assert boxes[0].x_min > 0.6
    assert boxes[0].y_min < 0.3
    assert boxes[1].y_min > 0.6
    assert boxes[1].x_min < 0.3


def test_boxes_and_size_are_those_of_the_upright_image(client: httpx.Client) -> None:
    astronaut = picture("astronaut", (400, 500))
    sideways = Image.Exif()
    sideways[0x0112] = 6
    turned = encoded(astronaut.transpose(Image.Transpose.ROTATE_90), "PNG", exif=sideways)
    upright = client.post("/predict/objects", content=encoded(astronaut, "PNG")).json()
    rotated = client.post("/predict/objects", content=turned).json()
    assert rotated["predictions"] == upright["predictions"]
    assert rotated["image"] == upright["image"] == {"width": 400, "height": 500}


def test_a_body_too_large_by_its_length_is_refused_before_any_of_it_is_sent(small: Server) -> None:
    with RawConnection(small.address) as connection:
        connection.post_head("/predict", "Content-Length: 200001")
        reply = connection.reply()
    assert (reply.status, reply.code) == (413, "body_too_large")
    assert "200,000" in reply.json()["error"]["message"]


def test_a_chunked_body_is_refused_once_it_is_too_large(small: Server) -> None:
    with RawConnection(small.address) as connection:
        connection.post_head("/predict", "Transfer-Encoding: chunked")
        connection.send(b"30d41\r\n" + bytes(200_001) + b"\r\n")  # and never an end
        reply = connection.reply()
    assert (reply.status, reply.code) == (413, "body_too_large")


def test_a_body_that_stops_arriving_is_timed_out(small: Server) -> None:
    with RawConnection(small.address) as connection:
        connection.post_head("/predict?deadline_ms=200", "Content-Length: 1000")
        began = time.monotonic()
        connection.send(b"\xff\xd8")
        reply = connection.reply()
        waited = time.monotonic() - began
    assert (reply.status, reply.code, reply.headers["x-edge-error"]) == (
        408,
        "body_timeout",
        "body_timeout",
    )
    assert 0.15 < waited < 4  # asked for 0.2 s, not for the default of 10
    assert "2 bytes" in reply.json()["error"]["message"]


def test_a_frame_whose_deadline_passes_is_answered_so(server: Server) -> None:
    body = encoded(
        Image.new("RGB", (64, 64)), "PNG"
    )  # with its head in one piece: only the model takes time
    with RawConnection(server.address) as connection:
        head = (
            "POST /predict/objects?deadline_ms=1 HTTP/1.1\r\n"
            f"Host: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.send(head.encode() + body)
        reply = connection.reply()
    assert (reply.status, reply.code) == (504, "deadline_exceeded")
    assert "retry-after" not in reply.headers


def test_a_full_server_refuses_at_once_and_answers_those_it_took(small: Server) -> None:
    body = photo("chelsea")
    frame = encoded(picture(size=(64, 48)), "JPEG")
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    many = (part + frame + b"\r\n") * (190_000 // (len(part) + len(frame))) + b"--x--\r\n"
    with ExitStack() as opened:
        held = [opened.enter_context(RawConnection(small.address)) for _ in range(2)]
        for connection in held:  # each takes one place for as long as its many frames take
            connection.post_head(
                "/predict",
                f"Content-Length: {len(many)}",
                "Content-Type: multipart/form-data; boundary=x",
            )
            connection.send(many)
        wait(lambda: "edge_requests_in_flight 2.0" in small.client.get("/metrics").text)
        reply = small.client.post("/predict", content=body)
        assert_refused(reply, 503, "overloaded", "2 requests")
        assert int(reply.headers["retry-after"]) >= 1
        tf_serving = small.client.post(
            "/v1/models/default:predict", json={"instances": [{"b64": ""}]}
        )
        assert (tf_serving.status_code, tf_serving.headers["x-edge-error"]) == (503, "overloaded")
        assert [connection.reply().status for connection in held] == [200, 200]
    assert small.client.post("/predict", content=body).status_code == 200


def test_callers_that_go_away_give_their_places_back(small: Server) -> None:
    for _ in range(5):
        with RawConnection(small.address) as connection:
            connection.post_head("/predict", "Content-Length: 1000")
            connection.send(b"abc")
    until = time.monotonic() + 10
    while small.client.post("/predict", content=photo("chelsea")).status_code != 200:
        assert time.monotonic() < until


@pytest.mark.slow
def test_one_caller_after_another_is_never_refused_where_nothing_may_wait() -> None:
    body = encoded(Image.new("RGB", (32, 32)), "PNG")
    with Server("--workers", 1, "--queue-size", 0) as server:
        statuses = {server.client.post("/predict", content=body).status_code for _ in range(300)}
    assert statuses == {200}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused_and_the_right_one_is_named(server: Server, method: str) -> None:
    with RawConnection(server.address) as connection:
        connection.send(f"{method} /predict HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        reply = connection.reply(to_head=method == "HEAD")
        assert (reply.status, reply.headers["x-edge-error"]) == (405, "method_not_allowed")
        assert reply.headers["allow"] == "POST"
        connection.send(
            b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )  # the connection is still in step
        assert connection.reply().json() == {"live": True}


@pytest.mark.parametrize(
    "request_line",
    [
        "POST /predict?camera=Tür HTTP/1.1",
        "GET /stream?camera=Tür HTTP/1.1",
        "GET /Tür HTTP/1.1",
        "POST /v1/models/Tür:predict HTTP/1.1",
        "GET /kiosk?name=花 HTTP/1.1",
        "GET /models?\udcfc HTTP/1.1",
    ],
)
def test_letters_in_a_url_that_are_not_percent_encoded_are_refused_in_the_documented_shape(
    server: Server, request_line: str
) -> None:
    sent = request_line.encode(errors="surrogateescape")  # the last one is Latin-1
    with RawConnection(server.address) as connection:
        connection.send(sent + b"\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        reply = connection.reply()
    assert (reply.status, reply.code) == (400, "bad_request")
    assert reply.headers["x-edge-error"] == "bad_request"
    assert reply.headers["x-request-id"]


def test_the_refusal_of_such_letters_says_to_percent_encode_them(server: Server) -> None:
    with RawConnection(server.address) as connection:
        connection.send("POST /predict?camera=Tür HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert "percent-encode" in connection.reply().json()["error"]["message"]
    encoded_name = server.client.post("/predict", params={"camera": "Tür"}, content=photo("coffee"))
    assert best(encoded_name) == "espresso"


def test_what_takes_get_takes_head_and_says_so(client: httpx.Client) -> None:
    for path in ("/models", "/health/live", "/kiosk", "/wall/events", "/openapi.json", "/metrics"):
        head = client.head(path)
        assert (head.status_code, head.content) == (200, b""), path
        assert "HEAD" in client.post(path).headers["allow"], path
    assert client.head("/").status_code == 200
    assert client.put("/corrections").headers["allow"] == "GET, HEAD, POST"
    missing = client.head("/nothing-here")
    assert (missing.status_code, missing.headers["x-edge-error"]) == (404, "not_found")
    assert missing.content == b""


def test_a_path_that_is_not_there_is_answered_in_the_same_form(client: httpx.Client) -> None:
    assert_refused(client.get("/nowhere"), 404, "not_found", "/nowhere", "/docs")
    assert_refused(client.post("/predict/a/b", content=b""), 404, "not_found", "/predict/a/b")


def test_a_connection_serves_on_after_each_error(server: Server) -> None:
    with RawConnection(server.address) as connection:
        for body, status in (
            (b"hello", 415),
            (photo("coffee"), 200),
            (b"", 400),
            (photo("coffee")[:900], 400),
        ):
            connection.post_head("/predict", f"Content-Length: {len(body)}")
            connection.send(body)
            assert connection.reply().status == status


_NOTE_EVERY_FILE_WRITTEN = """
import os, sys
writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def note(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & writes:
        os.write(2, f"opened for writing: {arguments[0]}\\n".encode())
sys.addaudithook(note)
from edge.cli import main
main()
"""


def test_a_multipart_image_touches_no_file() -> None:
    large = encoded(picture("coffee", (3000, 2000)), "BMP")
    with Server(program=("-c", _NOTE_EVERY_FILE_WRITTEN)) as server:
        before = server.log.count("opened for writing")
        assert best(server.client.post("/predict", files={"image": ("a.bmp", large)})) == "espresso"
        assert server.log.count("opened for writing") == before, server.log


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "chunked"])
def test_a_body_of_exactly_the_limit_is_taken(small: Server, chunked: bool) -> None:
    image = photo("coffee")
    body = image + bytes(200_000 - len(image))
    content = iter([body[:150_000], body[150_000:]]) if chunked else body
    assert best(small.client.post("/predict", content=content)) == "espresso"


def test_a_form_of_very_many_parts_is_refused(client: httpx.Client) -> None:
    def post(parts: int) -> httpx.Response:
        return client.post("/predict", files=[("image", ("a", b"x"))] * parts)

    assert len(post(256).json()["answers"]) == 256
    assert_refused(post(257), 400, "bad_request", "multipart")


def test_a_cameras_name_has_at_most_64_characters(client: httpx.Client) -> None:
    assert best(client.post(f"/predict?camera={'x' * 64}", content=photo("coffee"))) == "espresso"
    reply = client.post(f"/predict?camera={'x' * 65}", content=photo("coffee"))
    assert_refused(reply, 400, "bad_request", "65", "64")


@pytest.mark.parametrize("mode", ["shadow", "on_error", ""])
def test_a_fallback_that_the_owner_does_not_allow_is_refused(
    client: httpx.Client, mode: str
) -> None:
    assert_refused(
        client.post(f"/predict?fallback={mode}", content=photo("coffee")),
        400,
        "bad_request",
        "fallback",
    )
