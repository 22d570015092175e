"""What the online model and the outbox are given of a frame, and what is taken from their answers.

The rooms `fallback` and `outbox` have values of their own and know nothing of each other: here one is made of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.fallback.cloud import Question
from edge.fallback.policy import LinkState
from edge.fallback.verdict import CloudSaid, Kept, KeptState
from edge.model.prediction import Classification, Selection, selection
from edge.outbox.entry import NewEntry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from edge.fallback.cloud import CloudAnswer
    from edge.fallback.link import Link
    from edge.fallback.policy import Decision
    from edge.model.prediction import Item, Prediction
    from edge.outbox.entry import Entry, Receipt
    from edge.repository.manager import ModelRepository
    from edge.repository.servable import Servable
    from edge.service import Answer, Query

_ALL = Selection(100, 0.0, {})
"""As many as the online model is asked for."""
_FORWARD_S = 30.0
"""Seconds that a kept frame's call may take: nobody waits for it."""


def question(image: bytes, servable: Servable) -> Question:
    """The frame as the online model is asked about it."""
    tuning = servable.contract.tuning.fallback
    labels = servable.labels or ()
    return Question(image, servable.contract.task, labels, tuning.labels, servable.name, tuning.endpoint)


def judged(answer: Answer, servable: Servable) -> Sequence[Item]:
    """What a detector shows by its own rules, whatever the caller asked for; a classifier is judged by its scores."""
    if isinstance(answer.prediction, Classification):
        return answer.items
    return answer.prediction.select(selection(servable.contract))


def said(cloud: CloudAnswer, servable: Servable, query: Query) -> CloudSaid:
    """The online model's answer, with what this caller wants to be shown of it."""
    shown = cloud.prediction.select(selection(servable.contract, query.top_k, query.threshold))
    items = [item for item in shown if item.score > 0]  # never the classes that it left out
    return CloudSaid(items, cloud.latency, cloud.model, cloud.unknown_labels)


def result_json(cloud: CloudAnswer) -> Mapping[str, Any]:
    """The online model's answer as the outbox stores it: all of it, since whoever labels with it chooses later."""
    items = [item for item in cloud.prediction.select(_ALL) if item.score > 0]
    return CloudSaid(items, cloud.latency, cloud.model, cloud.unknown_labels).as_json()


def new_entry(
    image: bytes, query: Query, servable: Servable, decision: Decision, prediction: Prediction | None
) -> NewEntry:
    """The frame as the outbox keeps it; ``prediction`` is the edge's, ``None`` where it failed."""
    items = [] if prediction is None else prediction.select(selection(servable.contract))
    return NewEntry(
        image=image,
        task=servable.contract.task,
        model=servable.name,
        version=servable.version,
        model_digest=servable.export.digest,
        camera=query.camera,
        reason=decision.reason or "",
        hindrance=decision.hindrance or "",
        items=[item.as_json() for item in items],
        certainty=items[0].score if items else 0.0,
        label=items[0].label if items else "",
        multi_label=servable.contract.multi_label,
    )


def kept(future: Future[Receipt]) -> Kept:
    """What became of a frame that was handed to the outbox, as far as is known now."""
    if not future.done():
        return Kept(KeptState.PENDING)
    if future.exception() is not None:
        return Kept(KeptState.FAILED)
    receipt = future.result()
    return Kept(KeptState.KEPT if receipt.kept else KeptState.FULL, receipt.key)


class ForwardingAsker:
    """The forwarder's way to the online model; runs on the link's thread."""

    def __init__(self, link: Link, repository: ModelRepository) -> None:
        self._link = link
        self._repository = repository
        self._most = max(link.most_calls // 2, 1)  # the other half is for frames whose callers wait

    def places(self) -> int:
        """How many entries may be sent now."""
        if self._link.hindrance is not None:
            return 0
        return {LinkState.UP: self._most, LinkState.TRIAL: 1}.get(self._link.state, 0)

    async def ask(self, entry: Entry, image: bytes) -> Mapping[str, Any]:
        """What the online model says; raises ``CloudError``, or ``ModelNotFound`` where the entry's model is gone."""
        servable = self._repository.find(entry.model)
        return result_json(await self._link.ask_here(question(image, servable), _FORWARD_S))
