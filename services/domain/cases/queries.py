"""The case as people see it, as the typed view that page and API share. Derived, never stored (F24)."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import not_, select

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.integrity_checks import IntegrityCheck
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.people import Person
from services.database.tables.reviews import Review
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import violations
from services.domain.applications import findings, forms, security_check
from services.domain.applications.security_check import REVIEWERS_ONLY, words_for_applicant
from services.domain.audit import trail as audit_trail
from services.domain.cases import footage as case_footage
from services.domain.cases import management_reasons, next_actions, outside, states
from services.domain.cases import rows as case_rows
from services.domain.cases.rows import CaseRows, ItemRow, ReviewRow
from services.domain.cases.schemas.case import (
    AnsweredQuestion,
    CaseArchive,
    CaseDocument,
    CaseEvent,
    CaseFinding,
    CaseHandOver,
    CaseHolding,
    CaseItem,
    CaseReason,
    CaseReview,
    CaseSummary,
    CaseView,
    CaseViolation,
    CopyView,
    CustodyLine,
    EventSubject,
    IntegrityCheckView,
    MasterView,
    MeasuredFootage,
    OriginalLetter,
    ReviewConfirmation,
    StatedApplication,
)
from services.domain.cases.schemas.consents import ConsultationView, DepartmentConsent, JointDepartment
from services.domain.cases.schemas.names import CameraNamed, DepartmentNamed
from services.domain.custody import integrity
from services.domain.custody import log as custody_log
from services.domain.custody.schemas import OpenSuspension, RecorderClock
from services.domain.documents import service as document_service
from services.domain.holds import queries as holds
from services.domain.matters import queries as matter_queries
from services.domain.packages import queries as packages
from services.domain.retrieval import archive, preservations
from services.domain.reviews import assignment
from services.domain.stages.catalogue import STAGES
from services.domain.working_calendar import deadlines
from services.web.schemas import SpanAnswer

NEVER = datetime.max.replace(tzinfo=UTC)  # sorts what has no moment last
# Where things lie in the vault is left out of what people see of an event.
VAULT_ADDRESS = ("bucket", "key", "version")
# Lines of a retrieval record that say in text what the record holds as numbers too.
SHOWN_AS_NUMBERS = ("gap: ", "the recorder's clock is off")


def get_summary(uow: UnitOfWork, application: Application) -> CaseSummary:
    """Read one line of a list."""
    return list_summaries(uow, [application])[0]


def list_summaries(uow: UnitOfWork, applications: Sequence[Application]) -> list[CaseSummary]:
    """Read the lines of a list, in the given order; three statements, however many there are."""
    states_of, footage_of = states.states_of(uow, applications), case_footage.read(uow, applications)
    names = access_queries.get_names(uow, [application.drafter_id for application in applications])
    return [
        CaseSummary(
            id=application.id,
            number=application.number,
            state=states_of[application.id].code,
            state_detail=states_of[application.id].detail,
            drafter=names[application.drafter_id],
            submitted_at=application.submitted_at,
            overwrite_at=footage_of[application.id].overwrite_at,
            way_of_use=application.granted_way_of_use or application.way_of_use,
            about=footage_of[application.id].about,
        )
        for application in applications
    ]


def get_case(uow: UnitOfWork, application_id: str) -> CaseView:
    """Read the whole case for one who may see it; reading it is an event (F20, R2)."""
    return case_of_rows(case_rows.of_case(uow, application_id))


def case_of_rows(rows: CaseRows) -> CaseView:
    """Read the whole case from rows that its reader was let in to; reading it is an event (F20, R2)."""
    uow, application, head = rows.uow, rows.application, rows.head
    audit_trail.record(uow, "case-read", "application", application.id, application_id=application.id)
    state = states.state_of_rows(rows)
    revision = rows.revisions[-1] if rows.revisions else None
    names = access_queries.get_names(uow, _people(rows))
    positions = {row.copy.id: row.item.position for row in rows.items if row.copy is not None}
    holdings = holds.list_holdings(uow, application.id) if head.held else []
    reads_holds = holds.may_read(uow)
    return CaseView(
        id=application.id,
        number=application.number,
        state=state.code,
        state_detail=state.detail,
        department=DepartmentNamed.model_validate(head.department),
        drafter=head.drafter,
        custodian=head.custodian,
        recipients=[names[person_id] for person_id in application.recipients if person_id in names],
        subjects=[names.get(person_id, person_id) for person_id in application.subject_ids],
        previous_number=head.previous_number,
        application=StatedApplication.model_validate(application),
        submitted_at=application.submitted_at,
        overwrite_at=_overwrite_at(rows),
        way_of_use=application.granted_way_of_use or application.way_of_use,
        about=case_footage.about_of(
            application,
            [
                case_footage.Asked(row.item.asked_start, row.item.asked_end, row.item.zone, row.camera)
                for row in rows.items
            ],
        ),
        round=application.round,
        form=revision.form if revision else forms.to_json(uow, application),
        form_sha256=revision.sha256 if revision else None,
        correction_until=application.correction_until,
        importance=application.importance,
        management_reasons=[CaseReason(zh=text.zh, en=text.en) for text in management_reasons.of_case(rows)],
        granted_way_of_use=application.granted_way_of_use,
        granted_use_days=application.granted_use_days,
        process_instance=str(application.process_instance_key) if application.process_instance_key else None,
        next_acts=next_actions.of_case(rows),
        may_withdraw=next_actions.may_withdraw(rows),
        may_name_custodian=next_actions.may_name_custodian(rows),
        items=_items(rows),
        findings=_findings(rows),
        reviews=[_review(uow, row, names) for row in rows.reviews],
        documents=[
            CaseDocument.model_validate(document)
            for document in rows.documents
            if (reads_holds or document.kind not in document_service.OF_HOLDS)
            and (document.kind not in document_service.OF_VIOLATIONS or violations.reads_sheet(rows.uow, document))
        ],
        hand_over=_hand_over(rows, head.hand_over, names) if head.hand_over is not None else None,
        custody=[
            CustodyLine(
                at=entry.at,
                event=entry.event,
                person=names.get(entry.person_id, entry.person_id) if entry.person_id is not None else None,
                item=positions.get(entry.copy_id) if entry.copy_id is not None else None,
            )
            for entry in rows.custody
        ],
        custody_broken_at=custody_log.broken_at(rows.custody),
        archive=CaseArchive.model_validate(head.archive) if head.archive is not None else None,
        violations=[_violation(rows, violation) for violation in rows.violations],
        matters=matter_queries.list_of_case(uow, application.id) if head.has_matters else [],
        offers=matter_queries.list_offers(uow, application, head.hand_over),
        appeal_until=application.appeal_until,
        held_since=min((one.since for one in holdings), default=None),
        holdings=[CaseHolding.model_validate(one) for one in holdings] if reads_holds else [],
        may_place_hold=application.submitted_at is not None and holds.may_place(uow),
        may_ask_package=application.submitted_at is not None and packages.may_ask(uow),
        outside_deadlines=outside.list_open(application),
        original_letter=_original_letter(application),
        answered_at=application.answered_at,
        events=_time_line(uow, application.id),
        consultation=_consultation(rows, names),
        applicant_questions=rows.questions,
        integrity=_check(uow, head.check, names) if head.check is not None else None,
    )


def _original_letter(application: Application) -> OriginalLetter | None:
    letter = application.original_letter
    return OriginalLetter.model_validate(letter) if letter is not None else None


def _findings(rows: CaseRows) -> list[CaseFinding]:
    """Read what the checks found in this round; the applicant's side reads its own sentences, and no internal ones."""
    of_round = (finding for finding in rows.findings if finding.round == rows.application.round)
    found = findings.sort(security_check.list_readable(rows.uow, rows.application, of_round))
    views = [CaseFinding.model_validate(finding) for finding in found]
    if not next_actions.is_own(rows):
        return views
    positions = {row.item.id: row.item.position for row in rows.items}
    return [
        view if own is None else view.model_copy(update={"zh": own.translate("zh"), "en": own.translate("en")})
        for view in views
        if view.code not in REVIEWERS_ONLY
        for own in [words_for_applicant(view.code, positions.get(view.item_id or ""))]
    ]


