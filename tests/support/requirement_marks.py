"""A pytest plugin: the markers ``requirement`` of what is collected are held against docs/policy.md."""

import pytest

from services.designers.policy_coverage.marks import WrongMark, read_mark
from services.designers.policy_coverage.policy_page import read_policy
from services.runtime.places import ROOT


@pytest.hookimpl(tryfirst=True)  # before some are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stop the run at a marker whose number, verb or refusal there is not, with a sentence for each."""
    rows, wrong = read_policy(ROOT), set()
    for item in items:
        for mark in item.iter_markers("requirement"):
            try:
                read_mark(mark.args, mark.kwargs, rows)
            except WrongMark as error:
                wrong.add(f"{item.nodeid.partition('[')[0]}: @pytest.mark.requirement: {error}")
    if wrong:
        raise pytest.UsageError("\n".join(sorted(wrong)))
