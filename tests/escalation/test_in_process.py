"""The service in this process with a scripted cloud: who answers, how fast, and what is left."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from builders.cloud import ASKED, BACKOFF_S, HandClock, hangs
from builders.escalation import (
    LABELS,
    PHOTO,
    answering_cloud,
    build,
    cloud_says,
    kept_in,
    running,
    until,
)
from builders.waiting import wait

from edge.dataplane.answer import InferRequest
from edge.errors import (
    CloudMisconfigured,
    CloudNonsense,
    CloudNotAsked,
    CloudRefused,
    CloudUnreachable,
    EdgeError,
    ModelNotFound,
    ModelUnavailable,
    Overloaded,
    UnsupportedImage,
)
from edge.fallback.budget import Limits
from edge.fallback.budget_file import BudgetFile
from edge.fallback.policy import LinkState
from edge.model.contract import ModelFallback
from edge.model.rules import RuleOverrides, parse_modes
from edge.outbox.outbox import Outbox
from edge.outbox.store import Store
from edge.outbox.webhook import Webhook

GONE = CloudUnreachable("gone", costly=True)


def query(seconds=60.0, **how):
    return InferRequest(time.monotonic() + seconds, **how)


def modes(text):
    return None if text is None else parse_modes(text)


@pytest.fixture
def cloud():
    return answering_cloud()


async def late(_):
    """Longer than the service waits here: as a client that keeps its own time."""
    await asyncio.sleep(0.15)
    return GONE


ENDINGS = {
    "answered": cloud_says("label 3"),
    "refused": CloudRefused("frame"),
    "cannot be sent": CloudNotAsked("frame"),
    "busy": CloudUnreachable("busy"),
    "gone": GONE,
    "wrong key": CloudMisconfigured("key"),
    "nonsense": CloudNonsense("what"),
    "crash": ZeroDivisionError("ours"),
    "channel closed": asyncio.CancelledError(),
    "late": late,
    "caller gone": hangs,
    "caller's task cancelled": hangs,
}
HINDRANCES = {
    "answered": None,
    "gone": "timed_out",
    "late": "timed_out",
    "caller gone": "caller_gone",
}


async def end(service, cloud, name, mode):
    """One request that ends so; its answer where there is one."""
    made, left = len(cloud.calls), asyncio.Event()
    cloud.script = [ENDINGS[name]]
    with service.admit() as place:
        place.hold(1000)
        asked = asyncio.create_task(
            service.infer(PHOTO, query(caller_gone=left.wait, modes=modes(mode)))
        )
        if ENDINGS[name] is hangs and mode != "shadow":
            await until(lambda: len(cloud.calls) == made + 1)
            left.set() if name == "caller gone" else asked.cancel()
        (answer,) = await asyncio.wait_for(asyncio.gather(asked, return_exceptions=True), 30)
    await until(lambda: len(cloud.calls) == made + 1)
    return answer


@pytest.mark.parametrize("name", ENDINGS)
def test_after_many_requests_that_end_so_everything_is_as_before(repository, cloud, name):
    clock, how = HandClock(), {"timeout_s": {"late": 0.1, "caller gone": 60.0}.get(name, 10.0)}

    async def run():
        service = build(repository, cloud, clock=clock, link={"max_calls": 2}, **how)
        link = service.cloud.link
        async with running(service):
            for _ in range(3):  # what is made once and stays: the pool's thread, the loop's own
                cloud.script = []
                await service.infer(PHOTO, query())
            before = asyncio.all_tasks(), set(threading.enumerate())
            for _ in range(6):
                answer = await end(service, cloud, name, None)
                if name == "caller's task cancelled":
                    assert isinstance(answer, asyncio.CancelledError)
                else:
                    blocked_by = HINDRANCES.get(name, "cloud_failed")
                    assert (answer.escalation.blocked_by, answer.source) == (
                        blocked_by,
                        "cloud" if blocked_by is None else "edge",
                    )
                await until(lambda: link.status().calls_under_way == 0)
                if link.state is not LinkState.UP:
                    clock.goes(BACKOFF_S)
                    await until(lambda: link.state is LinkState.HALF_OPEN)
                    tried = await service.infer(PHOTO, query())
                    assert (tried.source, tried.escalation.action) == ("edge", "probe")
                    await until(lambda: link.state is LinkState.UP)
            assert (service.admission.in_flight, service.admission.held_bytes) == (0, 0)
            await until(lambda: asyncio.all_tasks() <= before[0])
            await until(lambda: set(threading.enumerate()) <= before[1])
            assert link.status().spent.day.calls == len(cloud.calls)
            answer = await service.infer(PHOTO, query())
            assert (answer.source, answer.items[0].label) == ("cloud", "label 3")
        assert cloud.open == []
        await until(lambda: len(asyncio.all_tasks()) == 1)

    threads = set(threading.enumerate())
    asyncio.run(run())
    wait(lambda: set(threading.enumerate()) <= threads)


def test_the_time_waited_for_the_cloud_is_reported_only_if_it_was_in_vain(repository, cloud):
    async def run():
        async with running(build(repository, cloud, timeout_s=0.3)) as service:
            well = await service.infer(PHOTO, query())
            cloud.script = [CloudRefused("frame")]
            refused = await service.infer(PHOTO, query())
            cloud.usual = hangs
            started = time.monotonic()
            waited = await asyncio.wait_for(service.infer(PHOTO, query()), 30)
            took = time.monotonic() - started
            return well.escalation, refused.escalation, waited.escalation, took

    well, refused, waited, took = asyncio.run(run())
    assert well.waited is None
    assert 0 <= refused.waited < 250
    assert waited.blocked_by == "timed_out"
    assert 0.29 < took < 5
    assert 290 < waited.waited < took * 1000


@pytest.mark.parametrize(
    ("timeout_s", "deadline_s", "least", "most"), [(9.0, 8.0, 6.0, 7.95), (3.0, 60.0, 3.0, 3.0)]
)
def test_the_cloud_gets_its_share_of_the_deadline_and_never_the_last_of_it(
    repository, cloud, timeout_s, deadline_s, least, most
):
    async def run():
        async with running(build(repository, cloud, timeout_s=timeout_s)) as service:
            await service.infer(PHOTO, query(deadline_s))

    asyncio.run(run())
    ((_, seconds),) = cloud.calls
    assert least <= seconds <= most


def test_with_too_little_time_left_the_cloud_is_not_asked(repository, cloud):
    async def run():
        async with running(build(repository, cloud, timeout_s=0.015)) as service:
            return await service.infer(PHOTO, query())

    answer = asyncio.run(run())
    assert (answer.source, answer.escalation.blocked_by) == ("edge", "no_time")
    assert cloud.calls == []


@pytest.mark.parametrize(
    "mode", ["off", "on_error", "low_confidence", "overload", "prefer_cloud", "shadow"]
)
@pytest.mark.parametrize("owner", ["off", "prefer_cloud"])
def test_a_requests_own_mode_goes_before_the_owners(repository, cloud, owner, mode):
    async def run():
        async with running(build(repository, cloud, owner)) as service:
            return await service.infer(PHOTO, query(modes=modes(mode))), await service.infer(
                PHOTO, query()
            )

    asked, usual = asyncio.run(run())
    expected = {
        "off": None,
        "on_error": "accept",
        "low_confidence": "escalate",
        "overload": "accept",
        "prefer_cloud": "escalate",
        "shadow": "shadow",
    }
    assert (asked.escalation and asked.escalation.action) == expected[mode]
    assert asked.source == ("cloud" if expected[mode] == "escalate" else "edge")
    assert usual.source == ("cloud" if owner == "prefer_cloud" else "edge")


def test_the_clouds_answer_is_shown_as_the_caller_asks_together_with_the_edges(repository, cloud):
    async def run():
        async with running(build(repository, cloud)) as service:
            cloud.usual = cloud_says("vase", 0.5)
            one = await service.infer(PHOTO, query(top_k=5))
            none = await service.infer(PHOTO, query(threshold=0.6))
            edge = await service.infer(PHOTO, query(top_k=2, modes=modes("off")))
            both = await service.infer(PHOTO, query(top_k=2))
            return one, none, edge, both

    one, none, edge, both = asyncio.run(run())
    assert [(item.label, item.index, item.score) for item in one.items] == [("vase", 12, 0.5)]
    assert one.escalation.cloud.unknown_labels == ("vase",)
    assert (one.escalation.cloud.model, one.escalation.cloud.latency) == ("far", 250.0)
    assert list(none.items) == []
    assert len(edge.items) == 2
    assert both.escalation.edge.items == edge.items
    assert 0 < both.escalation.edge.latency < 10_000
    assert (both.width, both.height, both.model) == (edge.width, edge.height, edge.model)


def test_the_cloud_is_asked_about_the_frame_as_it_came_in_the_models_words(repository, cloud):
    async def run():
        async with running(build(repository, cloud)) as service:
            await service.infer(PHOTO, query())

    asyncio.run(run())
    ((asked, _),) = cloud.calls
    assert (asked.image, asked.task.name, asked.labels, asked.model) == (
        PHOTO,
        "classification",
        LABELS,
        "flowers",
    )


def test_a_shadow_is_counted_as_agreed_differing_or_failed(repository, cloud):
    async def run():
        async with running(build(repository, cloud, "shadow")) as service:
            edge = await service.infer(PHOTO, query(modes=modes("off")))
            best = edge.items[0].label
            other = next(label for label in LABELS if label != best)
            shadow = lambda: service.cloud.shadow.status().as_json()  # noqa: E731
            counts = []
            outcomes = [
                cloud_says(best),
                cloud_says(other),
                CloudRefused("x"),
                asyncio.CancelledError(),
                ZeroDivisionError(),
            ]
            for number, outcome in enumerate(outcomes, 1):
                cloud.script = [outcome]
                answer = await service.infer(PHOTO, query(camera=f"gate {number}", top_k=1))
                assert (answer.source, answer.escalation.action) == ("edge", "shadow")
                await until(lambda n=number: shadow()["compared"] + shadow()["failed"] == n)
                status = shadow()
                counts.append((status["compared"], status["agreed"], status["failed"]))
            latest = shadow()["latest"]
            return counts, latest, best, other

    counts, latest, best, other = asyncio.run(run())
    assert counts == [(1, 1, 0), (2, 1, 0), (2, 1, 1), (2, 1, 2), (2, 1, 3)]
    told = [
        (one["model"], one["camera"], one["agreed"], one["edge"]["predictions"][0]["label"],
         [item["label"] for item in one["cloud"]["predictions"]])
        for one in latest
    ]  # fmt: skip
    assert told == [
        ("flowers", "gate 2", False, best, [other]),
        ("flowers", "gate 1", True, best, [best]),
    ]


def test_a_shadow_that_cannot_be_asked_is_no_comparison(repository, cloud):
    async def run():
        service = build(repository, cloud, "shadow", link={"max_calls": 1})
        async with running(service):
            cloud.usual = hangs
            first, second = [await service.infer(PHOTO, query()) for _ in range(2)]
            return first.escalation, second.escalation, service

    first, second, service = asyncio.run(run())
    assert (first.action, second.action, second.blocked_by) == ("shadow", "accept", "busy")
    assert (service.cloud.shadow.status().compared, service.cloud.shadow.status().failed) == (
        0,
        1,
    )  # stopped


def test_a_probe_is_made_in_the_background_of_an_answer_that_does_not_wait(repository, cloud):
    clock = HandClock()

    async def run():
        async with running(build(repository, cloud, clock=clock, timeout_s=7.0)) as service:
            link = service.cloud.link
            cloud.script = [GONE, hangs]
            assert (await service.infer(PHOTO, query())).escalation.blocked_by == "timed_out"
            assert (await service.infer(PHOTO, query())).escalation.blocked_by == "link_down"
            clock.goes(BACKOFF_S)
            await until(lambda: link.state is LinkState.HALF_OPEN)
            verdict = (await service.infer(PHOTO, query(1.0))).escalation
            assert (verdict.action, verdict.blocked_by, verdict.outbox) == (
                "probe",
                "link_down",
                None,
            )
            await until(lambda: len(cloud.calls) == 2)
            assert cloud.calls[-1][1] == 7.0  # whatever the frame's own deadline
            assert (await service.infer(PHOTO, query())).escalation.blocked_by == "link_down"
            assert len(cloud.calls) == 2

    asyncio.run(run())


def test_a_probes_response_resolves_the_stored_frame_and_a_failure_leaves_it(
    repository, cloud, tmp_path
):
    clock = HandClock()

    async def run():
        outbox = kept_in(tmp_path / "box")
        service = build(repository, cloud, clock=clock, outbox=outbox, ack_s=5.0)
        link = service.cloud.link
        load, state = [], None
        async with running(service, forward=False):
            cloud.script = [GONE]
            await service.infer(PHOTO + b"0", query())
            for number, outcome in enumerate([CloudUnreachable("still"), cloud_says("label 5")], 1):
                cloud.script = [outcome]
                clock.goes(BACKOFF_S)
                await until(lambda: link.state is LinkState.HALF_OPEN)
                answer = await service.infer(PHOTO + str(number).encode(), query())
                load.append((answer.escalation.action, answer.escalation.outbox.state))
                key = answer.escalation.outbox.key
                await until(lambda: link.status().calls_under_way == 0)
            await until(
                lambda: outbox.call(lambda store: store.get(key)).result(5).state == "resolved"
            )
            state = outbox.call(lambda store: store.get(key)).result(5)
        return load, state

    load, state = asyncio.run(run())
    assert load == [("probe", "kept"), ("probe", "kept")]
    assert [item["label"] for item in state.result["predictions"]] == ["label 5"]


@pytest.mark.parametrize(
    ("ack_s", "deadline_s", "least", "most", "state"),
    [
        (0.0, 60.0, 0.0, 5.0, "pending"),
        (0.3, 60.0, 0.29, 5.0, "pending"),
        (60.0, 1.0, 0.5, 20.0, "pending"),
    ],
    ids=["not at all", "as long as the owner allows", "never beyond the deadline"],
)
def test_an_answer_waits_for_a_disk_that_hangs(
    repository, tmp_path, ack_s, deadline_s, least, most, state
):
    may_go_on = threading.Event()

    async def run():
        outbox = kept_in(tmp_path / "box")
        service = build(repository, None, outbox=outbox, ack_s=ack_s)
        async with running(service):
            stuck = threading.Event()
            outbox.call(lambda _: (stuck.set(), may_go_on.wait(25)))
            await until(stuck.is_set)
            started = time.monotonic()
            answer = await service.infer(PHOTO, query(deadline_s))
            took = time.monotonic() - started
            may_go_on.set()
        return answer.escalation, took

    verdict, took = asyncio.run(run())
    assert (verdict.action, verdict.blocked_by, verdict.outbox.state) == (
        "defer",
        "no_endpoint",
        state,
    )
    assert least <= took < most


def test_what_was_accepted_is_on_the_disk_when_the_service_has_stopped(repository, tmp_path):
    async def run():
        outbox = kept_in(tmp_path / "box")
        async with running(build(repository, None, outbox=outbox)) as service:
            for number in range(5):
                await service.infer(PHOTO + bytes([number]), query())
        assert not outbox._thread.is_alive()
        again = kept_in(tmp_path / "box")
        again.start()
        kept = again.call(lambda store: store.entries()).result(10)
        again.stop()
        return kept

    kept = asyncio.run(run())
    assert len(kept) == 5
    (one, *_) = kept
    assert (one.task, one.model, one.version, one.camera) == ("classification", "flowers", 1, "")
    assert (one.reason, one.blocked_by) == ("low_score", "no_endpoint")
    assert one.items[0]["label"] in LABELS


def test_forwarding_and_its_answers_end_with_the_service(repository, cloud, tmp_path):
    async def run():
        outbox = kept_in(tmp_path / "box")
        clock = HandClock()
        service = build(repository, cloud, clock=clock, outbox=outbox, ack_s=5.0)
        async with running(service):
            cloud.script = [CloudUnreachable("busy")]
            answer = await service.infer(PHOTO, query())
            key = answer.escalation.outbox.key
            await until(
                lambda: outbox.call(lambda store: store.get(key)).result(5).state == "resolved"
            )
        assert not service.cloud.link._thread.is_alive()
        assert not outbox._thread.is_alive()
        return len(cloud.calls)

    assert asyncio.run(run()) == 2


@pytest.mark.parametrize(
    "mode", ["overload", "prefer_cloud", "low_confidence", "on_error", "shadow"]
)
def test_extra_slots_exist_exactly_while_the_cloud_takes_the_overflow(repository, cloud, mode):
    def places(service):
        with ExitStack() as taken, suppress(Overloaded):
            for count in range(100):  # noqa: B007 -- what it came to is the answer
                taken.enter_context(service.admit())
        assert service.admission.in_flight == 0
        return count

    async def run():
        service = build(repository, cloud, mode, queue_size=1, overflow=3, link={"max_calls": 1})
        seen = [places(service)]
        async with running(service):
            seen.append(places(service))
            cloud.usual = hangs
            busy = service.cloud.link.submit(ASKED, 60.0)
            seen.append(places(service))
            busy.cancel()
            await until(lambda: service.cloud.link.blocked_by is None)
            seen.append(places(service))
            cloud.usual = GONE
            with pytest.raises(CloudUnreachable):
                await asyncio.wrap_future(service.cloud.link.submit(ASKED, 60.0))
            seen.append(places(service))
        return seen

    expected = [2, 5, 2, 5, 2] if mode in {"overload", "prefer_cloud"} else [2] * 5
    assert asyncio.run(run()) == expected


def test_extra_slots_exist_while_the_outbox_works(repository, tmp_path):
    outbox = kept_in(tmp_path / "box")

    def room(service):
        with service.admit():
            return service.admission.max_in_flight

    async def run():
        service = build(repository, None, "overload", queue_size=1, overflow=3, outbox=outbox)
        async with running(service):
            well = room(service)
            outbox.fault = "the disk is full"
            ill = room(service)
            outbox.fault = None
            return well, ill, room(service)

    assert asyncio.run(run()) == (5, 2, 5)


def test_the_cloud_answers_for_a_model_that_does_not_serve_and_its_error_stands_where_it_does_not(
    repository, cloud, tmp_path
):
    async def run():
        outbox = kept_in(tmp_path / "box")
        outcomes = []
        service = build(repository, cloud, "on_error", outbox=outbox, ack_s=5.0)
        async with running(service, load=False, forward=False):
            outcomes.append(await service.infer(PHOTO, query()))
            with pytest.raises(UnsupportedImage):
                await service.infer(b"no image", query())
            for outcome in (CloudRefused("frame"), GONE):
                cloud.script = [outcome]
                with pytest.raises(ModelUnavailable) as caught:
                    await service.infer(PHOTO, query())
                outcomes.append(caught.value.message)
            with pytest.raises(ModelNotFound):
                await service.infer(PHOTO, query(model="other"))
            with pytest.raises(ModelUnavailable) as caught:
                await service.infer(PHOTO, query(modes=modes("low_confidence")))
            outcomes.append(caught.value.message)
            entries = outbox.call(lambda store: store.entries()).result(5)
        return outcomes, entries

    (answer, refused, gone, unwanted), entries = asyncio.run(run())
    assert (answer.source, answer.escalation.action, answer.escalation.reason) == (
        "cloud",
        "escalate",
        "edge_failed",
    )
    assert (answer.width, answer.height, answer.escalation.edge, answer.outputs) == (
        64,
        48,
        None,
        None,
    )
    assert (answer.stages.infer, answer.queue) == (0.0, 0.0)
    (entry,) = entries  # the same frame: one entry
    for message in (refused, gone):
        assert f"is kept in the outbox ({entry.key})" in message
    assert "kept" not in unwanted
    assert (entry.reason, entry.confidence, entry.label, list(entry.items)) == (
        "edge_failed",
        0.0,
        "",
        [],
    )


def test_a_spent_budget_is_renewed_for_the_service_when_its_time_is_over(
    repository, cloud, tmp_path
):
    clock = HandClock()

    async def run():
        budget_file = BudgetFile(tmp_path / "budget.json", clock.reading)
        how = {"limits": Limits(calls_per_day=2), "budget_file": budget_file}
        service, seen = build(repository, cloud, clock=clock, link=how), []
        async with running(service):
            for seconds in (0, 0, 0, 86_399, 2):
                clock.goes(seconds)
                answer = await service.infer(PHOTO, query())
                seen.append((answer.source, answer.escalation.blocked_by))
        return seen

    spent = ("edge", "budget_spent")
    assert asyncio.run(run()) == [("cloud", None), ("cloud", None), spent, spent, ("cloud", None)]


def test_the_status_names_the_modes_of_each_model_and_what_stands_behind(
    repository, cloud, tmp_path
):
    with_all = build(repository, cloud, "on_error,overload", outbox=kept_in(tmp_path / "box"))
    status = with_all.cloud.status().as_json()
    assert status["modes"] == {"flowers": ["on_error", "overload"]}
    assert status["link"]["state"] == "down"
    assert status["shadow"]["compared"] == 0
    assert status["outbox"]["fault"] is None
    alone = build(repository).cloud.status().as_json()
    assert (alone["link"], alone["outbox"]) == (None, None)


def test_a_request_that_fails_at_the_edge_for_its_own_fault_is_never_kept_or_sent(
    repository, cloud, tmp_path
):
    async def run():
        outbox = kept_in(tmp_path / "box")
        service = build(repository, cloud, "prefer_cloud", outbox=outbox, ack_s=5.0)
        async with running(service):
            for _ in range(3):
                with pytest.raises(EdgeError):
                    await service.infer(PHOTO[:100], query())
            return outbox.call(lambda store: store.entries()).result(5)

    assert asyncio.run(run()) == []
    assert cloud.calls == []


class Receiver(BaseHTTPRequestHandler):
    """The owner's server, which the webhook tells."""

    def do_POST(self):
        self.server.told.append(self.headers["Idempotency-Key"])
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_forwarded_results_reach_the_webhook_which_ends_with_the_service(
    repository, cloud, tmp_path
):
    async def run(url):
        outbox = Outbox(lambda: Store(tmp_path / "box", deliver=True), tmp_path / "box")
        service = build(
            repository, cloud, outbox=outbox, ack_s=5.0, webhook=Webhook(outbox, url, None)
        )
        async with running(service):
            cloud.script = [CloudUnreachable("busy")]
            answer = await service.infer(PHOTO, query())
            key = answer.escalation.outbox.key
            await until(
                lambda: outbox.call(lambda store: store.get(key)).result(5).webhook == "delivered"
            )
        return key

    threads = set(threading.enumerate())
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.told = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            key = asyncio.run(run(f"http://127.0.0.1:{server.server_port}/"))
        finally:
            server.shutdown()
            thread.join()
    assert server.told == [key]
    wait(lambda: set(threading.enumerate()) <= threads)


