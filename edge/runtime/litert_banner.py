"""Keeps LiteRT's start-up banner off standard error.

With the first model of a process LiteRT writes `INFO: Created TensorFlow Lite XNNPACK delegate for
CPU.` It has no switch for that: its minimum severity is not exported, and it does not read
`TF_CPP_MIN_LOG_LEVEL` (ai-edge-litert 2.3). So the banner is provoked here with a model of one
operator while standard error is diverted for a fraction of a millisecond. Users' models are opened
afterwards, with standard error in its place: whatever LiteRT says of them is seen.
"""

from __future__ import annotations

import base64
import fcntl
import os
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ai_edge_litert.interpreter import Interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator

BANNER = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"

SMALLEST_MODEL = base64.b64decode(
    "GAAAAFRGTDMAAA4AFAAQAAwACAAAAAQADgAAABAAAAAcAAAA0AAAAAMAAAABAAAACAAAAAQABAAEAAAAAQAAABAAAAAM"
    "ABQAEAAMAAgABAAMAAAAEAAAADwAAABAAAAARAAAAAEAAAAQAAAAAAAKAAwAAAAIAAQACgAAAAgAAAAMAAAAAQAAAAEA"
    "AAABAAAAAAAAAAEAAAABAAAAAQAAAAAAAAACAAAAMAAAAAQAAADk////CAAAAAwAAAABAAAAeQAAAAEAAAABAAAADAAM"
    "AAgAAAAAAAQADAAAAAgAAAAMAAAAAQAAAHgAAAABAAAAAQAAAAEAAAAQAAAADAAMAAsAAAAAAAQADAAAAA4AAAAAAAAO"
)
"""A TFLite file that computes `y = logistic(x)` for one float32 number."""

_STDERR = 2
_SETTLE_S = 0.01  # a write of a line takes microseconds; paid once per process
_lock = threading.Lock()
_hidden = threading.Event()


def hide_banner() -> None:
    """Let LiteRT write its banner, once per process, where nobody sees it."""
    with _lock:
        if _hidden.is_set():
            return
        _hidden.set()
        with without_line(BANNER):
            Interpreter(model_content=SMALLEST_MODEL, num_threads=1).allocate_tensors()


@contextmanager
def without_line(line: bytes) -> Iterator[None]:
    """Divert file descriptor 2, and write everything but ``line`` to it in the end.

    Nothing that other threads log in the meantime is lost; it appears when the block ends. A file
    in memory takes it, since a pipe that nobody empties would block its writers. Where there is no
    such file, or standard error is closed, nothing is diverted.
    """
    if sys.platform != "linux":
        yield
        return
    try:
        stderr = os.dup(_STDERR)
    except OSError:
        yield
        return
    diverted = os.memfd_create("stderr")
    # Threads share its position, which only appending writes advance without overlapping.
    fcntl.fcntl(diverted, fcntl.F_SETFL, os.O_APPEND)
    os.dup2(diverted, _STDERR)
    try:
        yield
    finally:
        os.dup2(stderr, _STDERR)
        _forward(diverted, stderr, line)
        os.close(diverted)
        os.close(stderr)


def _forward(diverted: int, stderr: int, line: bytes) -> None:
    """Write to ``stderr`` what the file took, without the first occurrence of ``line``."""
    written = os.pread(diverted, _settled_size(diverted), 0).replace(line, b"", 1)
    with suppress(OSError):  # nobody reads standard error any more
        while written:
            written = written[os.write(stderr, written) :]


def _settled_size(file: int) -> int:
    """Its size once it has stopped growing: a thread may still be within a write to it."""
    size = -1
    while size != (settled := os.fstat(file).st_size):
        size = settled
        time.sleep(_SETTLE_S)
    return size
