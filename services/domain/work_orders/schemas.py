"""The typed views of work orders and schedules, which page and API share, and the bodies of what is done."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from services.domain.access.namesakes import PersonToChoose
from services.domain.accounts.signatures.bodies import FormSigning
from services.web.schemas import (
    Account,
    Answer,
    Body,
    Code,
    Identifier,
    Line,
    Moment,
    Note,
    PageParameters,
    Paragraph,
    SearchText,
    one_line,
)

WorkOrderSort = Literal["due", "opened", "number"]
Whose = Literal["", "mine", "verify", "overdue"]


class WorkOrdersQuestion(PageParameters):
    """``whose``: ``mine`` to do, to ``verify``, ``overdue``, or all that you see. ``state``: ``open`` or ``closed``."""

    whose: Whose = ""
    state: Code = ""
    kind: Code = ""
    subject: Code = ""
    text: SearchText = ""


class WorkOrderLine(Answer):
    """One work order in a list; ``state`` is ``open``, ``to-verify``, ``overdue``, ``done`` or ``cancelled``."""

    id: str
    number: str
    kind: str
    kind_zh: str
    kind_en: str
    title_zh: str
    title_en: str
    subject_kind: str
    subject_id: str
    subject_label: str
    subject_zh: str
    subject_en: str
    state: str
    doer_zh: str
    doer_en: str
    due_at: Moment
    opened_at: Moment
    closed_at: Moment | None
    attempt: int


class WaitingWorkOrder(Answer):
    """A work order that waits for you: to be done, or with ``to_verify`` to be verified."""

    id: str
    number: str
    kind_zh: str
    kind_en: str
    subject_label: str
    subject_zh: str
    subject_en: str
    due_at: Moment
    to_verify: bool


class ItemView(Answer):
    """One question of the checklist."""

    code: str
    zh: str
    en: str


class GivenAnswer(Answer):
    """One answer; ``answer`` is ``yes``, ``no`` or ``not-applicable``."""

    zh: str
    en: str
    answer: str
    note: str


class AttemptView(Answer):
    """One time that it was done, and its verification."""

    attempt: int
    due_at: Moment
    done_by: str | None
    stands_in_for: str | None
    done_at: Moment | None
    answers: list[GivenAnswer]
    note: str | None
    verify_until: Moment | None
    verified_by: str | None
    verifier_stands_in_for: str | None
    verified_at: Moment | None
    outcome: str | None
    reason: str | None


class DownloadSaid(Answer):
    """What was said of a download in one attempt; ``fate`` is ``given-back``, ``destroyed`` or ``lost``."""

    attempt: int
    fate: str
    medium: str | None
    how: str | None
    happened_at: Moment | None
    witness: str | None


class DownloadToAccount(Answer):
    """A download that a work order asks about, and what was said of it."""

    id: str
    camera: str
    medium: str
    asked_at: Moment
    accounts: list[DownloadSaid]


class DownloadWitness(PersonToChoose):
    """A person before whom a download may be destroyed."""


class WorkOrderView(WorkOrderLine):
    """One work order with all of it. ``mayDo``, ``mayVerify`` and ``mayCancel`` are of the reader.

    ``downloads`` are those of an account of downloads, and ``witnesses`` for who may do it.
    """

    opened_by: str | None
    verifier_zh: str | None
    verifier_en: str | None
    interim: str
    cause_kind: str | None
    cause_label: str | None
    facts: dict[str, Any]
    facts_sha256: str
    checklist: list[ItemView]
    attempts: list[AttemptView]
    closed_because: str | None
    finding_due_at: Moment | None
    document: str | None
    application_id: str | None
    downloads: list[DownloadToAccount]
    witnesses: list[DownloadWitness]
    may_do: bool
    may_verify: bool
    may_cancel: bool
    who_can_verify: list[str]


class WorkOrdersAnswer(Answer):
    """A page of work orders; ``next`` and ``previous`` are places for the pages around it."""

    work_orders: list[WorkOrderLine]
    next: str
    previous: str


class RoleBody(Body):
    """A person, or the holders of a post: in a department, in all departments of a kind, or in any."""

    person_id: Identifier | None = None
    post: Code | None = None
    department_id: Identifier | None = None
    department_kind: Code | None = None


class ItemBody(Body):
    code: Annotated[str, Field(pattern="^[a-z][a-z0-9-]*$", max_length=40)]
    zh: Line
    en: Line


class WorkOrderBody(Body):
    """A work order that is opened by hand. What is left out is that of its kind."""

    kind: Code
    subject_kind: Code
    subject_id: Identifier
    subject_label: Line
    title: Line | None = None
    doer: RoleBody
    verifier: RoleBody | None = None
    due_at: Moment | None = None
    interim: Paragraph = ""
    reason: Account
    checklist: Annotated[list[ItemBody], Field(min_length=1, max_length=40)] | None = None


class AnsweredBody(Body):
    """An answer to one question; no needs a sentence in ``note``."""

    answer: Literal["yes", "no", "not-applicable"]
    note: Note = ""


class DoneBody(FormSigning):
    """What the doer signs, over the hash of the work order that was read: an answer to each question by its code."""

    answers: Annotated[dict[str, AnsweredBody], Field(max_length=1000)]
    note: Paragraph = ""


class DownloadAccountBody(Body):
    """What became of one download.

    ``given-back`` needs ``medium``; ``destroyed`` needs ``how``, ``happenedAt`` and ``witnessId``, before whom it was
    done; ``lost`` needs ``how``, what happened.
    """

    download_id: Identifier
    fate: Literal["given-back", "destroyed", "lost"]
    medium: Annotated[str, Field(max_length=200), AfterValidator(one_line)] = ""
    how: Paragraph = ""
    happened_at: Moment | None = None
    witness_id: Identifier | None = None


class DownloadAccountsBody(DoneBody):
    """What the doer signs of the downloads of a loan that has ended, each exactly once, with the checklist."""

    downloads: Annotated[list[DownloadAccountBody], Field(min_length=1, max_length=1000)]


class VerdictBody(FormSigning):
    """What the verifier signs; ``dueAt``: until when it is to be done again."""

    outcome: Code
    answers: Annotated[dict[str, bool], Field(max_length=20)]
    reason: Paragraph = ""
    due_at: Moment | None = None


class CancelBody(Body):
    because: Account


class RoleView(Answer):
    """Who does or verifies; ``zh`` and ``en`` say it."""

    post: str | None
    department_id: str | None
    department_kind: str | None
    zh: str
    en: str


class ScheduleView(Answer):
    """A schedule as it is in force. ``nextDue`` is null until it was looked at first; ``doer``: null where its
    subject names who does it. ``days``: until a work order is due. ``keptItems``: codes of questions that stay as they
    are, because the system acts on their answers.
    """

    code: str
    kind: str
    kind_zh: str
    kind_en: str
    subject_kind: str
    every: str
    doer: RoleView | None
    verifier: RoleView | None
    checklist: list[ItemView]
    kept_items: list[str]
    days: int
    active: bool
    next_due: Moment | None
    changed_at: Moment | None
    changed_by: str | None


class SchedulesAnswer(Answer):
    schedules: list[ScheduleView]


class ScheduleValues(Body):
    """The values of a schedule. ``checklist`` and ``days``, until a work order is due: left out, they stay."""

    every: Code
    doer: RoleBody | None = None
    verifier: RoleBody | None = None
    active: bool = True
    checklist: Annotated[list[ItemBody], Field(min_length=1, max_length=40)] | None = None
    days: Annotated[int, Field(ge=1, le=366)] | None = None


class ScheduleBody(Body):
    """A change of a schedule; ``was`` are the values that you saw."""

    was: ScheduleValues
    value: ScheduleValues
    reason: Note
