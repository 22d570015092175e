"""The edge with an online model and an outbox behind it: the edge answers, then the policy decides.

Wraps the local answerer only if the owner has configured one of the two. The edge's answer is
always computed first, and goes out whenever anything else fails, is late, or is not allowed.

Read top to bottom: `EscalatingAnswerer.answer` computes and decides; `_improve` carries a decision
out for a frame that the edge has answered, `_stand_in` for one that it has not.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.dataplane.answer import (
    Answer,
    EdgeSide,
    Escalation,
    OutboxReceipt,
    OutboxState,
    Source,
)
from edge.dataplane.cloud_call import call_in_background, call_within, consume_exception
from edge.dataplane.cloud_values import (
    cloud_request,
    cloud_side,
    new_entry,
    outbox_receipt,
    result_json,
)
from edge.errors import EdgeError
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
    is_unsure,
    reached_nobody,
)
from edge.fallback.repeats import View
from edge.fallback.shadow import Comparison
from edge.frame_key import digest_of
from edge.model.prediction import find_nearest
from edge.vision.decode import upright_size

if TYPE_CHECKING:
    from edge.dataplane.answer import Answerer, InferRequest
    from edge.dataplane.cloud_parts import CloudParts
    from edge.fallback.cloud import CloudRequest, CloudResponse
    from edge.model.rules import Reason, Rules
    from edge.model.tasks.task import Prediction
    from edge.outbox.entry import NewEntry
    from edge.repository.version import ModelVersion

_RESERVE_S = 0.05
"""Seconds of the deadline that the cloud does not get, so that the edge's answer is in time."""

