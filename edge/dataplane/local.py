"""The edge's own answer: one frame makes one hop to a worker, and comes back as an `Answer`."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.dataplane.answer import Answer, Source
from edge.model.prediction import find_nearest
from edge.model.rules import Rules

if TYPE_CHECKING:
    from edge.dataplane.answer import InferRequest
    from edge.repository.repository import ModelRepository
    from edge.runtime.pipeline import DecodeOptions
    from edge.runtime.pool import WorkerPool


_DEFAULT_RULES = Rules()


class LocalAnswerer:
    """An `Answerer` that runs the models of a repository on the workers of a pool.

    Args:
        rules: the service's, by which an answer is certain; a model's own go before them.
    """

    def __init__(
        self,
        repository: ModelRepository,
        pool: WorkerPool,
        options: DecodeOptions,
        rules: Rules = _DEFAULT_RULES,
    ) -> None:
        self._repository = repository
        self._pool = pool
        self._options = options
        self._rules = rules

    async def answer(self, image: bytes, request: InferRequest) -> Answer:
        """Compute the frame's answer on a worker, before the request's deadline."""
        version = self._repository.get(request.model, request.version)
        submitted = time.perf_counter()
        options = replace(self._options, deadline=request.deadline)

        def compute(worker: int) -> Answer:
            queued_ms = (time.perf_counter() - submitted) * 1000
            result = version.predict(worker, image, options)
            prediction, contract = result.prediction, version.contract
            selection = contract.selection(request.top_k, request.threshold)
            items = prediction.select(selection)
            rules = self._rules.with_overrides(contract.tuning.fallback.rules)
            return Answer(
                prediction=prediction,
                items=items,
                certain=contract.is_certain(prediction, rules),
                nearest=None if items else find_nearest(prediction, selection),
                source=Source.EDGE,
                model=version.ref,
                width=result.width,
                height=result.height,
                queue=queued_ms,
                stages=result.stages,
                outputs=result.outputs,
            )

        batch_slot: AbstractAsyncContextManager[None] = request.batch_slot or nullcontext()
        async with batch_slot:
            return await self._pool.run(compute, request.deadline)
