"""The data plane with an online model and an outbox behind it: the edge first, then what the policy decides.

Built in place of `InferenceService` only where the owner configured one of the two. The edge's answer is always had
first and is what goes out whenever anything else fails, is late, or is not allowed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edge.errors import CloudError, CloudUnreachable, EdgeError
from edge.exchange import ForwardingAsker, judged, kept, new_entry, question, result_json, said
from edge.fallback.comparison import Compared, Comparison, same
from edge.fallback.policy import (
    Action,
    Decision,
    Hindrance,
    LinkState,
    Means,
    Mode,
    Reason,
    after_failure,
    decide,
    parse_modes,
    tuned,
    wish,
    wish_after,
)
from edge.fallback.verdict import Kept, KeptState, Said, Verdict, verdict_of
from edge.model.prediction import selection
from edge.repository.servable import Stages
from edge.service import Answer, InferenceService
from edge.vision.decode import upright_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from edge.fallback.cloud import CloudAnswer
    from edge.fallback.link import Link
    from edge.fallback.policy import Rules
    from edge.model.contract import FallbackTuning
    from edge.outbox.entry import NewEntry
    from edge.outbox.outbox import Outbox
    from edge.outbox.webhook import Webhook
    from edge.repository.manager import ModelRepository
    from edge.repository.servable import Decoding, Servable
    from edge.runtime.pool import WorkerPool
    from edge.service import Place, Query

_log = logging.getLogger(__name__)

_RESERVE_S = 0.05
"""Seconds of the deadline that the cloud does not get: the edge's answer must still go out in time."""
_ACCEPTED = Verdict(Action.ACCEPT)
_OVERFLOWING = frozenset({Mode.OVERLOAD, Mode.PREFER_CLOUD})


@dataclass(frozen=True, slots=True)
class Assistance:
    """What stands behind the edge.

    Attributes:
        rules: when the online model is wanted, where a model's own file does not say otherwise.
        timeout_s: of a frame's deadline, that the online model may take at most.
        link: the way to it; ``None`` where no endpoint is configured.
        outbox: where frames wait; ``None`` where none is configured.
        webhook: who is told of results.
        ack_s: that an answer may wait for the outbox's disk.
        overflow: frames taken beyond the edge's own places while the online model takes what is too much.
    """

    rules: Rules
    timeout_s: float
    link: Link | None = None
    outbox: Outbox | None = None
    webhook: Webhook | None = None
    ack_s: float = 0.0
    overflow: int = 0


