"""What the page of a training says: how sure its figures are, and what to do next."""

from pathlib import Path

import numpy as np
import pytest

from edge.datasets.dataset import Example, Split
from edge.training.advice import next_steps
from edge.training.figures import single_label_figures
from edge.training.report import Measured, Report, accuracy_words, write_report
from edge.training.training_set import TrainingSet


def measured(right, wrong, unlike=0):
    targets = np.eye(2, dtype=np.float32)[[0] * (right + wrong)]
    scores = np.eye(2, dtype=np.float32)[[0] * right + [1] * wrong]
    figures = single_label_figures(("<b>", "dent"), scores.reshape(-1, 2), targets.reshape(-1, 2))
    return Measured(figures, unlike, ())


def training_set(each):
    examples = tuple(
        Example(Path(f"{label}-{number}.png"), (label,))
        for label in ("<b>", "dent")
        for number in range(each)
    )
    splits = (Split.TRAINING,) * len(examples)
    return TrainingSet(("<b>", "dent"), multi_label=False, examples=examples, splits=splits)


def report(found, each=200):
    return Report("model", training_set(each), 1.0, found, ())


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        (0, 0, "There is no test picture"),
        (1, 0, "1 test picture says little: of others, 20.7 % to 100.0 % may be right"),
        (18, 2, "20 test pictures say little: of others, 69.9 % to 97.2 % may be right"),
        (200, 10, None),
    ],
)
def test_it_says_if_the_test_is_too_small_to_mean_much(right, wrong, words):
    notes = report(measured(right, wrong)).all_notes
    assert notes == () if words is None else words in notes[0]


def test_the_accuracy_comes_with_its_interval():
    words = accuracy_words(report(measured(18, 2)))
    assert (
        words
        == "right on 20 test pictures; the true share is 69.9 % to 97.2 %, with 95 % confidence"
    )


@pytest.mark.parametrize(
    ("found", "each", "words"),
    [
        (measured(200, 0), 200, "Nothing stands out"),
        (measured(198, 2), 200, "<b> taken for dent (2x)"),
        (measured(80, 20), 200, "found least: <b> (found 80 % of 100)"),
        (measured(200, 0), 12, "Fewest pictures: <b> (12), dent (12)"),
        (measured(100, 0, unlike=11), 200, "unlike all training"),
    ],
)
def test_what_to_do_next_follows_from_the_test(found, each, words):
    steps = next_steps(training_set(each), found.figures, found.unlike)
    assert any(words in step for step in steps)
    assert words.startswith("Nothing") == (len(steps) == 1 and "Nothing" in steps[0])


def test_the_page_escapes_names_and_shows_no_empty_part(tmp_path):
    write_report(tmp_path, report(measured(0, 0, unlike=None)), tmp_path, 1_000_000)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "<bdi>&lt;b&gt;</bdi>" in page
    assert "<b>not measured</b><span>how good it is: there is no test picture.</span>" in page
    assert "Worst pictures" not in page
    assert "nan" not in page
