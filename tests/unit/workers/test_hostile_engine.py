"""The engine is not trusted: whatever jobs it sends, nothing opens, moves or goes that the register did not allow."""

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import amount
import pytest
from hostile_engine import HostileEngine, Job, begin, plain_footage

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.reviews import Review
from services.database.tables.violations import Violation
from services.domain.process import permissions
from services.runtime.errors import NotPermitted, Refused
from services.runtime.places import ROOT

SEQUENCES = amount.examples(sample=200, full=10_000)
# What the register allows in some of the cases, so that the sequences come to it.
ALLOWED = {
    "quarantine: made",
    "quarantine: gone",
    "masters: made",
    "copies: made",
    "copies: gone",
    "loan key: gone",
    "form: filed",
    "copies: offered",
    "loan: ended",
    "access: resumed",
    "closed: withdrawn",
    "closed: rejected",
    "closed: footage-unavailable",
    "closed: copy-not-taken-up",
    "closed: copy-lost",
    "closed: footage-re-archived",
    "closed: return-disputed",
    "incomplete: sent back",
    "preliminary-review: found",
    "security-review: found",
    "violation: overdue",
    "violation: loss",
}

MOST_OF_IT = 10  # a sample comes to these at least

CLAIMED = {"importance": "ordinary", "managementNeeded": False, "secondPerson": False, "backupNeeded": False}
# The job type, the case, what the job says besides the case's ids, and why the register refuses it.
REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("open-case", "", {"applicationId": "nothing"}, "nobody has submitted it"),
    ("preserve-footage", "filed", {}, "approval has ended"),
    ("preserve-footage", "rejected", {}, "was rejected"),
    ("preliminary-review", "in use", {}, "approval has ended"),
    ("security-review", "in use", {}, "approval has ended"),
    ("preliminary-review", "signed", {}, "is decided in this round, on what was found before"),
    ("preliminary-review", "returned", {}, "is decided in this round, on what was found before"),
    ("security-review", "signed", {}, "is decided in this round, on what was found before"),
    ("open-review", "signed", {"stage": "security"}, "security-signature, which follows it, is decided"),
    ("open-review", "returned", {"stage": "preliminary"}, "has ended with 'returned'"),
    ("open-review", "disputed", {"stage": "return-inspection"}, "has ended with 'discrepancy'"),
    ("open-review", "submitted", {"stage": "security-signature"}, "stage security has not ended"),
    ("open-review", "returned", {"stage": "security"}, "sent back"),
    ("open-review", "rejected", {"stage": "security"}, "was rejected"),
    ("open-review", "signed", {"stage": "storage-release"}, "not filed"),
    ("open-review", "filed", {"stage": "security"}, "filed already"),
    ("open-review", "retrieved", {"stage": "partial-footage"}, "none of its footage is partial"),
    ("open-review", "copied", {"stage": "receipt"}, "is not its own"),
    ("open-review", "in use", {"stage": "receipt"}, "accepted or declined"),
    ("open-review", "returned to Security", {"stage": "return-inspection"}, "not returned and inspected"),
    ("remind-reviewer", "", {"reviewId": "nothing"}, "does not have it"),
    ("escalate-review", "offered", {}, "is due on"),
    ("escalate-to-management", "approved by the department", {"decidedBy": "management"}, "Security has not signed"),
    ("file-application", "sensitive, signed", {**CLAIMED, "maxUseDays": 30}, "stage management has not ended"),
    ("file-application", "concerns Security, signed", {**CLAIMED, "maxUseDays": 30}, "stage management has not ended"),
    ("file-application", "approved by the department", {**CLAIMED, "maxUseDays": 30}, "stage security has not ended"),
    ("notify-storage", "signed", {}, "no filed approved form"),
    ("retrieve-footage", "filed", {}, "no operator has released it"),
    ("back-up-footage", "filed", {}, "no operator has released it"),
    ("encrypt-copy", "released", {}, "there is no master"),
    *(
        (job_type, "partial, refused", {}, "refused at the stage partial-footage, so the case ends .* cancel this job")
        for job_type in ("back-up-footage", "encrypt-copy")
    ),
    ("hand-over", "retrieved", {"usePeriodDays": 30}, "there is no copy"),
    ("hand-over", "partial", {"usePeriodDays": 30}, "nobody has accepted that"),
    ("expire-offer", "offered", {}, "may be taken up until"),
    ("remind-return", "offered", {}, "nobody has accepted"),
    ("suspend-access", "offered", {}, "nobody has accepted"),
    ("resume-access", "offered", {}, "nobody has accepted"),
    ("open-violation", "in use", {"violationKind": "overdue"}, "not overdue before"),
    ("open-violation", "in use", {"violationKind": "loss"}, "nobody has reported a loss"),
    ("open-violation", "overdue and archived", {"violationKind": "overdue"}, "is closed as footage-re-archived"),
    ("open-violation", "in use", {"violationKind": "breach"}, "is no kind of it"),
    ("open-violation", "in use", {"violationKind": "breach", "matterId": "x"}, "does not have this matter"),
    ("open-violation", "in use", {"violationKind": "urgent-not-ratified"}, "is no kind of it"),
    (
        "open-violation",
        "in use",
        {"violationKind": "urgent-not-ratified", "matterId": "x"},
        "does not have this matter",
    ),
    ("preserve-footage", "submitted", {"matterId": "x"}, "does not have this matter"),
    ("inspect-return", "in use", {}, "no return"),
    ("re-archive", "in use", {"decision": "in-order"}, "were not returned"),
    ("re-archive", "returned to Security", {"decision": "in-order"}, "was not inspected"),
    ("re-archive", "inspected", {"decision": "in-order"}, "no inspector has decided"),
    ("re-archive", "disputed", {"decision": "in-order"}, "no inspector has decided"),
    ("check-matter", "in use", {"matterId": "nothing"}, "does not have this matter"),
    ("apply-matter", "in use", {"matterId": "nothing"}, "does not have this matter"),
    ("close-matter", "in use", {"matterId": "nothing", "closedAs": "refused"}, "does not have this matter"),
    *(
        (one, "in use", {"matterId": "x"}, "not have this matter")
        for one in ("freeze-loan", "lift-freeze", "recall-copy", "grant-emergency-view", "end-emergency-view")
    ),
    ("assess-violation", "in use", {"matterId": "nothing"}, "does not have this violation"),
    (
        "suspend-for-violation",
        "in use",
        {
            **{"matterId": "nothing", "severity": "minor", "decidingStage": "violation-security"},
            **{"suspendPerson": False, "referralAsked": False},
        },
        "does not have this violation",
    ),
    ("expire-reply", "in use", {"matterId": "nothing"}, "does not have this violation"),
    ("clear-violation", "in use", {"matterId": "nothing"}, "does not have this violation"),
    ("record-sanction", "in use", {"matterId": "nothing"}, "does not have this violation"),
    ("hand-to-authority", "in use", {"matterId": "nothing"}, "does not have this violation"),
    ("remind-violation", "in use", {"matterId": "nothing"}, "does not have this violation"),
    ("start-work-order", "in use", {"workOrderId": "nothing"}, "does not have this work order"),
    ("remind-work-order", "in use", {"workOrderId": "nothing"}, "does not have this work order"),
    ("escalate-work-order", "in use", {"workOrderId": "nothing"}, "does not have this work order"),
    ("reopen-work-order", "in use", {"workOrderId": "nothing"}, "does not have this work order"),
    ("close-work-order", "in use", {"workOrderId": "nothing", "closedAs": "done"}, "does not have this work order"),
    ("open-work-orders", "in use", {"defect": "nothing"}, "the maintenance has no such part"),
    *(
        (one, "in use", {"inspectionId": "nothing", "closedAs": "accepted"}, "does not have this inspection")
        for one in ("draw-sample", "write-inspection-report", "open-corrective-actions", "close-inspection")
    ),
    ("expire-application", "returned", {"round": 1}, "may be corrected until"),
    ("expire-application", "submitted", {"round": 1}, "nobody has sent it back"),
    ("release-preservation", "submitted", {"closingOutcome": "withdrawn"}, "says that it was withdrawn"),
    ("release-preservation", "signed", {"closingOutcome": "rejected"}, "says that it was rejected"),
    ("release-preservation", "returned", {"closingOutcome": "expired"}, "not corrected in time"),
    ("release-preservation", "retrieved", {"closingOutcome": "unavailable"}, "has no footage"),
    ("release-preservation", "offered", {"closingOutcome": "not-taken-up"}, "not taken up in time"),
    ("release-preservation", "archived", {"closingOutcome": "withdrawn"}, "were accepted"),
    *(
        ("release-preservation", loan, {"closingOutcome": outcome}, "were accepted")
        for loan in ("in use", "overdue", "lost", "returned to Security", "in order")
        for outcome in ("withdrawn", "not-taken-up", "rejected")
    ),
]


