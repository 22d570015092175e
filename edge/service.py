"""The data plane: a frame in, an `Answer` out. Knows no HTTP; every door asks it the same way."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import EdgeError, Overloaded, ShuttingDown
from edge.model.prediction import selection
from edge.runtime.memory import release_free_memory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from edge.fallback.verdict import Verdict
    from edge.model.prediction import Item, Prediction
    from edge.repository.manager import ModelRepository
    from edge.repository.servable import Decoding, Servable, Stages
    from edge.runtime.pool import WorkerPool

_BURST_BYTES = 4 << 20
"""Bodies of so many bytes held at once leave memory behind that is worth giving back once the service is idle."""

_SETTLES_S = 1.0  # until the connections' own buffers are empty, too


@dataclass(frozen=True, slots=True)
class Query:
    """What a caller may say beside the image.

    Attributes:
        model: name of the model; ``None`` for the default one.
        version: ``None`` for the one that serves.
        top_k: at most so many items, 1 or more.
        threshold: leave out items under this score, 0..1.
        deadline: on `time.monotonic`, by which the answer is wanted.
        fallback: when the online model is wanted, in place of the owner's mode; the door has seen that it is allowed.
        camera: who sent the image, for the wall and the outbox; empty where it does not say.
        gone: returns when the caller has gone away, so that nothing costly is done for nobody; ``None`` where that
            cannot be told.
        turn: that this image of a request with several waits for before a worker computes it; ``None`` where it is
            alone.
    """

    deadline: float
    model: str | None = None
    version: int | None = None
    top_k: int | None = None
    threshold: float | None = None
    fallback: str | None = None
    camera: str = ""
    gone: Callable[[], Awaitable[None]] | None = None
    turn: asyncio.Semaphore | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service says of one frame, and where it came from.

    Attributes:
        prediction: all the model said.
        items: what is shown of it, best first.
        source: who answered: ``edge`` or ``cloud``.
        model: the version that answered, with its name and digest.
        width: of the upright image in pixels.
        height: of the upright image in pixels.
        queue: milliseconds between the submission and its worker.
        stages: milliseconds on the worker.
        outputs: a SavedModel's own outputs, for doors that hand them on unchanged.
        verdict: what was decided about the online model; ``None`` where none is wanted.
    """

    prediction: Prediction
    items: Sequence[Item]
    source: str
    model: Servable
    width: int
    height: int
    queue: float
    stages: Stages
    outputs: Mapping[str, NDArray[Any]] | None = None
    verdict: Verdict | None = None


class Watcher(Protocol):
    """Is told of every frame on the event loop, between its answer and the door's reply: it must cost little."""

    def answered(self, answer: Answer) -> None:
        """A frame was answered."""

    def failed(self, query: Query, error: EdgeError) -> None:
        """A frame was refused, or went wrong."""


class Place:
    """The place of one admitted request.

    Attributes:
        held: bytes of its body that are counted as held in memory, until it leaves.
    """

    def __init__(self, service: InferenceService) -> None:
        self._service = service
        self.held = 0

    def hold(self, size: int) -> None:
        """Count more bytes of the body, before they are read; raises ``Overloaded``."""
        self._service.hold(size)
        self.held += size


