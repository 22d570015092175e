"""The edge with an online model and an outbox behind it: the edge answers first, then the policy decides.

Wraps the local answerer only where the owner configured one of the two. The edge's answer is always computed first and
is what goes out whenever anything else fails, is late, or is not allowed.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge.dataplane.answer import (
    Answer,
    EdgeSide,
    Escalation,
    OutboxReceipt,
    OutboxState,
    Source,
)
from edge.dataplane.cloud_values import (
    cloud_request,
    cloud_side,
    new_entry,
    outbox_receipt,
    result_json,
)
from edge.errors import CloudError, CloudUnreachable, EdgeError
from edge.fallback.policy import (
    Action,
    BlockedBy,
    CloudAvailability,
    Decision,
    LinkState,
    after_failure,
    decide,
    escalation_reason,
    escalation_reason_after,
)
from edge.fallback.shadow import Comparison
from edge.vision.decode import upright_size

if TYPE_CHECKING:
    from concurrent.futures import Future

    from edge.dataplane.answer import Answerer, InferRequest
    from edge.dataplane.cloud_parts import CloudParts
    from edge.fallback.cloud import CloudResponse
    from edge.model.rules import Reason, Rules
    from edge.outbox.entry import NewEntry
    from edge.repository.version import ModelVersion

_RESERVE_S = 0.05
"""Seconds of the deadline that the cloud does not get: the edge's answer must still go out in time."""

_ACCEPTED = Escalation(Action.ACCEPT)


