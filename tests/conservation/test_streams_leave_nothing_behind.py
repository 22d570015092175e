"""Whatever became of a stream, afterwards its place, its tasks and the bytes of its frames are
given back.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from builders.asgi import Stream
from builders.images import encode, noise

from conservation.house import MAX_HELD, House, house

IMAGE = encode(noise(40, 30), "PNG")
TIMES = 4
IDLE_S = 0.15


async def every_time(the_house: House, way) -> None:
    """Open streams that end that way, more often than there are places for streams; all is as
    before after each.
    """
    await _answered(the_house)
    before = the_house.state()
    for _ in range(TIMES):
        the_house.shut_gate()
        await way()
        await the_house.is_again(before)
    await _answered(the_house)


async def _answered(the_house: House) -> None:
    stream = the_house.open_stream()
    assert await stream.opened()
    stream.frame(IMAGE)
    (answer,) = await stream.hear(1)
    assert (answer["frame"], answer["dropped"], len(answer["predictions"])) == (0, 0, 5)
    stream.hang_up()
    assert await stream.ended() is None


def run(folder, story, **settings) -> None:
    async def inside():
        async with house(folder, **({"max_streams": 1} | settings)) as one:
            await story(one)

    asyncio.run(asyncio.wait_for(inside(), 120))


def test_after_answers_and_bad_frames(tmp_path):
    async def story(one):
        async def way():
            stream = one.open_stream()
            for number, (image, code) in enumerate(
                [(IMAGE, None), (b"x", "unsupported_image"), (IMAGE, None)], 1
            ):
                stream.frame(image)
                answer = (await stream.hear(number))[-1]
                assert (answer["frame"], answer.get("error", {}).get("code")) == (number - 1, code)
                assert one.service.admission.held_bytes == 0
            stream.hang_up()
            assert await stream.ended() is None

        await every_time(one, way)

    run(tmp_path, story)


def test_after_a_model_that_fails(tmp_path):
    async def story(one):
        async def way():
            stream = one.open_stream("model=broken")
            for number in range(1, 4):
                stream.frame(IMAGE)
                assert (await stream.hear(number))[-1]["error"]["code"] == "inference_failed"
            stream.hang_up()
            assert await stream.ended() is None

        await every_time(one, way)

    run(tmp_path, story)


def test_after_a_client_that_goes_while_one_frame_is_computed_and_one_waits(tmp_path):
    async def story(one):
        async def way():
            stream = one.open_stream("model=gated")
            stream.frame(IMAGE)
            await one.computing()
            for _ in range(3):  # the last takes the others' place
                stream.frame(IMAGE + b"x")
            await stream.until(lambda: one.service.admission.held_bytes == 2 * len(IMAGE) + 1)
            stream.hang_up()
            assert await stream.ended() is None
            assert (one.service.admission.in_flight, one.service.admission.held_bytes) == (0, 0)
            one.gated.gate.set()

        await every_time(one, way)

    run(tmp_path, story)


def test_after_streams_that_are_cut_off_by_the_server(tmp_path):
    async def story(one):
        async def way():
            stream = one.open_stream("model=gated")
            stream.frame(IMAGE)
            await one.computing()
            stream.frame(IMAGE)
            await stream.until(lambda: one.service.admission.held_bytes == 2 * len(IMAGE))
            stream.task.cancel()
            assert isinstance(await stream.ended(), asyncio.CancelledError)
            one.gated.gate.set()

        await every_time(one, way)

    run(tmp_path, story)


def test_after_faults_of_our_own_that_nobody_foresaw(tmp_path):
    async def story(one):
        async def way():
            with one.faulty_observer():
                stream = one.open_stream()
                stream.frame(IMAGE)
                assert isinstance(await stream.ended(), LookupError)  # the server closes with 1011

        await every_time(one, way)

    run(tmp_path, story)


def test_after_streams_that_send_nothing_or_text(tmp_path):
    async def story(one):
        async def way():
            began = time.monotonic()
            silent = one.open_stream()
            assert await silent.ended() is None
            assert silent.close_code == 4408
            assert IDLE_S * 0.95 < time.monotonic() - began < 5
            talking = one.open_stream()
            talking.tell({"type": "websocket.receive", "text": "a frame?"})
            assert await talking.ended() is None
            assert talking.close_code == 1003

        await every_time(one, way)

    run(tmp_path, story, stream_idle_s=IDLE_S)


def test_after_a_text_whose_refusal_meets_the_answer_to_the_frame_before_it(tmp_path):
    async def story(one):
        class SlowToClose(Stream):
            async def _send(self, message):
                if message["type"] == "websocket.close":
                    one.gated.gate.set()
                    await self.until(lambda: one.service.admission.in_flight == 0)
                await super()._send(message)

        async def way():
            stream = SlowToClose(one.app, "model=gated")
            stream.frame(IMAGE)
            await one.computing()
            stream.tell({"type": "websocket.receive", "text": "a frame?"})
            assert await stream.ended() is None
            assert (stream.close_code, stream.answers) == (1003, [])

        await every_time(one, way)

    run(tmp_path, story)


def test_after_deadlines_that_pass(tmp_path):
    async def story(one):
        async def way():
            stream = one.open_stream("model=gated")
            began = time.monotonic()
            stream.frame(IMAGE)
            assert (await stream.hear(1))[0]["error"]["code"] == "deadline_exceeded"
            assert 0.14 < time.monotonic() - began < 5
            stream.hang_up()
            assert await stream.ended() is None
            one.gated.gate.set()

        await every_time(one, way)

    run(tmp_path, story, deadline_ms=150)


@pytest.mark.parametrize(
    "query", ["model=nobody", "model=refused", "colour=red", f"camera={'x' * 65}"]
)
def test_after_handshakes_that_are_refused(tmp_path, query):
    async def story(one):
        async def way():
            stream = one.open_stream(query)
            assert not await stream.opened()
            assert await stream.ended() is None
            assert stream.refused in {400, 404, 503}

        await every_time(one, way)

    run(tmp_path, story)


def test_a_frame_without_a_place_is_refused_and_the_stream_goes_on(tmp_path):
    async def story(one):
        async def way():
            stream = one.open_stream()
            places = [one.service.admit() for _ in range(one.service.admission.max_in_flight)]
            for place in places:
                place.__enter__()
            stream.frame(IMAGE)
            assert (await stream.hear(1))[0]["error"]["code"] == "overloaded"
            for place in places:
                place.__exit__(None, None, None)
            stream.frame(IMAGE)
            assert "predictions" in (await stream.hear(2))[1]
            stream.hang_up()
            await stream.ended()

        await every_time(one, way)

    run(tmp_path, story)


def test_frames_count_as_held_from_their_arrival_and_one_too_many_is_refused(tmp_path):
    async def story(one):
        async def way():
            stream = one.open_stream("model=gated")
            stream.frame(IMAGE)
            await one.computing()
            assert one.service.admission.held_bytes == one.value("edge_held_bytes") == len(IMAGE)
            with one.service.admit() as place:
                place.hold(
                    MAX_HELD - 2 * len(IMAGE) + 1
                )  # one byte more than leaves room for the second
                held = one.service.admission.held_bytes
                stream.frame(IMAGE)
                await asyncio.sleep(0.01)
                assert one.service.admission.held_bytes == held
                one.gated.gate.set()
                first, second = await stream.hear(2)
                assert "predictions" in first
                assert (second["frame"], second["dropped"], second["error"]["code"]) == (
                    1,
                    0,
                    "overloaded",
                )
            stream.frame(IMAGE)
            third = (await stream.hear(3))[2]
            assert (third["frame"], third["dropped"]) == (2, 0)
            assert "predictions" in third
            stream.hang_up()
            assert await stream.ended() is None

        await every_time(one, way)

    run(tmp_path, story)


def test_a_newer_frame_gives_back_the_bytes_of_the_one_whose_place_it_takes(tmp_path):
    async def story(one):
        async def way():
            stream = one.open_stream("model=gated")
            stream.frame(IMAGE)
            await one.computing()
            for more in range(1, 5):
                stream.frame(IMAGE + bytes(more))
                await stream.until(
                    lambda more=more: one.service.admission.held_bytes == 2 * len(IMAGE) + more
                )
            one.gated.gate.set()
            first, last = await stream.hear(2)
            assert (first["frame"], first["dropped"], last["frame"], last["dropped"]) == (
                0,
                0,
                4,
                3,
            )
            stream.hang_up()
            assert await stream.ended() is None

        await every_time(one, way)

    run(tmp_path, story)


def test_places_for_streams_are_counted_over_all_clients_and_for_each(tmp_path):
    async def story(one):
        before = one.state()
        for _ in range(2):
            streams = [one.open_stream(client=f"192.0.2.{host}") for host in (1, 1, 2, 3)]
            assert [await stream.opened() for stream in streams] == [True] * 4
            third, fifth = one.open_stream(client="192.0.2.1"), one.open_stream(client="192.0.2.4")
            for refused, words in ((third, "4 streams"), (fifth, "4 streams")):
                await refused.ended()
                assert refused.refused == 429
                assert words in refused.sent[-1]["body"].decode()
            streams.pop().hang_up()
            await streams[-1].until(lambda: len(asyncio.all_tasks()) == len(before.tasks) + 9)
            once_more = one.open_stream(
                client="192.0.2.1"
            )  # there is room, but not for this client
            await once_more.ended()
            assert once_more.refused == 429
            assert "192.0.2.1 has 2 streams" in once_more.sent[-1]["body"].decode()
            streams.append(one.open_stream(client="192.0.2.4"))
            assert await streams[-1].opened()
            for stream in streams:
                stream.hang_up()
                await stream.ended()
            await one.is_again(before)

    run(tmp_path, story, max_streams=4, max_streams_per_client=2)
