"""A server under attack, and a camera that goes on posting frames all the while."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from serving.pictures import encoded, picture
from serving.process import Server

_MIB = 1 << 20
_PAUSE_S = 0.05
_GIVE_UP_S = 60


@dataclass
class Camera:
    """Posts one small frame after another, over a connection of its own, until it is stopped.

    Attributes:
        statuses: of the answers so far; 0 for a connection that broke.
        seconds: that each answer took.
    """

    address: tuple[str, int]
    statuses: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._post, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(2 * _GIVE_UP_S)
        assert not self._thread.is_alive(), "the camera still waits for an answer"

    @property
    def longest(self) -> float:
        """The longest wait for an answer in seconds."""
        return max(self.seconds)

    @property
    def all_answered(self) -> bool:
        return bool(self.statuses) and set(self.statuses) == {200}

    def p99(self) -> float:
        """The wait in seconds that one frame in a hundred exceeds."""
        waits = sorted(self.seconds)
        return waits[int(0.99 * (len(waits) - 1))]

    def _post(self) -> None:
        frame = encoded(picture(size=(320, 240)), "JPEG")
        connection = http.client.HTTPConnection(*self.address, timeout=_GIVE_UP_S)
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                connection.request("POST", "/predict", frame, {"Content-Type": "image/jpeg"})
                reply = connection.getresponse()
                reply.read()
                status = reply.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
            self.seconds.append(time.monotonic() - began)
            self.statuses.append(status)
            time.sleep(_PAUSE_S)
        connection.close()


@dataclass(slots=True)
class Attack:
    """What an attack did, filled in while it runs.

    Attributes:
        camera: the good client beside it.
        resident_mib: memory of the server before the attack.
        peak_mib: the most memory that the server held during the attack.
    """

    camera: Camera
    resident_mib: float
    peak_mib: float = 0.0

    @property
    def grown_mib(self) -> float:
        """Memory that the attack cost at its worst."""
        return self.peak_mib - self.resident_mib


@contextmanager
def attack(server: Server) -> Iterator[Attack]:
    """Watch the server, with a camera beside it, while the context is open.

    After it the server must still live and answer a frame.
    """
    reset_peak(server.pid)
    with Camera(server.address) as camera:
        while not camera.statuses:  # the camera's first frame is no part of the attack
            time.sleep(0.01)
        watched = Attack(camera, resident_mib(server.pid, "VmRSS"))
        yield watched
        watched.peak_mib = resident_mib(server.pid, "VmHWM")
    assert server.process.poll() is None, server.log
    assert camera.statuses[-1] == 200, camera.statuses[-5:]


def reset_peak(pid: int) -> None:
    """Let the kernel measure the peak of resident memory anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def resident_mib(pid: int, line: str) -> float:
    """``VmRSS`` or ``VmHWM`` of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    kib = next(text.split()[1] for text in status.splitlines() if text.startswith(line + ":"))
    return int(kib) * 1024 / _MIB
