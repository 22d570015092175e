"""The disk under the outbox, which is never filled to the last byte.

A database that has filled its own disk can no longer mark an entry as resolved, nor drop one:
SQLite writes a new copy of a page before it frees the old one. So a part of the disk stays free,
whatever the quota allows.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MAX_RESERVE = 16 << 20
_RESERVE_DIVISOR = 8
"""On a small disk an eighth stays free."""


class Disk:
    """The file system that holds the outbox's database.

    Attributes:
        reserve: bytes that stay free.
    """

    def __init__(self, database: Path) -> None:
        """Read the disk's size; raises ``OSError`` if the file is missing."""
        self._database = database
        self._identity = _identity(database.stat())
        disk = os.statvfs(database)
        self.reserve = min(disk.f_blocks * disk.f_frsize // _RESERVE_DIVISOR, _MAX_RESERVE)

    @property
    def moved(self) -> bool:
        """Whether the path now leads to another file or to none: somebody cleared the folder."""
        try:
            return _identity(self._database.stat()) != self._identity
        except OSError:
            return True

    def is_tight(self, file_bytes: int, grown_bytes: int) -> bool:
        """Whether a write would use the reserve.

        Args:
            file_bytes: size of the database's file once its log has been written back.
            grown_bytes: part of it added by the current transaction; it goes through the log first.
        """
        disk = os.statvfs(self._database)
        to_come = max(file_bytes - self._database.stat().st_size, 0)
        return disk.f_bavail * disk.f_frsize - to_come - grown_bytes < self.reserve


def _identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino
