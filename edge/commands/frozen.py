"""Ends a frozen service, so that the container's restart policy starts it again.

Docker marks a container unhealthy and leaves it at that. So the health check itself, which runs in
the container, ends a service whose liveness check has failed for a minute. It never does so because
a model is missing: that is readiness, and a restart would not mend it.

Imports only the standard library, as `edge.commands.health` does.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

MAX_SILENCE_S = 60.0
MIN_CHECKS = 4  # failed in a row: a machine that was suspended has had no check in between
STATE = "/dev/shm/edge-health"  # noqa: S108 -- the container's own, and gone with it
"""Where the checks of a container keep what they know: since when, and how many failed."""


def note(*, lives: bool, now: float | None = None, state: str = STATE) -> bool:
    """Remember the outcome of a check; return whether the service has been silent for too long.

    Args:
        lives: whether the liveness check passed.
        now: on `time.monotonic`, which all processes of a machine share.
        state: file that the checks share.
    """
    if lives:
        with suppress(OSError):
            os.unlink(state)  # noqa: PTH108 -- pathlib takes a fifth of the start
        return False
    now = time.monotonic() if now is None else now
    since, failed = _read(state, now)
    failed += 1
    with suppress(OSError), open(state, "w") as file:  # noqa: PTH123 -- as above
        file.write(f"{since} {failed}")
    return failed >= MIN_CHECKS and now - since >= MAX_SILENCE_S


def _read(state: str, now: float) -> tuple[float, int]:
    try:
        with open(state) as file:  # noqa: PTH123 -- as above
            since, failed = file.read().split()
        return min(float(since), now), int(failed)
    except (OSError, ValueError):
        return now, 0


def end_service() -> None:
    """Kill the child of process 1 if that is tini, as in the image; the outbox survives that."""
    with suppress(OSError, ValueError):
        with open("/proc/1/comm") as file:  # noqa: PTH123 -- as above
            if file.read().strip() != "tini":
                return
        with open("/proc/1/task/1/children") as file:  # noqa: PTH123 -- as above
            service = int(file.read().split()[0])
        words = f"edge: frozen for {MAX_SILENCE_S:.0f} s, ending it so that it is started again\n"
        with suppress(OSError), open(f"/proc/{service}/fd/2", "w") as log:  # noqa: PTH123
            log.write(words)
        sys.stdout.write(words)
        os.kill(service, signal.SIGKILL)
