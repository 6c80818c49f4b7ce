"""A case with everything that its page shows, for one who may see it; reading it is an event (F20, R2)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.register import (
    audit,
    cases,
    consents,
    custody,
    documents,
    findings,
    forms,
    masters,
    next_acts,
    preservations,
    recipients,
    visibility,
)
from services.register.applications import Application, Item
from services.register.archive import ArchiveEntry
from services.register.cameras import Camera, Recorder
from services.register.consents import Consent
from services.register.copies import Copy
from services.register.custody import CustodyEntry, HandOver
from services.register.documents import Document
from services.register.masters import Master
from services.register.next_acts import NextAct
from services.register.people import Department, Person
from services.register.reviews import Confirmation, Decision, Finding, Review
from services.register.stages import STAGES
from services.register.unit import Unit
from services.register.violations import Violation
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
    state: cases.State
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


def read(unit: Unit, application_id: str) -> CaseDetails:
    """The whole case; NotFound for one that does not exist or that the acting person may not see."""
    application = visibility.visible(unit, application_id)
    audit.record(unit, "case-read", "application", application_id, application_id=application_id)
    revision = forms.current_revision(unit, application_id)
    hand_over = unit.session.scalar(select(HandOver).where(HandOver.application_id == application_id))
    log = custody.log_of(unit, hand_over.id) if hand_over is not None else []
    written = documents.of_application(unit, application_id)
    return CaseDetails(
        application=application,
        state=cases.state(unit, application),
        department=unit.session.get_one(Department, application.department_id),
        drafter=_name(unit, application.drafter_id),
        custodian=_name(unit, application.custodian_id) if application.custodian_id else None,
        recipients=recipients.names(unit, application),
        subjects=tuple(_name(unit, one) for one in application.subject_ids),
        previous_number=_number(unit, application.previous_id),
        form_sha256=revision.sha256 if revision else None,
        overwrite_at=cases.nearest_overwrite(unit, application),
        acts=next_acts.of_case(unit, application),
        may_withdraw=next_acts.may_withdraw(unit, application),
        items=_items(unit, application, written),
        findings=findings.of_round(unit, application_id, application.round),
        reviews=_reviews(unit, application),
        consents=_consents(unit, application),
        documents=written,
        hand_over=hand_over,
        custody=log,
        custody_broken_at=custody.broken_at(log),
        archive=unit.session.scalar(select(ArchiveEntry).where(ArchiveEntry.application_id == application_id)),
        violations=list(unit.session.scalars(select(Violation).where(Violation.application_id == application_id))),
        time_line=cases.time_line(unit, application_id),
        names={one: _name(unit, one) for one in {entry.person_id for entry in log if entry.person_id}},
    )


def _items(unit: Unit, application: Application, written: list[Document]) -> list[ItemDetails]:
    records = {one.item_id: one for one in written if one.kind == "retrieval-record"}
    return [_item(unit, item, records.get(item.id)) for item in preservations.items_in_scope(unit, application.id)]


def _item(unit: Unit, item: Item, record: Document | None) -> ItemDetails:
    camera = unit.session.get_one(Camera, item.camera_id)
    told = json.loads(record.content) if record is not None else {}
    return ItemDetails(
        item=item,
        camera=camera,
        recorder=unit.session.get_one(Recorder, camera.recorder_id),
        preserved=bool(preservations.held(unit, item.id)),
        master=masters.of_item(unit, item.id),
        copy=unit.session.scalar(select(Copy).where(Copy.item_id == item.id)),
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


def _reviews(unit: Unit, application: Application) -> list[ReviewDetails]:
    query = select(Review).where(Review.application_id == application.id).order_by(Review.opened_at, Review.id)
    return [_review(unit, review) for review in unit.session.scalars(query)]


def _review(unit: Unit, review: Review) -> ReviewDetails:
    decision = unit.session.scalar(select(Decision).where(Decision.review_id == review.id))
    questions = {question.code: {"zh": question.zh, "en": question.en} for question in STAGES[review.stage].questions}
    confirmations = unit.session.scalars(
        select(Confirmation).where(Confirmation.review_id == review.id).order_by(Confirmation.confirmed_at)
    )
    # what a receipt states answers no question
    given = decision.answers if decision is not None and questions else {}
    stands_in_for = decision.stands_in_for if decision is not None else None
    return ReviewDetails(
        review=review,
        decision=decision,
        decided_by=_name(unit, decision.decided_by) if decision is not None else None,
        stands_in_for=_name(unit, stands_in_for) if stands_in_for else None,
        # a question that was left out of the stage since keeps its code
        answers=tuple((questions.get(code, {"zh": code, "en": code}), bool(yes)) for code, yes in given.items()),
        confirmed_by=tuple((_name(unit, one.person_id), one.confirmed_at) for one in confirmations),
    )


def _consents(unit: Unit, application: Application) -> list[tuple[Department, Consent, str | None]]:
    consultation = consents.latest_of(unit, application.id)
    if consultation is None:
        return []
    return [
        (
            unit.session.get_one(Department, one.department_id),
            one,
            _name(unit, one.person_id) if one.person_id else None,
        )
        for one in consents.answers(unit, consultation)
    ]


def _spans(coverage: Mapping[str, Any] | None, kind: str) -> list[Span]:
    told = coverage.get(kind, []) if coverage is not None else []
    return [Span(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in told]


def _number(unit: Unit, application_id: str | None) -> str | None:
    earlier = unit.session.get(Application, application_id) if application_id is not None else None
    return earlier.number if earlier is not None else None


def _name(unit: Unit, person_id: str) -> str:
    person = unit.session.get(Person, person_id)
    return person.name if person is not None else person_id
