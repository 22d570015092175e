"""Proves a model before the service opens it: in a process of its own, which a model may end.

LiteRT and TensorFlow trust their files. A `.tflite` file with one changed byte can abort the
process that opens it, or never return. So a model that is new here first runs a few frames in a
child process with bounded time and memory. What ends the child is that model's fault; the service
and its other models go on.

The child is a fresh Python, not a fork: the service has threads by then, and a fork would take over
their locks, the listening socket and the keys. It costs the imports of NumPy and LiteRT, once for
each new model: `ProofRecord` remembers those that were proven.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edge.environment import without_settings
from edge.errors import ExportError
from edge.model.contract import Format, Tuning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.model.contract import Contract
    from edge.runtime.proof_record import ProofRecord

MAX_S: Final[dict[Format, float]] = {Format.TFLITE: 60.0, Format.SAVED_MODEL: 180.0}
"""How long opening a model and its first frames may take; on a fast machine 0.1 s and 5 s."""

_CHILD: Final = (
    "import sys; sys.path[:] = {path!r}; from edge.runtime.proof_child import main; main()"
)
_ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",  # nothing here multiplies large matrices
    "MALLOC_PERTURB_": "165",  # glibc: memory that is used after it was freed is noticed sooner
}
_MAX_REPLY_BYTES: Final = 1 << 16
_DAMAGED: Final = "Download or copy the export again, and serve only models whose maker you know"


class Prover:
    """Proves models, each in a child process. Safe to use from several threads."""

    def __init__(self, record: ProofRecord | None = None) -> None:
        """Without a record every model is proven each time."""
        self._record = record
        # Reentrant: `stop` runs in a signal handler, and a second signal may interrupt the first.
        self._lock = threading.RLock()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def prove(self, model: Path, contract: Contract, digest: str) -> None:
        """Return once the model is known to run; at once if it was proven before.

        Args:
            model: the TFLite file, or the folder of the SavedModel.
            digest: SHA-256 of the TFLite file; that of a SavedModel's files is computed here.

        Raises:
            ExportError: the model ended its process, took too long, or was refused.
        """
        if contract.format is Format.SAVED_MODEL:
            digest = _folder_digest(model)
        if self._record is not None and self._record.has(digest, contract.format):
            return
        _try_in_child(self, model, contract)
        if self._record is not None:
            self._record.add(digest, contract.format)

    def stop(self) -> None:
        """End the children; what they were to prove is refused. For the end of the service."""
        with self._lock:
            self._stopped = True
            for child in self._children:
                child.kill()

    @contextmanager
    def start_child(self, model: Path, request: bytes) -> Iterator[subprocess.Popen[bytes]]:
        """Start a child that has the request on its standard input; it ends with the context."""
        child = self._start(model)
        try:
            assert child.stdin is not None
            with suppress(BrokenPipeError), child.stdin:  # it may have ended already
                child.stdin.write(request)
            yield child
        finally:
            child.kill()
            child.wait()
            assert child.stdout is not None
            child.stdout.close()
            with self._lock:
                self._children.discard(child)

    def _start(self, model: Path) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise ExportError(model, "the service stops before it was tried", "Start it again")
            try:
                child = subprocess.Popen(  # noqa: S603 -- this very Python
                    [sys.executable, "-c", _CHILD.format(path=sys.path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=without_settings() | _ENVIRONMENT,
                    start_new_session=True,  # Ctrl-C is for the service, which then ends the child
                )
            except OSError as error:
                raise ExportError(
                    model,
                    f"no process can be started to try it ({error.strerror or error})",
                    "Allow the service one more process",
                ) from error
            self._children.add(child)
            return child


def _try_in_child(prover: Prover, model: Path, contract: Contract) -> None:
    max_s = MAX_S[contract.format]
    until = time.monotonic() + max_s
    # Of the contract only what opens and runs the model; labels may be large.
    bare = replace(contract, labels=None, tuning=Tuning(), origins={}, notes=(), signature=None)
    with prover.start_child(model, pickle.dumps((model, bare))) as child:
        reply = _read_reply(child, until)
        if reply is None:
            raise ExportError(
                model,
                f"opening it and running its first frames took longer than {max_s:.0f} s",
                _DAMAGED,
            )
        code = child.wait()
    if code != 0:
        raise _refusal(model, code, reply)


def _read_reply(child: subprocess.Popen[bytes], until: float) -> bytes | None:
    """What the child writes until it ends; ``None`` if it does not end in time."""
    assert child.stdout is not None
    descriptor = child.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    reply = b""
    while len(reply) <= _MAX_REPLY_BYTES:
        left_ms = (until - time.monotonic()) * 1000
        if left_ms <= 0 or not poll.poll(left_ms):
            return None
        chunk = os.read(descriptor, _MAX_REPLY_BYTES)
        if not chunk:
            return reply
        reply += chunk
    return None


def _refusal(model: Path, code: int, reply: bytes) -> ExportError:
    with suppress(ValueError, KeyError, TypeError):
        words = json.loads(reply)
        return ExportError(words["file"], words["reason"], words["remedy"])
    if code == -signal.SIGKILL:
        reason = "its process was killed when it was tried, usually for lack of memory"
        return ExportError(model, reason, "Give the service more memory, or export a smaller model")
    if code < 0:
        name = _signal_name(-code)
        reason = f"it is damaged: the process in which it was tried ended with {name}"
        return ExportError(model, reason, _DAMAGED)
    reason = f"the process in which it was tried ended with exit code {code}"
    return ExportError(model, reason, "See whether `edge inspect` on another model works here")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _folder_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files below a folder."""
    whole = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_dir():
            continue
        if not file.is_file():
            raise ExportError(file, "it is not a regular file", "Remove it from the export")
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{digest} {os.fsencode(file.relative_to(folder))!r}\n".encode())
    return whole.hexdigest()
