"""`edge evaluate` from end to end: a tiny classifier, real exports, and the built-in detector."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from builders.datasets import put_lines
from builders.tflite import LOGISTIC, TINY_LABELS, classifier, tiny_export
from builders.waiting import wait
from click.testing import CliRunner
from PIL import Image

from edge.cli import main
from edge.datasets.dataset import Split
from edge.datasets.learnt import write_learnt
from edge.datasets.picture_file import picture_digest
from edge.evaluation.report.words import FIGURE_WORDS

PHOTOS = Path(__file__).parents[2] / "models/photos"


def edge(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)


def digest_of(file):
    return picture_digest(file.read_bytes()).hex()


def evaluated(*arguments):
    """The JSON of a run and its exit code."""
    done = edge("evaluate", *arguments, "--json")
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.exit_code


def tells(*classes, strength=8):
    """A picture of 2 x 2 pixels for which the tiny model answers these classes."""
    pixels = np.full(12, 100, np.uint8)
    pixels[list(classes)] = 100 + strength
    file = io.BytesIO()
    Image.fromarray(pixels.reshape(2, 2, 3)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def export(tmp_path):
    return tiny_export(tmp_path)


@pytest.fixture
def photos(tmp_path):
    """Ten pictures of three labels, of which the tiny model has eight right."""
    folder = tmp_path / "photos"
    answers = {"label 0": [0, 0, 0, 1], "label 1": [1, 1, 1], "label 2": [0, 2, 2]}
    for label, classes in answers.items():
        (folder / label).mkdir(parents=True)
        for number, one in enumerate(classes):
            (folder / label / f"{number}.png").write_bytes(tells(one, strength=5 + number))
    return folder


def test_the_figures_of_a_set(export, photos):
    found, code = evaluated(export, photos)
    assert code == 0
    assert found["pictures"] == {"chosen": 10, "answered": 10, "failed": 0, "learnt": 0}
    assert found["figures"]["accuracy"] == 0.8
    assert found["data_set"]["split"] == "all pictures: the set states no split"
    rows = {one["label"]: (one["there"], one["answered"], one["right"]) for one in found["labels"]}
    assert rows == {"label 0": (4, 4, 3), "label 1": (3, 4, 3), "label 2": (3, 2, 2)}
    wrong = {(one["true"], one["answered"]): one["count"] for one in found["confusion"]}
    assert wrong["label 0", "label 1"] == wrong["label 2", "label 0"] == 1
    assert {Path(one["file"]).name for one in found["mistakes"]} == {"3.png", "0.png"}
    assert found["mistakes"][0]["file"].endswith("label 0/3.png")  # the surest first


def test_the_text_says_what_was_taken_and_how_much_of_it_is_right(export, photos):
    done = edge("evaluate", export, photos)
    assert re.search(r"Right answers +80\.0 %", done.stdout)
    assert "10 pictures, all pictures: the set states no split" in done.stdout
    assert "note: No picture shows label 3, label 4" in done.stdout
    assert re.search(r"1 x +label 0 +as label 1", done.stdout)


def test_thresholds_of_the_model_toml_count_as_in_serving(export, photos):
    (export / "model.toml").write_text(
        'score_threshold = 0.5\n[label_thresholds]\n"label 2" = 1.0\n'
    )
    found, _ = evaluated(export, photos)
    assert found["figures"]["answered"] == 0.8
    unanswered = [one for one in found["confusion"] if one["answered"] is None]
    assert unanswered == [{"true": "label 2", "answered": None, "count": 2}]


def test_a_multi_label_model_is_judged_label_by_label(tmp_path):
    export = tiny_export(tmp_path)
    (export / "model.tflite").write_bytes(classifier(activation=LOGISTIC))
    rows = []
    for number, (shown, true) in enumerate([((0, 1), (0, 1)), ((0,), (0, 2)), ((), ())]):
        pixels = np.zeros(12, np.uint8)
        pixels[list(shown)] = 9  # logistic(0) is 0.5, so that all others are at the threshold
        Image.fromarray(pixels.reshape(2, 2, 3)).save(tmp_path / f"{number}.png")
        names = [{"displayName": TINY_LABELS[one]} for one in true]
        rows.append({"imageGcsUri": f"{number}.png", "classificationAnnotations": names})
    (export / "model.toml").write_text("score_threshold = 0.9\n")
    found, code = evaluated(export, put_lines(tmp_path / "set.jsonl", *rows))
    assert (code, found["multi_label"], found["confusion"]) == (0, True, None)
    assert found["figures"]["accuracy"] == pytest.approx(2 / 3)
    assert found["figures"]["precision"] == 1.0
    assert found["figures"]["recall"] == 0.75
    assert found["mistakes"][0]["why"] == "missing: label 2"


def test_a_demand_decides_the_exit_code(export, photos):
    assert evaluated(export, photos, "--fail-under", "accuracy=0.8")[1] == 0
    found, code = evaluated(
        export, photos, "--fail-under", "accuracy=0.81", "--fail-under", "recall:label 1=1"
    )
    assert code == 1
    assert [one["passed"] for one in found["demands"]] == [False, True]
    done = edge("evaluate", export, photos, "--fail-under", "recall:label 0=0.9")
    assert "FAILED: recall:label 0 is 75.0 %, wanted 90.0 %" in done.stdout


def test_a_demand_for_a_label_that_the_set_does_not_show_fails(export, photos):
    assert evaluated(export, photos, "--fail-under", "recall:label 7=0.1")[1] == 1


def test_an_unknown_figure_is_refused_before_any_picture_is_looked_at(export, photos):
    done = edge("evaluate", export, photos, "--fail-under", "exactness=0.5")
    assert done.exit_code == 2
    assert "exactness" in done.stderr
    assert not done.stdout


def test_thresholds_for_a_precision_are_written_and_shown(export, photos):
    (export / "model.toml").write_text("# mine\ntop_k = 3\n")
    dry, _ = evaluated(export, photos, "--precision", "1", "--dry-run")
    assert (export / "model.toml").read_text() == "# mine\ntop_k = 3\n"
    found, code = evaluated(export, photos, "--precision", "1")
    assert code == 1  # label 1 has a wrong answer that is surer than all right ones
    assert found["thresholds"]["diff"] == dry["thresholds"]["diff"]
    assert found["thresholds"]["written"]
    text = (export / "model.toml").read_text()
    assert text.startswith("# mine\ntop_k = 3\n")
    written = tomllib.loads(text)["label_thresholds"]
    assert set(written) == {"label 0", "label 2"}
    again, _ = evaluated(export, photos)
    precision = {one["label"]: one["precision"] for one in again["labels"]}
    assert precision["label 0"] == precision["label 2"] == 1.0


def test_thresholds_that_cannot_be_written_safely_are_shown_with_the_whole_report(export, photos):
    (export / "model.toml").write_text('label_thresholds."label 0" = 0.1\n')
    done = edge("evaluate", export, photos, "--precision", "0.5")
    assert done.exit_code == 1
    assert "Right answers" in done.stdout
    assert re.search(r'Nothing was changed.*\n\[label_thresholds\]\n"label 0" = 0\.', done.stdout)
    assert (export / "model.toml").read_text() == 'label_thresholds."label 0" = 0.1\n'


def test_thresholds_of_a_builtin_model_are_only_shown(photos, tmp_path):
    (tmp_path / "coffee.jpg").symlink_to(PHOTOS / "coffee.jpg")
    put_lines(tmp_path / "set.csv", "coffee.jpg,espresso")
    found, _ = evaluated("imagenet", tmp_path / "set.csv", "--precision", "0.9")
    assert not found["thresholds"]["written"]
    assert "espresso = " in found["thresholds"]["note"]


def test_two_models_are_compared_picture_by_picture(export, photos, tmp_path):
    (tmp_path / "other").mkdir()
    other = tiny_export(tmp_path / "other")
    (other / "dict.txt").write_text("\n".join(["label 1", "label 0", *TINY_LABELS[2:]]))
    found, _ = evaluated(export, photos, "--against", other)
    comparison = found["comparison"]
    assert found["against"]["figures"]["accuracy"] == 0.3
    assert len(comparison["only_this_right"]) == 6
    assert [Path(one).name for one in comparison["only_other_right"]] == ["3.png"]
    assert comparison["p"] == pytest.approx(0.125)
    assert (comparison["both_right"], comparison["both_wrong"]) == (2, 1)
    done = edge("evaluate", export, photos, "--against", other)
    assert re.search(r"this model +the other\n +Right answers +80\.0 % +30\.0 %", done.stdout)


def test_pictures_that_the_model_has_learnt_from_do_not_count(export, photos):
    right = sorted((photos / "label 0").iterdir())[:3]
    write_learnt(
        export,
        [
            (digest_of(right[0]), Split.TRAINING),
            (digest_of(right[1]), Split.VALIDATION),
            (digest_of(right[2]), Split.TEST),
            (picture_digest(b"gone").hex(), Split.TRAINING),
        ],
    )
    right[0].rename(photos / "label 0" / "another name.png")
    found, code = evaluated(export, photos)
    assert code == 0
    # Two of the three, and a copy of the first that lies under label 2.
    assert found["pictures"] == {"chosen": 10, "answered": 7, "failed": 0, "learnt": 3}
    assert found["figures"]["accuracy"] == pytest.approx(6 / 7, abs=1e-6)
    assert "3 pictures are left out: the model has learnt from them." in found["notes"]
    everything, _ = evaluated(export, photos, "--split", "all")
    assert everything["pictures"]["answered"] == 10


def test_two_models_are_compared_on_pictures_that_neither_has_learnt_from(export, photos, tmp_path):
    first, *_, last = sorted((photos / "label 1").iterdir())
    (tmp_path / "other").mkdir()
    other = tiny_export(tmp_path / "other")
    write_learnt(export, [(digest_of(first), Split.TRAINING)])
    write_learnt(other, [(digest_of(last), Split.TRAINING)])
    found, _ = evaluated(export, photos, "--against", other)
    assert found["pictures"] == found["against"]["pictures"]
    assert found["pictures"]["learnt"] >= 2
    assert found["figures"] == found["against"]["figures"]
    words = "pictures are left out: one or the other model has learnt from them."
    assert any(words in note for note in found["notes"])


def test_a_set_that_the_model_has_learnt_by_heart_says_nothing(export, photos):
    write_learnt(export, [(digest_of(file), Split.TRAINING) for file in photos.rglob("*.png")])
    done = edge("evaluate", export, photos)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "learnt from all 10 pictures" in done.stderr


def test_a_set_without_splits_is_marked_if_nobody_knows_what_was_learnt(export, photos):
    found, _ = evaluated(export, photos)
    assert found["notes"][0].startswith("If the model has learnt from some of these pictures")


def test_a_broken_picture_does_not_count_and_is_named(export, photos):
    (photos / "label 0" / "9.png").write_bytes(b"no picture")
    found, code = evaluated(export, photos)
    assert code == 1
    assert found["pictures"] == {"chosen": 11, "answered": 10, "failed": 1, "learnt": 0}
    assert found["figures"]["accuracy"] == 0.8
    assert found["failures"][0]["file"].endswith("9.png")
    assert "1 picture could not be answered" in edge("evaluate", export, photos).stdout


def test_a_set_of_broken_pictures_only_is_refused(export, tmp_path):
    (tmp_path / "set/label 0").mkdir(parents=True)
    (tmp_path / "set/label 0/1.png").write_bytes(b"no picture")
    done = edge("evaluate", export, tmp_path / "set")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "None of the 1 pictures could be answered" in done.stderr


def test_real_exports_give_their_recorded_answers(shared_exports, tmp_path):
    """All six flowers come out right; the low-latency model has one wrong under stretch."""
    names = {"rose": "roses", "dandelion": "dandelion", "sunflower": "sunflowers"}
    lines = []
    for file in sorted((shared_exports / "flowers/photos").glob("*.jpg")):
        (tmp_path / file.name).symlink_to(file)
        lines.append(f"{file.name},{names[file.name.split('_')[0]]}")
    flowers = put_lines(tmp_path / "set.csv", *lines)
    found, _ = evaluated(
        shared_exports / "flowers", flowers, "--against", shared_exports / "flowers-low-latency"
    )
    assert found["figures"]["accuracy"] == 1.0
    (gained,) = found["comparison"]["only_this_right"]
    assert "dandelion_2817950" in gained
    assert found["against"]["confusion"][0].keys() == {"true", "answered", "count"}


def test_a_detector_is_judged_by_its_boxes(tmp_path):
    cat = {"displayName": "Cat", "xMin": 0.1, "yMin": 0.02, "xMax": 0.95, "yMax": 1.0}
    lines = []
    for name in ("chelsea.jpg", "coffee.jpg"):
        (tmp_path / name).symlink_to(PHOTOS / name)
        lines.append({"imageGcsUri": name, "boundingBoxAnnotations": [cat]})
    page = tmp_path / "page.html"
    found, code = evaluated("objects", put_lines(tmp_path / "s.jsonl", *lines), "--html", page)
    assert code == 0
    figures = found["figures"]
    assert figures["ap50"] == pytest.approx(51 / 101)  # of 101 recalls, those up to one in two
    assert figures["recall"] == 0.5
    counts = {(one["true"], one["answered"]): one["count"] for one in found["confusion"]}
    assert counts["Cat", "Cat"] == 1
    assert 'class="box true"' in page.read_text("utf-8")


class Page(HTMLParser):
    """What a page refers to."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.sources = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in {"src", "href"}]


