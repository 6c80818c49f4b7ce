"""One case of a sample: who inspects it, and the signed answers to the checklists (R61, R63).

It goes to a fit member of another department than the applicant's, who has no part in the case. The system answers
first; the member confirms or overrules it with a sentence. A question that is not answered is no "yes".
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.inspections import GroupInspection, InspectedCase, InspectionFinding
from services.database.tables.reviews import Reminder
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.access.directory import Directory
from services.domain.access.parts import CaseFacts
from services.domain.accounts.signatures import signing
from services.domain.accounts.signatures.given import Proof
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.domain.process import outbox, permissions
from services.domain.process.messages import REVIEW_DECIDED
from services.domain.reviews.tasks import Opened, is_reminder_due
from services.domain.stages.catalogue import STAGES
from services.domain.supervision import case_sheet, groups, sampling, service
from services.domain.supervision.case_sheet import Sheet
from services.domain.supervision.checks import ANSWERS, NO
from services.domain.working_calendar import deadlines
from services.runtime.errors import Fatal, NotFound, Refused
from services.runtime.translations import Bilingual, Message

STAGE = "supervision"
INSPECTED, FOUND = "inspected", "found"
LONGEST_WORD = 1000


@dataclass(frozen=True)
class Given:
    """A member's answer to one question, and the sentence that overrules the system or says what was found."""

    answer: str
    word: str | None = None


def open_review(uow: UnitOfWork, inspection_id: str, position: int, *, job_key: int) -> Opened:
    """Ask a fit member to inspect a case of the sample, once; a second run of the job finds it.

    Raises NotPermitted for a place that the sample does not have, and for a case that is asked or inspected already;
    Fatal where nobody of the group is fit.
    """
    act = f"open the inspection of case {position}"
    inspection = service.lock(uow, inspection_id, act)
    row = uow.session.scalar(
        select(InspectedCase)
        .where(InspectedCase.inspection_id == inspection_id, InspectedCase.position == position)
        .with_for_update()
    )
    if row is None:
        raise service.not_permitted(inspection, act, "its sample has no such case")
    if row.job_key != job_key:
        service.require_open(inspection, act)
        if row.job_key is not None:
            raise service.not_permitted(inspection, act, f"{row.number} is asked already, or inspected")
        _open(uow, inspection, row, job_key)
    elif row.decided_at is not None:  # the job runs again: the process did not wait for the answer yet
        outbox.reopen(uow, REVIEW_DECIDED, row.id)
    if row.opened_at is None or row.due_at is None:
        raise ValueError("an open review has its moments")
    reminder = row.first_reminder_at or row.due_at
    return Opened(row.id, reminder, row.due_at - row.opened_at, inspection.number)


def _open(uow: UnitOfWork, inspection: GroupInspection, row: InspectedCase, job_key: int) -> None:
    group = groups.get(uow, inspection.group_id)
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, row.application_id)
    fit = _fit(directory, facts, groups.people_of(group))
    if not fit:
        raise Fatal(
            f"could not open the inspection | {inspection.number}, {row.number} | nobody of the supervision group may "
            "inspect it: each has a part in it, is absent, or is of the applicant's department | appoint another "
            "member, then resolve the incident"
        )
    deadline = deadlines.compute(uow, STAGES[STAGE])
    row.job_key, row.assigned_to = job_key, _choose(uow, inspection, row, fit)
    row.opened_at, row.due_at, row.first_reminder_at = uow.now, deadline.due_at, deadline.first_reminder_at
    uow.session.flush()
    _record(uow, "inspection-case-opened", row, assigned_to=row.assigned_to, due_at=deadline.due_at.isoformat())
    _notify(uow, str(row.assigned_to), "inspection-case", row)


def assign_anew(uow: UnitOfWork, inspection: GroupInspection) -> None:
    """Give the cases that are asked and not inspected to fit members of the present group.

    One for which nobody is fit stays without, until a group with somebody who is takes over.
    """
    group = groups.get(uow, inspection.group_id)
    directory = access_queries.load_directory(uow)
    asked = select(InspectedCase).where(
        InspectedCase.inspection_id == inspection.id,
        InspectedCase.opened_at.is_not(None),
        InspectedCase.decided_at.is_(None),
    )
    for row in uow.session.scalars(asked.order_by(InspectedCase.position).with_for_update()).all():
        fit = _fit(directory, access_queries.load_facts(uow, row.application_id), groups.people_of(group))
        row.assigned_to = _choose(uow, inspection, row, fit) if fit else None
        uow.session.flush()
        notification_service.mark_done(uow, "supervision", subject_id=row.id)
        _record(uow, "inspection-case-reassigned", row, assigned_to=row.assigned_to)
        if row.assigned_to is not None:
            _notify(uow, row.assigned_to, "inspection-case", row)