class AssistedService(InferenceService):
    """See the module.

    Attributes:
        comparison: what shadowing has shown since the start.
    """

    def __init__(
        self,
        repository: ModelRepository,
        pool: WorkerPool,
        decoding: Decoding,
        assistance: Assistance,
        *,
        max_held_bytes: int,
    ) -> None:
        super().__init__(repository, pool, decoding, max_held_bytes=max_held_bytes)
        self.assistance = assistance
        self.comparison = Comparison()
        self._own_places = self.max_in_flight
        self._rules: dict[str, tuple[FallbackTuning, Rules]] = {}
        self._overflows = any(self._rules_of(servable).modes & _OVERFLOWING for servable in repository.servables)

    def start(self) -> None:
        """Connect, open the outbox and forward, each on a thread of its own; returns at once."""
        link, outbox = self.assistance.link, self.assistance.outbox
        if outbox is not None:
            outbox.start()
        if link is not None:
            link.start()
            if outbox is not None:
                from edge.outbox.forwarder import Forwarder  # noqa: PLC0415 -- only where there is something to forward

                link.run(Forwarder(outbox, ForwardingAsker(link, self.repository)).run())
                if self.assistance.webhook is not None:
                    link.run(self.assistance.webhook.run())

    async def stop(self) -> None:
        """Answer what was admitted, then write what was accepted."""
        await super().stop()
        for part in (self.assistance.link, self.assistance.outbox):
            if part is not None:
                await asyncio.to_thread(part.stop)

    @contextmanager
    def admit(self) -> Iterator[Place]:
        """As the edge alone, with more places while the online model or the outbox takes what is too much."""
        spill = self._overflows and (self._link_is_free or self._outbox_is_well)
        self.max_in_flight = self._own_places + (self.assistance.overflow if spill else 0)
        with super().admit() as place:
            yield place

    async def _answer(self, image: bytes, query: Query) -> Answer:
        """Answer one frame: from the edge, or from the cloud where the policy wants it and it came in time.

        Raises:
            EdgeError: as the edge alone, where nothing stands in for it.
        """
        servable = self.repository.find(query.model, query.version)
        rules = self._rules_for(servable, query)
        if not rules.modes:
            return await super()._answer(image, query)
        started = time.perf_counter()
        try:
            answer = await super()._answer(image, query)
        except EdgeError as error:
            reason = wish_after(error, rules)
            if reason is None:
                raise
            return await self._instead(image, query, servable, reason, error)
        edge_ms = (time.perf_counter() - started) * 1000
        reason = wish(answer.prediction, judged(answer, servable), rules)
        if reason is None:
            return replace(answer, verdict=_ACCEPTED)
        decision = decide(reason, self._means(query), answered=True)
        return await self._carry_out(decision, image, query, answer, edge_ms)

    def status(self) -> dict[str, Any]:
        """For people and gauges."""
        link, outbox = self.assistance.link, self.assistance.outbox
        return {
            "modes": {one.name: sorted(self._rules_of(one).modes) for one in self.repository.servables},
            "link": None if link is None else link.status(),
            "shadow": self.comparison.status(),
            "outbox": None if outbox is None else outbox.status(),
        }

    @property
    def _link_is_free(self) -> bool:
        link = self.assistance.link
        return link is not None and link.state is LinkState.UP and link.hindrance is None

    @property
    def _outbox_is_well(self) -> bool:
        return self.assistance.outbox is not None and self.assistance.outbox.fault is None

    def _rules_for(self, servable: Servable, query: Query) -> Rules:
        rules = self._rules_of(servable)
        return rules if query.fallback is None else replace(rules, modes=parse_modes(query.fallback))

    def _rules_of(self, servable: Servable) -> Rules:
        """Of the version that serves now; worked out once for each."""
        tuning = servable.contract.tuning.fallback
        known = self._rules.get(servable.name)
        if known is None or known[0] is not tuning:
            try:
                rules = tuned(self.assistance.rules, tuning)
            except ValueError as error:  # told at start for what was there then; a later version may bring it
                _log.error("model %s: fallback.mode in its model.toml is not used: %s", servable.name, error)
                rules = self.assistance.rules
            known = self._rules[servable.name] = (tuning, rules)
        return known[1]

    def _means(self, query: Query) -> Means:
        link = self.assistance.link
        state = LinkState.ABSENT if link is None else link.state
        return Means(
            link=state,
            hindrance=None if link is None or state is LinkState.DOWN else link.hindrance,
            seconds=self._seconds(query),
            outbox=self.assistance.outbox is not None,
        )

    def _seconds(self, query: Query) -> float:
        return min(self.assistance.timeout_s, query.deadline - time.monotonic() - _RESERVE_S)

    async def _carry_out(
        self, decision: Decision, image: bytes, query: Query, answer: Answer, edge_ms: float
    ) -> Answer:
        """The edge has answered: its answer, or the cloud's in its place."""
        waited_ms = None
        if decision.action is Action.ESCALATE:
            assert decision.reason is not None
            began = time.perf_counter()
            cloud = await self._ask(image, query, answer.model)
            if not isinstance(cloud, Hindrance):
                return _from_cloud(answer, cloud, decision, query, Said(answer.items, edge_ms))
            waited_ms = (time.perf_counter() - began) * 1000
            decision = after_failure(decision.reason, cloud, outbox=self.assistance.outbox is not None)
        verdict = replace(verdict_of(decision), waited=waited_ms)
        if decision.keep:
            entry = new_entry(image, query, answer.model, decision, answer.prediction)
            verdict = replace(verdict, outbox=await self._keep(entry, query))
        if decision.action is Action.SHADOW:
            self._compare_beside(image, query, answer, edge_ms)
        elif decision.action is Action.TRY:
            self._try_beside(image, answer.model, keep=decision.keep)
        return replace(answer, verdict=verdict)

    async def _instead(
        self, image: bytes, query: Query, servable: Servable, reason: Reason, error: EdgeError
    ) -> Answer:
        """The edge has no answer: the cloud's, or the edge's error."""
        decision = decide(reason, self._means(query), answered=False)
        if decision.action is Action.ESCALATE:
            size = await asyncio.to_thread(upright_size, image, max_pixels=self.decoding.max_pixels)
            cloud = await self._ask(image, query, servable)
            if not isinstance(cloud, Hindrance):
                blank = Answer(cloud.prediction, (), "cloud", servable, *size, 0.0, Stages(0.0, 0.0, 0.0, 0.0))
                return _from_cloud(blank, cloud, decision, query, None)
            decision = after_failure(reason, cloud, outbox=self.assistance.outbox is not None)
        if decision.keep:
            outbox = await self._keep(new_entry(image, query, servable, decision, None), query)
            if outbox.state in {KeptState.KEPT, KeptState.PENDING}:
                error.message += f" The frame is kept in the outbox ({outbox.key or 'pending'})."
        raise error

    async def _ask(self, image: bytes, query: Query, servable: Servable) -> CloudAnswer | Hindrance:
        """The cloud's answer within its share of the deadline, or why there is none."""
        gone = None if query.gone is None else asyncio.ensure_future(query.gone())
        try:
            await asyncio.sleep(0)
            if gone is not None and gone.done():  # before the call is counted
                return Hindrance.CALLER_GONE
            return await self._ask_until(gone, image, query, servable)
        finally:
            if gone is not None:
                gone.cancel()

    async def _ask_until(
        self, gone: asyncio.Future[None] | None, image: bytes, query: Query, servable: Servable
    ) -> CloudAnswer | Hindrance:
        link, seconds = self.assistance.link, self._seconds(query)
        assert link is not None
        try:
            answer = asyncio.wrap_future(link.ask(question(image, servable), seconds))
        except CloudUnreachable:
            return Hindrance.LINK_DOWN
        answer.add_done_callback(_look_at)
        try:
            await asyncio.wait({answer, gone or answer}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            answer.cancel()
            raise
        if answer.done():
            return _outcome(answer)
        if gone is not None and gone.done():
            answer.cancel()
            return Hindrance.CALLER_GONE
        return Hindrance.TIMED_OUT  # it ends by itself within milliseconds, and the link learns from it

    def _ask_beside(self, image: bytes, servable: Servable) -> Future[CloudAnswer] | None:
        """Ask the cloud without waiting, and so whatever the frame's deadline; ``None`` where it cannot be asked."""
        link = self.assistance.link
        assert link is not None
        try:
            return link.ask(question(image, servable), self.assistance.timeout_s)
        except CloudUnreachable:
            return None

    def _try_beside(self, image: bytes, servable: Servable, *, keep: bool) -> None:
        """Ask the cloud without waiting, to learn whether it is well; its answer settles the frame where it is kept."""

        def settle(future: Future[CloudAnswer]) -> None:
            outbox = self.assistance.outbox
            if keep and outbox is not None and not future.cancelled() and future.exception() is None:
                key, result = question(image, servable).key(), result_json(future.result())
                outbox.change(lambda store: store.settle(key, result))

        asked = self._ask_beside(image, servable)
        if asked is not None:
            asked.add_done_callback(settle)

    def _compare_beside(self, image: bytes, query: Query, answer: Answer, edge_ms: float) -> None:
        """Ask the cloud without waiting, and compare what it says with the edge's answer."""

        def compare(future: Future[CloudAnswer]) -> None:
            if future.cancelled() or future.exception() is not None:
                self.comparison.failed()
                return
            cloud, model = future.result(), answer.model
            edge_said, cloud_said = Said(answer.items, edge_ms), said(cloud, model, query)
            agreed = same(answer.prediction, cloud.prediction, selection(model.contract))
            self.comparison.add(Compared(model.name, query.camera, edge_said, cloud_said, agreed))

        asked = self._ask_beside(image, answer.model)
        if asked is not None:
            asked.add_done_callback(compare)

    async def _keep(self, entry: NewEntry, query: Query) -> Kept:
        """Hand a frame to the outbox, and wait for its acknowledgement as long as the owner allows."""
        outbox = self.assistance.outbox
        assert outbox is not None
        future = outbox.put(entry)
        seconds = min(self.assistance.ack_s, query.deadline - time.monotonic() - _RESERVE_S)
        if seconds > 0 and not future.done():
            waiting = asyncio.wrap_future(future)
            waiting.add_done_callback(_look_at)
            await asyncio.wait({waiting}, timeout=seconds)
        return kept(future)


def _outcome(answer: asyncio.Future[CloudAnswer]) -> CloudAnswer | Hindrance:
    try:
        return answer.result()
    except CloudError as error:
        costly = isinstance(error, CloudUnreachable) and error.costly
        return Hindrance.TIMED_OUT if costly else Hindrance.CLOUD_FAILED
    except asyncio.CancelledError:  # the link is stopping
        return Hindrance.LINK_DOWN


def _from_cloud(answer: Answer, cloud: CloudAnswer, decision: Decision, query: Query, edge: Said | None) -> Answer:
    clouds = said(cloud, answer.model, query)
    verdict = Verdict(decision.action, decision.reason, None, edge, clouds)
    return replace(
        answer, prediction=cloud.prediction, items=clouds.items, source="cloud", outputs=None, verdict=verdict
    )


def _look_at(future: asyncio.Future[Any]) -> None:
    """A failure that comes when nobody waits any more was told to the link or the outbox already."""
    if not future.cancelled():
        future.exception()
