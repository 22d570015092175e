"""How the images of one request share the workers with others, and what time means to each."""

import asyncio
import math
import time

import pytest
from builders.images import encode, noise
from builders.odd_models import odd_repository
from builders.waiting import until

from edge.bootstrap import build_service, load_models
from edge.errors import DeadlineExceeded, InferenceFailed
from edge.service import Answer, Query
from edge.settings import Settings

IMAGE = encode(noise(20, 20), "PNG")


@pytest.fixture
def service(tmp_path):
    service = build_service(Settings(workers=2, queue_size=4), odd_repository(tmp_path))
    load_models(service)
    yield service
    service.repository.find("gated").gate.set()
    service.pool.close()


def test_the_images_of_one_request_take_every_worker_and_leave_the_queue_to_others(service):
    gated = service.repository.find("gated")

    async def story():
        many = asyncio.create_task(service.infer_many([IMAGE] * 6, Query(math.inf, "gated")))
        await until(lambda: gated.begun == 2)
        await asyncio.sleep(0.01)
        assert (service.pool.busy, service.pool.waiting) == (2, 0)
        other = asyncio.create_task(service.infer(IMAGE, Query(math.inf, "good")))
        await until(lambda: service.pool.waiting == 1)
        gated.gate.set()
        assert isinstance(await other, Answer)
        assert [type(one) for one in await many] == [Answer] * 6

    asyncio.run(story())


@pytest.mark.parametrize("images", [1, 5])
def test_a_deadline_holds_for_one_image_and_for_each_of_several(service, images):
    async def story():
        began = time.monotonic()
        answers = await service.infer_many([IMAGE] * images, Query(began + 0.1, "gated"))
        assert [type(answer) for answer in answers] == [DeadlineExceeded] * images
        assert 0.09 < time.monotonic() - began < 5
        with pytest.raises(DeadlineExceeded):
            await service.infer(IMAGE, Query(time.monotonic() + 0.1, "gated"))
        assert 0.18 < time.monotonic() - began < 5

    asyncio.run(story())


def test_the_wait_for_a_worker_is_told_in_milliseconds(service):
    gated = service.repository.find("gated")

    async def story():
        busy = [asyncio.create_task(service.infer(IMAGE, Query(math.inf, "gated"))) for _ in range(2)]
        await until(lambda: gated.begun == 2)
        waiting = asyncio.create_task(service.infer(IMAGE, Query(math.inf, "good")))
        await asyncio.sleep(0.1)
        gated.gate.set()
        assert 90 < (await waiting).queue < 20_000
        await asyncio.gather(*busy)

    asyncio.run(story())


def test_an_image_on_which_the_model_breaks_leaves_those_beside_it(service):
    answers = asyncio.run(service.infer_many([IMAGE] * 3, Query(math.inf, "broken")))
    assert [type(answer) for answer in answers] == [InferenceFailed] * 3
    for answer in answers:  # while the others are computed it holds no image
        assert (answer.__traceback__, answer.__cause__, answer.__context__) == (None, None, None)
    assert isinstance(asyncio.run(service.infer(IMAGE, Query(math.inf))), Answer)


def test_a_watcher_is_told_of_every_frame_answered_or_not(service):
    told = []

    class Watcher:
        def answered(self, answer):
            told.append(answer.source)

        def failed(self, query, error):
            told.append((query.camera, error.code))

    service.watcher = Watcher()
    service.on_answer = lambda image, query, answer: told.append((len(image), query.camera, answer.model.name))
    query = Query(math.inf, camera="door")
    asyncio.run(service.infer_many([IMAGE, b"hello"], query))
    assert sorted(map(str, told)) == sorted(
        map(str, ["edge", (len(IMAGE), "door", "good"), ("door", "unsupported_image")])
    )
