"""The typed views of cases: what the API returns is what the pages render."""

from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from services.domain.custody.schemas import LoanLine, RecorderClock
from services.domain.reviews.schemas import WaitingReview
from services.web.errors import Problem
from services.web.schemas import Answer, SpanAnswer

PreservedSort = Literal["preserved", "number", "camera"]
RecorderSort = Literal["name", "site", "clock", "seen"]
MarkerKind = Literal["passed", "working", "waiting", "stuck"]
ActKind = Literal["submit", "correct", "consent", "decide", "confirm", "accept", "return"]


class DepartmentNamed(Answer):
    id: str
    name_zh: str
    name_en: str


class CameraNamed(Answer):
    id: str
    name_zh: str
    name_en: str
    place_zh: str
    place_en: str


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


class NextAct(Answer):
    """One act that the reader may do now.

    ``subjectId`` is that of the application, review, consent or hand-over that it is about; ``stage`` is the review's,
    ``dueAt`` when it has to be done.
    """

    kind: ActKind
    subject_id: str
    stage: str | None = None
    due_at: datetime | None = None


class StatedApplication(Answer):
    """What the applicant states now; the case's ``form`` has what was submitted last."""

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
    """``origin``: recorder, quarantine or upload.

    ``retainUntil``: no store deletes it before, whoever asks. ``awaitsDisposal``: its case ended without a loan,
    nothing opens it any more, and it is disposed of after ``disposeAfter``.
    """

    sha256_cipher: str
    origin: str
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
    """

    id: str
    stage: str
    round: int
    opened_at: datetime
    due_at: datetime
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


class CaseDocument(Answer):
    """``sha256`` is of the document's canonical JSON; ``demo``: written under a turned clock."""

    number: str
    kind: str
    sha256: str
    made_at: datetime
    demo: bool


class CaseHandOver(Answer):
    id: str
    custodian: str
    offered_at: datetime
    accepted_at: datetime | None
    due_at: datetime | None
    suspended_at: datetime | None
    returned_at: datetime | None
    lost_at: datetime | None
    ended_at: datetime | None


class CustodyLine(Answer):
    """One line of the custody log."""

    at: datetime
    event: str
    person: str | None


class CaseArchive(Answer):
    archived_at: datetime
    dispose_after: datetime


class CaseViolation(Answer):
    kind: str
    opened_at: datetime


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


class JointDepartment(Answer):
    id: str
    zh: str
    en: str


class DepartmentConsent(Answer):
    """``answer`` is null until the department has answered."""

    department: JointDepartment
    answer: str | None
    by: str | None
    at: datetime | None
    reason: str | None


class WaitingConsent(Answer):
    """A consent that you may give now.

    ``department`` is the one to consent, ``applicant`` would be the applying one. The footage may be gone from
    ``overwriteAt`` on, and nothing is preserved before all have consented.
    """

    id: str
    application_id: str
    department: JointDepartment
    applicant: JointDepartment
    drafter: str
    asked_at: datetime
    due_at: datetime
    overwrite_at: datetime | None


class ConsentView(WaitingConsent):
    """One consent with the form it is about; ``formSha256`` goes back with the answer.

    ``own`` is what your department answered, ``others`` what the others did. ``whyNot`` says why you may not answer.
    """

    form: dict[str, Any]
    form_sha256: str
    ended_because: str | None
    own: DepartmentConsent
    others: list[DepartmentConsent]
    why_not: Problem | None


class ConsultationView(Answer):
    """How the newest consultation of the joint departments goes or ended."""

    asked_at: datetime
    due_at: datetime
    ended_at: datetime | None
    ended_because: str | None
    form_sha256: str
    answers: list[DepartmentConsent]


class CheckedObject(Answer):
    """One object and its faults.

    missing, replaced, size, bytes, hold, retention, label-missing, label-wrong, label-seal; ``remarks`` are no faults:
    label-unsigned, of a label from before labels were signed.
    """

    kind: Literal["master", "copy", "document", "record"]
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