def _choose(uow: UnitOfWork, inspection: GroupInspection, row: InspectedCase, fit: Sequence[str]) -> str:
    """Return whom the case goes to: who has the fewest of this inspection; among equals the seed decides."""
    query = select(InspectedCase.assigned_to).where(
        InspectedCase.inspection_id == inspection.id, InspectedCase.assigned_to.is_not(None)
    )
    held = Counter(uow.session.scalars(query))
    seed = service.seed_of(inspection)
    return min(fit, key=lambda person: (held[person], sampling.mark(seed, f"{row.number}:{person}")))


def _fit(directory: Directory, facts: CaseFacts, people: Sequence[str]) -> list[str]:
    able = [person for person in people if unfit_because(directory, facts, person) is None]
    return directory.present(able)


def unfit_because(directory: Directory, facts: CaseFacts, person_id: str) -> Refused | None:
    """Return why this person must not inspect the case, or None (R61)."""
    refusal = access_policy.supervision_refusal(directory, facts, person_id)
    if refusal is not None:
        return refusal
    applied = {
        facts.department_id,
        *(one for person in facts.done.get("applicant", ()) for one in facts.near.get(person, ())),
    }
    if not applied.isdisjoint(directory.departments_of(person_id)):
        return Refused(
            "own-department",
            "The case is of your own department: a member of another department has to inspect it.",
            status=403,
        )
    return None


def refusal_for(
    uow: UnitOfWork, inspection: GroupInspection, row: InspectedCase, person_id: str | None = None
) -> Refused | None:
    """Return why this person may not inspect the case now, or None: not asked, unfit, or another one's turn."""
    person = person_id or uow.actor.id
    if row.opened_at is None:
        return Refused("not-open", "This case is not to be inspected yet.")
    group = groups.get(uow, inspection.group_id)
    if person not in groups.people_of(group):
        return Refused("not-yours", "You are not a member of the supervision group.", status=403)
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, row.application_id)
    refusal = unfit_because(directory, facts, person)
    if refusal is not None:
        return Refused(refusal.code, refusal.message, status=403)
    if (
        person != row.assigned_to
        and row.escalated_at is None
        and row.assigned_to in _fit(directory, facts, groups.people_of(group))
    ):
        return Refused("not-yours", "Another member of the group inspects this case.", status=403)
    return None


def decide(uow: UnitOfWork, case_id: str, given: Mapping[str, Given], sheet_sha256: str, proof: Proof) -> InspectedCase:
    """Write the member's signed answers, and a finding for each "no".

    Refused to others than a fit member whose turn it is, for a sheet that has changed since it was read, without an
    answer to each question, and for an answer other than the system's without a sentence.
    """
    inspection, row = lock_case(uow, case_id)
    if row.decided_at is not None:
        raise Refused("decided-already", "This case is inspected already.")
    refusal = refusal_for(uow, inspection, row)
    if refusal is not None:
        raise refusal
    sheet = case_sheet.build(uow, row)
    if sheet.sha256 != sheet_sha256:
        raise Refused("sheet-changed", "The case has changed since you read it: read it again, then sign.")
    answers = check_answers(sheet, given)
    statement = {
        "kind": "inspection-answers",
        "inspection": inspection.number,
        "case": row.number,
        "sheet": sheet.sha256,
        "answers": answers,
        "person": uow.actor.id,
        "decidedAt": signing.signing_moment(uow, proof).isoformat(),
    }
    signed = signing.sign(uow, statement, proof, level=STAGES[STAGE].level)
    row.answers, row.sheet_sha256 = answers, sheet.sha256
    row.decided_by, row.decided_at = uow.actor.id, uow.now
    row.statement_sha256, row.signature = signed.sha256, signed.signature
    questions = {line.question.code: line for line in sheet.lines}
    uow.session.add_all(
        InspectionFinding(
            id=new_id(),
            inspection_id=inspection.id,
            inspected_case_id=row.id,
            application_id=row.application_id,
            stage=questions[one["question"]].stage,
            question=one["question"],
            severity=questions[one["question"]].question.severity_if_no,
            text=str(one["word"]),
            found_by=uow.actor.id,
            found_at=uow.now,
        )
        for one in answers
        if one["answer"] == NO
    )
    uow.session.flush()
    notification_service.mark_done(uow, "supervision", subject_id=row.id)
    concerned = uow.session.get_one(Application, row.application_id).subject_ids
    if row.assigned_to is not None and row.assigned_to != row.decided_by and row.assigned_to not in concerned:
        _notify(uow, row.assigned_to, "inspection-case-in-your-place", row)
    _record(
        uow,
        "inspection-case-inspected",
        row,
        findings=sum(one["answer"] == NO for one in answers),
        overruled=[one["question"] for one in answers if one["overruled"]],
        **signed.event_fields,
    )
    outbox.publish(
        uow,
        REVIEW_DECIDED,
        row.id,
        application_id=None,
        subject=service.subject_of(inspection),
        message_id=f"inspected:{row.id}",
        variables={"decision": FOUND if any(one["answer"] == NO for one in answers) else INSPECTED},
    )
    return row