def test_the_page_is_one_file_without_scripts_and_escapes_names(export, photos, tmp_path):
    odd = '<b>&"'
    labels = [odd, *TINY_LABELS[1:]]
    (export / "dict.txt").write_text("\n".join(labels), "utf-8")
    (photos / "label 0").rename(photos / odd)
    page = tmp_path / "page.html"
    options = ("--html", page, "--precision", "0.9", "--dry-run", "--against", export)
    assert edge("evaluate", export, photos, *options).exit_code in {0, 1}
    text = page.read_text("utf-8")
    parsed = Page(text)
    assert "script" not in parsed.tags
    assert "b" in parsed.tags  # the headline's; none of the label's:
    assert '<b>&"' not in text
    assert "&lt;b&gt;&amp;&quot;" in text
    outside = [one for one in parsed.sources if not one.startswith(("#", "data:image/jpeg"))]
    assert all((tmp_path / one.replace("%20", " ")).name for one in outside)
    assert parsed.tags.count("svg") >= 2 * 3 + 1
    assert len(text) < 200_000


def test_a_page_replaces_an_older_one_and_nothing_else(export, photos, tmp_path):
    page = tmp_path / "page.html"
    for _ in range(2):
        assert edge("evaluate", export, photos, "--html", page).exit_code == 0
    page.write_text("my own page")
    done = edge("evaluate", export, photos, "--html", page)
    assert (done.exit_code, page.read_text()) == (2, "my own page")
    for wrong in (tmp_path, tmp_path / "missing/page.html"):
        assert edge("evaluate", export, photos, "--html", wrong).exit_code == 2