class InferenceService:
    """Answers frames with the models of a repository on the workers of a pool, within bounds."""

    def __init__(
        self, repository: ModelRepository, pool: WorkerPool, decoding: Decoding, *, max_held_bytes: int
    ) -> None:
        self.repository = repository
        self.pool = pool
        self.decoding = decoding
        self.watcher: Watcher | None = None
        self.max_in_flight = pool.workers + pool.queue_size
        self.max_held_bytes = max_held_bytes
        self.on_answer: Callable[[bytes, Query, Answer], None] | None = None
        """As the watcher's `answered`, with the frame and its query."""
        self._in_flight = 0
        self._held_bytes = 0
        self._most_held_bytes = 0
        self._tidying: asyncio.TimerHandle | None = None
        self._stopping = False
        self._idle = asyncio.Event()

    def __repr__(self) -> str:
        return f"<InferenceService {self._in_flight}/{self.max_in_flight} in flight, {self.pool}>"

    @property
    def in_flight(self) -> int:
        """Requests that were admitted and not answered yet."""
        return self._in_flight

    @property
    def held_bytes(self) -> int:
        """Bytes of request bodies in memory."""
        return self._held_bytes

    @property
    def stopping(self) -> bool:
        """Whether nothing new is taken any more."""
        return self._stopping

    def status(self) -> dict[str, Any]:
        """What stands behind the edge, by name: here nothing."""
        return {}

    @contextmanager
    def admit(self) -> Iterator[Place]:
        """Take a place for one request; entered before its body is read, so that a refusal costs nothing.

        Raises:
            Overloaded: as many requests are in flight as the workers and the queue hold.
            ShuttingDown: the service is stopping.
        """
        if self._stopping:
            raise ShuttingDown("The service is stopping. Try another one, or again in a moment.")
        if self._in_flight >= self.max_in_flight:
            raise Overloaded(f"{self._in_flight} requests are in flight already. Send fewer, or try again in a moment.")
        self._in_flight += 1
        place = Place(self)
        try:
            yield place
        finally:
            self._leave(place)

    def hold(self, size: int) -> None:
        """Count bytes of a body as held in memory, until `release`; raises ``Overloaded`` where they are too many."""
        if self._held_bytes + size > self.max_held_bytes:
            raise Overloaded(
                f"Bodies of {self._held_bytes:,} bytes are held already; {size:,} more would be over the limit of "
                f"{self.max_held_bytes:,}. Send fewer or smaller images at once, or try again in a moment."
            )
        self._held_bytes += size
        self._most_held_bytes = max(self._most_held_bytes, self._held_bytes)

    def release(self, size: int) -> None:
        """Give back what `hold` has counted."""
        self._held_bytes -= size

    def _leave(self, place: Place) -> None:
        self.release(place.held)
        self._in_flight -= 1
        if not self._in_flight and self._most_held_bytes > _BURST_BYTES and self._tidying is None:
            self._tidying = asyncio.get_running_loop().call_later(_SETTLES_S, self._tidy)
        if self._stopping and not self._in_flight:
            self._idle.set()

    def _tidy(self) -> None:
        """Give the memory of a burst back, if the service is idle; else the next to leave sees to it."""
        self._tidying = None
        if not self._in_flight:
            self._most_held_bytes = 0
            release_free_memory()

    async def infer(self, image: bytes, query: Query) -> Answer:
        """Answer one frame.

        Raises:
            RequestError: the image or the query is at fault.
            Refusal: no place, no model, or no time.
            InferenceFailed: the model failed.
        """
        try:
            answer = await self._answer(image, query)
        except EdgeError as error:
            if self.watcher:
                self.watcher.failed(query, error)
            raise
        if self.watcher:
            self.watcher.answered(answer)
        if self.on_answer is not None:
            self.on_answer(image, query, answer)
        return answer

    async def _answer(self, image: bytes, query: Query) -> Answer:
        servable = self.repository.get(query.model, query.version)
        submitted = time.perf_counter()

        def on_worker(worker: int) -> Answer:
            queued = (time.perf_counter() - submitted) * 1000
            outcome = servable.predict(worker, image, self.decoding)
            return Answer(
                prediction=outcome.prediction,
                items=outcome.prediction.select(selection(servable.contract, query.top_k, query.threshold)),
                source="edge",
                model=servable,
                width=outcome.width,
                height=outcome.height,
                queue=queued,
                stages=outcome.stages,
                outputs=outcome.outputs,
            )

        if query.turn is None:
            return await self.pool.run(on_worker, query.deadline)
        async with query.turn:
            return await self.pool.run(on_worker, query.deadline)

    async def infer_many(self, images: Sequence[bytes], query: Query) -> list[Answer | EdgeError]:
        """Answer the images of one request, each on its own: an answer or an error for each, in their order.

        At most as many are computed at once as there are workers, so that one large request leaves room for others.
        """
        query = replace(query, turn=asyncio.Semaphore(self.pool.workers))

        async def one(image: bytes) -> Answer | EdgeError:
            try:
                return await self.infer(image, query)
            except EdgeError as error:
                error.__traceback__ = error.__cause__ = error.__context__ = None  # their frames hold the image
                return error

        return await asyncio.gather(*map(one, images))

    def start(self) -> None:
        """Start what runs beside the workers; returns at once. Here nothing does."""

    def refuse_new(self) -> None:
        """Take nothing new from now on; what was admitted is still answered. Safe in a signal handler."""
        self._stopping = True

    async def stop(self) -> None:
        """Take nothing new, and return when all that was admitted is answered."""
        self.refuse_new()
        if self._in_flight:
            await self._idle.wait()
        self.pool.close()