class CaseView(CaseSummary):
    """The whole case. People are named as they are called now.

    ``form`` is the form as it was submitted last, or as a draft has it now, and ``formSha256`` the hash of what was
    handed in; ``custodyBrokenAt`` is the line of the custody log at which its chain of hashes breaks.
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
    granted_way_of_use: str | None
    granted_use_days: int | None
    process_instance: str | None
    next_acts: list[NextAct]
    may_withdraw: bool
    items: list[CaseItem]
    findings: list[CaseFinding]
    reviews: list[CaseReview]
    documents: list[CaseDocument]
    hand_over: CaseHandOver | None
    custody: list[CustodyLine]
    custody_broken_at: int | None
    archive: CaseArchive | None
    violations: list[CaseViolation]
    events: list[CaseEvent]
    consultation: ConsultationView | None
    integrity: IntegrityCheckView | None


class Standstill(Answer):
    """Why a step does not go on since ``since``.

    ``part`` (recorder, store or database) is away, and the step is tried again at ``nextTryAt``, or just now without
    one, until ``until``; ``untaken``: that try was due and no process has taken it. Or the step is ``stopped`` by an
    incident, and a person has to act; ``part`` then names what was away for too long, if that is why.
    """

    since: datetime
    part: str | None = None
    next_try_at: datetime | None = None
    until: datetime | None = None
    untaken: bool = False
    stopped: bool = False


class DiagramMarker(Answer):
    """One element: ``passed``, or the case is there: ``working``, ``waiting`` for people, ``stuck`` in an incident.

    Elements that take no time have no moments. ``seconds`` adds up all ``times``, the one that lasts included;
    ``elementKind`` is that of BPMN.
    """

    element_id: str
    element_kind: str
    zh: str
    en: str
    kind: MarkerKind
    since: datetime | None = None
    until: datetime | None = None
    seconds: float | None = None
    times: int = 0
    attempts: int = 0
    review_id: str | None = None
    standstill: Standstill | None = None

    @property
    def here(self) -> bool:
        return self.kind != "passed"


class Timeline(Answer):
    """All markers of one process, in the order in which they were first reached.

    ``inTransit``: a message is on its way to the process engine and nobody has anything to do meanwhile.
    """

    process_id: str
    markers: list[DiagramMarker]
    in_transit: bool = False

    @property
    def timed(self) -> list[DiagramMarker]:
        """Return what takes time, and where it began and ended: the list that is read instead of the diagram."""
        return [
            marker
            for marker in self.markers
            if marker.since is not None and marker.element_kind not in ("subProcess", "boundaryEvent")
        ]

    @property
    def here(self) -> list[DiagramMarker]:
        """Return where the case is now; phases around it are left out."""
        return [marker for marker in self.markers if marker.here and marker.element_kind != "subProcess"]


class CaseLine(Answer):
    """One case in the register. From ``overwriteAt`` on footage that is not stored yet may be gone.

    ``awaitsDisposal``: it ended without a loan, and the vault keeps footage of it until its lock has ended.
    """

    id: str
    number: str | None
    state: str
    outcome: str | None
    department: DepartmentNamed
    drafter: str
    custodian: str | None
    purpose_category: str
    importance: str | None
    items: int
    submitted_at: datetime | None
    overwrite_at: datetime | None
    due_at: datetime | None
    closed_at: datetime | None
    awaits_disposal: bool


class OutLine(Answer):
    """A hand-over whose copies somebody holds."""

    application_id: str
    hand_over_id: str
    number: str | None
    custodian: str
    department: DepartmentNamed
    way_of_use: str
    accepted_at: datetime | None
    due_at: datetime | None
    suspended_at: datetime | None
    overdue: bool


class RiskLine(Answer):
    """Footage that a case asks for, that lies on its recorder alone."""

    application_id: str
    number: str | None
    state: str
    camera: CameraNamed
    start: datetime
    end: datetime
    zone: str
    overwrite_at: datetime


class TroubleLine(Answer):
    """A case under way that does not go as it should.

    ``kind`` is stopped, of a step that an administrator has to retry, or that of a violation.
    """

    application_id: str
    number: str | None
    kind: str
    since: datetime


class StageLine(Answer):
    """What one stage took over many visits that ended, in seconds; ``open`` counts those that last."""

    stage: str
    ended: int
    open: int
    median: float
    ninetieth: float
    longest: float


class NamePair(Answer):
    """A name in both languages."""

    zh: str
    en: str


class OwnApplication(Answer):
    """One application of the applicant's side.

    ``detail`` is the open stage, or how it was closed; ``changedAt`` when the form was last saved or submitted,
    ``dueAt``: until when it is to be corrected, or its copies are to be returned.
    """

    id: str
    number: str | None
    state: str
    detail: str | None
    drafter: str
    own: bool
    reason: str
    cameras: list[NamePair]
    way_of_use: str
    changed_at: datetime
    submitted_at: datetime | None
    overwrite_at: datetime | None
    due_at: datetime | None


class WaitingRelease(Answer):
    """An open release; ``proposedBy`` has released it, and a second person is to confirm."""

    review_id: str
    application_id: str
    number: str | None
    opened_at: datetime
    due_at: datetime
    claimed_by: str | None
    proposed_by: str | None


class FootageProgress(Answer):
    """One item on its way: ``size`` in bytes and ``share`` 0 to 1 of the phase; ``silent``: nobody works on it now.

    ``retried``: what failed last is tried again, unless there is a ``standstill``; a preservation at ``nextTryAt``, now
    where that is null, and not once its recorder has ``overwritten`` the footage or its retrieval has begun.
    """

    application_id: str
    item_id: str
    number: str | None
    position: int
    camera_zh: str
    camera_en: str
    recorder: str
    purpose: str
    phase: str
    size: int
    share: float
    since: datetime
    attempts: int
    heartbeat_at: datetime
    silent: bool
    last_error: Problem | None
    last_error_at: datetime | None
    standstill: Standstill | None = None
    retried: bool = True
    next_try_at: datetime | None = None
    overwritten: bool = False


class WatchedCamera(Answer):
    """``retentionChangeSeconds``: how much further back it can be seen than a week ago; negative: less."""

    camera_id: str
    channel: str
    name_zh: str
    name_en: str
    camera_class: str
    oldest_frame_at: datetime | None
    oldest_measured_at: datetime | None
    retention_days: int
    retention_change_seconds: int | None

    @property
    def reach(self) -> timedelta | None:
        if self.oldest_measured_at is None or self.oldest_frame_at is None:
            return None
        return self.oldest_measured_at - self.oldest_frame_at


class WatchedRecorder(Answer):
    """What was last measured of a recorder, and what was wrong when it was asked last.

    ``clockOffsetMs`` is its clock minus true time; ``tellsItsTime``: its picture's clock need not be compared.
    """

    id: str
    name: str
    site: str
    make: str | None
    model: str | None
    zone: str
    clock_offset_ms: int | None
    clock_method: str | None
    clock_uncertainty_ms: int | None
    clock_measured_at: datetime | None
    tells_its_time: bool
    last_seen_at: datetime | None
    polled_at: datetime | None
    last_error: Problem | None
    cameras: list[WatchedCamera]

    @property
    def oldest_frame_at(self) -> datetime | None:
        known = (camera.oldest_frame_at for camera in self.cameras)
        return min((moment for moment in known if moment is not None), default=None)


class PreservedItem(Answer):
    """A quarantine object; its hold ends with its case, and the recorder may overwrite it at ``overwriteAt``."""

    id: str
    application_id: str
    number: str | None
    position: int
    camera_zh: str
    camera_en: str
    preserved_at: datetime
    outcome: str
    overwrite_at: datetime | None


class StorageFigures(Answer):
    """Items: retrieved since midnight, released and not retrieved yet, and failed today or in trouble."""

    retrieved: int
    waiting: int
    failed: int


class StorageOffice(Answer):
    """The storage office at a glance; ``mayMeasure``: you may measure recorders."""

    releases: list[WaitingRelease]
    work: list[FootageProgress]
    recorders: list[WatchedRecorder]
    preserved: list[PreservedItem]
    figures: StorageFigures
    may_measure: bool


class OverviewView(Answer):
    """What one person has to do; lists are cut to a few, counts are of all.

    ``states`` counts the cases by state, and is null for those who do not watch over them. A receipt is under ``held``,
    where it is signed, and not under ``waiting``. ``agreed``: the confidentiality agreement is valid.
    """

    waiting: list[WaitingReview] = Field(default_factory=list)
    consents: list[WaitingConsent] = Field(default_factory=list)
    waiting_count: int = 0
    own: list[CaseSummary] = Field(default_factory=list)
    own_count: int = 0
    held: list[LoanLine] = Field(default_factory=list)
    held_count: int = 0
    overdue_count: int = 0
    at_risk: list[RiskLine] = Field(default_factory=list)
    copies_out: list[OutLine] = Field(default_factory=list)
    troubles: list[TroubleLine] = Field(default_factory=list)
    states: dict[str, int] | None = None
    agreed: bool = True
