"""Cuts a command short in the middle of its pictures, at a moment that is not left to chance."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_COMMAND = """
import sys, threading, time
from pathlib import Path
from edge.cli import main
from edge.datasets import picture_pass

scratch, left = Path(sys.argv.pop(1)), int(sys.argv.pop(1))
lock = threading.Lock()

def sketch(frame, original=picture_pass.sketch):
    global left
    with lock:
        left -= 1
    if left < 0:
        (scratch / "waiting").touch()
        while not (scratch / "go on").exists():
            time.sleep(0.01)
    return original(frame)

picture_pass.sketch = sketch
main()
"""
_LIMIT_S = 120


def interrupt(
    scratch: Path, after: int, how: signal.Signals, *arguments: object
) -> tuple[int, str]:
    """Run `edge` until it has read some pictures and waits over another; then send a signal.

    Args:
        scratch: an empty folder.
        after: pictures that are read, with one worker.
        how: ``SIGINT`` is Ctrl-C.
        arguments: of `edge`.

    Returns:
        The exit code, and what it wrote to standard error.
    """
    command = [sys.executable, "-c", _COMMAND, scratch, str(after), *map(str, arguments)]
    child = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "EDGE_WORKERS": "1"},
        text=True,
    )
    until = time.monotonic() + _LIMIT_S
    while not (scratch / "waiting").exists():
        assert child.poll() is None, "it ended before it could be cut short"
        assert time.monotonic() < until
        time.sleep(0.01)
    child.send_signal(how)
    if how is signal.SIGINT:  # pictures that are under way are waited for
        (scratch / "go on").touch()
    _, err = child.communicate(timeout=_LIMIT_S)
    return child.returncode, err
