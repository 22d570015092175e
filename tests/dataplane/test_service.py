"""The data plane without a protocol: slots, order, faults of single frames, and stopping."""

import asyncio
import math
import time

import pytest
from builders.images import encode, noise, quadrants, turned
from builders.tflite import classifier

from edge.dataplane.answer import Answer, InferRequest
from edge.errors import (
    CorruptImage,
    DeadlineExceeded,
    ImageTooLarge,
    ModelNotFound,
    Overloaded,
    ShuttingDown,
    UnsupportedImage,
)
from edge.settings import Settings
from edge.wiring.bootstrap import build_service

PHOTO = encode(quadrants(), "PNG")
ENDLESS = InferRequest(math.inf)


@pytest.fixture
def export(tmp_path):
    (tmp_path / "model.tflite").write_bytes(classifier())
    (tmp_path / "dict.txt").write_text("\n".join(f"label {i}" for i in range(12)))
    return tmp_path


@pytest.fixture
def service(export):
    service = build_service(Settings(models=export, workers=2, queue_size=3, max_pixels=10_000))
    service.load_models()
    yield service
    service.pool.close()


def test_an_answer_carries_all_that_was_said_and_where_it_came_from(service):
    answer = asyncio.run(service.infer(turned(6, "JPEG"), InferRequest(math.inf, top_k=3)))
    assert len(answer.items) == 3
    assert len(answer.prediction.scores) == 12
    assert (answer.source, answer.model.version, answer.width, answer.height) == ("edge", 1, 64, 48)
    stages = answer.stages
    assert (
        min(stages.decode, stages.preprocess, stages.infer, stages.postprocess, answer.queue) >= 0
    )
    assert answer.outputs is None


@pytest.mark.parametrize(
    ("image", "query", "error"),
    [
        (b"", ENDLESS, CorruptImage),
        (PHOTO[:60], ENDLESS, CorruptImage),
        (b"hello", ENDLESS, UnsupportedImage),
        (encode(noise(101, 100), "PNG"), ENDLESS, ImageTooLarge),
        (PHOTO, InferRequest(math.inf, model="other"), ModelNotFound),
        (PHOTO, InferRequest(math.inf, version=2), ModelNotFound),
        (PHOTO, InferRequest(0.0), DeadlineExceeded),
    ],
)
def test_each_fault_raises_its_own_error(service, image, query, error):
    with pytest.raises(error):
        asyncio.run(service.infer(image, query))


def test_many_images_are_answered_in_their_order_each_with_its_own_fault(service):
    images = [PHOTO, b"", PHOTO, b"hello", *[PHOTO] * 20]
    answers = asyncio.run(service.infer_many(images, ENDLESS))
    assert [type(answer) for answer in answers[:4]] == [
        Answer,
        CorruptImage,
        Answer,
        UnsupportedImage,
    ]
    assert all(isinstance(answer, Answer) for answer in answers[4:])
    good = {
        tuple(answer.prediction.scores.tolist()) for answer in answers if isinstance(answer, Answer)
    }
    assert len(good) == 1, "a bad frame beside it changes no answer"


def test_there_are_as_many_slots_as_workers_and_queue_hold_and_each_is_returned(service):
    held = [service.admit() for _ in range(5)]
    for place in held:
        place.__enter__()
    assert (service.admission.in_flight, service.admission.max_in_flight) == (5, 5)
    assert "5/5 in flight" in repr(service)
    with pytest.raises(Overloaded, match="5 requests are in flight"), service.admit():
        pass
    held.pop().__exit__(None, None, None)
    with service.admit():
        assert service.admission.in_flight == 5
    for place in held:
        place.__exit__(None, None, None)
    assert service.admission.in_flight == 0


def test_a_place_is_given_back_when_its_request_fails(service):
    with pytest.raises(CorruptImage), service.admit():
        raise CorruptImage("cut off")
    assert service.admission.in_flight == 0


def test_every_admitted_request_finds_a_place_in_the_pool(service):
    """The bounds agree: what `admit` lets in, the queue never refuses."""

    async def one():
        with service.admit():
            return await service.infer(PHOTO, ENDLESS)

    async def story():
        for _ in range(100):
            await asyncio.gather(*(one() for _ in range(service.admission.max_in_flight)))

    asyncio.run(story())


def test_stopping_takes_nothing_new_and_waits_for_what_was_admitted(service):
    async def story():
        entered, leave = asyncio.Event(), asyncio.Event()

        async def request():
            with service.admit():
                entered.set()
                await leave.wait()
                return await service.infer(PHOTO, ENDLESS)

        task = asyncio.create_task(request())
        await entered.wait()
        stopping = asyncio.create_task(service.stop())
        await asyncio.sleep(0)
        assert service.stopping
        with pytest.raises(ShuttingDown), service.admit():
            pass
        assert not stopping.done()
        leave.set()
        assert isinstance(await task, Answer)
        await asyncio.wait_for(stopping, 10)
        with pytest.raises(ShuttingDown):
            await service.infer(PHOTO, ENDLESS)

    asyncio.run(story())


def test_stopping_when_nothing_is_in_flight_returns_at_once_and_again(service):
    async def story():
        await asyncio.wait_for(service.stop(), 10)
        await asyncio.wait_for(service.stop(), 10)

    asyncio.run(story())


def test_a_deadline_in_the_future_is_no_fault(service):
    assert asyncio.run(service.infer(PHOTO, InferRequest(time.monotonic() + 30))).items
