"""Every mutant still applies: its text occurs exactly once, and the tests that it names exist."""

import pytest

from mutation.run import ROOT, Mutant, read_mutants


@pytest.mark.parametrize(
    "mutant", read_mutants([]), ids=lambda mutant: f"{mutant.room}: {mutant.what}"
)
def test_a_mutant_applies_to_the_code_as_it_is(mutant: Mutant):
    source = (ROOT / mutant.file).read_text()
    assert mutant.changed(source) != source
    compile(mutant.changed(source), mutant.file, "exec") if mutant.file.endswith(".py") else None
    assert [test for test in mutant.tests if not (ROOT / test.partition("::")[0]).exists()] == []
