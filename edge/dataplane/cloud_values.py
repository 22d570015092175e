"""Converts between the data plane's values and those of the online model and the outbox.

The rooms `fallback` and `outbox` have values of their own and know nothing about each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.dataplane.answer import CloudSide, OutboxReceipt, OutboxState
from edge.fallback.cloud import CloudRequest
from edge.fallback.shares import NO_CLIENT
from edge.outbox.entry import NewEntry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from edge.dataplane.answer import InferRequest
    from edge.fallback.cloud import CloudResponse
    from edge.fallback.policy import Decision
    from edge.model.prediction import Item
    from edge.model.tasks.task import Prediction
    from edge.outbox.entry import Receipt
    from edge.repository.version import ModelVersion

_MAX_ITEMS = 100  # as many as the online model is asked for


def cloud_request(image: bytes, version: ModelVersion, client: str = NO_CLIENT) -> CloudRequest:
    """The request to the online model for this frame of a client's, or of the outbox."""
    contract = version.contract
    fallback = contract.tuning.fallback
    return CloudRequest(
        image=image,
        task=contract.task,
        labels=version.labels or (),
        renamed=fallback.labels,
        model=version.name,
        endpoint=fallback.endpoint,
        client=client,
    )


def cloud_side(response: CloudResponse, version: ModelVersion, request: InferRequest) -> CloudSide:
    """The online model's answer, limited to what this caller asked to see."""
    selection = version.contract.selection(request.top_k, request.threshold)
    return _side(response, response.prediction.select(selection))


def result_json(response: CloudResponse) -> Mapping[str, Any]:
    """The online model's answer as the outbox stores it.

    Complete, since people who label with it select later.
    """
    return _side(response, response.prediction.best(_MAX_ITEMS)).as_json()


def _side(response: CloudResponse, shown: list[Item]) -> CloudSide:
    # Leaves out classes that the cloud did not name.
    items = [item for item in shown if item.score > 0]
    return CloudSide(items, response.latency, response.model, response.unknown_labels)


def new_entry(
    image: bytes,
    request: InferRequest,
    version: ModelVersion,
    decision: Decision,
    prediction: Prediction | None,
) -> NewEntry:
    """The frame as the outbox stores it; ``prediction`` is the edge's, ``None`` if it failed."""
    contract = version.contract
    items: list[Item] = []
    if prediction is not None:
        items = prediction.select(contract.selection())
    return NewEntry(
        image=image,
        task=contract.task.name,
        model=version.name,
        version=version.version,
        model_digest=version.ref.digest,
        camera=request.camera,
        reason=decision.reason or "",
        blocked_by=decision.blocked_by or "",
        items=[item.as_json() for item in items],
        confidence=items[0].score if items else 0.0,
        label=items[0].label if items else "",
        multi_label=contract.multi_label,
    )


def outbox_receipt(future: Future[Receipt]) -> OutboxReceipt:
    """What is known now about a frame that was handed to the outbox."""
    if not future.done():
        return OutboxReceipt(OutboxState.PENDING)
    if future.exception() is not None:
        return OutboxReceipt(OutboxState.FAILED)
    receipt = future.result()
    state = OutboxState.KEPT if receipt.kept else OutboxState.FULL
    return OutboxReceipt(state, receipt.key)