def test_a_model_without_rules_of_its_own_is_served_by_the_owners_and_its_own_take_effect_at_once(
    repository, cloud
):
    """A `model.toml` with an unknown mode is refused when it is read; see the tests of `export`."""

    async def run():
        service = build(repository, cloud)
        (version,) = repository.versions
        async with running(service):
            answers = [await service.infer(PHOTO, query()) for _ in range(3)]
            rules = RuleOverrides(modes=frozenset(), threshold=0.1)
            tuning = replace(version.contract.tuning, fallback=ModelFallback(rules=rules))
            version.contract = replace(version.contract, tuning=tuning)
            return answers, await service.infer(PHOTO, query())

    answers, off = asyncio.run(run())
    assert [answer.source for answer in answers] == ["cloud"] * 3
    assert (off.source, off.escalation) == ("edge", None)  # the next version's own rule


def test_a_link_whose_last_place_was_taken_meanwhile_leaves_the_edges_answer(repository, cloud):
    async def run():
        service = build(repository, cloud, link={"max_calls": 1})
        async with running(service):
            cloud.usual = hangs

            async def another_is_first():
                service.cloud.link.submit(ASKED, 60.0)
                await asyncio.sleep(60)

            return await service.infer(PHOTO, query(caller_gone=another_is_first))

    answer = asyncio.run(run())
    assert (answer.source, answer.escalation.blocked_by) == ("edge", "busy")