def get_consultation(uow: UnitOfWork, application: Application) -> ConsultationView | None:
    """Read how the newest consultation goes or ended; None where nobody was asked."""
    rows = CaseRows(uow, application)
    return _consultation(rows, access_queries.get_names(uow, _consenters(rows)))


def get_integrity_check(uow: UnitOfWork, application_id: str) -> IntegrityCheckView | None:
    """Read the last check of a case for one who may see it; None where there was none."""
    check = integrity.read(uow, application_id)
    return _check(uow, check, access_queries.get_names(uow, [check.asked_by])) if check is not None else None


def _overwrite_at(rows: CaseRows) -> datetime | None:
    """Compute the moment that ``case_footage.read`` does, from rows that are read."""
    if rows.application.closed_at is not None:
        return None
    moments = [
        preservations.overwrite_moment(row.camera, row.item.asked_start)
        for row in rows.items
        if row.master is None and not row.preserved
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def _people(rows: CaseRows) -> set[str | None]:
    """Collect everybody whom the view names beside the drafter and the custodian of the application."""
    decisions = [row.decision for row in rows.reviews if row.decision is not None]
    hand_over, check = rows.head.hand_over, rows.head.check
    return {
        *rows.application.recipients,
        *rows.application.subject_ids,
        *(decision.decided_by for decision in decisions),
        *(decision.stands_in_for for decision in decisions),
        *(confirmation.person_id for row in rows.reviews for confirmation in row.confirmations),
        *_consenters(rows),
        *(entry.person_id for entry in rows.custody),
        hand_over.custodian_id if hand_over is not None else None,
        check.asked_by if check is not None else None,
    }


def _consenters(rows: CaseRows) -> set[str | None]:
    return {consent.person_id for _, consent, _ in rows.newest_consents}


def _items(rows: CaseRows) -> list[CaseItem]:
    records = {document.item_id: document for document in rows.documents if document.kind == "retrieval-record"}
    taken_from = archive.list_records(rows.uow, [row.master for row in rows.items if row.master is not None])
    return [_item(row, records.get(row.item.id), taken_from) for row in rows.items]


def _item(row: ItemRow, record: Document | None, taken_from: Mapping[str, str]) -> CaseItem:
    item = row.item
    content = json.loads(record.content) if record is not None else {}
    clock = content.get("recorderClock")
    return CaseItem(
        id=item.id,
        position=item.position,
        camera_id=item.camera_id,
        camera=CameraNamed.model_validate(row.camera),
        asked_start=item.asked_start,
        asked_end=item.asked_end,
        granted_start=item.granted_start,
        granted_end=item.granted_end,
        zone=item.zone,
        outcome=item.outcome,
        coverage=item.coverage,
        preserved=row.preserved,
        measured=_measured(row.master.sealed["coverage"]) if row.master is not None else None,
        master=_master(row.master, taken_from.get(row.master.id)) if row.master is not None else None,
        issued_copy=_copy(row.copy) if row.copy is not None else None,
        record=record.number if record is not None else None,
        clock=RecorderClock.model_validate(clock) if clock else None,
        searched=_searched(content),
        difficulties=[line for line in content.get("difficulties", ()) if not line.startswith(SHOWN_AS_NUMBERS)],
    )


def _measured(coverage: Mapping[str, Any]) -> MeasuredFootage:
    covered, gaps = (
        [SpanAnswer(start=start, end=end) for start, end in coverage.get(kind, [])] for kind in ("covered", "gaps")
    )
    return MeasuredFootage(share=coverage["share"], covered=covered, gaps=gaps)


def _searched(content: Mapping[str, Any]) -> SpanAnswer | None:
    """Read where it was searched, where a retrieval record says that this is not what was asked for."""
    spans = [
        SpanAnswer(start=span["start"], end=span["end"])
        for span in (content.get("searched"), content.get("asked"))
        if span is not None
    ]
    return spans[0] if len(spans) > 1 and spans[0] != spans[1] else None


def _master(master: Master, origin_record: str | None) -> MasterView:
    return MasterView(
        sha256_cipher=master.sealed["sha256Cipher"],
        origin=master.origin,
        origin_record=origin_record,
        retrieved_at=master.retrieved_at,
        replica_verified_at=master.replica_verified_at,
        retain_until=master.retain_until,
        awaits_disposal=master.awaits_disposal,
        dispose_after=master.dispose_after,
        discarded_at=master.discarded_at,
    )


def _copy(copy: Copy) -> CopyView:
    return CopyView(
        sha256_cipher=copy.sealed["sha256Cipher"],
        made_at=copy.made_at,
        key_destroyed_at=copy.key_destroyed_at,
        discarded_at=copy.discarded_at,
    )


def _review(uow: UnitOfWork, row: ReviewRow, names: Mapping[str, str]) -> CaseReview:
    review, decision = row.review, row.decision
    due_reason = deadlines.describe(review.due_reason)
    view = CaseReview(
        id=review.id,
        stage=review.stage,
        round=review.round,
        opened_at=review.opened_at,
        due_at=review.due_at,
        due_reason_zh=due_reason.zh if due_reason else None,
        due_reason_en=due_reason.en if due_reason else None,
        closed_at=review.closed_at,
        closed_because=review.closed_because,
        confirmed_by=[
            ReviewConfirmation(
                person=names.get(confirmation.person_id, confirmation.person_id), at=confirmation.confirmed_at
            )
            for confirmation in row.confirmations
        ],
    )
    if decision is None:
        return view.model_copy(update={"may_reassign": assignment.may_reassign(uow, review)})
    questions = {question.code: question for question in STAGES[review.stage].questions}
    represented = decision.stands_in_for
    return view.model_copy(
        update={
            "outcome": decision.outcome,
            "decided_by": names.get(decision.decided_by, decision.decided_by),
            "stands_in_for": names.get(represented, represented) if represented else None,
            "decided_at": decision.decided_at,
            "reason": decision.reason,
            "opinion": decision.opinion,
            # what a receipt states answers no question; one that was left out of the stage since keeps its code
            "answers": [
                AnsweredQuestion(
                    zh=questions[code].zh if code in questions else code,
                    en=questions[code].en if code in questions else code,
                    answer=bool(answer),
                )
                for code, answer in (decision.answers.items() if questions else ())
            ],
            "form_sha256": decision.form_sha256,
            "statement_sha256": decision.statement_sha256,
            "signature_method": decision.signature.get("method", "password"),
        }
    )


def _violation(rows: CaseRows, violation: Violation) -> CaseViolation:
    uow = rows.uow
    matter = uow.session.get(Matter, violation.matter_id) if violation.matter_id else None
    reads_all = violations.may_read_all(access_queries.load_directory(uow), uow.actor.id)
    return CaseViolation(
        id=violation.id,
        matter_id=matter.id if matter is not None and violations.sees(uow, matter) else None,
        may_start=reads_all
        and violation.matter_id is None
        and violation.closed_at is None
        and uow.actor.id not in violation.accused,
        kind=violation.kind,
        due_at=violation.due_at,
        opened_at=violation.opened_at,
        closed_at=violation.closed_at,
        closed_as=violation.closed_as,
    )


def _hand_over(rows: CaseRows, row: HandOver, names: Mapping[str, str]) -> CaseHandOver:
    stopped = rows.suspensions
    return CaseHandOver(
        id=row.id,
        custodian=names[row.custodian_id],
        offered_at=row.offered_at,
        accepted_at=row.accepted_at,
        due_at=row.due_at,
        suspended_at=stopped[0].since if stopped else None,
        suspensions=[OpenSuspension.model_validate(suspension) for suspension in stopped],
        returned_at=row.returned_at,
        lost_at=row.lost_at,
        ended_at=row.ended_at,
    )


def _consultation(rows: CaseRows, names: Mapping[str, str]) -> ConsultationView | None:
    if not rows.newest_consents:
        return None
    newest = rows.newest_consents[0][0]
    return ConsultationView(
        asked_at=newest.asked_at,
        due_at=newest.due_at,
        ended_at=newest.ended_at,
        ended_because=newest.ended_because,
        form_sha256=newest.sha256,
        answers=[
            DepartmentConsent(
                department=JointDepartment(id=department.id, zh=department.name_zh, en=department.name_en),
                answer=consent.answer,
                by=names.get(consent.person_id, consent.person_id) if consent.person_id is not None else None,
                at=consent.answered_at,
                reason=consent.reason,
            )
            for _, consent, department in rows.newest_consents
        ],
    )


def _time_line(uow: UnitOfWork, application_id: str) -> list[CaseEvent]:
    """Read what happened from the audit trail, oldest first; readings are left out.

    Who has recorded a violation has no name there for the accused and for those who do not read all of it (R65). A
    question that an earlier release let somebody ask of a matter is left out with its text.
    """
    of_matter = select(Review.id).where(Review.id == AuditEvent.subject_id, Review.matter_id.is_not(None)).exists()
    query = (
        select(AuditEvent, Person.name)
        .outerjoin(Person, (Person.id == AuditEvent.actor_id) & (AuditEvent.actor_kind == "person"))
        .where(AuditEvent.application_id == application_id, AuditEvent.action.not_like("%-read"))
        .where(not_(AuditEvent.action.in_(("applicant-asked", "applicant-answered")) & of_matter))
        .order_by(AuditEvent.seq)
    )
    hidden = violations.list_acts_hidden(uow, application_id)
    return [
        CaseEvent(
            at=event.at,
            action=event.action,
            actor="" if (event.actor_id, event.at) in hidden else name or event.actor_id,
            by_person=event.actor_kind == "person",
            subject=EventSubject(
                kind=event.subject_kind, id=None if event.subject_kind == "object" else event.subject_id
            ),
            detail={key: value for key, value in json.loads(event.entry)["detail"].items() if key not in VAULT_ADDRESS},
        )
        for event, name in uow.session.execute(query)
    ]


def _check(uow: UnitOfWork, check: IntegrityCheck, names: Mapping[str, str]) -> IntegrityCheckView:
    return IntegrityCheckView.model_validate(
        {
            "id": check.id,
            "asked_by": names[check.asked_by],
            "began_at": check.began_at,
            "ended_at": check.ended_at,
            "outcome": check.outcome,
            "bytes_read": check.bytes_read,
            "bytes_total": check.bytes_total,
            "runs": integrity.is_running(uow, check),
            "objects": check.objects,
        }
    )
