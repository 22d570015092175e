"""Keeps TensorFlow's start-up lines off standard error, and nothing else.

While TensorFlow is imported it writes lines such as `I0000 ... oneDNN custom operations are on.`
before its logging has started, which `TF_CPP_MIN_LOG_LEVEL` does not reach (TensorFlow 2.21). So
standard error goes through a process that drops these lines and passes on everything else at once.
A process rather than a thread or a file: if the import takes this process down, as it does on a
processor without AVX, the reason is still written.

This file is also that process's program: it runs alone, without edge or any other package.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

NOISE = re.compile(
    # Before the logging starts: its own notice, information, and that there is no GPU driver.
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called [^\n]*\n"
    rb"|I\d{4} 00:00:\d+\.\d+ +\d+ \w+\.cc:\d+\] [^\n]*\n"
    rb"|E\d{4} 00:00:\d+\.\d+ +\d+ cuda_platform\.cc:\d+\] failed call to cuInit: [^\n]*"
    rb"UNKNOWN ERROR \(303\)\n"
)
_STDIN, _STDERR = 0, 2
_CHUNK = 1 << 16
_END_S = 5.0  # for what is left in the pipe; it takes milliseconds


@contextmanager
def without_start_up_noise() -> Iterator[None]:
    """Divert file descriptor 2 through the filter; if that cannot be had, change nothing."""
    try:
        stderr = os.dup(_STDERR)
    except OSError:  # it is closed
        yield
        return
    try:
        process = _start_filter()
    except OSError:
        process = None
    if process is None or process.stdin is None:
        os.close(stderr)
        yield
        return
    os.dup2(process.stdin.fileno(), _STDERR)
    process.stdin.close()
    try:
        yield
    finally:
        os.dup2(stderr, _STDERR)
        os.close(stderr)
        # It ends with the last writer; a process that was started in the meantime may be one.
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)


def _start_filter() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", __file__]
    # A session of its own: Ctrl-C is for the process that writes.
    return subprocess.Popen(  # noqa: S603 -- this file, with this interpreter
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    )


def quiet(text: bytes) -> tuple[bytes, bytes]:
    """What of a text is to be written now, and what may yet become noise: the rest of a line."""
    text = NOISE.sub(b"", text)
    complete, newline, begun = text.rpartition(b"\n")
    if b"\x1b" in begun or len(begun) > _CHUNK:  # a progress bar, which ends no line
        return text, b""
    return complete + newline, begun


def _pass_on() -> None:
    begun = b""
    while chunk := os.read(_STDIN, _CHUNK):
        written, begun = quiet(begun + chunk)
        _write(written)
    _write(begun)


def _write(text: bytes) -> None:
    while text:
        text = text[os.write(_STDERR, text) :]


if __name__ == "__main__":
    with suppress(BrokenPipeError):  # nobody reads standard error any more
        _pass_on()
