"""Room on the outbox's disk: it is never filled to the last byte.

A database that has filled its own disk can no longer say of a frame that it is settled, nor drop one: SQLite writes a
page anew before it frees the old one. So a part of the disk stays free for that, whatever the quota allows.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MOST_RESERVED = 16 << 20
_RESERVED_SHARE = 8
"""One part in so many stays free on a small disk."""


class Disk:
    """The file system that holds the outbox's database.

    Attributes:
        reserve: bytes of it that stay free.
    """

    def __init__(self, database: Path) -> None:
        """Look at the disk; raises ``OSError`` where the file is not there."""
        self._database = database
        self._is = _identity(database.stat())
        there = os.statvfs(database)
        self.reserve = min(there.f_blocks * there.f_frsize // _RESERVED_SHARE, _MOST_RESERVED)

    @property
    def moved(self) -> bool:
        """Whether the file's name leads to another file now, or to none: somebody cleared the folder."""
        try:
            return _identity(self._database.stat()) != self._is
        except OSError:
            return True

    def is_tight(self, file_bytes: int, grown_bytes: int) -> bool:
        """Whether the reserve would be touched.

        Args:
            file_bytes: that the database's file has once all that was written has come into it.
            grown_bytes: of these, that the transaction under way adds; they go through the log first.
        """
        there = os.statvfs(self._database)
        to_come = max(file_bytes - self._database.stat().st_size, 0)
        return there.f_bavail * there.f_frsize - to_come - grown_bytes < self.reserve


def _identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino
