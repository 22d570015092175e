"""The stream door, spoken to over a real socket."""

import itertools
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from serving.pictures import photo
from serving.process import MODELS, ROOT, Server
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from edge.web.dialects.stream import IDLE, StreamLimit, TooManyStreams


@pytest.fixture(scope="module")
def streaming() -> Iterator[Server]:
    with Server("--max-streams-per-client", 4) as running:
        yield running


def open_stream(server: Server, query: str = "", **options) -> ClientConnection:
    return connect(
        f"ws://{server.url.removeprefix('http://')}/stream{query}", max_size=None, **options
    )


def hear(stream: ClientConnection) -> dict:
    return json.loads(stream.recv(timeout=30))


def refused(server: Server, query: str = "", **options) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as error:
        open_stream(server, query, **options)
    return error.value.response.status_code, json.loads(error.value.response.body)["error"]["code"]


def test_answers_carry_the_frame_they_belong_to_and_say_what_the_camera_door_says(streaming):
    with open_stream(streaming, "?camera=line-1") as stream:
        for number, name in enumerate(["coffee", "chelsea", "astronaut"]):
            stream.send(photo(name))
            answer = hear(stream)
            alone = streaming.client.post("/predict", content=photo(name)).json()
            assert (answer["frame"], answer["dropped"]) == (number, 0)
            assert answer["predictions"] == alone["predictions"]
            assert set(answer) == {"frame", "dropped", *alone}


def test_the_model_is_chosen_by_the_query(streaming):
    with open_stream(streaming, "?model=objects") as stream:
        stream.send(photo("chelsea"))
        assert hear(stream)["predictions"][0]["label"] == "Cat"


def test_a_bad_frame_is_answered_with_its_error_and_the_stream_goes_on(streaming):
    with open_stream(streaming) as stream:
        for bad, code in [
            (b"{}", "unsupported_image"),
            (b"", "corrupt_image"),
            (photo("coffee")[:900], "corrupt_image"),
        ]:
            stream.send(bad)
            assert hear(stream)["error"]["code"] == code
        stream.send(photo("coffee"))
        answer = hear(stream)
        assert (answer["frame"], answer["predictions"][0]["label"]) == (3, "espresso")


def test_newest_wins_and_every_frame_is_answered_or_told_as_dropped(streaming):
    sent = 300
    with open_stream(streaming) as stream:
        for _ in range(sent):
            stream.send(photo("coffee"))
        answers = [hear(stream)]
        while answers[-1]["frame"] < sent - 1:
            answers.append(hear(stream))
    assert len(answers) + sum(answer["dropped"] for answer in answers) == sent
    assert sum(answer["dropped"] for answer in answers) > 0
    for earlier, later in itertools.pairwise(answers):
        assert later["frame"] == earlier["frame"] + 1 + later["dropped"]


def test_a_client_that_waits_for_each_answer_loses_no_frame(streaming):
    with open_stream(streaming) as stream:
        for number in range(20):
            stream.send(photo("coffee"))
            answer = hear(stream)
            assert (answer["frame"], answer["dropped"]) == (number, 0)


@pytest.mark.slow
def test_two_hundred_frames_a_second_over_four_streams_leave_memory_flat(streaming):
    stop, heard = threading.Event(), [0] * 4

    def push(stream: ClientConnection) -> None:
        while not stop.is_set():
            stream.send(photo("astronaut"))
            stop.wait(1 / 50)

    def listen(stream: ClientConnection, place: int) -> None:
        try:
            while True:
                hear(stream)
                heard[place] += 1
        except ConnectionClosed:
            pass

    with ExitStack() as streams:
        opened = [streams.enter_context(open_stream(streaming)) for _ in range(4)]
        threads = [threading.Thread(target=push, args=(one,)) for one in opened]
        threads += [
            threading.Thread(target=listen, args=(one, place)) for place, one in enumerate(opened)
        ]
        for thread in threads:
            thread.start()
        time.sleep(3)
        early = streaming.resident_mib()
        time.sleep(6)
        late = streaming.resident_mib()
        stop.set()
        for one in opened:
            one.close()
        for thread in threads:
            thread.join(10)
    assert all(count > 10 for count in heard), heard  # none is starved
    assert late - early < 8, (early, late)  # 1,200 frames of 90 kB that piled up would be 100 MiB


