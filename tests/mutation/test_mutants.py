"""Every listed mutant applies: its text occurs exactly once, and the tests it names exist."""

import pytest

from mutation.run import ROOT, Mutant, read_mutants


def missing(test: str) -> bool:
    """Whether a path or a node id leads to no test."""
    path, _, name = test.partition("::")
    if not (ROOT / path).exists():
        return True
    function = name.partition("[")[0].rpartition("::")[2]
    return bool(function) and f"def {function}(" not in (ROOT / path).read_text("utf-8")


@pytest.mark.parametrize("room", sorted({mutant.room for mutant in read_mutants([])}))
def test_the_mutants_of_a_room_apply_to_the_code_as_it_is(room):
    for mutant in read_mutants([room]):
        changed = mutant.changed((ROOT / mutant.file).read_text("utf-8"))
        if mutant.file.endswith(".py"):
            compile(changed, mutant.file, "exec")
        assert [test for test in mutant.tests if missing(test)] == [], mutant.what


def test_each_mutant_is_listed_once():
    every: list[Mutant] = read_mutants([])
    faults = [(mutant.file, mutant.old, mutant.new) for mutant in every]
    assert [
        mutant.what for mutant in every if faults.count((mutant.file, mutant.old, mutant.new)) > 1
    ] == []
