"""Files that are replaced durably."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from edge.durable import replace_file

if TYPE_CHECKING:
    from pathlib import Path


def test_the_new_content_takes_the_place_of_the_old_and_nothing_else_is_left(tmp_path: Path):
    file = tmp_path / "budget.json"
    file.write_bytes(b"old")
    replace_file(file, b"new")
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_secret_is_never_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    modes: list[int] = []
    sync = os.fsync

    def look(descriptor: int) -> None:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode):
            modes.append(stat.S_IMODE(found.st_mode))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    replace_file(tmp_path / "server.key", b"secret", 0o600)
    assert modes == [0o600]
    assert stat.S_IMODE((tmp_path / "server.key").stat().st_mode) == 0o600


def test_the_remains_of_an_interrupted_write_are_replaced(tmp_path: Path):
    rest = tmp_path / "server.key.new"
    rest.write_bytes(b"longer than the new content")
    rest.chmod(0o644)
    replace_file(tmp_path / "server.key", b"secret", 0o600)
    assert (tmp_path / "server.key").read_bytes() == b"secret"
    assert stat.S_IMODE((tmp_path / "server.key").stat().st_mode) == 0o600


def test_the_file_is_synced_before_the_rename_and_the_folder_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Without the folder's sync, a power cut may undo the rename itself."""
    file = tmp_path / "budget.json"
    steps: list[str] = []

    def record(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        renamed = "after" if file.exists() else "before"
        steps.append(f"{kind} {renamed} the rename")

    monkeypatch.setattr(os, "fsync", record)
    replace_file(file, b"new")
    assert steps == ["file before the rename", "folder after the rename"]


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "budget.json"
    file.write_bytes(b"old")

    def disk_full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(file, b"new")
    assert file.read_bytes() == b"old"