def test_a_stream_that_sends_nothing_ends():
    with Server("--stream-idle-s", 0.3) as server, open_stream(server) as stream:
        stream.send(photo("coffee"))
        assert "predictions" in hear(stream)
        with pytest.raises(ConnectionClosed) as closed:
            stream.recv(timeout=10)
        assert closed.value.rcvd.code == IDLE


def test_a_text_message_ends_the_stream_and_says_why(streaming):
    with open_stream(streaming) as stream:
        stream.send("a frame?")
        with pytest.raises(ConnectionClosed) as closed:
            stream.recv(timeout=10)
        assert closed.value.rcvd.code == 1003
        assert "binary" in closed.value.rcvd.reason


def test_text_that_is_not_utf_8_ends_the_stream_without_a_stack_trace(streaming):
    with open_stream(streaming) as stream:
        stream.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed) as closed:
            stream.recv(timeout=10)
        assert closed.value.rcvd.code == 1007
    assert "Traceback" not in streaming.log


def test_streams_of_one_address_are_bounded_and_a_closed_one_makes_room(streaming):
    with ExitStack() as streams:
        first, *_ = [streams.enter_context(open_stream(streaming)) for _ in range(4)]
        assert refused(streaming) == (429, "too_many_streams")
        first.close()
        until = time.monotonic() + 5
        while time.monotonic() < until:
            try:
                streams.enter_context(open_stream(streaming))
                break
            except InvalidStatus:
                time.sleep(0.05)
        else:
            pytest.fail("a closed stream kept its place")


def test_places_are_bounded_in_all_and_for_each_client():
    places = StreamLimit(in_all=2, per_client=1)
    with places.take("a"):
        with pytest.raises(TooManyStreams, match="a has 1 streams"), places.take("a"):
            pass
        with (
            places.take("b"),
            pytest.raises(TooManyStreams, match="2 streams are open"),
            places.take("c"),
        ):
            pass
    assert repr(places) == "<StreamLimit 0/2 streams, at most 1 from one address>"


def test_the_limit_in_all_is_over_many_clients_and_every_place_comes_back():
    places = StreamLimit(in_all=5, per_client=3)
    for _ in range(3):
        with ExitStack() as taken:
            for client in "abcab":
                taken.enter_context(places.take(client))
            for client in "abcd":
                with pytest.raises(TooManyStreams, match="5 streams are open"), places.take(client):
                    pass
    for number in range(100):
        with pytest.raises(LookupError), places.take(f"client {number}"):
            raise LookupError
    with ExitStack() as taken:
        for _ in range(3):
            taken.enter_context(places.take("a"))
        with pytest.raises(TooManyStreams, match="a has 3 streams"), places.take("a"):
            pass
    assert not places._open, "an address without a stream is forgotten"


def test_what_cannot_be_streamed_is_refused_in_the_handshake(streaming):
    assert refused(streaming, "?model=nothing") == (404, "model_not_found")
    assert refused(streaming, "?modle=objects") == (400, "bad_request")
    assert refused(streaming, f"?camera={'x' * 65}") == (400, "bad_request")


def test_pages_of_other_sites_may_not_stream(streaming):
    assert refused(streaming, origin="http://example.com") == (403, "foreign_page")
    with open_stream(streaming, origin=streaming.url) as stream:
        stream.send(photo("coffee"))
        assert hear(stream)["frame"] == 0


def test_an_open_stream_does_not_hold_up_the_end():
    with Server() as server, open_stream(server) as stream:
        stream.send(photo("coffee"))
        hear(stream)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10  # not the 30 s of shutdown_grace_s


def test_the_documented_python_client_says_what_it_sees(streaming, tmp_path):
    [program] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/stream.md").read_text(), re.DOTALL)
    assert len([line for line in program.splitlines() if line.strip()]) <= 11
    url = f"ws://{streaming.url.removeprefix('http://')}/stream?camera=line-1"
    photos = [str(MODELS / "photos" / f"{name}.jpg") for name in ("coffee", "chelsea")]
    command = [sys.executable, "-c", program, url, *photos, __file__]
    said = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()
    assert said[0].endswith("espresso")
    assert said[1].endswith("tiger cat")
    assert "not an image" in said[2]
