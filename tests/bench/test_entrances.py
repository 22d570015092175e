"""How the entrances' answers are read, whatever pieces they arrive in."""

from __future__ import annotations

import base64
import json
import struct

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from edge.bench.entrances import Entrance, make_traffic, read_http, read_message

HTTP = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nhello"
NO_BODY = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def text(answer, padding=0):
    return Frame(Opcode.TEXT, json.dumps({**answer, "pad": "x" * padding}).encode()).serialize(
        mask=False
    )


PREDICTED = text({"predictions": []})
MEDIUM = text({"predictions": []}, 300)
LARGE = text({"predictions": []}, 70_000)
REFUSED = text({"error": {"code": "overloaded"}})
BROKEN = text({"error": {"code": "corrupt_image"}})
PING = Frame(Opcode.PING, b"are you there").serialize(mask=False)


@pytest.mark.parametrize(
    ("read", "answer", "status"),
    [
        (read_http, HTTP, 503),
        (read_http, NO_BODY, 101),
        (read_message, PREDICTED, 200),
        (read_message, MEDIUM, 200),
        (read_message, LARGE, 200),
        (read_message, REFUSED, 503),
        (read_message, BROKEN, 500),
        (read_message, PING, 0),
    ],
)
def test_an_answer_is_read_once_it_is_there_whole_and_not_before(read, answer, status):
    assert read(answer) == (status, len(answer))
    assert read(answer + b"more") == (status, len(answer))
    for cut in {*range(min(len(answer), 20)), len(answer) - 1}:
        assert read(answer[:cut]) is None


def body_of(request):
    head, _, body = request.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}\r\n" in head.decode().lower() + "\r\n"
    return head.decode().splitlines(), body


def test_each_entrance_sends_the_frames_in_its_own_way():
    frame = bytes(range(256))
    traffic = {one: make_traffic(one, "host:1", "a model", [frame]) for one in Entrance}
    head, body = body_of(traffic[Entrance.RAW].requests[0])
    assert (head[0], body) == ("POST /predict HTTP/1.1", frame)
    head, body = body_of(traffic[Entrance.MULTIPART].requests[0])
    assert head[0] == "POST /predict HTTP/1.1"
    assert frame in body
    head, body = body_of(traffic[Entrance.TF_SERVING].requests[0])
    assert head[0] == "POST /v1/models/a%20model:predict HTTP/1.1"
    (instance,) = json.loads(body)["instances"]
    assert base64.b64decode(instance["image_bytes"]["b64"]) == frame
    assert [bool(one.greeting) for one in traffic.values()] == [False, False, True, False]


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
def test_a_streams_message_is_a_masked_binary_frame(length):
    frame = bytes(length)
    (message,) = make_traffic(Entrance.STREAM, "host:1", "", [frame]).requests
    reader = StreamReader()
    reader.feed_data(message)
    parsing = Frame.parse(reader.read_exact, mask=True)
    with pytest.raises(StopIteration) as parsed:
        next(parsing)
    assert (parsed.value.value.opcode, parsed.value.value.data) == (Opcode.BINARY, frame)
    assert struct.unpack_from("B", message)[0] & 0x80, "the last frame of its message"
