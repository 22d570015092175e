"""`label_thresholds` are set in a model.toml, and nothing else of it changes."""

from __future__ import annotations

import stat
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ExportError, OutputError
from edge.evaluation.toml_thresholds import TomlEdit, threshold_lines
from edge.export.model_toml import read_model_toml
from edge.model.contract import Tuning

NEW = {"rose": 0.75, "a b": 0.5}


def edited(folder, content, thresholds=NEW):
    """The bytes of the file before and after."""
    file = folder / "model.toml"
    if content is not None:
        file.write_bytes(content)
    edit = TomlEdit(folder, thresholds)
    edit.write()
    return file.read_bytes()


FORMS = {
    "no file": None,
    "an empty file": b"",
    "other keys": b'# mine\ndisplay_name = "x"  # why\nresize = "center_crop"\n',
    "no line break at the end": b"top_k = 3",
    "a table behind": b"top_k = 3\n\n[fallback]\nthreshold = 0.6 # unsure\n",
    "its own table": b"[label_thresholds]\n# chosen by hand\nrose = 0.1 # low\ntulip = 0.2\n\n"
    b'[fallback]\nmode = "off"\n',
    "its own table without a last line break": b"[label_thresholds]\ntulip = 0.2",
    "an empty table of its own": b"[ label_thresholds ] # none\n[fallback]\nempty = true\n",
    "a quoted key": b"['label_thresholds']\n\"rose\" = 0.1\n'a b' = 0.2\n",
    "an inline table": b'top_k = 1\nlabel_thresholds = { rose = 0.1, "x # y" = 0.3 } # two\n'
    b"[fallback]\n",
    "Windows' line breaks": b"top_k = 3\r\n[label_thresholds]\r\nrose = 0.1\r\n",
    "a byte order mark": b"\xef\xbb\xbftop_k = 3\n",
    "a byte order mark before the table": b"\xef\xbb\xbf[label_thresholds]\nrose = 0.1\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_only_the_thresholds_change(form, tmp_path):
    old = FORMS[form] or b""
    new = edited(tmp_path, FORMS[form])
    before = tomllib.loads(old.decode("utf-8-sig"))
    after = tomllib.loads(new.decode("utf-8-sig"))
    wanted = {**before.get("label_thresholds", {}), **NEW}
    assert after == {**before, "label_thresholds": wanted}
    assert read_model_toml(tmp_path, Tuning()).label_thresholds == wanted
    changing = (b"rose", b"a b", b"label_thresholds =")
    kept = [line for line in old.splitlines() if line and not any(c in line for c in changing)]
    assert [line for line in new.splitlines() if line in kept] == kept
    for comment in (b"# mine", b"# why", b"# low", b"# two", b"# chosen by hand"):
        assert (comment in old) == (comment in new)
    assert (b"\r\n" in old) == (b"\r\n" in new)
    assert new.count(b"\r\n") in {0, new.count(b"\n")}
    assert old.startswith(b"\xef\xbb\xbf") == new.startswith(b"\xef\xbb\xbf")


REFUSED = {
    "dotted keys": b"label_thresholds.rose = 0.1\n",
    "a table within a text": b'display_name = """\n[label_thresholds]\n"""\n',
    "the beginning of an inline table in a text": b"display_name = '''\nlabel_thresholds = {'''\n",
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_cannot_be_edited_safely_stays_as_it_is(form, tmp_path):
    file = tmp_path / "model.toml"
    file.write_bytes(REFUSED[form])
    with pytest.raises(OutputError, match=r"rose = 0\.75"):
        edited(tmp_path, REFUSED[form])
    assert file.read_bytes() == REFUSED[form]


@pytest.mark.parametrize("content", [b"top_k = ", b"unknown = 1\n", b"\xff\xfe", b"top_k = 0\n"])
def test_a_file_that_serving_would_refuse_is_not_touched(content, tmp_path):
    with pytest.raises(ExportError):
        edited(tmp_path, content)
    assert (tmp_path / "model.toml").read_bytes() == content


def test_permissions_stay_and_a_link_stays_a_link(tmp_path):
    real = tmp_path / "kept elsewhere.toml"
    real.write_text("top_k = 3\n")
    real.chmod(0o640)
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "model.toml").symlink_to(real)
    TomlEdit(folder, NEW).write()
    assert (folder / "model.toml").is_symlink()
    assert "rose = 0.75" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert {file.name for file in tmp_path.iterdir()} == {"export", "kept elsewhere.toml"}


def test_the_diff_shows_what_changes_and_is_empty_where_nothing_does(tmp_path):
    (tmp_path / "model.toml").write_text("[label_thresholds]\nrose = 0.1\ntulip = 0.2\n")
    edit = TomlEdit(tmp_path, {"rose": 0.75})
    changes = [line for line in edit.diff().splitlines()[2:] if line[0] in "+-"]
    assert changes == ["-rose = 0.1", "+rose = 0.75"]
    edit.write()
    assert not TomlEdit(tmp_path, {"rose": 0.75}).diff()


@given(st.dictionaries(st.text(min_size=1), st.floats(0, 1), min_size=1, max_size=5))
def test_every_label_and_threshold_comes_back_as_it_is(thresholds):
    try:
        "".join(thresholds).encode()
    except UnicodeEncodeError:  # half a surrogate pair is in no label file
        return
    text = "\n".join(threshold_lines(thresholds))
    assert tomllib.loads(text) == {"label_thresholds": thresholds}