# They belong to no case and do nothing that is not due: a job that is sent by hand finds it done
# (test_rolling_verification, test_reconciliation, test_disposals, test_schedules).
POKES = {"reverify-footage", "reconcile", "list-disposals", "open-due-work-orders"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileEngine]:
    with plain_footage():
        yield begin(tmp_path_factory.mktemp("hostile"))


@pytest.mark.requirement(
    "R2", "R23", "R25", "R26", "R29", "R32", "R33", "R35", "R39", "R40", "R41", "R46", "R52", refuses=True
)
@pytest.mark.parametrize(("job_type", "name", "said", "because"), REFUSED, ids=lambda value: str(value)[:60])
def test_a_job_that_the_register_does_not_allow_changes_nothing(
    engine: HostileEngine, job_type: str, name: str, said: dict[str, Any], because: str
) -> None:
    engine.reset()

    with pytest.raises(NotPermitted, match=because):
        asyncio.run(engine.desk.handle(Job(10**6, job_type, {**engine.variables(name), **said})))

    assert engine.is_untouched()


def test_each_job_type_has_its_row_in_the_docs_and_a_job_that_is_refused(engine: HostileEngine) -> None:
    page = (ROOT / "docs" / "process.md").read_text(encoding="utf-8")
    section = page.partition("## What a job may do")[2].partition("\n## ")[0]

    rows = set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE))

    assert rows == set(engine.desk.workers) == {job_type for job_type, *_ in REFUSED} | POKES