def check_answers(sheet: Sheet, given: Mapping[str, Given]) -> list[dict[str, Any]]:
    """Return the answers as they are signed; Refused where one is missing, unknown, or overrules without a sentence."""
    known = {line.question.code for line in sheet.lines}
    for code in given:
        if code not in known:
            raise _refused(code, Message("This question does not exist: remove it."))
    answers = []
    for line in sheet.lines:
        question = line.question
        said = Bilingual(question.zh, question.en)
        one = given.get(question.code)
        if one is None or one.answer not in ANSWERS:
            raise _refused(question.code, Message("Answer: {question}", question=said))
        word = (one.word or "").strip()[:LONGEST_WORD] or None
        overruled = line.system is not None and one.answer != line.system
        if overruled and word is None:
            raise _refused(
                question.code,
                Message(
                    "Your answer differs from the system's: enter a reason in a sentence: {question}", question=said
                ),
            )
        if one.answer == NO and word is None:
            raise _refused(question.code, Message("Say what you found in a sentence: {question}", question=said))
        answers.append({**line.as_json(), "answer": one.answer, "word": word, "overruled": overruled})
    return answers


def remind(uow: UnitOfWork, row: InspectedCase, job_key: int) -> None:
    """Remind whom the case goes to; once for each job and period."""
    if row.decided_at is not None or not is_reminder_due(uow, job_key, "review", row.id):
        return
    uow.session.add(Reminder(job_key=job_key, kind="review", subject_id=row.id, sent_at=uow.now))
    _record(uow, "inspection-case-reminded", row, reminded=row.assigned_to)
    if row.assigned_to is not None:
        _notify(uow, row.assigned_to, "inspection-case", row)


def escalate(uow: UnitOfWork, row: InspectedCase, job_key: int) -> None:
    """The limit is reached: any fit member may inspect the case, and the leader is told. NotPermitted before."""
    if row.decided_at is not None:
        return
    inspection = service.get(uow, row.inspection_id)
    if row.due_at is None or not permissions.is_over(uow, row.due_at):
        raise service.not_permitted(inspection, "escalate the inspection", f"{row.number} is not overdue")
    if not is_reminder_due(uow, job_key, "escalation", row.id):
        return
    uow.session.add(Reminder(job_key=job_key, kind="escalation", subject_id=row.id, sent_at=uow.now))
    row.escalated_at = uow.now
    group = groups.get(uow, inspection.group_id)
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, row.application_id)
    told = dict.fromkeys([groups.leader_of(group), *_fit(directory, facts, groups.people_of(group))])
    concerned = set(uow.session.get_one(Application, row.application_id).subject_ids)
    _record(uow, "inspection-case-escalated", row, candidates=list(told))
    for person_id in told:
        if person_id not in concerned:
            _notify(uow, person_id, "inspection-case-overdue", row)


def find(uow: UnitOfWork, review_id: str) -> InspectedCase | None:
    """Return the case that has this review, locked, or None."""
    return uow.session.get(InspectedCase, review_id, with_for_update=True, populate_existing=True)


def lock_case(uow: UnitOfWork, case_id: str) -> tuple[GroupInspection, InspectedCase]:
    """Lock and return a case with its inspection; NotFound for what there is not."""
    row = find(uow, case_id)
    if row is None:
        raise NotFound(Message("case of an inspection"), case_id)
    return service.get(uow, row.inspection_id), row


def _refused(code: str, message: Message) -> Refused:
    return Refused("missing", message, status=422, field=f"answers.{code}")


def _record(uow: UnitOfWork, action: str, row: InspectedCase, **detail: Any) -> None:
    audit_trail.record(
        uow,
        action,
        "inspected-case",
        row.id,
        application_id=row.application_id,
        inspection=row.inspection_id,
        **detail,
    )


def _notify(uow: UnitOfWork, person_id: str, code: str, row: InspectedCase) -> None:
    notification_service.notify(uow, person_id, code, application_id=None, subject_id=row.id)
