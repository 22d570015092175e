"""The service behind every entrance: admits requests, answers frames, notifies observers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from edge.dataplane.watchdog import Watchdog
from edge.errors import EdgeError
from edge.runtime.memory import release_free_memory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from edge.dataplane.admission import Admission, AdmissionSlot
    from edge.dataplane.alerting import Alerting
    from edge.dataplane.answer import Answer, Answerer, InferRequest
    from edge.dataplane.cloud_parts import CloudParts
    from edge.dataplane.turns import Caller
    from edge.model.rules import Mode
    from edge.repository.repository import ModelRepository
    from edge.runtime.pipeline import DecodeOptions
    from edge.runtime.pool import WorkerPool


class Observer(Protocol):
    """Sees every frame, on the event loop between its answer and the reply: must be cheap."""

    def observe(self, image: bytes, request: InferRequest, outcome: Answer | EdgeError) -> None:
        """A frame was answered or refused, or failed."""
        ...


class InferenceService:
    """Answers frames within bounds.

    Attributes:
        repository: the models.
        pool: the workers.
        options: how images are decoded.
        admission: admits requests.
        cloud: the online model and the outbox behind the edge; ``None`` if neither is configured.
        alerting: raises alerts; ``None`` if there are no rules.
        observers: see every frame, in this order.
        watchdog: says whether a worker is stuck.
    """

    def __init__(
        self,
        repository: ModelRepository,
        pool: WorkerPool,
        options: DecodeOptions,
        admission: Admission,
        answerer: Answerer,
        cloud: CloudParts | None = None,
        alerting: Alerting | None = None,
    ) -> None:
        self.repository = repository
        self.pool = pool
        self.options = options
        self.admission = admission
        self.cloud = cloud
        self.alerting = alerting
        self.observers: list[Observer] = [] if alerting is None else [alerting]
        self.watchdog = Watchdog(pool)
        self._answerer = answerer

    def __repr__(self) -> str:
        return f"<InferenceService {self.admission}, {self.pool}>"

    @property
    def stopping(self) -> bool:
        """Whether new requests are refused."""
        return self.admission.stopping

    def receive(self, caller: Caller | None = None) -> AbstractContextManager[AdmissionSlot]:
        """Let one request in whose body is still to arrive; see `Admission.receive`."""
        return self.admission.receive(caller)

    def admit(self, caller: Caller | None = None) -> AbstractContextManager[AdmissionSlot]:
        """Take a slot for one frame in memory; see `Admission.admit`."""
        return self.admission.admit(caller)

    async def infer(self, image: bytes, request: InferRequest) -> Answer:
        """Answer one frame.

        Raises:
            RequestError: the image or the request is at fault.
            Refusal: no slot, no model, or no time.
            InferenceFailed: the model failed.
        """
        try:
            answer = await self._answerer.answer(image, request)
        except EdgeError as error:
            self._tell_observers(image, request, error)
            raise
        self._tell_observers(image, request, answer)
        return answer

    def _tell_observers(
        self, image: bytes, request: InferRequest, outcome: Answer | EdgeError
    ) -> None:
        for observer in self.observers:
            observer.observe(image, request, outcome)

    async def infer_many(
        self, images: Sequence[bytes], request: InferRequest
    ) -> list[Answer | EdgeError]:
        """Answer the images of one request: an answer or an error for each, in order.

        At any time the pool holds no more of them than it has workers, so that one large request
        leaves room for others.
        """
        request = replace(request, batch_slot=asyncio.Semaphore(self.pool.workers))

        async def infer_one(image: bytes) -> Answer | EdgeError:
            try:
                return await self.infer(image, request)
            except EdgeError as error:
                # The frames of its traceback hold the image.
                error.__traceback__ = error.__cause__ = error.__context__ = None
                return error

        return await asyncio.gather(*map(infer_one, images))

    def start(self) -> None:
        """Start what backs the edge and what raises alerts, if anything; returns at once."""
        if self.cloud is not None:
            self.cloud.start()
        if self.alerting is not None:
            self.alerting.start()

    @property
    def allowed_modes(self) -> frozenset[frozenset[Mode]]:
        """Sets of modes that a request may ask for instead of the owner's."""
        return frozenset({frozenset()}) if self.cloud is None else self.cloud.request_modes

    def load_models(self) -> None:
        """Load and warm up every model; takes milliseconds (TFLite) to seconds (TensorFlow)."""
        self.repository.load(self.pool.workers, self.options)
        release_free_memory()  # 4 MiB that reading and packing the weights took

    def refuse_new(self) -> None:
        """Refuse requests from now on; answer admitted ones. Safe in a signal handler."""
        self.admission.refuse_new()
        self.repository.stop_loading()

    async def stop(self) -> None:
        """Refuse new requests, answer admitted ones, write what the outbox accepted, say alerts."""
        self.refuse_new()
        await self.admission.drained()
        self.pool.close()
        if self.cloud is not None:
            await self.cloud.stop()
        if self.alerting is not None:
            await self.alerting.stop()