def test_a_probe_that_another_frame_made_first_leaves_the_edges_answer(repository, cloud, tmp_path):
    clock, may_go_on, stuck = HandClock(), threading.Event(), threading.Event()

    async def run():
        outbox = kept_in(tmp_path / "box")
        service = build(repository, cloud, clock=clock, outbox=outbox, ack_s=20.0)
        link = service.cloud.link
        async with running(service, forward=False):
            cloud.script = [GONE, hangs]
            await service.infer(PHOTO + b"0", query())
            clock.goes(BACKOFF_S)
            await until(lambda: link.state is LinkState.HALF_OPEN)
            outbox.call(lambda _: (stuck.set(), may_go_on.wait(25)))
            await until(stuck.is_set)
            asked = asyncio.create_task(service.infer(PHOTO, query()))
            await until(lambda: outbox.status().queued_bytes > 0)  # it waits for the disk
            link.submit(ASKED, 60.0)
            may_go_on.set()
            return await asked

    answer = asyncio.run(run())
    assert (answer.source, answer.escalation.action, answer.escalation.outbox.state) == (
        "edge",
        "probe",
        "kept",
    )
    assert len(cloud.calls) == 2


def test_a_link_that_stops_under_a_frame_leaves_the_edges_answer(repository, cloud):
    async def run():
        service = build(repository, cloud)
        async with running(service):
            cloud.usual = hangs
            asked = asyncio.create_task(service.infer(PHOTO, query()))
            await until(lambda: len(cloud.calls) == 1)
            await asyncio.to_thread(service.cloud.link.stop)
            return await asyncio.wait_for(asked, 30)

    answer = asyncio.run(run())
    assert (answer.source, answer.escalation.blocked_by) == ("edge", "link_down")


def test_of_twelve_frames_at_once_with_two_slots_ten_are_blocked_by_busy(repository, cloud):
    """The link is up all the while; before, those ten said `link_down`."""
    may_answer = asyncio.Event()

    async def answers_later(_):
        await until(may_answer.is_set)
        return cloud_says("label 3")

    async def run():
        service = build(repository, cloud, workers=1, queue_size=11, link={"max_calls": 2})
        async with running(service):
            cloud.usual = answers_later
            frames = [asyncio.create_task(service.infer(PHOTO, query())) for _ in range(12)]
            await until(lambda: sum(frame.done() for frame in frames) == 10)
            assert service.cloud.link.state is LinkState.UP
            may_answer.set()
            return await asyncio.gather(*frames)

    answers = asyncio.run(run())
    outcomes = [(answer.source, answer.escalation.blocked_by) for answer in answers]
    assert outcomes.count(("cloud", None)) == 2
    assert outcomes.count(("edge", "busy")) == 10
    assert len(cloud.calls) == 2
