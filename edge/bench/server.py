"""The server under measurement: `python -m edge serve` in a process of its own, on a free port."""

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
_LONGEST_START_S = 120.0
_LONGEST_STOP_S = 60.0


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
    """Start the server, post the frame until it is answered, and stop the server in the end.

    Args:
        flags: of `edge serve`, beside its address.

    Raises:
        MeasurementFailed: it ended, or gave no answer; with its own words.
    """
    command = [sys.executable, "-m", "edge", "serve", *flags, "--host", "127.0.0.1", "--port", "0"]
    with tempfile.TemporaryFile("w+") as log:
        began = time.perf_counter()
        server = subprocess.Popen(  # noqa: S603 -- this very program
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert server.stdout is not None
            told = _URL.search(server.stdout.readline())
            target = Target(told[1], int(told[2]), server.pid) if told else None
            if target is None or not _answers(target, frame, began + _LONGEST_START_S):
                log.seek(0)
                raise MeasurementFailed(f"The server gave no answer. {log.read().strip()}")
            yield Running(target, time.perf_counter() - began)
        finally:
            _stop(server)


def _answers(target: Target, frame: bytes, until: float) -> bool:
    """Whether the frame is answered 200 before that time; asked again as long as the server says that it may help."""
    while time.perf_counter() < until:
        connection = http.client.HTTPConnection(target.host, target.port, timeout=_LONGEST_START_S)
        try:
            connection.request("POST", "/predict", frame)
            answer = connection.getresponse()
        except ConnectionError:  # it listened before; it is gone
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
        server.wait(_LONGEST_STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    if server.stdout is not None:
        server.stdout.close()
