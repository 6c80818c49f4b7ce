"""Group and inspections as pages and API show them, and the bodies of what is sent (R60 to R64)."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from services.domain.access.namesakes import PersonToChoose
from services.domain.accounts.signatures.bodies import Sha256, Signing
from services.web.schemas import Account, Answer, Body, Code, Identifier, Moment, Note, Paragraph


class MemberView(Answer):
    """A member of a group, with the own department."""

    id: str
    name: str
    part: Literal["leader", "member"]
    department_zh: str
    department_en: str


class AppointmentFile(Answer):
    id: str
    name: str
    sha256: str


class GroupView(Answer):
    """One appointment. ``because_zh`` and ``because_en``: why it is not valid now; empty where it is."""

    id: str
    basis: str
    since: datetime
    until: datetime
    document: str | None
    attachments: list[AppointmentFile]
    proposed_by: str
    confirmed_by: str | None
    members: list[MemberView]
    because_zh: str | None
    because_en: str | None


class PersonChoice(PersonToChoose):
    """A person who may be a member."""

    department_zh: str
    department_en: str


class GroupAnswer(Answer):
    """The group in office and the one that is proposed, and what the reader may do about them."""

    current: GroupView | None
    waiting: GroupView | None
    may_propose: bool
    may_confirm: bool
    may_withdraw: bool
    choices: list[PersonChoice]


class ProposalBody(Signing):
    """A group to be appointed, signed. ``basis``: the decision of the organisation that it rests on.

    It may be empty where the appointment document is attached before the confirmation.
    """

    leader_id: Identifier
    member_ids: Annotated[list[Identifier], Field(default_factory=list, max_length=30)]
    until: Moment
    basis: Note = ""


class InspectionLine(Answer):
    """An inspection in the list, with the numbers of what the reader sees of it.

    ``inspected``: how many cases of its sample are done.
    """

    id: str
    number: str
    period: str
    opened_at: datetime
    population: int | None
    sampled: int | None
    inspected: int
    findings: int
    state: Literal["opened", "inspecting", "signing", "signed", "refused", "no-cases"]


class InspectionsAnswer(Answer):
    """``may_begin``: the reader leads the group; ``period``: the last one that is over. ``mine``: cases to inspect."""

    lines: list[InspectionLine]
    may_begin: bool
    period: str
    mine: list["OwnCase"]


class OwnCase(Answer):
    """A case that waits for the reader."""

    id: str
    number: str
    inspection: str
    due_at: datetime


class ReportToSign(Answer):
    """A report that waits for the reader's signature."""

    inspection_id: str
    number: str
    due_at: datetime | None


class OwnDuties(Answer):
    """What supervision wants of one person: cases to inspect, reports to sign, a group to confirm or to appoint."""

    cases: list[OwnCase] = Field(default_factory=list)
    reports: list[ReportToSign] = Field(default_factory=list)
    group_to_confirm: bool = False
    group_missing: bool = False


class SampledCase(Answer):
    """A case of the sample, numbered among those that the reader sees: why it was drawn, with whom it is, findings."""

    id: str
    position: int
    number: str
    application_id: str
    because: list[str]
    assigned_to: str | None
    due_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    findings: int


class FindingView(Answer):
    """A finding with what became of it."""

    position: int | None
    number: str
    stage: str
    question_zh: str
    question_en: str
    severity: str
    text: str
    work_order_id: str | None
    violation_matter_id: str | None
    closed_at: datetime | None


class SignatureView(Answer):
    """One signature under the report, or a refusal with its reason."""

    name: str
    part: str
    outcome: str
    reason: str | None
    signed_at: datetime


class InspectionView(Answer):
    """One inspection: its sample, findings, report and signatures. Cases that concern the reader are left out (T8)."""

    line: InspectionLine
    period_from: datetime
    period_to: datetime
    seed: str
    seed_size: int
    seed_rule: int
    population_sha256: str | None
    drawn_at: datetime | None
    cases: list[SampledCase]
    more_after: int | None
    findings: list[FindingView]
    report_sha256: str | None
    report: dict[str, Any] | None
    document: str | None
    to_sign: list[str]
    signatures: list[SignatureView]
    may_sign: bool


class CaseOfPopulation(Answer):
    """One case that the sample was drawn from: why it must be inspected, if anything, and whether it was drawn."""

    number: str
    because: list[str]
    sampled: bool


class InspectionPopulation(Answer):
    """All from which a sample is computed again: the cases by number, the seed, and the checkpoint that gives it.

    ``sha256`` is the digest of the cases; it and the seed stand in the report too. ``checkpoint``: the signed note.
    """

    number: str
    period: str
    period_from: datetime
    period_to: datetime
    drawn_at: datetime
    seed: str
    seed_rule: int
    seed_size: int
    checkpoint: str | None
    sha256: str
    cases: list[CaseOfPopulation]


class QuestionView(Answer):
    """One question with the system's answer, and what the member has answered."""

    stage: str
    code: str
    zh: str
    en: str
    system: str | None
    seen: dict[str, Any]
    evidence: list[str]
    severity_if_no: str
    requirements: list[str]
    answer: str | None
    word: str | None
    overruled: bool


class CaseSheetView(Answer):
    """The sheet of one case. ``why_not_en``: why the reader may not inspect it; ``next_id``: the reader's next one."""

    id: str
    inspection_id: str
    inspection: str
    number: str
    application_id: str
    position: int
    sampled: int
    inspected: int
    because: list[str]
    assigned_to: str | None
    due_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    sheet_sha256: str
    questions: list[QuestionView]
    why_not_zh: str | None
    why_not_en: str | None
    next_id: str | None


class BeginBody(Body):
    """``period``: a month such as 2026-10, or a quarter such as 2026-Q4."""

    period: Code


class AnswerBody(Body):
    """The answer to one question; ``word`` says what was found, or why the system is overruled."""

    answer: Literal["yes", "no", "not-applicable"]
    word: Paragraph | None = None


class AnswersBody(Signing):
    """The signed answers to all questions of the sheet with this hash."""

    sheet_sha256: Sha256
    answers: Annotated[dict[Code, AnswerBody], Field(max_length=200)]


class ReportBody(Signing):
    """The signature under the report with this hash, or the refusal with its reason."""

    report_sha256: Sha256
    outcome: Literal["signed", "refused"]
    reason: Account | None = None