@pytest.mark.requirement("R5", "R14", "R26", "R50", refuses=True)
@pytest.mark.requirement("R56")
def test_the_deployed_table_raises_the_class_and_never_lowers_it(engine: HostileEngine) -> None:
    engine.reset()
    desk, ids = engine.desk, engine.variables("sensitive, signed")
    desk.decide(desk.opened(ids["applicationId"], "management"), "manager")

    filed = asyncio.run(desk.work("file-application", **ids, **CLAIMED, maxUseDays=10_000))

    application = desk.the(Application, id=ids["applicationId"])
    assert (application.importance, application.second_person, application.backup_needed) == ("important", True, True)
    assert filed.use_period_days == 15


@pytest.mark.requirement("R26", refuses=True)
def test_the_deployed_table_may_raise_the_class_of_an_ordinary_case(engine: HostileEngine) -> None:
    engine.reset()
    desk, ids = engine.desk, engine.variables("signed")
    raised = {**CLAIMED, "importance": "important", "secondPerson": True, "maxUseDays": 3}

    assert asyncio.run(desk.work("file-application", **ids, **raised)).use_period_days == 3
    again = asyncio.run(desk.work("file-application", **ids, **CLAIMED, maxUseDays=30))

    application = desk.the(Application, id=ids["applicationId"])
    assert (again.use_period_days, application.importance, application.second_person) == (3, "important", True)


@pytest.mark.requirement("R48", "R51")
def test_copies_that_were_reported_lost_after_the_grace_are_one_overdue_violation_as_well(
    engine: HostileEngine,
) -> None:
    engine.reset()
    ids = engine.variables("overdue and lost")
    jobs = [Job(key, "open-violation", {**ids, "violationKind": "overdue"}) for key in (10**6, 10**6 + 1)]

    first, second = [asyncio.run(engine.desk.handle(job)).violation_id for job in jobs]

    assert first == second is not None
    kinds = [row.kind for row in engine.desk.all(Violation, hand_over_id=ids["handOverId"])]
    assert kinds.count("overdue") == 1


@pytest.mark.requirement("R29", "R33", refuses=True)
def test_a_release_that_was_sent_back_is_not_given_by_a_second_question(engine: HostileEngine) -> None:
    engine.reset()
    desk, ids = engine.desk, engine.variables("release asked twice")
    first, second = (review.id for review in desk.all(Review, application_id=ids["applicationId"], closed_at=None))

    desk.decide(first, "operator", "returned")

    with pytest.raises(Refused) as refused:
        desk.decide(second, "operator2")
    with pytest.raises(NotPermitted, match="it was sent back"):
        asyncio.run(desk.work("notify-storage", **ids))
    with pytest.raises(NotPermitted, match="it was sent back"):
        asyncio.run(desk.work("retrieve-footage", **ids))
    assert refused.value.code == "review-closed"


@pytest.mark.requirement("R46")
def test_a_receipt_that_was_signed_in_time_outlives_the_timer(engine: HostileEngine) -> None:
    engine.reset()
    desk = engine.desk
    desk.clock.turn(timedelta(days=8))
    in_use, over = engine.variables("in use"), engine.variables("offer over")

    found = asyncio.run(desk.work("expire-offer", **in_use))
    missed = [asyncio.run(desk.work("expire-offer", **over)) for _ in range(2)]

    loan = desk.the(HandOver, application_id=in_use["applicationId"])
    assert loan.due_at is not None
    assert (found.accepted_meanwhile, found.due_at) == (True, loan.due_at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert [(answer.accepted_meanwhile, answer.due_at) for answer in missed] == [(False, None)] * 2


@pytest.mark.slow
@pytest.mark.requirement("R2", "R29", "R33", "R41", "R52", refuses=True)
def test_nothing_opens_moves_or_goes_that_the_register_did_not_allow(engine: HostileEngine) -> None:
    async def attack() -> list[str]:
        return [sentence for seed in range(SEQUENCES) for sentence in await engine.attack(seed)]

    assert asyncio.run(attack()) == []
    assert engine.refused > SEQUENCES
    assert engine.answered > SEQUENCES / 10
    happened = ALLOWED & set(engine.allowed)
    assert happened == ALLOWED or (not amount.all_of_it() and len(happened) >= MOST_OF_IT), ALLOWED - happened


def test_without_its_checks_the_register_is_seen_to_lose_footage(engine: HostileEngine) -> None:
    """The oracle would notice: the same sequences, and any outcome of a case is allowed."""

    async def attack() -> list[str]:
        return [sentence for seed in range(30) for sentence in await engine.attack(seed, jobs=12)]

    every = {"rejected", "expired", "unavailable", "not-taken-up", "withdrawn"}
    with patch.object(permissions, "releases", lambda *_: every):
        assert asyncio.run(attack())
