"""The server under measurement: `python -m edge serve` in its own process, on a free port."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from edge.bench.load import Target
from edge.errors import MeasurementFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_URL = re.compile(r"http://([\d.]+):(\d+)")
_POLL_S = 0.005
_MAX_START_S = 120.0
_MAX_STOP_S = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers.

    Attributes:
        first_answer_s: seconds from the command to the first answer 200.
    """

    target: Target
    first_answer_s: float


@contextmanager
def running(flags: Sequence[str], frame: bytes) -> Iterator[Running]:
    """Start the server, post the frame until it is answered, and finally stop the server.

    Args:
        flags: of `edge serve`, without its address.

    Raises:
        MeasurementFailed: it ended or gave no answer; the message has its log.
    """
    command = [sys.executable, "-m", "edge", "serve", *flags, "--host", "127.0.0.1", "--port", "0"]
    with tempfile.TemporaryFile("w+") as log:
        began = time.perf_counter()
        server = subprocess.Popen(  # noqa: S603 -- this program itself
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert server.stdout is not None
            found = _URL.search(server.stdout.readline())
            target = Target(found[1], int(found[2]), server.pid) if found else None
            if target is None or not _answers(target, frame, began + _MAX_START_S):
                log.seek(0)
                raise MeasurementFailed(f"The server gave no answer. {log.read().strip()}")
            yield Running(target, time.perf_counter() - began)
        finally:
            _stop(server)


def _answers(target: Target, frame: bytes, until: float) -> bool:
    """Post the frame until it is answered 200; false if time is up or a retry cannot help."""
    while time.perf_counter() < until:
        connection = http.client.HTTPConnection(target.host, target.port, timeout=_MAX_START_S)
        try:
            connection.request("POST", "/predict", frame)
            answer = connection.getresponse()
        except ConnectionError:  # it was listening before, so it has ended
            return False
        else:
            if answer.status == HTTPStatus.OK or answer.getheader("Retry-After") is None:
                return answer.status == HTTPStatus.OK
        finally:
            connection.close()
        time.sleep(_POLL_S)
    return False


def _stop(server: subprocess.Popen[str]) -> None:
    server.terminate()
    try:
        server.wait(_MAX_STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    if server.stdout is not None:
        server.stdout.close()