_ACCEPTED = Escalation(Action.ACCEPT)


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame on its way through the escalation."""

    image: bytes
    request: InferRequest
    version: ModelVersion

    def cloud_request(self) -> CloudRequest:
        return cloud_request(self.image, self.version, self.request.client)


class EscalatingAnswerer:
    """An `Answerer` that asks the cloud when the policy wants it.

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
        """The edge's answer, or the cloud's if the policy wants it and it comes in time.

        Raises:
            EdgeError: as the edge alone, if nothing stands in for it.
        """
        version = self._cloud.repository.find(request.model, request.version)
        rules = self._rules_for(version, request)
        if not rules.modes:
            return await self._edge.answer(image, request)
        frame = _Frame(image, request, version)
        started = time.perf_counter()
        try:
            answer = await self._edge.answer(image, request)
        except EdgeError as error:
            reason = escalation_reason_after(error, rules)
            if reason is None:
                raise
            return await self._stand_in(frame, reason, error)
        edge_side = EdgeSide(answer.items, _milliseconds_since(started))
        reason = escalation_reason(answer.prediction, version.contract.selection(), rules)
        if reason is None:
            return replace(answer, escalation=_ACCEPTED)
        view = await self._view(frame, answer.prediction, reason)
        unchanged = view is not None and not self._cloud.repeats.take(view, time.monotonic())
        decision = decide(reason, self._availability(request), answered=True, unchanged=unchanged)
        improved = await self._improve(frame, decision, answer, edge_side)
        if view is not None and not unchanged and _reached_nobody(improved.escalation):
            self._cloud.repeats.forget(view)
        return improved

    async def _view(self, frame: _Frame, prediction: Prediction, reason: Reason) -> View | None:
        """What the frame shows, to compare with the sender's others; ``None`` if each counts.

        A single picture is repeated only by the same bytes: it may come from anybody, as may the
        pictures of one request. A request that names its mode wants it for this frame.
        """
        if not self._cloud.repeats.repeat_s or frame.request.modes is not None:
            return None
        sender = frame.request.sender
        if not sender or frame.request.batch_slot is not None:
            sender = f"picture {await asyncio.to_thread(digest_of, frame.image)}"
        shown = frame.version.contract.selection()
        labels = prediction.task.seen_labels(prediction, shown)
        return View(
            frame.request.client, sender, frame.version.name, labels, unsure=is_unsure(reason)
        )

    def _rules_for(self, version: ModelVersion, request: InferRequest) -> Rules:
        rules = self._cloud.rules_of(version)
        return rules if request.modes is None else replace(rules, modes=request.modes)

    def _availability(self, request: InferRequest) -> CloudAvailability:
        link = self._cloud.link
        state = LinkState.ABSENT
        blocked_by = None
        if link is not None:
            state = link.state
            if state is not LinkState.DOWN:  # a link that is down needs no look at its budget
                blocked_by = link.blocked_by
        return CloudAvailability(
            link=state,
            blocked_by=blocked_by,
            seconds=self._seconds_for_cloud(request),
            outbox=self._has_outbox,
        )

    def _seconds_for_cloud(self, request: InferRequest) -> float:
        return min(self._cloud.timeout_s, _seconds_left(request))

    @property
    def _has_outbox(self) -> bool:
        return self._cloud.outbox is not None

    async def _improve(
        self, frame: _Frame, decision: Decision, answer: Answer, edge_side: EdgeSide
    ) -> Answer:
        """The edge has answered: return its answer, or the cloud's in its place."""
        waited_ms = None
        if decision.action is Action.ESCALATE:
            assert decision.reason is not None
            started = time.perf_counter()
            response = await self._call(frame)
            if not isinstance(response, BlockedBy):
                return self._cloud_answer(answer, response, decision, frame, edge_side)
            waited_ms = _milliseconds_since(started)
            decision = after_failure(decision.reason, response, outbox=self._has_outbox)
        receipt = None
        if decision.keep:
            entry = new_entry(
                frame.image, frame.request, frame.version, decision, answer.prediction
            )
            receipt = await self._keep(entry, frame.request)
        if decision.action is Action.SHADOW:
            self._compare_in_background(frame, answer, edge_side)
        elif decision.action is Action.PROBE:
            self._probe_in_background(frame, keep=decision.keep)
        escalation = Escalation(
            decision.action,
            decision.reason,
            decision.blocked_by,
            waited=waited_ms,
            outbox=receipt,
        )
        return replace(answer, escalation=escalation)

    async def _stand_in(self, frame: _Frame, reason: Reason, error: EdgeError) -> Answer:
        """The edge has no answer: return the cloud's, or raise the edge's error."""
        decision = decide(reason, self._availability(frame.request), answered=False)
        if decision.action is Action.ESCALATE:
            width, height = await asyncio.to_thread(
                upright_size, frame.image, max_pixels=self._max_pixels
            )
            response = await self._call(frame)
            if not isinstance(response, BlockedBy):
                blank = Answer(
                    response.prediction, (), Source.CLOUD, frame.version.ref, width, height
                )
                return self._cloud_answer(blank, response, decision, frame, None)
            decision = after_failure(reason, response, outbox=self._has_outbox)
        if decision.keep:
            entry = new_entry(frame.image, frame.request, frame.version, decision, None)
            receipt = await self._keep(entry, frame.request)
            if receipt.state in {OutboxState.KEPT, OutboxState.PENDING}:
                key = receipt.key or OutboxState.PENDING
                error.message += f" The frame is kept in the outbox ({key})."
        raise error

    def _cloud_answer(
        self,
        answer: Answer,
        response: CloudResponse,
        decision: Decision,
        frame: _Frame,
        edge_side: EdgeSide | None,
    ) -> Answer:
        """The cloud's answer in place of ``answer``; nothing of the edge's outputs remains."""
        contract, request = frame.version.contract, frame.request
        prediction = response.prediction
        cloud = cloud_side(response, frame.version, request)
        selection = contract.selection(request.top_k, request.threshold)
        return replace(
            answer,
            prediction=prediction,
            items=cloud.items,
            certain=contract.is_certain(prediction, self._cloud.rules_of(frame.version)),
            nearest=None if cloud.items else find_nearest(prediction, selection),
            source=Source.CLOUD,
            outputs=None,
            escalation=Escalation(decision.action, decision.reason, edge=edge_side, cloud=cloud),
        )

    async def _call(self, frame: _Frame) -> CloudResponse | BlockedBy:
        """The cloud's response within its share of the deadline, or why there is none."""
        link = self._cloud.link
        assert link is not None
        seconds = self._seconds_for_cloud(frame.request)
        return await call_within(link, frame.cloud_request(), seconds, frame.request.caller_gone)

    async def _keep(self, entry: NewEntry, request: InferRequest) -> OutboxReceipt:
        """Hand a frame to the outbox; wait for its receipt as long as the owner allows."""
        outbox = self._cloud.outbox
        assert outbox is not None
        future = outbox.put(entry)
        seconds = min(self._cloud.ack_s, _seconds_left(request))
        if seconds > 0 and not future.done():
            written = asyncio.wrap_future(future)
            written.add_done_callback(consume_exception)
            await asyncio.wait({written}, timeout=seconds)
        return outbox_receipt(future)

    def _probe_in_background(self, frame: _Frame, *, keep: bool) -> None:
        """Learn whether the cloud works again; its response resolves the frame's outbox entry.

        Args:
            keep: whether the frame was handed to the outbox.
        """
        link, outbox = self._cloud.link, self._cloud.outbox
        assert link is not None
        request = frame.cloud_request()

        def resolve(response: CloudResponse | None) -> None:
            if response is None or not keep or outbox is None:
                return
            key, result = request.key(), result_json(response)
            outbox.change(lambda store: store.resolve(key, result))

        call_in_background(link, request, self._cloud.timeout_s, resolve)

    def _compare_in_background(self, frame: _Frame, answer: Answer, edge_side: EdgeSide) -> None:
        """Ask the cloud about a frame that is answered already, and compare the two answers."""
        link, shadow = self._cloud.link, self._cloud.shadow
        assert link is not None
        version = frame.version

        def compare(response: CloudResponse | None) -> None:
            if response is None:
                shadow.add_failure()
                return
            contract = version.contract
            agreed = contract.task.agrees(
                answer.prediction, response.prediction, contract.selection()
            )
            cloud = cloud_side(response, version, frame.request)
            shadow.add(
                Comparison(
                    model=version.name,
                    camera=frame.request.camera,
                    agreed=agreed,
                    edge=edge_side.as_json(),
                    cloud=cloud.as_json(),
                )
            )

        call_in_background(link, frame.cloud_request(), self._cloud.timeout_s, compare)


def _reached_nobody(escalation: Escalation | None) -> bool:
    """Whether the frame was neither sent nor kept."""
    assert escalation is not None
    receipt = escalation.outbox
    stored = receipt is not None and receipt.state is not OutboxState.FAILED
    return reached_nobody(escalation.action, escalation.blocked_by, stored=stored)


def _seconds_left(request: InferRequest) -> float:
    """Seconds until the deadline, less what the edge needs to send its own answer."""
    return request.deadline - time.monotonic() - _RESERVE_S


def _milliseconds_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
