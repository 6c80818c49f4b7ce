"""The matters of a filled year: extensions, problem reports, violations and holds, as ``fill`` writes a case.

So many of the loans have one: they are in the lists, in the inbox and in the counts that every page has.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from services.database.tables.holds import Hold
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Hearing, Sanction, Violation
from services.demo.organisation import demo_id
from services.domain.documents.service import SERIES
from services.domain.matters import documents
from services.domain.matters.kinds import KINDS
from services.domain.matters.kinds.urgent import RATIFY_WITHIN
from services.domain.process.messages import VIOLATION_OPENED

if TYPE_CHECKING:
    from services.demo.year.fill import Case

# one of so many loans has it
EXTENDED, TRANSFER_DECLINED, REPORTED, VIOLATED, HELD = 4, 25, 15, 12, 40
LATELY = timedelta(days=60)  # a violation of one that ended so lately is open
DAYS_LATER = timedelta(days=7)
URGENT, RELEASES = "urgent-not-ratified", "linlin"
OF_CASE = ("ghost-export", URGENT, "refusal-pattern")  # violations that are no loan's
FOUND = ("leak", "breach", "finding")  # violations that a person records
SEVERITY = {
    **dict.fromkeys(("leak", "ghost-export"), "severe"),
    **dict.fromkeys(("loss", "discrepancy", "breach", URGENT), "moderate"),
}  # as ``violation-severity.dmn`` has it of an ordinary case; else minor
REPLY_PERIOD = timedelta(days=5)
WORDS = {
    "leak": "副本的画面出现在部门的聊天群里",
    "breach": "副本交给了名单以外的同事观看",
    "finding": "副本在会议室的屏幕上放过，在场人员没有登记",
}


def write_of_loan(case: "Case") -> None:
    """Write what was asked while the copies were on loan; what waits for an answer where the loan is open."""
    if case.place % EXTENDED == 0:
        _extension(case)
    colleague = case.colleague() if case.place % TRANSFER_DECLINED == 1 else None
    if colleague is not None:
        _transfer(case, colleague)
    if case.place % REPORTED == 2:
        _problem(case)


def write_breach_of_loan(case: "Case") -> None:
    """Write the violation that was planned for this loan, before the copies are back."""
    if case.breach in ("overdue", "leak", "breach", "finding"):
        _begin_violation(case, case.breach)


def write_loss(case: "Case") -> None:
    """Write the violation of a loss, which the end of its loan opens."""
    _begin_violation(case, "loss")


def write_of_ended(case: "Case") -> None:
    """Write what is found after the end; of what comes at rates, the newest is still open."""
    if case.planned:
        if case.breach in ("discrepancy", *OF_CASE):
            _begin_violation(case, case.breach)
        if case.breach is not None:
            _decide_violation(case)
        return
    if case.place % VIOLATED == 3:
        _begin_violation(case, "finding")
        if case.now - case.at > LATELY:
            _decide_violation(case)
        else:
            _hear(case)
            case.open_review("violation-security", of=case.violation["matter"])
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
    matter = open_matter(case, "extension", asked, before)
    if case.stands == "in-use":
        case.open_review("extension", of=matter)
        return
    case.decide("extension", demo_id("wulei"), "rejected", of=matter)
    close_matter(case, matter, "refused", {"stage": "extension"})


def _transfer(case: "Case", to_person: str) -> None:
    """Offer the copies to another member of the department, who declines."""
    hashes = {case.copy["id"]: case.copy["sealed"]["sha256Cipher"]}
    asked = {"toPersonId": to_person, "conditions": "副本完好，没有下载。", "reason": "原保管人外出，由同事保管并归还"}
    before = {"custodian": case.custodian, "dueAt": case.loan["due_at"].isoformat()}
    offer = {
        **{"kind": "custody-offer", "application": case.id, "handOver": case.loan["id"], "person": case.custodian},
        **{"toPerson": to_person, "copies": hashes, "conditions": asked["conditions"], "reason": asked["reason"]},
    }
    matter = open_matter(
        case,
        "custody-transfer",
        asked,
        {**before, "copies": hashes, "downloads": [], "forced": False},
        counterpart=to_person,
        signature=case.sign(case.custodian, offer),
    )
    case.decide("custody-receipt", to_person, "declined", of=matter)
    close_matter(case, matter, "refused", {"stage": "custody-receipt"})


def _problem(case: "Case") -> None:
    """Report a gap, which freezes the loan until it is explained; the days are given back."""
    asked = {"problem": "gap", "copyId": None, "position": None, "expected": "", "reason": "中间少了一分钟"}
    copy = {
        **{"id": case.copy["id"], "item": case.item, "position": 1, "sha256": case.copy["sealed"]["sha256Cipher"]},
        **{"cameraZh": case.camera["name_zh"], "cameraEn": case.camera["name_en"]},
    }
    due_at, since = case.loan["due_at"], case.at
    before = {"custodian": case.custodian, "dueAt": due_at.isoformat(), "copies": [copy]}
    matter = open_matter(case, "problem", asked, before)
    case.log("suspended", None, of_copy=False, cause="problem")
    frozen = {"hand_over_id": case.loan["id"], "cause": "problem", "matter_id": matter["id"], "since": since}
    case.decide("problem", demo_id("wulei"), "explained", of=matter)
    lifted = {"lifted_at": case.at, "lifted_by": "lift-freeze"}
    case.rows.add(Suspension, id=case.new_id(), until=None, **frozen, **lifted)
    later = due_at + (case.at - since)
    case.loan["due_at"] = case.grant["until"] = later
    case.log("resumed", None, of_copy=False, cause="problem", due_at=later.isoformat())
    changed = {"due_at": later.isoformat(), "before": due_at.isoformat(), "because": "freeze-lifted"}
    case.log("due-date-changed", None, of_copy=False, **changed)
    matter["applied_at"] = case.at
    told = {"frozenSince": since.isoformat(), "frozenUntil": case.at.isoformat(), "dueAt": later.isoformat()}
    close_matter(case, matter, "answered", {"answer": "explained", **told})


def _begin_violation(case: "Case", kind: str) -> None:
    """Write the violation with its matter, the suspension of the loan, and who is heard."""
    of_loan = kind not in OF_CASE
    loan, due_at = (case.loan if of_loan else None), (case.loan["due_at"] if kind == "overdue" else None)
    facts, problem = _found(case, kind), None
    accused = case.head if kind == URGENT else case.custodian  # who has called it
    violation_id = case.new_id()
    if kind == URGENT:
        problem = _urgent(case, violation_id)
        facts |= {"matter": problem["number"]}
    opened_by = demo_id("wulei") if kind in FOUND else None
    of = {"id": violation_id, "kind": kind, "dueAt": due_at.isoformat() if due_at else None}
    more = {"violation": {**of, "openedAt": case.at.isoformat(), "facts": facts}, "accused": [accused]}
    matter = open_matter(
        case,
        "violation",
        None,
        more={**more, "assessment": None, "replies": []},
        opened_by=opened_by,
        by_person=opened_by is not None,
        of_loan=of_loan,
    )
    row = case.rows.add(
        Violation,
        id=violation_id,
        application_id=case.id,
        hand_over_id=loan["id"] if loan else None,
        kind=kind,
        due_at=due_at,
        problem_id=problem["id"] if problem else None,
        opened_at=case.at,
        facts=facts,
        accused=[accused],
        matter_id=matter["id"],
        severity=SEVERITY.get(kind, "minor"),
        served_at=case.at,
        reply_until=case.at + REPLY_PERIOD,
        heard_at=None,
        sanctioned_at=None,
        closed_at=None,
        closed_as=None,
    )
    case.record("violation-opened", "violation", violation_id, kind=kind)
    hearing = case.rows.add(
        Hearing, matter_id=matter["id"], person_id=accused, part="accused", reply=None, replied_at=None
    )
    if loan:
        since = {"hand_over_id": loan["id"], "cause": "violation", "violation_id": violation_id, "since": case.at}
        case.rows.add(Suspension, id=case.new_id(), matter_id=None, lifted_at=None, lifted_by=None, **since)
        case.log("violation", None, of_copy=False, kind=kind, violation=violation_id)
    of_person = None
    if kind == "leak":
        since = {"person_id": case.custodian, "cause": "violation", "matter_id": matter["id"], "since": case.at}
        of_person = case.rows.add(Suspension, id=case.new_id(), hand_over_id=None, violation_id=None, **since)
    _serve(case, matter, row)
    for person in dict.fromkeys((accused, case.head, demo_id("wulei"), demo_id("zhaoqiang"))):
        case.notify(f"violation-{kind}", person)
    case.violation = {"matter": matter, "row": row, "hearing": hearing, "of_person": of_person}


def _serve(case: "Case", matter: dict[str, Any], row: dict[str, Any]) -> None:
    """Write what the violation is assessed as, and serve it on the accused."""
    severe, kind = row["severity"] == "severe", row["kind"]
    stage = "violation-management" if severe else "violation-security"
    due_at = row["due_at"] or (case.loan["due_at"] if row["hand_over_id"] else None)
    matter["route"] = [stage]
    assessed = {
        **{"severity": row["severity"], "decidingStage": stage, "suspendPerson": kind == "leak"},
        **{"referralAsked": severe, "importance": "ordinary", "leaked": kind == "leak", "repeats": 1},
        **{"daysLate": max(0, (case.at - due_at).days) if due_at else 0},
        **{"securityInvolved": False, "managementInvolved": False},
        **{"servedAt": row["served_at"].isoformat(), "replyUntil": row["reply_until"].isoformat()},
    }
    _change_facts(case, matter, {**matter["facts"], "assessment": assessed}, "violation-served")


def _hear(case: "Case") -> None:
    """Write the reply of the accused."""
    matter = case.violation["matter"]
    case.at += timedelta(days=1)
    text = "情况属实，本人已经知悉，以后按规定保管和使用。"
    said = {"by": case.violation["hearing"]["person_id"], "part": "accused", "text": text, "at": case.at.isoformat()}
    case.violation["hearing"] |= {"reply": text, "replied_at": case.at}
    case.violation["row"]["heard_at"] = case.at
    _change_facts(case, matter, {**matter["facts"], "replies": [said]}, "violation-replied")
    case.publish("violation-replied", matter["id"], {}, matter=matter)


def _change_facts(case: "Case", matter: dict[str, Any], facts: dict[str, Any], action: str) -> None:
    matter |= {"facts": facts, "facts_sha256": case.hash_of(facts)}
    case.record(action, "matter", matter["id"], facts=matter["facts_sha256"])


def _decide_violation(case: "Case") -> None:
    """Hear the accused, uphold it with a warning, and close it."""
    matter, row, accused = case.violation["matter"], case.violation["row"], case.violation["hearing"]["person_id"]
    _hear(case)
    [stage] = matter["route"]
    judged = {
        **{"severity": row["severity"], "assessed": row["severity"], "loss": False, "lossAmount": None},
        "sanctions": [{"kind": "warning", "personId": accused, "amount": None, "note": None}],
        "referral": False,
    }
    decision = case.decide(
        stage,
        demo_id("gaofeng" if stage == "violation-management" else "zhaoqiang"),
        "upheld",
        of=matter,
        variables={"legalNeeded": False},
        judgement=judged,
    )
    sanction = {"matter_id": matter["id"], "decision_id": decision["id"], "person_id": accused}
    case.rows.add(Sanction, id=case.new_id(), kind="warning", recorded_at=case.at, **sanction)
    row |= {"sanctioned_at": case.at, "closed_at": case.at, "closed_as": "upheld"}
    # the suspension of the loan stays, which is over; that of the person ends
    if case.violation["of_person"] is not None:
        case.violation["of_person"] |= {"lifted_at": case.at, "lifted_by": "close-matter"}
    close_matter(case, matter, "upheld", {"decision": decision["id"]})


def _found(case: "Case", kind: str) -> dict[str, Any]:
    """Return the facts of a violation, with the names that the acts give them."""
    custodian = {"custodian": case.custodian}
    if kind == "overdue":
        due = case.loan["due_at"]
        return {**custodian, "dueAt": due.isoformat(), "graceOverAt": (due + timedelta(days=1)).isoformat()}
    told: dict[str, dict[str, Any]] = {
        "loss": {**custodian, "kind": "lost", "whatHappened": "存有副本的移动硬盘在外勤途中遗失"},
        "discrepancy": custodian,
        "ghost-export": {"found": case.camera["name_zh"], "place": "recorder"},
        URGENT: {"caller": case.head, "releasedBy": demo_id(RELEASES)},
        "refusal-pattern": {"stage": "preliminary", "refused": 6, "of": 7, "since": case.begun.isoformat()},
    }
    return told[kind] if kind in told else {**custodian, "found": WORDS[kind]}


def _urgent(case: "Case", violation_id: str) -> dict[str, Any]:
    """Write the urgent retrieval that nobody has approved afterwards."""
    span = {"from": case.asked[0].isoformat(), "to": case.asked[1].isoformat()}
    camera = {"camera": case.camera["id"], "cameraZh": case.camera["name_zh"], "cameraEn": case.camera["name_en"]}
    asked = {"reason": "夜间有人员受伤，需要立即确认位置", "ground": "personal-safety"}
    before = {"items": [{"item": case.item, "position": 1, **camera, **span}], "repeats": None}
    matter = open_matter(case, "urgent", asked, before, opened_by=case.head, of_loan=False)
    decision = case.decide("urgent-release", demo_id(RELEASES), "approved", of=matter)
    matter["applied_at"] = case.at
    case.at += RATIFY_WITHIN
    people = sorted((case.head, decision["decided_by"]))
    outcome = {"people": people, "from": decision["decided_at"].isoformat(), "until": case.at.isoformat(), "seen": []}
    close_matter(case, matter, "not-ratified", {**outcome, "violation": violation_id})
    return matter


def open_matter(
    case: "Case",
    kind: str,
    asked: dict[str, Any] | None,
    before: dict[str, Any] | None = None,
    *,
    more: dict[str, Any] | None = None,
    counterpart: str | None = None,
    opened_by: str | None = None,
    by_person: bool = True,
    of_loan: bool = True,
    signature: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the matter, its number, its audit event and the message that has begun its process."""
    matter_id, number = case.new_id(), case.new_number(SERIES[kind])
    opener = opened_by or (case.custodian if by_person else None)
    facts = {
        **{"matter": matter_id, "number": number, "kind": kind, "application": case.number},
        **{"handOver": case.loan["id"] if of_loan else None, "openedAt": case.at.isoformat(), "openedBy": opener},
        **({"asked": asked, "before": before or {}} if asked is not None else {}),
        **(more or {}),
    }
    matter = case.rows.add(
        Matter,
        id=matter_id,
        number=number,
        kind=kind,
        application_id=case.id,
        hand_over_id=case.loan["id"] if of_loan else None,
        opened_by=opener,
        opened_at=case.at,
        counterpart_id=counterpart,
        facts=facts,
        facts_sha256=case.hash_of(facts),
        signature=signature,
        process_instance_key=case.new_key(),
        route=None,
        applied_at=None,
        closed_at=None,
        closed_as=None,
        outcome=None,
    )
    case.record("matter-opened", "matter", matter_id, by=opener, number=number, kind=kind, facts=matter["facts_sha256"])
    told = {"matterId": matter_id, "applicationId": case.id}
    if kind == "problem":
        told |= {"handOverId": case.loan["id"]}
    message = VIOLATION_OPENED if kind == "violation" else KINDS[kind].message
    case.publish(message, matter_id, told, matter=matter)
    return matter


