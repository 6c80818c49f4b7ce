"""The matters of a filled year: extensions, problem reports, violations and holds, as ``year_fill`` writes a case.

So many of the loans have one: they are in the lists, in the inbox and in the counts that every page has.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from services.database.tables.holds import Hold
from services.database.tables.matters import Matter
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Hearing, Sanction, Violation
from services.demo.organisation import demo_id
from services.domain.documents.service import SERIES

if TYPE_CHECKING:
    from services.bench.year_fill import Case

# one of so many loans has it
EXTENDED, TRANSFER_DECLINED, REPORTED, VIOLATED, HELD = 4, 25, 15, 12, 40
LATELY = timedelta(days=100)  # a case ended 60 days ago at the least; a violation of one that ended lately is open
DAYS_LATER = timedelta(days=7)


def write_of_loan(case: "Case") -> None:
    """Write what was asked while the copies were on loan; what waits for an answer where the loan is open."""
    if case.place % EXTENDED == 0:
        _extension(case)
    if case.place % TRANSFER_DECLINED == 1:
        matter = _open(case, "custody-transfer", {"custodianId": case.head}, counterpart=case.head)
        case.decide("custody-receipt", case.head, "declined", of=matter)
        _close(case, matter, "refused", {"stage": "custody-receipt"})
    if case.place % REPORTED == 2:
        _problem(case)


def write_of_ended(case: "Case") -> None:
    """Write what is found after the return; the newest of it is still open."""
    if case.place % VIOLATED == 3:
        _violation(case, ends=case.now - case.at > LATELY)
    if case.place % HELD == 5:
        placed = {"placed_by": demo_id("yangfan"), "placed_at": case.at, "owner_id": demo_id("yangfan")}
        lifted: dict[str, Any] = {}
        if case.place % (2 * HELD) == 5:
            by = {"lift_asked_by": demo_id("yangfan"), "lifted_by": demo_id("zhaoqiang")}
            lifted = {**by, "lift_asked_at": case.at, "lifted_at": case.at, "lifted_because": "纠纷已经了结"}
        of = {"application_id": case.id, "cause": "manual", "reason": "与承运方有纠纷", **placed, **lifted}
        case.rows.add(Hold, id=case.new_id(), review_at=case.at + timedelta(days=90), **of)


def _extension(case: "Case") -> None:
    due_at = case.loan["due_at"]
    asked = {"dueAt": (due_at + DAYS_LATER).isoformat(), "reason": "核对尚未完成"}
    before = {"custodian": case.custodian, "dueAt": due_at.isoformat(), "latest": (due_at + 2 * DAYS_LATER).isoformat()}
    matter = _open(case, "extension", asked, before)
    if case.stands == "in-use":
        case.open_review("extension", of=matter)
        return
    case.decide("extension", demo_id("wulei"), "rejected", of=matter)
    _close(case, matter, "refused", {"stage": "extension"})


def _problem(case: "Case") -> None:
    asked = {"problem": "gap", "copyId": None, "position": None, "expected": "", "reason": "中间少了一分钟"}
    before = {"custodian": case.custodian, "dueAt": case.loan["due_at"].isoformat(), "copies": []}
    matter = _open(case, "problem", asked, before)
    frozen = {"hand_over_id": case.loan["id"], "cause": "problem", "matter_id": matter["id"], "since": case.at}
    case.decide("problem", demo_id("wulei"), "explained", of=matter)
    lifted = {"lifted_at": case.at, "lifted_by": "lift-freeze"}
    case.rows.add(Suspension, id=case.new_id(), until=None, **frozen, **lifted)
    _close(case, matter, "answered", {"answer": "explained"})


def _violation(case: "Case", *, ends: bool) -> None:
    found = {"custodian": case.custodian, "found": "副本在会议室的屏幕上放过"}
    of = {"kind": "finding", "dueAt": None, "openedAt": case.at.isoformat(), "facts": found}
    facts = {"violation": of, "accused": [case.custodian], "assessment": None, "replies": []}
    matter = _open(case, "violation", {}, more=facts, opened_by=demo_id("wulei"))
    row = case.rows.add(
        Violation,
        id=case.new_id(),
        application_id=case.id,
        hand_over_id=case.loan["id"],
        kind="finding",
        opened_at=case.at,
        facts=found,
        accused=[case.custodian],
        matter_id=matter["id"],
        severity="minor",
        served_at=case.at,
        reply_until=case.at + timedelta(days=5),
    )
    case.rows.add(Hearing, matter_id=matter["id"], person_id=case.custodian, part="accused")
    if not ends:
        case.open_review("violation-security", of=matter)
        return
    decision = case.decide("violation-security", demo_id("zhaoqiang"), "upheld", of=matter)
    sanction = {"matter_id": matter["id"], "decision_id": decision["id"], "person_id": case.custodian}
    case.rows.add(Sanction, id=case.new_id(), kind="warning", recorded_at=case.at, **sanction)
    row |= {"heard_at": case.at, "sanctioned_at": case.at, "closed_at": case.at, "closed_as": "upheld"}
    _close(case, matter, "upheld", {})


def _open(
    case: "Case",
    kind: str,
    asked: dict[str, Any],
    before: dict[str, Any] | None = None,
    *,
    more: dict[str, Any] | None = None,
    counterpart: str | None = None,
    opened_by: str | None = None,
) -> dict[str, Any]:
    """Write the matter, its number and its audit event."""
    matter_id, number = case.new_id(), case.new_number(SERIES[kind])
    facts = {
        **{"matter": matter_id, "number": number, "kind": kind, "application": case.number},
        **{"handOver": case.loan["id"], "asked": asked, "before": before or {}, "openedAt": case.at.isoformat()},
        **{"openedBy": opened_by or case.custodian, **(more or {})},
    }
    matter = case.rows.add(
        Matter,
        id=matter_id,
        number=number,
        kind=kind,
        application_id=case.id,
        hand_over_id=case.loan["id"],
        opened_by=opened_by or case.custodian,
        opened_at=case.at,
        counterpart_id=counterpart,
        facts=facts,
        facts_sha256=case.hash_of(facts),
        route=None,
        closed_at=None,
        closed_as=None,
        outcome=None,
    )
    case.record("matter-opened", "matter", matter_id, by=matter["opened_by"], number=number)
    return matter


def _close(case: "Case", matter: dict[str, Any], closed_as: str, outcome: dict[str, Any]) -> None:
    matter |= {"closed_at": case.at, "closed_as": closed_as, "outcome": outcome}
    case.record("matter-closed", "matter", matter["id"], number=matter["number"], closed_as=closed_as)
    case.notify(f"matter-{closed_as}", matter["opened_by"])
