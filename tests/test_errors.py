"""The tree of errors: drawn whole, each leaf with a code of its own."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import edge
from edge import errors
from edge.errors import CommandError, EdgeError, ExportError, SettingsError

PACKAGE = Path(edge.__file__).parent
WITHOUT_A_STATUS = (CommandError, ExportError, SettingsError)
"""Errors that end a command or a start, and never answer a request."""


def defined_errors():
    """All error classes of the package, found in its sources, of which few are imported."""
    bases_by_class = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases = [ast.unparse(base) for base in node.bases]
                bases_by_class[module, node.name] = {base.rpartition(".")[2] for base in bases}
    names = {"EdgeError"}
    found = {}
    while True:
        more = {key for key, bases in bases_by_class.items() if bases & names} - set(found)
        if not more:
            return list(found.values())
        for module, name in sorted(more):
            found[module, name] = getattr(importlib.import_module(module), name)
            names.add(name)


ALL = defined_errors()
LEAVES = [kind for kind in ALL if not any(kind in other.__bases__ for other in ALL)]


def drawn_lines():
    return [line for line in (errors.__doc__ or "").splitlines() if line.startswith("    ")]


def place(name):
    """Line and depth at which a class is drawn, and its words."""
    lines = drawn_lines()
    (at,) = [i for i, line in enumerate(lines) if name in line.replace("─", " ").split()]
    return at, len(lines[at]) - len(lines[at].lstrip("│├└─ ")), lines[at]


def test_every_leaf_has_a_code_of_its_own():
    codes = [kind.code for kind in LEAVES]
    assert len(codes) == len(set(codes))
    assert all(code == code.lower() and " " not in code for code in codes)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_is_drawn_in_the_tree_below_its_parent_with_its_status(kind):
    at, depth, line = place(kind.__name__)
    parent_at, parent_depth, _ = place(kind.__bases__[0].__name__)
    assert parent_at < at
    assert depth == parent_depth + 4
    between = drawn_lines()[parent_at + 1 : at]
    assert all(len(other) - len(other.lstrip("│├└─ ")) > parent_depth for other in between)
    if kind in LEAVES and not issubclass(kind, WITHOUT_A_STATUS):
        assert str(kind.status.value) in line


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_that_is_defined_elsewhere_is_drawn_with_its_room(kind):
    _, room, *_ = kind.__module__.split(".")
    _, _, line = place(kind.__name__)
    assert (f"in {room}:" in line) is (room != "errors")


def test_the_tree_draws_no_error_that_is_not_there():
    drawn = [line.lstrip("│├└─ ").split()[0] for line in drawn_lines()]
    assert sorted(drawn) == sorted(["EdgeError", *(kind.__name__ for kind in ALL)])


def test_the_tree_holds_what_the_module_itself_defines():
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    here = {kind for kind in classes if issubclass(kind, EdgeError)}
    assert {kind for kind in ALL if kind.__module__ == errors.__name__} == here - {EdgeError}


@pytest.mark.parametrize("stop", ["", "."])
def test_a_refused_export_is_three_sentences_parts_with_one_stop_each(stop):
    error = ExportError("a/b.tflite", f"it is broken{stop}", f"Copy it again{stop}")
    assert error.message == str(error) == "a/b.tflite: it is broken. Copy it again."


def test_faults_of_files_and_arguments_of_a_command_are_raised_as_such():
    """`BadRequest` is for what came over HTTP."""
    rooms = ("commands", "outbox", "vision", "repository", "export", "runtime", "bench")
    files = [file for room in rooms for file in (PACKAGE / room).rglob("*.py")]
    assert len(files) > 30
    assert not [file.name for file in files if "BadRequest" in file.read_text("utf-8")]