class EscalatingAnswerer:
    """An `Answerer` that asks the cloud where the policy wants it.

    Args:
        edge: answers first.
        cloud: what stands behind it.
        max_pixels: largest image whose size is read for a frame that the edge did not decode.
    """

    def __init__(self, edge: Answerer, cloud: CloudParts, max_pixels: int) -> None:
        self._edge = edge
        self._cloud = cloud
        self._max_pixels = max_pixels

    async def answer(self, image: bytes, request: InferRequest) -> Answer:
        """The edge's answer, or the cloud's where the policy wants it and it came in time.

        Raises:
            EdgeError: as the edge alone, where nothing stands in for it.
        """
        version = self._cloud.repository.find(request.model, request.version)
        rules = self._rules_for(version, request)
        if not rules.modes:
            return await self._edge.answer(image, request)
        started = time.perf_counter()
        try:
            answer = await self._edge.answer(image, request)
        except EdgeError as error:
            reason = escalation_reason_after(error, rules)
            if reason is None:
                raise
            return await self._replace_error(image, request, version, reason, error)
        edge_side = EdgeSide(answer.items, (time.perf_counter() - started) * 1000)
        reason = escalation_reason(answer.prediction, version.contract.selection(), rules)
        if reason is None:
            return replace(answer, escalation=_ACCEPTED)
        decision = decide(reason, self._availability(request), answered=True)
        return await self._carry_out(decision, image, request, version, answer, edge_side)

    def _rules_for(self, version: ModelVersion, request: InferRequest) -> Rules:
        rules = self._cloud.rules_of(version)
        return rules if request.modes is None else replace(rules, modes=request.modes)

    def _availability(self, request: InferRequest) -> CloudAvailability:
        link = self._cloud.link
        state = LinkState.ABSENT if link is None else link.state
        blocked_by = None
        if link is not None and state is not LinkState.DOWN:
            blocked_by = link.blocked_by
        return CloudAvailability(
            link=state,
            blocked_by=blocked_by,
            seconds=self._seconds_for_cloud(request),
            outbox=self._cloud.outbox is not None,
        )

    def _seconds_for_cloud(self, request: InferRequest) -> float:
        left = request.deadline - time.monotonic() - _RESERVE_S
        return min(self._cloud.timeout_s, left)

    async def _carry_out(
        self,
        decision: Decision,
        image: bytes,
        request: InferRequest,
        version: ModelVersion,
        answer: Answer,
        edge_side: EdgeSide,
    ) -> Answer:
        """The edge has answered: its answer, or the cloud's in its place."""
        waited_ms = None
        if decision.action is Action.ESCALATE:
            assert decision.reason is not None
            began = time.perf_counter()
            response = await self._call(image, request, version)
            if not isinstance(response, BlockedBy):
                return _cloud_answer(answer, response, decision, version, request, edge_side)
            waited_ms = (time.perf_counter() - began) * 1000
            decision = after_failure(
                decision.reason, response, outbox=self._cloud.outbox is not None
            )
        receipt = None
        if decision.keep:
            entry = new_entry(image, request, version, decision, answer.prediction)
            receipt = await self._keep(entry, request)
        if decision.action is Action.SHADOW:
            self._compare_in_background(image, request, version, answer, edge_side)
        elif decision.action is Action.PROBE:
            self._probe_in_background(image, version, keep=decision.keep)
        escalation = Escalation(
            decision.action,
            decision.reason,
            decision.blocked_by,
            waited=waited_ms,
            outbox=receipt,
        )
        return replace(answer, escalation=escalation)

    async def _replace_error(
        self,
        image: bytes,
        request: InferRequest,
        version: ModelVersion,
        reason: Reason,
        error: EdgeError,
    ) -> Answer:
        """The edge has no answer: the cloud's, or the edge's error."""
        decision = decide(reason, self._availability(request), answered=False)
        if decision.action is Action.ESCALATE:
            width, height = await asyncio.to_thread(
                upright_size, image, max_pixels=self._max_pixels
            )
            response = await self._call(image, request, version)
            if not isinstance(response, BlockedBy):
                blank = Answer(response.prediction, (), Source.CLOUD, version.ref, width, height)
                return _cloud_answer(blank, response, decision, version, request, None)
            decision = after_failure(reason, response, outbox=self._cloud.outbox is not None)
        if decision.keep:
            entry = new_entry(image, request, version, decision, None)
            receipt = await self._keep(entry, request)
            if receipt.state in {OutboxState.KEPT, OutboxState.PENDING}:
                error.message += (
                    f" The frame is kept in the outbox ({receipt.key or OutboxState.PENDING})."
                )
        raise error

    async def _call(
        self, image: bytes, request: InferRequest, version: ModelVersion
    ) -> CloudResponse | BlockedBy:
        """The cloud's response within its share of the deadline, or why there is none."""
        if request.caller_gone is None:
            return await self._call_until(None, image, request, version)
        gone = asyncio.ensure_future(request.caller_gone())
        try:
            await asyncio.sleep(0)
            if gone.done():  # before the call is counted
                return BlockedBy.CALLER_GONE
            return await self._call_until(gone, image, request, version)
        finally:
            gone.cancel()

    async def _call_until(
        self,
        gone: asyncio.Future[None] | None,
        image: bytes,
        request: InferRequest,
        version: ModelVersion,
    ) -> CloudResponse | BlockedBy:
        link, seconds = self._cloud.link, self._seconds_for_cloud(request)
        assert link is not None
        submitted = link.submit(cloud_request(image, version), seconds)
        if isinstance(submitted, BlockedBy):
            return submitted
        response = asyncio.wrap_future(submitted)
        response.add_done_callback(_consume_exception)
        try:
            await asyncio.wait(
                {response, gone or response},
                timeout=seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        except asyncio.CancelledError:
            response.cancel()
            raise
        if response.done():
            return _outcome(response)
        if gone is not None and gone.done():
            response.cancel()
            return BlockedBy.CALLER_GONE
        # The call ends by itself within milliseconds, and the link learns from it.
        return BlockedBy.TIMED_OUT

    def _submit_in_background(
        self, image: bytes, version: ModelVersion
    ) -> Future[CloudResponse] | None:
        """Ask the cloud without waiting, regardless of the frame's deadline; ``None`` if blocked."""
        link = self._cloud.link
        assert link is not None
        submitted = link.submit(cloud_request(image, version), self._cloud.timeout_s)
        return None if isinstance(submitted, BlockedBy) else submitted

    def _probe_in_background(self, image: bytes, version: ModelVersion, *, keep: bool) -> None:
        """Learn whether the cloud is well again; its answer resolves the frame where it is kept."""

        def resolve(future: Future[CloudResponse]) -> None:
            outbox = self._cloud.outbox
            if not keep or outbox is None or future.cancelled() or future.exception() is not None:
                return
            key, result = cloud_request(image, version).key(), result_json(future.result())
            outbox.change(lambda store: store.resolve(key, result))

        submitted = self._submit_in_background(image, version)
        if submitted is not None:
            submitted.add_done_callback(resolve)

    def _compare_in_background(
        self,
        image: bytes,
        request: InferRequest,
        version: ModelVersion,
        answer: Answer,
        edge_side: EdgeSide,
    ) -> None:
        """Ask the cloud without waiting, and compare what it says with the edge's answer."""
        shadow = self._cloud.shadow

        def compare(future: Future[CloudResponse]) -> None:
            if future.cancelled() or future.exception() is not None:
                shadow.failed()
                return
            response, contract = future.result(), version.contract
            agreed = contract.task.agrees(
                answer.prediction, response.prediction, contract.selection()
            )
            shadow.add(
                Comparison(
                    model=version.name,
                    camera=request.camera,
                    agreed=agreed,
                    edge=edge_side.as_json(),
                    cloud=cloud_side(response, version, request).as_json(),
                )
            )

        submitted = self._submit_in_background(image, version)
        if submitted is not None:
            submitted.add_done_callback(compare)

    async def _keep(self, entry: NewEntry, request: InferRequest) -> OutboxReceipt:
        """Hand a frame to the outbox, and wait for its receipt as long as the owner allows."""
        outbox = self._cloud.outbox
        assert outbox is not None
        future = outbox.put(entry)
        left = request.deadline - time.monotonic() - _RESERVE_S
        seconds = min(self._cloud.ack_s, left)
        if seconds > 0 and not future.done():
            waiting = asyncio.wrap_future(future)
            waiting.add_done_callback(_consume_exception)
            await asyncio.wait({waiting}, timeout=seconds)
        return outbox_receipt(future)


def _outcome(response: asyncio.Future[CloudResponse]) -> CloudResponse | BlockedBy:
    try:
        return response.result()
    except CloudError as error:
        timed_out = isinstance(error, CloudUnreachable) and error.costly
        return BlockedBy.TIMED_OUT if timed_out else BlockedBy.CLOUD_FAILED
    except asyncio.CancelledError:  # the link is stopping
        return BlockedBy.LINK_DOWN


def _cloud_answer(
    answer: Answer,
    response: CloudResponse,
    decision: Decision,
    version: ModelVersion,
    request: InferRequest,
    edge_side: EdgeSide | None,
) -> Answer:
    """The cloud's answer in the place of ``answer``; nothing of the edge's outputs remains."""
    cloud = cloud_side(response, version, request)
    return replace(
        answer,
        prediction=response.prediction,
        items=cloud.items,
        source=Source.CLOUD,
        outputs=None,
        escalation=Escalation(decision.action, decision.reason, edge=edge_side, cloud=cloud),
    )


def _consume_exception(future: asyncio.Future[Any]) -> None:
    """The link or the outbox has dealt with a failure that comes when nobody waits any more."""
    if not future.cancelled():
        future.exception()
