"""The rows of the lists of cases, and what one person has to do."""

from datetime import datetime

from pydantic import Field

from services.domain.applications.schemas import CaseAbout
from services.domain.cases.schemas.case import CaseSummary, OutsideDeadline
from services.domain.cases.schemas.consents import WaitingConsent
from services.domain.cases.schemas.names import CameraNamed, DepartmentNamed, NamePair
from services.domain.custody.schemas import LoanLine
from services.domain.matters.schemas import AwaitedRecord, UnansweredViolation
from services.domain.reviews.schemas import WaitingReview
from services.domain.supervision.schemas import OwnDuties
from services.domain.work_orders.schemas import WaitingWorkOrder
from services.web.schemas import Answer


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
    about: CaseAbout
    incident_reference: str | None
    outside_deadlines: list[OutsideDeadline]


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
    about: CaseAbout


class TroubleLine(Answer):
    """A case under way that does not go as it should.

    ``kind`` is stopped, of a step that an administrator has to retry, or that of a violation.
    """

    application_id: str
    number: str | None
    kind: str
    since: datetime


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
    title: str | None
    purpose_category: str


class OutsideLine(OutsideDeadline):
    """A deadline towards people outside that is not met yet."""

    application_id: str
    number: str | None
    title: str | None


class StageLine(Answer):
    """What one stage took over many visits that ended, in seconds; ``open`` counts those that last."""

    stage: str
    ended: int
    open: int
    median: float
    ninetieth: float
    longest: float


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
    about: CaseAbout


class DueDate(Answer):
    """Something that is due: ``path`` is the page where it is done or read, ``own`` that it waits for the reader.

    ``kind``: review (of ``stage``), consent, receipt, use-period, work-order, work-order-verification, inspection,
    inspection-report, hearing, correction, outside-letter, outside-answer, hold-review, package (to be approved), or
    overwrite for footage that its recorder may overwrite.
    """

    kind: str
    id: str
    number: str
    at: datetime
    path: str
    stage: str | None = None
    own: bool


class WaitingPackage(Answer):
    """An evidence package with footage in clear that you can approve; ``about`` where you may see its case."""

    id: str
    number: str
    recipient: str
    asked_by: str
    asked_at: datetime
    due_at: datetime
    about: CaseAbout | None


class OverviewView(Answer):
    """What one person has to do; lists are cut to a few, counts are of all, but what waits is counted up to a hundred.

    ``states`` counts the cases by state, and is null for those who do not watch over them. A receipt is under ``held``,
    where it is signed, and not under ``waiting``. ``agreed``: the confidentiality agreement is valid.
    """

    waiting: list[WaitingReview] = Field(default_factory=list)
    consents: list[WaitingConsent] = Field(default_factory=list)
    packages: list[WaitingPackage] = Field(default_factory=list)
    unanswered: list[UnansweredViolation] = Field(default_factory=list)
    to_record: list[AwaitedRecord] = Field(default_factory=list)
    supervision: OwnDuties = Field(default_factory=OwnDuties)
    waiting_count: int = 0
    more_waiting: bool = False
    work_orders: list[WaitingWorkOrder] = Field(default_factory=list)
    work_orders_count: int = 0
    own: list[CaseSummary] = Field(default_factory=list)
    own_count: int = 0
    held: list[LoanLine] = Field(default_factory=list)
    held_count: int = 0
    overdue_count: int = 0
    at_risk: list[RiskLine] = Field(default_factory=list)
    copies_out: list[OutLine] = Field(default_factory=list)
    copies_out_count: int = 0
    copies_overdue_count: int = 0
    outside: list[OutsideLine] = Field(default_factory=list)
    troubles: list[TroubleLine] = Field(default_factory=list)
    states: dict[str, int] | None = None
    agreed: bool = True
