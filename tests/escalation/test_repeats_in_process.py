"""A camera that repeats itself, in front of a scripted cloud: what is asked, kept and answered."""

from __future__ import annotations

import asyncio
import math
import time

import pytest
from builders.escalation import (
    PHOTO,
    answering_cloud,
    build,
    kept_in,
    running,
)

from edge.dataplane.answer import InferRequest
from edge.errors import CloudUnreachable
from edge.fallback.budget import Limits
from edge.fallback.repeats import Repeats
from edge.model.rules import parse_modes


@pytest.fixture
def cloud():
    return answering_cloud()


def frame(number: int) -> bytes:
    """The same picture in other bytes, as a camera's noise makes them."""
    return PHOTO + b"%d" % number


def by(sender="camera gate", client="10.0.0.1", **how):
    return InferRequest(time.monotonic() + 60, sender=sender, client=client, **how)


async def answers_of(service, *requests, picture=frame):
    return [await service.infer(picture(number), one) for number, one in enumerate(requests)]


def told(answer):
    return answer.source, answer.escalation.blocked_by


def run(repository, cloud, *requests, repeat_s=60.0, picture=frame, **how):
    async def run_it():
        service = build(repository, cloud, repeats=Repeats(repeat_s), **how)
        async with running(service, forward=False):
            return await answers_of(service, *requests, picture=picture)

    return asyncio.run(run_it())


@pytest.mark.parametrize("sender", ["camera gate", "stream 7"])
@pytest.mark.parametrize("mode", ["low_confidence", "prefer_cloud"])
def test_a_camera_that_repeats_itself_is_asked_about_once_and_the_edge_answers_the_rest(
    repository, cloud, mode, sender
):
    first, *rest = run(repository, cloud, *[by(sender)] * 5, mode=mode)
    assert told(first) == ("cloud", None)
    assert {told(answer) for answer in rest} == {("edge", "unchanged")}
    assert {answer.escalation.action for answer in rest} == {"accept"}
    assert len({answer.items[0].label for answer in rest} | {"label 3"}) == 2
    assert all(answer.escalation.cloud is None for answer in rest)
    assert len(cloud.calls) == 1


def test_it_is_asked_about_again_when_its_seconds_are_over(repository, cloud):
    async def run_it():
        service = build(repository, cloud, repeats=Repeats(0.2))
        async with running(service, forward=False):
            first = await answers_of(service, by(), by())
            await asyncio.sleep(0.25)
            return first + await answers_of(service, by(), by())

    answers = asyncio.run(run_it())
    assert [answer.source for answer in answers] == ["cloud", "edge", "cloud", "edge"]


def test_with_0_seconds_every_frame_is_asked_about(repository, cloud):
    answers = run(repository, cloud, *[by()] * 3, repeat_s=0.0)
    assert {told(answer) for answer in answers} == {("cloud", None)}


def test_each_camera_stream_and_client_is_looked_at_by_itself(repository, cloud):
    requests = [by(), by("camera door"), by("stream 1"), by("stream 2"), by(client="10.0.0.2")]
    answers = run(repository, cloud, *requests)
    assert {told(answer) for answer in answers} == {("cloud", None)}


def test_single_pictures_repeat_only_with_the_same_bytes(repository, cloud):
    different = run(repository, cloud, *[by("")] * 3)
    assert {told(answer) for answer in different} == {("cloud", None)}
    same = run(repository, cloud, *[by("")] * 3, picture=lambda _: PHOTO)
    assert [told(answer) for answer in same] == [("cloud", None)] + [("edge", "unchanged")] * 2


def test_pictures_of_one_request_are_different_pictures(repository, cloud):
    async def run_it():
        service = build(repository, cloud, repeats=Repeats(60.0))
        async with running(service, forward=False):
            return await service.infer_many([frame(n) for n in (1, 2, 2)], by())

    answers = asyncio.run(run_it())
    assert sorted(answer.source for answer in answers) == ["cloud", "cloud", "edge"]


def test_a_request_that_names_its_mode_is_asked_about(repository, cloud):
    requests = [by(modes=parse_modes("prefer_cloud"))] * 3
    answers = run(repository, cloud, *requests, mode="off")
    assert {told(answer) for answer in answers} == {("cloud", None)}


def test_shadow_compares_a_camera_that_repeats_itself_once(repository, cloud):
    answers = run(repository, cloud, *[by()] * 4, mode="shadow")
    actions = [answer.escalation.action for answer in answers]
    assert actions == ["shadow", "accept", "accept", "accept"]
    assert len(cloud.calls) == 1


def test_the_outbox_keeps_a_view_once(repository, tmp_path):
    async def run_it():
        service = build(
            repository, None, repeats=Repeats(60.0), outbox=kept_in(tmp_path / "box"), ack_s=10.0
        )
        async with running(service, forward=False):
            return await answers_of(service, *[by()] * 5)

    first, *rest = asyncio.run(run_it())
    assert (first.escalation.action, first.escalation.outbox.state) == ("defer", "kept")
    assert {(told(answer), answer.escalation.outbox) for answer in rest} == {
        (("edge", "unchanged"), None)
    }


def test_a_call_that_was_not_made_leaves_the_next_frame_its_chance(repository, cloud):
    answers = run(repository, cloud, *[by()] * 3, link={"limits": Limits(calls_per_day=0)})
    assert {told(answer) for answer in answers} == {("edge", "budget_spent")}


def test_a_call_that_failed_was_paid_for_and_is_not_made_again_at_once(repository, cloud):
    cloud.usual = CloudUnreachable("500")
    answers = run(repository, cloud, *[by()] * 3)
    assert [told(answer) for answer in answers] == [
        ("edge", "cloud_failed"),
        ("edge", "unchanged"),
        ("edge", "unchanged"),
    ]
    assert len(cloud.calls) == 1


def test_a_client_whose_share_is_spent_gets_the_edges_answer_and_others_the_clouds(
    repository, cloud
):
    greedy, camera = by("", client="greedy"), by("", client="camera")
    requests = [*[greedy] * 80, camera]
    answers = run(
        repository, cloud, *requests, link={"limits": Limits(calls_per_day=100)}, threshold=math.inf
    )
    assert [told(answer) for answer in answers[:80]] == [("cloud", None)] * 75 + [
        ("edge", "share_spent")
    ] * 5
    assert told(answers[-1]) == ("cloud", None)
