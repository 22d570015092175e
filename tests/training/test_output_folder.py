"""A place that cannot be written to is refused before anything is learnt."""

import os

import pytest

from edge.errors import OutputError
from edge.training.output_folder import refuse_foreign


def test_a_folder_that_is_not_there_yet_is_taken_and_nothing_is_made(tmp_path):
    refuse_foreign(tmp_path / "new" / "model")
    assert not list(tmp_path.iterdir())


def test_a_place_below_a_file_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt is no folder"):
        refuse_foreign(tmp_path / "notes.txt" / "deep" / "model")


def test_a_place_without_permission_is_refused_by_name(tmp_path, monkeypatch):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    if os.geteuid() == 0:  # root may write everywhere: the system's answer to others in its place
        monkeypatch.setattr(os, "access", lambda path, _: os.fspath(path) != str(locked))
    with pytest.raises(OutputError, match=f"{locked} is not writable"):
        refuse_foreign(locked / "deep" / "model")
