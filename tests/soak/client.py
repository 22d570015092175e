"""`python -m soak.client KIND HOST PORT SEED`: the process of one kind of the soak's clients.

Goes on until SIGTERM. Writes a line of JSON every second: what it counted, and its faults.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from importlib import import_module
from random import Random

import uvloop

from soak.load import Load

_TELL_S = 1.0


async def _run(kind: str, load: Load) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    running = asyncio.create_task(import_module(f"soak.loads.{kind}").run(load))
    while not stopping.is_set() and not running.done():
        await asyncio.wait({running}, timeout=_TELL_S)
        _tell(load)
    if running.done():
        running.result()  # raises: a client ends only by a fault of its own
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    _tell(load)


def _tell(load: Load) -> None:
    counts = [[what, outcome, number] for (what, outcome), number in load.counts.items()]
    sys.stdout.write(json.dumps({"counts": counts, "faults": load.faults}) + "\n")
    sys.stdout.flush()
    load.counts.clear()
    load.faults.clear()


def main() -> None:
    """Run as the command line says."""
    kind, host, port, seed = sys.argv[1:]
    uvloop.run(_run(kind, Load((host, int(port)), Random(f"{seed}/{kind}"))))


if __name__ == "__main__":
    main()
