"""Whatever became of a request, afterwards the service is as it was: places, bytes, workers, tasks,
timers, threads.

Each test goes through every entrance of an image and lets the request end in one way, several times
over.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from contextlib import ExitStack

import pytest
from builders.asgi import Request
from builders.images import encode, noise
from builders.waiting import until

from conservation.house import ENTRANCES, MAX_BODY, MAX_HELD, Entrance, House, house
from edge.errors import EdgeError

IMAGE = encode(noise(40, 30), "PNG")
TIMES = 3
HASTY_MS = 150
MANY_S = 5.0
"""Far beyond what anything here takes, and far under the defaults that would stand in for a limit
that is ignored.
"""


async def through_every_entrance(
    the_house: House, way, *, outcome: str, counted: bool = True
) -> None:
    """Send requests that end that way at each entrance: afterwards all is as before, and each was
    counted once.
    """
    for entrance in ENTRANCES:
        the_house.shut_gate()
        the_house.gated.gate.set()
        await _end(
            entrance.post(the_house, "good", IMAGE), 200
        )  # whatever comes into being with the first one
        before = the_house.state()
        assert (before.in_flight, before.held_bytes, before.busy, before.waiting) == (0, 0, 0, 0)
        requests, of_outcome = the_house.requests(), the_house.requests(outcome)
        for _ in range(TIMES):
            the_house.shut_gate()
            sent = await way(entrance) or 1
            requests, of_outcome = requests + sent, of_outcome + 1
            await the_house.is_again(before)
        assert the_house.requests() == requests, entrance.name
        assert not counted or the_house.requests(outcome) == of_outcome, entrance.name
        await _end(entrance.post(the_house, "good", IMAGE), 200)


async def _end(request, status: int, code: str | None = None) -> None:
    assert await request.ended() is None
    assert (request.status, request.headers.get("x-edge-error")) == (status, code), request.content


def run(story) -> None:
    asyncio.run(asyncio.wait_for(story(), 120))


def _is_rows(entrance: Entrance) -> bool:
    return entrance.name.startswith("TensorFlow")


def test_after_answers(tmp_path):
    async def story():
        async with house(tmp_path) as one:

            async def way(entrance):
                await _end(entrance.post(one, "good", IMAGE), 200)

            await through_every_entrance(one, way, outcome="ok")

    run(story)


@pytest.mark.parametrize(
    ("model", "image", "status", "code"),
    [
        ("good", b"hello", 415, "unsupported_image"),
        ("good", IMAGE[:200], 400, "corrupt_image"),
        ("nobody", IMAGE, 404, "model_not_found"),
        ("refused", IMAGE, 503, "model_unavailable"),
        ("broken", IMAGE, 500, "inference_failed"),
        ("good", bytes(MAX_BODY + 1), 413, "body_too_large"),
    ],
    ids=["no image", "truncated", "unknown model", "refused model", "the model fails", "too large"],
)
def test_after_refusals_and_failures(tmp_path, model, image, status, code):
    async def story():
        async with house(tmp_path) as one:

            async def way(entrance):
                invalid = _is_rows(entrance) and status == 415  # TensorFlow Serving's own status
                await _end(entrance.post(one, model, image), 400 if invalid else status, code)

            await through_every_entrance(one, way, outcome=code)

    run(story)


def test_after_requests_that_make_no_sense(tmp_path):
    async def story():
        async with house(tmp_path) as one:

            async def way(entrance):
                if _is_rows(entrance):
                    request, chunks = entrance.open(one, "good", IMAGE)
                    request.body(b"{" * sum(map(len, chunks)))
                else:
                    request = entrance.post(one, "good", IMAGE, query="?colour=red")
                await _end(request, 400, "bad_request")

            await through_every_entrance(one, way, outcome="bad_request")

    run(story)


def test_after_refusals_where_every_place_is_taken(tmp_path):
    async def story():
        async with house(tmp_path) as one:

            async def way(entrance):
                with ExitStack() as places:
                    for _ in range(one.service.admission.max_in_flight):
                        places.enter_context(one.service.admit())
                    request = entrance.post(one, "good", IMAGE)
                    await _end(request, 503, "overloaded")
                    assert b"in flight" in request.content
                    assert one.service.admission.held_bytes == 0

            await through_every_entrance(one, way, outcome="overloaded")

    run(story)


def test_after_refusals_where_too_many_bytes_are_held(tmp_path):
    """The last chunk is the one too many: what was counted before it is given back with it."""

    async def story():
        async with house(tmp_path) as one:

            async def way(entrance):
                room = entrance.size(IMAGE) - 1
                with one.service.admit() as place:
                    place.hold(MAX_HELD - room)
                    request = entrance.post(one, "good", IMAGE)
                    await _end(request, 503, "overloaded")
                    assert b"held already" in request.content
                    assert one.service.admission.held_bytes == MAX_HELD - room
                    place.hold(room)  # exactly as much as is free

            await through_every_entrance(one, way, outcome="overloaded")

    run(story)


def test_after_bodies_that_stop_arriving(tmp_path):
    async def story():
        async with house(tmp_path, deadline_ms=HASTY_MS) as one:

            async def way(entrance):
                began = time.monotonic()
                request, chunks = entrance.open(one, "good", IMAGE)
                request.body(chunks[0][:10], more=True)
                await _end(request, 408, "body_timeout")
                assert HASTY_MS / 1000 * 0.95 < time.monotonic() - began < MANY_S

            await through_every_entrance(one, way, outcome="body_timeout")

    run(story)


def test_after_deadlines_that_pass_at_a_worker_or_before_one(tmp_path):
    async def story():
        async with house(tmp_path, deadline_ms=HASTY_MS, workers=1) as one:

            async def way(entrance):
                began = time.monotonic()
                requests = [entrance.post(one, "gated", IMAGE), entrance.post(one, "good", IMAGE)]
                for request in requests:
                    await _end(request, 504, "deadline_exceeded")
                assert HASTY_MS / 1000 * 0.95 < time.monotonic() - began < MANY_S
                one.gated.gate.set()
                return 2

            await through_every_entrance(one, way, outcome="deadline_exceeded", counted=False)

    run(story)


def test_after_callers_that_hang_up_in_the_middle_of_the_body(tmp_path):
    async def story():
        async with house(tmp_path) as one:

            async def way(entrance):
                request, chunks = entrance.open(one, "good", IMAGE)
                request.body(chunks[0][:10], more=True)
                await request.until(lambda: one.service.admission.held_bytes > 0)
                request.hang_up()
                await _end(request, 499, "client_gone")

            await through_every_entrance(one, way, outcome="client_gone")

    run(story)


def test_after_callers_that_hang_up_before_their_answer(tmp_path):
    async def story():
        async with house(tmp_path) as one:

            async def way(entrance):
                request = entrance.post(one, "gated", IMAGE)
                await one.computing()
                request.hang_up()
                one.gated.gate.set()
                await _end(request, 200)

            await through_every_entrance(one, way, outcome="ok")

    run(story)


def test_after_requests_that_are_cut_off_by_the_server(tmp_path):
    """As at the end of the grace that is given to those under way."""

    async def story():
        async with house(tmp_path) as one:

            async def way(entrance):
                reading, chunks = entrance.open(one, "good", IMAGE)
                reading.body(chunks[0][:10], more=True)
                await reading.until(lambda: one.service.admission.held_bytes > 0)
                computed = [
                    entrance.post(one, "gated", IMAGE) for _ in range(3)
                ]  # two at a worker, one waiting
                await one.computing(3)
                for request in (reading, *computed):
                    request.task.cancel()
                    assert isinstance(await request.ended(), asyncio.CancelledError)
                assert (one.service.admission.in_flight, one.service.admission.held_bytes) == (0, 0)
                one.gated.gate.set()
                return 4

            await through_every_entrance(one, way, outcome="internal", counted=False)

    run(story)


def test_after_faults_of_our_own_that_nobody_foresaw(tmp_path, caplog):
    async def story():
        async with house(tmp_path) as one:

            async def way(entrance):
                with one.faulty_observer():
                    request = entrance.post(one, "good", IMAGE)
                    assert isinstance(await request.ended(), LookupError)
                assert request.status == 500
                assert request.headers["x-edge-error"] == "internal"
                assert len(request.headers["x-request-id"]) == 16
                assert b"a fault of ours" not in request.content

            await through_every_entrance(one, way, outcome="internal")

    run(story)
    faults = [
        record for record in caplog.records if record.exc_info and record.exc_info[0] is LookupError
    ]
    assert len(faults) == TIMES * len(ENTRANCES)


def test_after_requests_with_several_images_some_of_which_fail(tmp_path):
    async def story():
        async with house(tmp_path) as one:
            before = one.state()
            body = b"".join(
                b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
                + image
                + b"\r\n"
                for image in (IMAGE, b"hello", IMAGE[:100], IMAGE)
            )
            for _ in range(TIMES):
                request = Request(
                    one.app, "/predict/good", {"content-type": "multipart/form-data; boundary=x"}
                )
                request.body(body + b"--x--")
                await _end(request, 200)
                assert request.content.count(b'"error"') == 2
                await one.is_again(before)

    run(story)


@pytest.mark.parametrize("entrance", ENTRANCES, ids=lambda entrance: entrance.name)
def test_a_body_counts_as_held_until_its_answer(tmp_path, entrance):
    async def story():
        async with house(tmp_path) as one:
            one.shut_gate()
            size = entrance.size(IMAGE)
            requests = [entrance.post(one, "gated", IMAGE) for _ in range(3)]
            await one.computing(3)
            assert one.service.admission.held_bytes == 3 * size
            assert one.value("edge_held_bytes") == 3 * size
            assert one.value("edge_requests_in_flight") == one.service.admission.in_flight == 3
            assert (one.value("edge_workers_busy"), one.value("edge_queue_frames")) == (2, 1)
            assert one.value("edge_held_bytes_limit") == MAX_HELD
            assert one.value("edge_requests_in_flight_limit") == 4
            one.gated.gate.set()
            for request in requests:
                await _end(request, 200)
            assert one.service.admission.held_bytes == one.value("edge_held_bytes") == 0

    run(story)


@pytest.mark.parametrize("headers", [{"content-length": "1000"}, {}], ids=["declared", "chunked"])
def test_a_body_counts_as_held_as_it_arrives_and_takes_no_slot_before_its_end(tmp_path, headers):
    async def story():
        async with house(tmp_path) as one:
            admission = one.service.admission
            request = Request(one.app, "/predict/good", headers)
            await until(lambda: admission.receiving == 1)
            assert (admission.in_flight, admission.held_bytes) == (0, 0)
            request.body(bytes(100), more=True)
            await until(lambda: admission.held_bytes == 100)
            request.body(bytes(250), more=True)
            await until(lambda: admission.held_bytes == 350)
            assert (admission.in_flight, one.value("edge_requests_receiving")) == (0, 1)
            request.hang_up()
            await request.ended()
            assert (admission.held_bytes, admission.receiving) == (0, 0)

    run(story)


def test_bodies_that_do_not_arrive_refuse_no_one_and_are_waited_for_at_the_stop(tmp_path):
    """Hundreds of heads with most of the bytes announced; then one good camera, and the stop."""

    async def story():
        async with house(tmp_path) as one:
            silent = [
                Request(one.app, "/predict?deadline_ms=600000", {"content-length": "49999"})
                for _ in range(300)
            ]
            await until(lambda: one.service.admission.receiving == 300)
            for entrance in ENTRANCES:
                await _end(entrance.post(one, "good", IMAGE), 200)
            stopping = asyncio.create_task(one.service.stop())
            await asyncio.sleep(0.05)
            assert not stopping.done()
            for request in silent[1:]:
                request.hang_up()
            silent[0].body(IMAGE)
            await _end(silent[0], 200)
            await asyncio.wait_for(stopping, 10)
            assert one.service.admission.receiving == 0

    run(story)


def test_a_frame_whose_body_is_complete_when_every_slot_is_taken_is_refused(tmp_path):
    async def story():
        async with house(tmp_path) as one:
            one.shut_gate()
            late = Request(one.app, "/predict/gated", {})
            late.body(IMAGE[:10], more=True)
            await until(lambda: one.service.admission.receiving == 1)
            requests = [ENTRANCES[0].post(one, "gated", IMAGE) for _ in range(4)]
            await one.computing(4)
            late.body(IMAGE[10:])
            await _end(late, 503, "overloaded")
            one.gated.gate.set()
            for request in requests:
                await _end(request, 200)

    run(story)


def test_a_body_that_has_been_arriving_for_long_gives_its_memory_to_others(tmp_path, monkeypatch):
    async def story():
        async with house(tmp_path) as one:
            stalled = []
            for _ in range(MAX_HELD // 49_000):
                request = Request(one.app, "/predict/good", {"content-length": "50000"})
                request.body(bytes(49_000), more=True)
                stalled.append(request)
            await until(lambda: one.service.admission.held_bytes == 49_000 * len(stalled))
            image = IMAGE + bytes(MAX_BODY - len(IMAGE))
            await _end(ENTRANCES[0].post(one, "good", image), 503, "overloaded")  # too young yet
            monkeypatch.setattr("edge.dataplane.arriving.MIN_AGE_S", 0.05)
            await asyncio.sleep(0.06)
            await _end(ENTRANCES[0].post(one, "good", image), 200)
            gone = [request for request in stalled if request.task.done()]
            assert len(gone) == 1
            await _end(gone[0], 503, "overloaded")
            assert b"arriving" in gone[0].content
            for request in stalled:
                request.hang_up()
                await request.ended()
            assert one.service.admission.held_bytes == 0

    run(story)


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "x" * 500])
def test_a_body_in_an_unknown_coding_is_refused_in_words(tmp_path, encoding):
    async def story():
        async with house(tmp_path) as one:
            for entrance in ENTRANCES:
                headers, chunks = entrance.pack(IMAGE)
                request = Request(
                    one.app, entrance.url("good"), headers | {"content-encoding": encoding}
                )
                request.body(*chunks)
                await _end(request, 415, "unsupported_encoding")
                assert b"Content-Encoding" in request.content
                assert len(request.content) < 300
                good = Request(
                    one.app, entrance.url("good"), headers | {"content-encoding": "Identity"}
                )
                good.body(*chunks)
                await _end(good, 200)

    run(story)


@pytest.mark.parametrize("model", ["good", "broken", "nobody"])
def test_no_error_outlives_its_request(tmp_path, model):
    """An error leads to the frames of its stack, and these to the image: it must not wait for the
    garbage collector.
    """

    def errors():
        return [one for one in gc.get_objects() if isinstance(one, EdgeError | RuntimeError)]

    async def story():
        async with house(tmp_path) as one:
            for warm in (True, False):
                known = set(map(id, errors()))
                for entrance in ENTRANCES:
                    for image in (IMAGE, b"hello", IMAGE[:100], bytes(MAX_BODY + 1)):
                        await entrance.post(one, model, image).ended()
                await asyncio.sleep(0.05)
                left = [error for error in errors() if id(error) not in known]
                assert warm or not left

    gc.collect()
    gc.disable()
    logging.disable()  # pytest keeps what is logged, with its stack
    try:
        run(story)
    finally:
        logging.disable(logging.NOTSET)
        gc.enable()


def test_a_stop_answers_what_was_admitted_and_leaves_nothing_running(tmp_path):
    async def story():
        tasks, threads = asyncio.all_tasks(), _workers()
        async with house(tmp_path) as one:
            one.shut_gate()
            requests = [entrance.post(one, "gated", IMAGE) for entrance in ENTRANCES[:4]]
            await one.computing(4)
            stopping = asyncio.create_task(one.service.stop())
            await asyncio.sleep(0)
            late = [entrance.post(one, "good", IMAGE) for entrance in ENTRANCES]
            for request in late:
                await _end(request, 503, "shutting_down")
            stream = one.open_stream()
            stream.frame(IMAGE)
            (told,) = await stream.hear(1)
            assert told["error"]["code"] == "shutting_down"
            stream.hang_up()
            await stream.ended()
            assert one.value("edge_ready") == 0
            requests[0].task.cancel()
            await _end(requests[0], 503, "shutting_down")
            await asyncio.sleep(0.05)
            assert not stopping.done()  # the first to leave is not the last
            one.gated.gate.set()
            for request in requests[1:]:
                await _end(request, 200)
            await asyncio.wait_for(stopping, 10)
            assert (one.service.admission.in_flight, one.service.admission.held_bytes) == (0, 0)
        await until(lambda: (asyncio.all_tasks(), _workers()) == (tasks, threads))

    run(story)


def _workers():
    return {thread for thread in threading.enumerate() if thread.name.startswith("edge-")}


def test_the_end_of_the_server_stops_the_service(tmp_path):
    async def story():
        threads = _workers()
        async with house(tmp_path) as one:
            assert _workers() != threads
        assert one.service.stopping
        assert len(asyncio.all_tasks()) == 2  # this one, and the one that watches the time
        await until(lambda: _workers() == threads)

    run(story)
