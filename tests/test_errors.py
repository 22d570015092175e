"""The tree of errors: drawn whole, each leaf with a code of its own."""

import pytest

from edge import errors
from edge.errors import EdgeError, ExportError


def subclasses(kind):
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)


ALL = [kind for kind in subclasses(EdgeError) if kind.__module__ == "edge.errors"]
LEAVES = [kind for kind in ALL if not kind.__subclasses__()]


def test_every_leaf_has_a_code_of_its_own():
    codes = [kind.code for kind in LEAVES]
    assert len(codes) == len(set(codes))
    assert all(code == code.lower() and " " not in code for code in codes)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_is_drawn_in_the_tree_below_its_parent_with_its_status(kind):
    lines = (errors.__doc__ or "").splitlines()

    def place(name):
        (at,) = [i for i, line in enumerate(lines) if name in line.replace("─", " ").split()]
        return at, len(lines[at]) - len(lines[at].lstrip("│├└─ ")), lines[at]

    at, depth, line = place(kind.__name__)
    parent_at, parent_depth, _ = place(kind.__bases__[0].__name__)
    assert parent_at < at
    assert depth == parent_depth + 4
    if kind in LEAVES and kind not in {ExportError, errors.SettingsError}:
        assert str(kind.status.value) in line


@pytest.mark.parametrize("stop", ["", "."])
def test_a_refused_export_is_three_sentences_parts_with_one_stop_each(stop):
    error = ExportError("a/b.tflite", f"it is broken{stop}", f"Copy it again{stop}")
    assert error.message == str(error) == "a/b.tflite: it is broken. Copy it again."
