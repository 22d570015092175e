"""SIGHUP: a daemon ignores it, having nothing to reload; a closed terminal ends the service."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_log = logging.getLogger(__name__)

_STDIN = 0


@contextmanager
def hangup_handled(end: Callable[[], None]) -> Iterator[None]:
    """While the context lasts, SIGHUP calls ``end`` if the terminal has closed, else logs a line.

    A service that was started in a terminal, and not with nohup or in a session of its own, stops
    with it, as after SIGTERM: what was accepted is answered. Everywhere else (systemd, a container,
    ``kill -HUP``) it goes on.
    """
    had_terminal = _has_terminal()

    def on_hangup(_: int, __: FrameType | None) -> None:
        if had_terminal and not _has_terminal():
            end()
        else:
            _log.info("SIGHUP ignored: settings are read at start; restart to change them")

    previous = signal.getsignal(signal.SIGHUP)
    if previous == signal.SIG_IGN:  # nohup
        yield
        return
    signal.signal(signal.SIGHUP, on_hangup)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, previous)


def _has_terminal() -> bool:
    try:
        return os.isatty(_STDIN)
    except OSError:
        return False
