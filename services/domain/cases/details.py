"""A case with everything that its page shows, for one who may see it; reading it is an event (F20, R2)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.consents import Consent
from services.database.tables.copies import Copy
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.people import Department
from services.database.tables.returns import ArchiveEntry
from services.database.tables.reviews import Decision, Finding, Review
from services.database.tables.violations import Violation
from services.domain.access import queries as access_queries
from services.domain.applications import findings
from services.domain.audit import trail as audit_trail
from services.domain.cases import next_actions, queries
from services.domain.cases.next_actions import NextAct
from services.domain.cases.rows import CaseRows, ItemRow, ReviewRow
from services.domain.custody import log as custody_log
from services.domain.stages.catalogue import STAGES
from services.runtime.spans import Span

# Lines of a retrieval record that say in text what the record holds as numbers too.
TOLD_ELSEWHERE = ("gap: ", "the recorder's clock is off")


@dataclass(frozen=True)
class ItemDetails:
    """One item; ``clock`` is what the retrieval record says of the recorder's clock, ``record`` its number, and
    ``searched`` where it was looked for, where that is more than was granted.

    ``difficulties`` are the record's lines of text, but gaps and clock, which stand in ``coverage`` and ``clock``.
    """

    item: Item
    camera: Camera
    recorder: Recorder
    preserved: bool
    master: Master | None
    copy: Copy | None
    record: str | None
    clock: Mapping[str, Any] | None
    searched: Span | None
    difficulties: tuple[str, ...]

    @property
    def span(self) -> Span:
        """What is granted, or asked for where nobody has decided yet."""
        return Span(self.item.granted_start or self.item.asked_start, self.item.granted_end or self.item.asked_end)

    @property
    def narrowed(self) -> bool:
        return self.span != Span(self.item.asked_start, self.item.asked_end)

    @property
    def covered(self) -> list[Span]:
        return _spans(self.coverage, "covered")

    @property
    def gaps(self) -> list[Span]:
        return _spans(self.coverage, "gaps")

    @property
    def coverage(self) -> Mapping[str, Any] | None:
        """What was obtained of the asked span, as it was measured; None before the retrieval."""
        return self.master.sealed["coverage"] if self.master is not None else None


@dataclass(frozen=True)
class ReviewDetails:
    """One review with its decision and who confirmed it. ``answers`` pair each question's words with yes or no."""

    review: Review
    decision: Decision | None
    decided_by: str | None
    stands_in_for: str | None
    answers: tuple[tuple[dict[str, str], bool], ...]
    confirmed_by: tuple[tuple[str, datetime], ...]


@dataclass(frozen=True)
class CaseDetails:
    """The case; names are those of now, and ``form_sha256`` is of the form that counts (none for a draft)."""

    application: Application
    state: queries.State
    department: Department
    drafter: str
    custodian: str | None
    recipients: tuple[str, ...]
    subjects: tuple[str, ...]
    previous_number: str | None
    form_sha256: str | None
    overwrite_at: datetime | None
    acts: list[NextAct]
    may_withdraw: bool
    items: list[ItemDetails]
    findings: list[Finding]
    reviews: list[ReviewDetails]
    consents: list[tuple[Department, Consent, str | None]]
    documents: list[Document]
    hand_over: HandOver | None
    custody: list[CustodyEntry]
    custody_broken_at: int | None
    archive: ArchiveEntry | None
    violations: list[Violation]
    time_line: list[dict[str, Any]]
    names: Mapping[str, str]


