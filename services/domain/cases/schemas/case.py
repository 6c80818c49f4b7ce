"""The view of one case: what the API returns is what the page renders."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from services.domain.applications.schemas import CaseAbout
from services.domain.cases.schemas.consents import ConsultationView
from services.domain.cases.schemas.names import CameraNamed, DepartmentNamed
from services.domain.custody.schemas import OpenSuspension, RecorderClock
from services.domain.matters.schemas import MatterLine, Offer
from services.domain.reviews.schemas import AskedQuestion
from services.web.schemas import Answer, SpanAnswer

ActKind = Literal["submit", "correct", "consent", "decide", "confirm", "accept", "return", "answer"]


class CaseSummary(Answer):
    """One line of a list of cases.

    ``state``: draft, approval, correction, retrieval, awaiting-receipt, in-use, overdue, return-inspection or closed;
    ``stateDetail``: the open stage, how the case was closed, or ``consents`` while joint departments are asked. From
    ``overwriteAt`` on footage that the vault does not hold yet may be gone.
    """

    id: str
    number: str | None
    state: str
    state_detail: str | None
    drafter: str
    submitted_at: datetime | None
    overwrite_at: datetime | None
    way_of_use: str
    about: CaseAbout


class NextAct(Answer):
    """One act that the reader may do now.

    ``subjectId`` is that of the application, review, consent, hand-over or question that it is about; ``stage`` is the
    review's, ``dueAt`` when it has to be done.
    """

    kind: ActKind
    subject_id: str
    stage: str | None = None
    due_at: datetime | None = None


class StatedApplication(Answer):
    """What the applicant states now; the case's ``form`` has what was submitted last."""

    title: str | None
    reason: str
    purpose: str
    purpose_category: str
    legal_basis: str
    incident_reference: str | None
    urgent_because: str | None
    way_of_use: str
    place_of_use: str
    requested_use_days: int
    sensitivities: list[str] | None
    important_information: bool
    sensitive_event: bool
    high_impact: bool


class MeasuredFootage(Answer):
    """What the master holds of the asked span, as it was measured; ``share`` is 0 to 1."""

    share: float
    covered: list[SpanAnswer]
    gaps: list[SpanAnswer]


class MasterView(Answer):
    """``origin``: recorder, quarantine, upload, earlier-issue or archive.

    ``originRecord``: of the archive, the retrieval record of the case it was taken from, for those who may see that
    case. ``retainUntil``: no store deletes it before, whoever asks. ``awaitsDisposal``: its case ended without a loan,
    nothing opens it any more, and it is disposed of after ``disposeAfter``.
    """

    sha256_cipher: str
    origin: str
    origin_record: str | None
    retrieved_at: datetime
    replica_verified_at: datetime | None
    retain_until: datetime | None
    awaits_disposal: bool
    dispose_after: datetime | None
    discarded_at: datetime | None


class CopyView(Answer):
    sha256_cipher: str
    made_at: datetime
    key_destroyed_at: datetime | None
    discarded_at: datetime | None


class CaseItem(Answer):
    """One camera and one span; ``preserved``: the quarantine holds it.

    ``record`` is the retrieval record's number, ``searched`` where it was searched, if that is more than was granted,
    and ``difficulties`` the record's lines of text but for those that ``measured`` and ``clock`` say as numbers.
    """

    id: str
    position: int
    camera_id: str
    camera: CameraNamed
    asked_start: datetime = Field(serialization_alias="from")
    asked_end: datetime = Field(serialization_alias="to")
    granted_start: datetime | None = Field(serialization_alias="grantedFrom")
    granted_end: datetime | None = Field(serialization_alias="grantedTo")
    zone: str
    outcome: str | None
    coverage: float | None
    preserved: bool
    measured: MeasuredFootage | None
    master: MasterView | None
    # not ``copy``, which a model has as a method
    issued_copy: CopyView | None = Field(serialization_alias="copy")
    record: str | None
    clock: RecorderClock | None
    searched: SpanAnswer | None
    difficulties: list[str]

    @property
    def span(self) -> SpanAnswer:
        """Return what is granted, or asked for where nobody has decided yet."""
        return SpanAnswer(start=self.granted_start or self.asked_start, end=self.granted_end or self.asked_end)

    @property
    def narrowed(self) -> bool:
        return (self.span.start, self.span.end) != (self.asked_start, self.asked_end)


class CaseReason(Answer):
    """One reason why management was asked."""

    zh: str
    en: str


class CaseFinding(Answer):
    """What an automatic check found. ``severity``: blocks, warns or informs."""

    check: str
    code: str
    severity: str
    zh: str
    en: str
    item_id: str | None


class AnsweredQuestion(Answer):
    zh: str
    en: str
    answer: bool


class ReviewConfirmation(Answer):
    person: str
    at: datetime


class CaseReview(Answer):
    """A review; what belongs to its decision is null while there is none.

    ``decidedBy``, ``standsInFor`` and those who confirmed it are names; ``formSha256`` is of the form that was signed.
    ``mayReassign``: somebody has claimed it, and you may give it to somebody else. ``dueReason…`` says why it
    is due then; null where an older release opened it, and for a receipt.
    """

    id: str
    stage: str
    round: int
    opened_at: datetime
    due_at: datetime
    due_reason_zh: str | None
    due_reason_en: str | None
    closed_at: datetime | None
    closed_because: str | None
    outcome: str | None = None
    decided_by: str | None = None
    stands_in_for: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    opinion: str | None = None
    answers: list[AnsweredQuestion] = Field(default_factory=list)
    confirmed_by: list[ReviewConfirmation] = Field(default_factory=list)
    form_sha256: str | None = None
    statement_sha256: str | None = None
    signature_method: str | None = None
    may_reassign: bool = False