def apply_matter(
    case: "Case", matter: dict[str, Any], decisions: Sequence[dict[str, Any]], outcome: dict[str, Any]
) -> None:
    """Write that a matter was carried out by these decisions, its document, and its end."""
    matter["applied_at"] = case.at
    of = {"number": matter["number"], "kind": matter["kind"], "facts": matter["facts_sha256"]}
    case.record("matter-applied", "matter", matter["id"], decisions=[one["id"] for one in decisions], **of)
    decided = [Decision(**one) for one in decisions]
    content = documents.content_of(case.uow, Matter(**matter), KINDS[matter["kind"]], decided, outcome)
    told = {**content, "appliedAt": case.at.isoformat()}
    case.write_document(matter["kind"], matter["number"], told, subject_id=matter["id"])
    close_matter(case, matter, "applied", outcome)


def close_matter(case: "Case", matter: dict[str, Any], closed_as: str, outcome: dict[str, Any]) -> None:
    """Write the end of a matter, and tell whoever has asked."""
    matter |= {"closed_at": case.at, "closed_as": closed_as, "outcome": outcome}
    of = {"number": matter["number"], "kind": matter["kind"]}
    case.record("matter-closed", "matter", matter["id"], closed_as=closed_as, **of)
    if matter["opened_by"] is not None:
        case.notify("violation-closed" if matter["kind"] == "violation" else f"matter-{closed_as}", matter["opened_by"])