def read(rows: CaseRows) -> CaseDetails:
    """The whole case for one who may see it; the look is on the trail."""
    uow, application, head = rows.uow, rows.application, rows.head
    audit_trail.record(uow, "case-read", "application", application.id, application_id=application.id)
    names = access_queries.names(uow, _people(rows))
    return CaseDetails(
        application=application,
        state=queries.state_of(rows),
        department=head.department,
        drafter=head.drafter,
        custodian=head.custodian,
        recipients=tuple(names[one] for one in application.recipients if one in names),
        subjects=tuple(names.get(one, one) for one in application.subject_ids),
        previous_number=head.previous_number,
        form_sha256=rows.revisions[-1].sha256 if rows.revisions else None,
        overwrite_at=queries.overwrite_of(rows),
        acts=next_actions.of_case(rows),
        may_withdraw=next_actions.may_withdraw(rows),
        items=_items(rows),
        findings=findings.in_order(one for one in rows.findings if one.round == application.round),
        reviews=[_review(row, names) for row in rows.reviews],
        consents=[
            (department, consent, names.get(consent.person_id, consent.person_id) if consent.person_id else None)
            for _, consent, department in rows.newest_consents
        ],
        documents=rows.documents,
        hand_over=head.hand_over,
        custody=rows.custody,
        custody_broken_at=custody_log.broken_at(rows.custody),
        archive=head.archive,
        violations=rows.violations,
        time_line=queries.time_line(uow, application.id),
        names=names,
    )


def _people(rows: CaseRows) -> set[str | None]:
    """Everybody whom the page names beside the drafter and the custodian."""
    decisions = [row.decision for row in rows.reviews if row.decision is not None]
    return {
        *rows.application.recipients,
        *rows.application.subject_ids,
        *(one.decided_by for one in decisions),
        *(one.stands_in_for for one in decisions),
        *(one.person_id for row in rows.reviews for one in row.confirmations),
        *(consent.person_id for _, consent, _ in rows.newest_consents),
        *(entry.person_id for entry in rows.custody),
        *([rows.head.check.asked_by] if rows.head.check is not None else []),
    }


def _items(rows: CaseRows) -> list[ItemDetails]:
    records = {one.item_id: one for one in rows.documents if one.kind == "retrieval-record"}
    return [_item(row, records.get(row.item.id)) for row in rows.items]


def _item(row: ItemRow, record: Document | None) -> ItemDetails:
    told = json.loads(record.content) if record is not None else {}
    return ItemDetails(
        item=row.item,
        camera=row.camera,
        recorder=row.recorder,
        preserved=row.preserved,
        master=row.master,
        copy=row.copy,
        record=record.number if record is not None else None,
        clock=told.get("recorderClock"),
        searched=_searched(told),
        difficulties=tuple(line for line in told.get("difficulties", ()) if not line.startswith(TOLD_ELSEWHERE)),
    )


def _searched(told: Mapping[str, Any]) -> Span | None:
    spans = [
        Span(datetime.fromisoformat(one["start"]), datetime.fromisoformat(one["end"]))
        for one in (told.get("searched"), told.get("asked"))
        if one is not None
    ]
    return spans[0] if len(set(spans)) > 1 else None


def _review(row: ReviewRow, names: Mapping[str, str]) -> ReviewDetails:
    decision = row.decision
    questions = {one.code: {"zh": one.zh, "en": one.en} for one in STAGES[row.review.stage].questions}
    # what a receipt states answers no question
    given = decision.answers if decision is not None and questions else {}
    stands_in_for = decision.stands_in_for if decision is not None else None
    return ReviewDetails(
        review=row.review,
        decision=decision,
        decided_by=names.get(decision.decided_by, decision.decided_by) if decision is not None else None,
        stands_in_for=names.get(stands_in_for, stands_in_for) if stands_in_for else None,
        # a question that was left out of the stage since keeps its code
        answers=tuple((questions.get(code, {"zh": code, "en": code}), bool(yes)) for code, yes in given.items()),
        confirmed_by=tuple((names.get(one.person_id, one.person_id), one.confirmed_at) for one in row.confirmations),
    )


def _spans(coverage: Mapping[str, Any] | None, kind: str) -> list[Span]:
    told = coverage.get(kind, []) if coverage is not None else []
    return [Span(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in told]
