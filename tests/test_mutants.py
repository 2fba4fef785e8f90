"""Every deliberate fault of `mutants.py` makes the tests fail that are named beside it."""

import pytest
from mutants import MUTANTS, named_tests, run, sandbox

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project for this process, in which all named tests pass as long as nothing is changed."""
    folder = sandbox(tmp_path_factory.mktemp("mutants") / "project")
    code, text = run(folder, named_tests(MUTANTS))
    assert code == 0, text
    return folder


def test_names_are_unique():
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_fault_is_found(mutant, copy):
    outcome = mutant.try_in(copy)
    assert outcome.verdict == "killed", f"{outcome.verdict}\n{outcome.text}"