class CaseDocument(Answer):
    """``sha256`` is of the document's canonical JSON; ``demo``: written under a turned clock."""

    number: str
    kind: str
    sha256: str
    made_at: datetime
    demo: bool


class CaseHandOver(Answer):
    """``suspensions`` are open now, the oldest first; ``suspendedAt`` is since when."""

    id: str
    custodian: str
    offered_at: datetime
    accepted_at: datetime | None
    due_at: datetime | None
    suspended_at: datetime | None
    suspensions: list[OpenSuspension]
    returned_at: datetime | None
    lost_at: datetime | None
    ended_at: datetime | None


class CustodyLine(Answer):
    """One line of the custody log; ``item`` is the position of the item whose copy it is about, if of one."""

    at: datetime
    event: str
    person: str | None
    item: int | None = None


class CaseArchive(Answer):
    archived_at: datetime
    dispose_after: datetime


class CaseViolation(Answer):
    """``dueAt``: the due date that was missed, of an overdue copy; ``closedAs``: upheld, cleared or settled.

    ``matterId`` is null where you may not see it, and where an older release has recorded it: ``mayStart`` says whether
    you may start its handling.
    """

    id: str
    matter_id: str | None
    may_start: bool
    kind: str
    due_at: datetime | None
    opened_at: datetime
    closed_at: datetime | None
    closed_as: str | None


class CaseHolding(Answer):
    """What holds the case: ``holdId``, reason, owner and review date where somebody has placed it."""

    cause: str
    since: datetime
    hold_id: str | None
    reason: str | None
    owner: str | None
    review_at: datetime | None


class EventSubject(Answer):
    kind: str
    id: str | None


class CaseEvent(Answer):
    """What happened, from the audit trail; ``detail`` depends on the action."""

    at: datetime
    action: str
    actor: str
    by_person: bool
    subject: EventSubject
    detail: dict[str, Any]


class CheckedObject(Answer):
    """One object and its faults.

    missing, replaced, size, bytes, hold, retention, label-missing, label-wrong, label-seal; ``remarks`` are no faults:
    label-unsigned, of a label from before labels were signed.
    """

    kind: Literal["master", "copy", "document", "record", "attachment"]
    id: str
    of: str
    size: int
    sha256: str
    faults: list[str]
    remarks: list[str] = Field(default_factory=list)
    unread: bool


class IntegrityCheckView(Answer):
    """The last check of a case; ``outcome`` is None while it runs, ``unfinished`` when the store did not answer.

    ``runs`` is false of a check whose process has died.
    """

    id: str
    asked_by: str
    began_at: datetime
    ended_at: datetime | None
    outcome: Literal["intact", "damaged", "unfinished"] | None
    bytes_read: int
    bytes_total: int
    runs: bool
    objects: list[CheckedObject]

    @property
    def percent(self) -> int:
        """Return how far the check is, from 0 to 100."""
        return min(100, 100 * self.bytes_read // self.bytes_total) if self.bytes_total else 0


class OutsideDeadline(Answer):
    """What people outside are still waiting for, or owe: ``letter``, its original, or ``answer``, to who was filmed."""

    kind: Literal["letter", "answer"]
    due_at: datetime


class OriginalLetter(Answer):
    """The original of a letter that came after the authority had asked; ``late``: after its time."""

    title: str
    number: str
    date: str
    entered_at: datetime
    late: bool


class CaseView(CaseSummary):
    """The whole case. People are named as they are called now.

    ``form`` is the form as it was submitted last, or as a draft has it now, and ``formSha256`` the hash of what was
    handed in; ``custodyBrokenAt`` is the line of the custody log at which its chain of hashes breaks.

    ``heldSince``: since when nothing of the case is discarded; ``holdings`` says why to those who read holds.
    ``appealUntil`` is of a case that was refused.
    ``outsideDeadlines`` are open; ``answeredAt``: when a person who was filmed got an answer.
    ``offers`` are the kinds of matters that you may ask for. ``mayReturnInPlace``: of a custodian who has left.
    """

    department: DepartmentNamed
    custodian: str | None
    recipients: list[str]
    subjects: list[str]
    previous_number: str | None
    application: StatedApplication
    round: int
    form: dict[str, Any]
    form_sha256: str | None
    correction_until: datetime | None
    importance: str | None
    management_reasons: list[CaseReason]
    granted_way_of_use: str | None
    granted_use_days: int | None
    process_instance: str | None
    next_acts: list[NextAct]
    may_withdraw: bool
    may_name_custodian: bool
    may_return_in_place: bool
    items: list[CaseItem]
    findings: list[CaseFinding]
    reviews: list[CaseReview]
    documents: list[CaseDocument]
    hand_over: CaseHandOver | None
    custody: list[CustodyLine]
    custody_broken_at: int | None
    archive: CaseArchive | None
    violations: list[CaseViolation]
    matters: list[MatterLine]
    offers: list[Offer]
    appeal_until: datetime | None
    held_since: datetime | None
    holdings: list[CaseHolding]
    may_place_hold: bool
    may_ask_package: bool
    outside_deadlines: list[OutsideDeadline]
    original_letter: OriginalLetter | None
    answered_at: datetime | None
    events: list[CaseEvent]
    consultation: ConsultationView | None
    applicant_questions: list[AskedQuestion]
    integrity: IntegrityCheckView | None