@pytest.mark.slow
def test_ctrl_c_prints_what_is_done_and_writes_nothing(export, tmp_path):
    folder = tmp_path / "photos"
    (folder / "label 0").mkdir(parents=True)
    large = np.random.default_rng(1).integers(0, 256, (1500, 1500, 3), np.uint8)
    Image.fromarray(large).save(folder / "label 0/0.jpg")
    for number in range(1, 2_000):
        os.link(folder / "label 0/0.jpg", folder / f"label 0/{number}.jpg")
    started = subprocess.Popen(
        [sys.executable, "-m", "edge", "evaluate", export, folder, "--precision", "0.9"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where Ctrl-C is ignored, as behind a shell's `&`, a child would ignore it as well.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    status = Path(f"/proc/{started.pid}/io")
    wait(lambda: int(re.search(r"rchar: (\d+)", status.read_text())[1]) > 150_000_000)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 130, err
    assert re.search(r"note: Stopped after [\d,]+ of 2,000 pictures, a random sample", out)
    assert "Traceback" not in err
    assert not (export / "model.toml").exists()


def test_the_example_of_the_documentation_reads_the_accuracy(export, photos, monkeypatch):
    text = (Path(__file__).parents[2] / "docs/evaluation.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    there = {}
    exec(example, there)
    assert there["accuracy"](export, photos) == 0.8


def test_the_documentation_lists_every_figure(export, photos):
    text = (Path(__file__).parents[2] / "docs/evaluation.md").read_text("utf-8")
    assert not [name for name in FIGURE_WORDS if f"`{name}`" not in text]
    found, _ = evaluated(export, photos)
    assert not [name for name in found if f"`{name}`" not in text and name not in FACTS]


FACTS = {
    "model", "task", "multi_label", "data_set", "pictures", "stopped", "seconds", "counting",
}  # fmt: skip
"""Keys that say what was looked at, and speak for themselves."""
