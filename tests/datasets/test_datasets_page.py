"""docs/datasets.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from builders.datasets import put

from edge.datasets import (
    advice,
    coco,
    duplicates,
    index_rows,
    inspection,
    label_names,
    mislabels,
    picture_cache,
    reading,
    text_lines,
)
from edge.datasets.read import read_data_set
from edge.vision import picture_files

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/datasets.md").read_text("utf-8")


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind in ("csv", "jsonl") for text in blocks(kind)]
)
def test_the_lines_of_the_page_are_read_without_a_fault(tmp_path, kind, text):
    put(tmp_path, *(f"images/{number}.jpg" for number in range(1, 5)))
    (tmp_path / f"index.{kind}").write_text(text)
    data_set = read_data_set(tmp_path)
    pictures = set(re.findall(r"images/\d\.jpg", text))
    assert len(data_set.examples) + len(data_set.unlabeled) == len(pictures)


def test_the_folders_of_the_page_are_read_as_labels_and_splits(tmp_path):
    (tree,) = re.findall(r"```\n(set/.*?)```", PAGE, re.DOTALL)
    paths = re.findall(r"set/(\S+)", tree)
    splits = [path for path in paths if path.count("/") == 2]
    plain = [path for path in paths if path.count("/") == 1]
    assert len(splits) == 3
    for name, chosen in (("plain", plain), ("splits", splits)):
        data_set = read_data_set(put(tmp_path / name, *chosen))
        assert data_set.labels == ("daisy", "tulip")
        assert {example.split is None for example in data_set.examples} == {name == "plain"}


def test_the_limits_of_the_page_are_those_of_the_code():
    rows = re.findall(r"^\| ([a-z].*?) \| ([\d,]+)( MiB)? \|$", PAGE, re.MULTILINE)
    stated = {
        name: int(value.replace(",", "")) << (20 if unit else 0) for name, value, unit in rows
    }
    assert stated == {
        "pictures": reading.MAX_EXAMPLES,
        "labels": reading.MAX_LABELS,
        "boxes of a picture": index_rows.MAX_BOXES,
        "characters of a label": label_names.MAX_LABEL_LENGTH,
        "lines of an index file": text_lines.MAX_LINES,
        "bytes of a line": text_lines.MAX_LINE_BYTES,
        "bytes of a COCO file": coco.MAX_JSON_BYTES,
        "bytes of a picture": picture_files.MAX_BYTES,
    }


@pytest.mark.parametrize(
    "words",
    [
        f"the first {reading.MAX_FAULTS} with file and line",
        f"a side below {inspection.TINY_SIDE} pixels",
        f"about {advice.WANTED_PICTURES:,} pictures for each label",
        f"at least {advice.MIN_PICTURES}, and at most {advice.MAX_RATIO} times",
        f"for the last {picture_cache._MAX_SETS} sets",
        f"unless more than {duplicates._MAX_GROUP} pictures",
    ],
)
def test_the_figures_in_the_text_are_those_of_the_code(words):
    assert words in " ".join(PAGE.split())


def test_five_pictures_are_enough_for_a_label_to_be_checked():
    assert mislabels.MIN_PICTURES == 5
    assert "two labels of five pictures" in " ".join(PAGE.split())


@pytest.mark.parametrize("word", sorted(label_names.SPLIT_FOLDERS))
def test_every_word_for_a_split_is_on_the_page(word):
    assert f"`{word}`" in PAGE
