"""A server in the test's own event loop, so that its tasks, descriptors and clocks can be looked at from within."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import uvicorn
from starlette.types import ASGIApp

CALM_S = 30.0
"""How long something may take that ought to come at once: the machine may be busy."""


async def until(condition: Callable[[], object]) -> None:
    """Return once the condition holds; it must within `CALM_S`."""
    async with asyncio.timeout(CALM_S):
        while not condition():  # noqa: ASYNC110 -- what is waited for sets no event
            await asyncio.sleep(0.01)


def resources() -> tuple[int, int]:
    """Tasks of this loop and descriptors of this process."""
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- as light as it can be


class LoopServer(uvicorn.Server):
    """Serves an application on a free port while its context is open."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The signals are the tests' own."""
        yield

    async def __aenter__(self) -> Self:
        self._serving = asyncio.create_task(self.serve(sockets=[self._listener]))
        await until(lambda: self.started)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.should_exit = True
        await self._serving
