"""`edge data inspect`, from the command line to what it says about odd data sets."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal

import numpy as np
import pytest
from builders.datasets import picture, put, put_lines
from builders.interruption import interrupt
from click.testing import CliRunner
from PIL import Image

from edge.cli import main

NUMBER = 20
"""Pictures of a label: enough for each fold."""


@pytest.fixture
def inspect(tmp_path):
    """Runs the command, and returns its exit code, standard output and standard error."""

    def run(path, *flags):
        arguments = ["data", "inspect", str(path), "--data", str(tmp_path / "data"), *flags]
        done = CliRunner().invoke(main, arguments)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    return run


@pytest.fixture
def inspect_json(inspect):
    """Runs the command with `--json`, and returns what it found."""

    def run(path, *flags):
        code, out, _ = inspect(path, "--json", *flags)
        assert code in {0, 1}, out
        return json.loads(out)

    return run


def texture(label, seed):
    """A picture that shows its label: stripes across or down."""
    rng = np.random.default_rng(seed)
    wave = 128 + 90 * np.sin(np.arange(120) / rng.uniform(3, 6) + rng.uniform(0, 6))
    plane = np.tile(wave, (120, 1)) if label == "down" else np.tile(wave[:, None], (1, 120))
    pixels = np.stack([plane * rng.uniform(0.5, 1) for _ in range(3)], axis=2)
    file = io.BytesIO()
    Image.fromarray((pixels + rng.normal(0, 5, pixels.shape)).clip(0, 255).astype(np.uint8)).save(
        file, "JPEG"
    )
    return file.getvalue()


@pytest.fixture(scope="session")
def stripes(tmp_path_factory):
    """A good data set of two labels; tests copy it."""
    root = tmp_path_factory.mktemp("stripes")
    for start, label in ((0, "across"), (1_000, "down")):
        for index in range(NUMBER):
            put(root, f"{label}/{index:02}.jpg", content=texture(label, start + index))
    return root


@pytest.fixture
def own_stripes(stripes, tmp_path):
    """A copy of the good data set."""
    return shutil.copytree(stripes, tmp_path / "set")


def advice_of(found):
    return "\n".join(one["text"] for one in found["advice"])


def test_a_good_set_gets_its_counts_and_what_to_collect(inspect, stripes):
    code, out, err = inspect(stripes)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "40 pictures, 2 labels, read as folder per label"
    assert re.search(r"^across +20 +16 +2 +2$", out, re.MULTILINE)
    assert "imbalance: 1.0 times" in out
    assert "collect: About 1,000 pictures for each label" in out
    assert "repair" not in out
    assert "No picture is broken, tiny, or there twice, and no label is contradicted" in out


def test_a_set_with_something_wrong_is_not_called_clean(inspect, own_stripes):
    put(own_stripes, "down/empty.png", content=b"")
    _, out, _ = inspect(own_stripes)
    assert "No picture is broken" not in out


def test_swapped_labels_are_named_with_the_likelier_one(inspect_json, own_stripes):
    (own_stripes / "across/03.jpg").write_bytes(texture("down", 77))
    (suspect,) = inspect_json(own_stripes)["probably_mislabelled"]
    assert (suspect["file"], suspect["has"], suspect["suggested"]) == (
        "across/03.jpg",
        "across",
        "down",
    )


def test_broken_and_tiny_pictures_are_named_and_the_others_looked_at(inspect_json, own_stripes):
    whole = (own_stripes / "down/00.jpg").read_bytes()
    put(own_stripes, "down/cut.jpg", content=whole[: len(whole) // 2])
    put(own_stripes, "down/text.jpg", content=b"<html>")
    put(own_stripes, "down/empty.png", content=b"")
    put(own_stripes, "down/small.png", content=picture(1, (60, 200)))
    found = inspect_json(own_stripes)
    assert {one["file"] for one in found["broken"]} == {
        "down/cut.jpg",
        "down/text.jpg",
        "down/empty.png",
    }
    assert all(one["reason"].endswith(".") for one in found["broken"])
    assert found["tiny"] == [{"file": "down/small.png", "width": 60, "height": 200}]
    assert "3 pictures cannot be opened" in advice_of(found)


def test_a_set_of_broken_pictures_alone_is_said_to_be_one(inspect, tmp_path):
    put(tmp_path / "set", "a/1.jpg", "b/2.jpg", content=b"x")
    code, out, _ = inspect(tmp_path / "set")
    assert code == 1
    assert "Broken pictures: 2" in out
    assert "No picture has a label yet." not in out


def test_an_unbalanced_set_says_by_how_much(inspect_json, tmp_path):
    root = put(tmp_path / "set", "rare/1.png", *(f"common/{index}.png" for index in range(101)))
    found = inspect_json(root)
    assert found["imbalance"] == 101
    assert "The most common label has 101 times more pictures than the rarest" in advice_of(found)
    assert "Fewer than 10 pictures, the least that a label needs: rare (1)." in advice_of(found)


def test_one_label_needs_a_second_one(inspect_json, tmp_path):
    found = inspect_json(put(tmp_path / "set", *(f"good/{index}.png" for index in range(12))))
    assert found["probably_mislabelled"] is None
    assert "one label, good: a classifier needs a second one" in advice_of(found)


def test_two_pictures_are_a_set_that_needs_more(inspect_json, tmp_path):
    found = inspect_json(put(tmp_path / "set", "a/1.png", "b/2.png"))
    assert (found["pictures"], found["probably_mislabelled"]) == (2, None)
    assert "the least that a label needs: a (1), b (1)" in advice_of(found)
    assert "No picture to test with: a (1), b (1)." in advice_of(found)


def test_duplicates_across_labels_and_splits_are_told(inspect_json, tmp_path):
    root = tmp_path / "set"
    for split in ("train", "test"):
        put(root, *(f"{split}/{label}/{index}.png" for label in "ab" for index in range(6)))
    put(root, "test/a/copy.png", content=(root / "train/a/0.png").read_bytes())
    put(root, "train/b/copy.png", content=(root / "train/a/1.png").read_bytes())
    smaller = io.BytesIO()
    Image.open(root / "train/b/2.png").resize((24, 18)).save(smaller, "PNG")
    put(root, "test/b/smaller.png", content=smaller.getvalue())
    found = inspect_json(root)
    same = {tuple(group["files"]): group for group in found["same"]}
    leak = same["test/a/copy.png", "train/a/0.png"]
    assert (leak["splits"], leak["labels"]) == (["test", "training"], [["a"]])
    torn = same["train/a/1.png", "train/b/copy.png"]
    assert (torn["splits"], torn["labels"]) == (["training"], [["a"], ["b"]])
    (near,) = found["near_duplicates"]
    assert near["files"] == ["test/b/smaller.png", "train/b/2.png"]
    text = advice_of(found)
    assert "1 group of pictures that are the same, with different labels" in text
    assert "1 group of pictures that are nearly the same, in several splits" in text


def test_a_set_of_copies_says_so_and_divides_them_together(inspect_json, tmp_path):
    root = tmp_path / "set"
    for label in "ab":
        for index in range(30):
            put(root, f"{label}/{index}.png", content=picture(ord(label) * 10 + index // 6))
    found = inspect_json(root)
    assert [len(group["files"]) for group in found["same"]] == [6] * 10
    assert "Repeated pictures add nothing: remove 50 files." in advice_of(found)
    splits = [label["splits"] for label in found["labels"]]
    assert splits == [{"training": 18, "validation": 6, "test": 6}] * 2


def test_boxes_are_counted_and_their_labels_not_guessed_at(inspect_json, tmp_path):
    root = put(tmp_path / "set", "1.png", "2.png", "3.png")
    put_lines(
        root / "x.csv",
        "1.png,car,.1,.1,,,.3,.3,,",
        "1.png,car,.5,.5,,,.7,.7,,",
        "2.png,bus,.1,.1,,,.3,.3,,",
        "3.png,,,,,,,,,",
    )
    found = inspect_json(root)
    assert {one["label"]: (one["pictures"], one["boxes"]) for one in found["labels"]} == {
        "car": (1, 2),
        "bus": (1, 1),
    }
    assert (found["showing_nothing"], found["probably_mislabelled"]) == (1, None)
    assert "car (2)" in advice_of(found)


def test_faults_do_not_keep_the_rest_from_being_looked_at(inspect, tmp_path):
    root = put(tmp_path / "set", "1.png", "2.png")
    put_lines(root / "x.csv", "1.png,a", "9.png,b", "2.png,A ", "2.png")
    code, out, _ = inspect(root)
    assert code == 1
    assert "Cannot be read: 2" in out
    assert "x.csv, line 2: No picture 9.png is in" in out
    assert "Labels differ only in case or blanks: A and a." in out


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: None, "There is no data set at"),
        (lambda root: root.mkdir(), "Make one folder a label"),
        (lambda root: put_lines(root, "x"), "is no data set that edge reads"),
        (lambda root: (root / "a").mkdir(parents=True), "has no labelled pictures"),
    ],
)
def test_what_is_no_data_set_is_refused_in_one_line(inspect, tmp_path, make, words):
    make(tmp_path / "set")
    code, out, err = inspect(tmp_path / "set")
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


def test_what_a_terminal_would_obey_is_escaped(inspect, tmp_path):
    root = put(tmp_path / "set", "a/\x1b]52;c;x\x07.png", "b/1.png")
    put(root, "c/broken\x1b[2J.png", content=b"x")
    _, out, err = inspect(root)
    assert "\x1b" not in out + err
    assert "broken\\x1b[2J.png" in out


def test_the_page_is_one_file_with_pictures_and_without_scripts(inspect, own_stripes, tmp_path):
    put(own_stripes, "down/<b>.png", content=picture(1, (60, 200)))
    put(own_stripes, "down/copy.jpg", content=(own_stripes / "down/00.jpg").read_bytes())
    page = tmp_path / "report.html"
    code, _, err = inspect(own_stripes, "--html", str(page))
    assert (code, err.strip()) == (0, f"The page is in {page}.")
    html = page.read_text("utf-8")
    assert html.count("data:image/jpeg;base64,") == 3
    assert "&lt;b&gt;.png" in html
    assert "<script" not in html
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", html)
    assert inspect(own_stripes, "--html", str(page))[0] == 0  # an older report is replaced


def test_a_file_that_is_no_report_is_not_overwritten(inspect, stripes, tmp_path):
    page = put_lines(tmp_path / "mine.html", "<p>mine</p>")
    code, _, err = inspect(stripes, "--html", str(page))
    assert (code, page.read_text("utf-8")) == (2, "<p>mine</p>\n")
    assert "is no report of edge data inspect" in err


def test_resume_reads_only_what_has_changed(inspect, own_stripes):
    first = inspect(own_stripes)[1]
    code, out, err = inspect(own_stripes, "--resume")
    assert (code, out, err.strip()) == (0, first, "40 of 40 pictures were known already.")
    (own_stripes / "down/00.jpg").write_bytes(texture("down", 500))
    assert inspect(own_stripes, "--resume")[2].strip() == "39 of 40 pictures were known already."
    assert inspect(own_stripes)[2] == ""  # from the start


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_cut_short_can_go_on(inspect, stripes, tmp_path, how):
    code, err = interrupt(
        tmp_path, 10, how, "data", "inspect", stripes, "--data", tmp_path / "data"
    )
    if how is signal.SIGINT:
        assert code == 130
        assert "give the same command with --resume to go on" in err
        assert "Traceback" not in err
    _, out, err = inspect(stripes, "--resume")
    (known,) = re.findall(r"([\d,]+) of 40 pictures were known already", err)
    assert 7 <= int(known) < 40
    assert out.startswith("40 pictures, 2 labels")
