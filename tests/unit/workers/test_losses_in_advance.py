"""Short losses that the stage about partial footage accepts in advance: nobody is asked, and the record says them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.database.tables.applications import Item
from services.domain.process import permissions
from services.domain.retrieval import records
from services.domain.retrieval.records import Report, RetrievalResult, is_accepted
from services.domain.stages.catalogue import STAGES

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def accepting(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = STAGES["partial-footage"].model_copy(update={"accepts_lost_per_mille": 20})
    monkeypatch.setattr(records, "STAGES", {"partial-footage": stage})


def sealed(**changes: Any) -> dict[str, Any]:
    pictures = {"longestMs": 500, "keyFramesOnly": False} | changes.pop("pictures", {})
    return {"coverage": {"problems": [], "lost": [], "pictures": pictures, **changes}}


def report(outcome: str = "partial", coverage: float = 0.985) -> Report:
    return Report(outcome, coverage, NOW, [], (), {})


@pytest.mark.requirement("R32")
def test_without_the_stages_word_somebody_is_asked() -> None:
    assert not is_accepted(report(), sealed())


@pytest.mark.requirement("R32")
def test_short_losses_under_the_limit_are_accepted(accepting: None) -> None:
    assert is_accepted(report(), sealed())


@pytest.mark.requirement("R32")
@pytest.mark.parametrize(
    ("told", "found"),
    [
        (report(coverage=0.97), sealed()),
        (report("complete", 1.0), sealed()),
        (report(), sealed(problems=["a file: cut off"])),
        (report(), sealed(lost=[["2026-03-01T12:00:00+00:00", "2026-03-01T12:00:01+00:00"]])),
        (report(), sealed(pictures={"longestMs": 1500})),
        (report(), sealed(pictures={"keyFramesOnly": True})),
        (report(), {"coverage": {"problems": [], "lost": []}}),
        (report("missing", 0.0), None),
    ],
)
def test_whatever_else_lacks_is_asked_about(accepting: None, told: Report, found: dict[str, Any] | None) -> None:
    assert not is_accepted(told, found)


@pytest.mark.requirement("R32")
def test_what_was_accepted_is_asked_about_nowhere() -> None:
    assert RetrievalResult("partial", 0.985, "R-1").is_asked_about
    assert not RetrievalResult("partial", 0.985, "R-1", loss_accepted=True).is_asked_about
    lacks = permissions.lacks
    assert lacks(Item(outcome="partial"))
    assert not lacks(Item(outcome="partial", loss_accepted=True))
    assert not lacks(Item(outcome="complete"))
