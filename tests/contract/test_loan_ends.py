"""How a loan ends, is issued anew, or never begins: the shipped models on the embedded engine, answered by hand."""

from dataclasses import replace
from typing import Any

import pytest
from played_case import PlayedCase

from services.domain.process.messages import APPLICATION_WITHDRAWN, COPY_RETURNED, LOAN_CLOSED, LOAN_OUTCOMES
from services.workers.open_case import DUPLICATE


def lent() -> PlayedCase:
    case = PlayedCase().until("receipt")
    case.answer("receipt")
    return case


def close_without(case: PlayedCase, **values: Any) -> None:
    """Close the loan as nobody in the portal does: with another outcome than the known ones, or with none."""
    [move, *_] = case.waiting(LOAN_CLOSED).answers[0].moves
    case.walk.choose(replace(move, values=values))


def seen(case: PlayedCase, job_type: str) -> dict[str, Any]:
    """What the job that waits would give its worker."""
    state = case.walk.case.state
    [job] = [job for job in state.jobs.values() if job.type == job_type]
    instance = state.instances[job.process_instance_key]
    element = instance.element_instances[job.element_instance_key]
    return {**instance.root.variables, **element.variables}


def stopped_at(case: PlayedCase) -> list[str]:
    state = case.walk.case.state
    return [incident.element_id for incident in state.incidents.values()]


@pytest.mark.requirement("R42", "R44", "R48", "R57")
@pytest.mark.parametrize(
    ("outcome", "follows"),
    list(zip(LOAN_OUTCOMES, ("open-violation", "inspect-return", "file-application", "re-archive"), strict=True)),
)
def test_each_reason_to_close_a_loan_goes_its_own_way(outcome: str, follows: str) -> None:
    case = lent()

    close_without(case, loanOutcome=outcome)

    assert case.about == [follows] if outcome != "replace" else follows in case.about
    assert COPY_RETURNED not in case.about
    assert stopped_at(case) == []


@pytest.mark.parametrize("values", [{}, {"loanOutcome": None}, {"loanOutcome": "returned"}], ids=str)
def test_a_loan_that_is_closed_for_no_known_reason_is_an_incident(values: dict[str, Any]) -> None:
    case = lent()

    close_without(case, **values)

    assert stopped_at(case) == ["Gateway_LoanOutcome"]


@pytest.mark.requirement("R57")
def test_what_was_provided_is_archived_as_that_and_no_return_is_awaited() -> None:
    case = lent()
    close_without(case, loanOutcome="provided")

    assert seen(case, "re-archive")["decision"] == "provided"
    case.answer("re-archive")
    assert case.walk.case.has_ended


@pytest.mark.requirement("R44")
def test_a_replacement_is_released_retrieved_and_accepted_anew_on_the_same_approval() -> None:
    case = lent()
    close_without(case, loanOutcome="replace")

    assert "preliminary-review" not in case.about
    for about in (
        "file-application",
        "notify-storage",
        "storage-release",
        "retrieve-footage",
        "encrypt-copy",
        "receipt",
    ):
        case.until(about).answer(about)
    assert {COPY_RETURNED, LOAN_CLOSED} <= set(case.about)

    # the reason of the issue before is not taken for that of this one
    close_without(case)
    assert stopped_at(case) == ["Gateway_LoanOutcome"]


@pytest.mark.requirement("R2")
@pytest.mark.parametrize("at", ["preliminary", "storage-release", "retrieve-footage", "application-corrected"])
def test_a_withdrawal_ends_whatever_is_under_way_before_the_hand_over(at: str) -> None:
    case = PlayedCase()
    if at == "application-corrected":
        case.until("preliminary").answer("preliminary", "returned")
    case.until(at).answer(APPLICATION_WITHDRAWN)

    assert case.about == ["release-preservation"]
    assert seen(case, "release-preservation")["closingOutcome"] == "withdrawn"
    case.answer("release-preservation")
    assert case.walk.case.has_ended


def test_a_second_start_ends_silently() -> None:
    case = PlayedCase()

    case.answer("open-case", f"error-{DUPLICATE}")

    assert case.walk.case.has_ended
    assert stopped_at(case) == []
