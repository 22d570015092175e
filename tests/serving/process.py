"""`edge serve` in its own process, found by the address that it prints and stopped by a signal."""

import functools
import os  # tests stand outside the service: they hand its process an environment
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
_URL = re.compile(r" on (http://\S+)")
_PATIENCE_S = 60


class Server:
    """A running `edge serve`; a context manager that ends it with SIGTERM if it still runs.

    Args:
        flags: of `edge serve`; ``--port 0`` is added.
        ready: wait until every model has run its warm-up.
        program: what Python runs, for tests that change the program.
        prefix: a command that runs the process, such as ``ip netns exec near``.
        env: added to the environment, which has no EDGE_ variable.
        folder: where it runs, and what relative paths are relative to.
        settings: more flags, by the names of the settings: ``workers=1`` is ``--workers 1``.
    """

    def __init__(
        self,
        *flags: object,
        ready: bool = True,
        program: tuple[str, ...] = ("-m", "edge"),
        prefix: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        folder: Path = ROOT,
        **settings: object,
    ) -> None:
        arguments = ["--port", "0", *map(str, flags), *setting_flags(settings)]
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- lives as long as the process
        self.process = subprocess.Popen(
            [*prefix, sys.executable, *program, "serve", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=clean_environment() | (env or {}),
        )
        self.url = self._listening()
        if ready:
            try:
                self.wait_ready()
            except BaseException:  # nobody else will: there is no instance yet
                self.kill()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        # First the client: over TLS a connection that is not closed by its client delays the end.
        if "client" in self.__dict__:
            self.client.close()
        if self.process.poll() is None:
            self.stop()
        self._close()

    @functools.cached_property
    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=_PATIENCE_S)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    @property
    def log_file(self) -> IO[str]:
        """The file it writes to standard error; read it with `os.pread`."""
        return self._log

    @property
    def log(self) -> str:
        """What it wrote to standard error so far."""
        at = os.lseek(self._log.fileno(), 0, os.SEEK_CUR)
        return os.pread(self._log.fileno(), at, 0).decode()

    def wait_ready(self) -> None:
        until = time.monotonic() + _PATIENCE_S
        while self.client.get("/health/ready").status_code != 200:
            assert time.monotonic() < until, f"not ready within {_PATIENCE_S} s: {self.log}"
            time.sleep(0.02)

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, and its exit code once it has ended."""
        self.process.send_signal(by)
        return self.ended()

    def ended(self) -> int:
        """Its exit code once it has ended by itself."""
        try:
            return self.process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            assert self.process.stdout
            self.process.stdout.close()

    def kill(self) -> None:
        """End it with SIGKILL, as the kernel does when memory runs out."""
        self.process.kill()
        self.process.wait()
        self._close()

    def resident_mib(self) -> float:
        """Memory it holds in RAM now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def _close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()
        assert self.process.stdout
        self.process.stdout.close()
        self._log.close()

    def _listening(self) -> str:
        assert self.process.stdout
        for line in self.process.stdout:
            if found := _URL.search(line):
                return found[1]
        raise AssertionError(f"it ended with {self.ended()}: {self.log}")


def setting_flags(settings: Mapping[str, object]) -> list[str]:
    """Settings as flags: ``a_b=1`` is ``--a-b 1``, ``a=True`` ``--a``, ``a=False`` ``--no-a``."""
    flags: list[str] = []
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            flags.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            flags += [f"--{flag}", str(value)]
    return flags


def clean_environment() -> dict[str, str]:
    """This process's environment without any setting of the service."""
    return {name: value for name, value in os.environ.items() if not name.startswith("EDGE_")}


def run_edge(*arguments: object) -> subprocess.CompletedProcess[str]:
    """`edge` with these arguments, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "edge", *map(str, arguments)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
