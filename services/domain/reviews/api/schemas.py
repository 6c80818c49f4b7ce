"""The bodies of the reviews' routes, and how they are made from the register's views."""

from typing import Annotated, Any

from pydantic import Field

from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.http import FormSigning
from services.domain.cases import inbox as case_inbox
from services.domain.reviews.scopes import Classification, Granting, Narrowed
from services.runtime.errors import Refused
from services.web.errors import Problem
from services.web.schemas import Answer, Body, Code, Identifier, Line, Moment, Paragraph


class WaitingReviewAnswer(Answer):
    """One line of the inbox; from ``overwrite_at`` on the first of its footage may be gone."""

    id: str
    application_id: str
    number: str | None
    stage: str
    round: int
    opened_at: Moment
    due_at: Moment
    escalated_at: Moment | None
    overwrite_at: Moment | None
    claimed: bool
    to_confirm: bool
    department_zh: str
    department_en: str
    purpose_category: str
    items: int
    claimed_by: str | None
    stands_in_for: str | None


class BarredAnswer(Answer):
    """A review that a conflict keeps from you: the reason, and the names of those who can decide it."""

    review: WaitingReviewAnswer
    why_not: Problem
    who_can: list[str]


class InboxQuestion(Body):
    """``search`` is looked for in number, department and who has claimed it."""

    stage: Code | None = None
    search: Code = ""
    sort: case_inbox.Sort = "overwrite"
    descending: bool = False


class QuestionAnswer(Answer):
    """A yes-or-no question; the favourable outcome needs a yes where ``yes_to_approve`` says so."""

    code: str
    zh: str
    en: str
    yes_to_approve: bool


class ReviewFindingAnswer(Answer):
    """What an automatic check found."""

    check: str
    code: str
    severity: str
    zh: str
    en: str
    item_id: str | None


class EarlierAnswer(Answer):
    """A decision that was made before in this case."""

    stage: str
    round: int
    outcome: str
    by: str
    decided_at: Moment
    reason: str | None
    opinion: str | None


class ProposalAnswer(Answer):
    """A signed release that waits for its second person."""

    by: str
    proposed_at: Moment
    outcome: str
    answers: dict[str, Any]
    statement_sha256: str


class ReviewAnswer(Answer):
    """One review. ``form_sha256`` goes back with the decision; ``why_not`` says why you may not decide it."""

    id: str
    application_id: str
    number: str | None
    stage: str
    round: int
    opened_at: Moment
    due_at: Moment
    escalated_at: Moment | None
    closed_at: Moment | None
    closed_because: str | None
    claimed_by: str | None
    claimed_by_me: bool
    outcomes: list[str]
    questions: list[QuestionAnswer]
    reason_for: list[str]
    opinion_needed: bool
    may_raise: bool
    may_lower: bool
    second_person: bool
    form: dict[str, Any]
    form_sha256: str
    findings: list[ReviewFindingAnswer]
    granted: list[dict[str, Any]]
    important_information: bool
    sensitive_event: bool
    high_impact: bool
    use_period_days: int
    way_of_use: str
    earlier: list[EarlierAnswer]
    proposal: ProposalAnswer | None
    outcome: str | None
    why_not: Problem | None
    signature_methods: list[str]
    stands_in_for: str | None
    who_can: list[str]
    most_use_days: int


class ScopeBody(Body):
    item_id: Identifier
    start: Moment
    end: Moment


class DecisionBody(FormSigning):
    """The answer to a review, signed over the hash of the form that was read: with a passkey, or with the
    password again, and the authenticator's code where the review's ``signature_methods`` say so.

    What is left out of the class stays as it is. Scope, use period and way of use are for Security's approval;
    ``removed`` names the items that are not granted at all.
    """

    outcome: Line
    answers: Annotated[dict[str, bool], Field(max_length=20, default_factory=dict)]
    reason: Paragraph | None = None
    opinion: Paragraph | None = None
    important_information: bool | None = None
    sensitive_event: bool | None = None
    high_impact: bool | None = None
    scope: Annotated[list[ScopeBody], Field(max_length=100, default_factory=list)]
    removed: Annotated[list[Identifier], Field(max_length=100, default_factory=list)]
    use_period_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    way_of_use: Line | None = None

    def arguments(self) -> dict[str, Any]:
        """What ``register.decisions.decide`` takes beside the review."""
        return {
            "outcome": self.outcome,
            "answers": self.answers,
            "proof": self.proof(),
            "reason": self.reason,
            "opinion": self.opinion,
            "classification": Classification(self.important_information, self.sensitive_event, self.high_impact),
            "granting": Granting(
                tuple(Narrowed(span.item_id, span.start, span.end) for span in self.scope),
                self.use_period_days,
                self.way_of_use,
                tuple(self.removed),
            ),
        }


class ConfirmationBody(FormSigning):
    """The second person's word on a release; whoever disagrees says why."""

    agrees: bool
    reason: Paragraph | None = None

    def arguments(self) -> dict[str, Any]:
        """What ``register.decisions.confirm`` takes beside the review."""
        return {
            "agrees": self.agrees,
            "proof": self.proof(),
            "reason": self.reason,
        }


class DecidedAnswer(Answer):
    """``published`` is false while a second person has to confirm, or has disagreed."""

    review_id: str
    outcome: str
    published: bool


def waiting(line: case_inbox.Waiting) -> WaitingReviewAnswer:
    """One line of the inbox."""
    review = line.review
    return WaitingReviewAnswer(
        id=review.id,
        application_id=review.application_id,
        number=line.number,
        stage=review.stage,
        round=review.round,
        opened_at=review.opened_at,
        due_at=review.due_at,
        escalated_at=review.escalated_at,
        overwrite_at=line.overwrite_at,
        claimed=review.claimed_by is not None,
        to_confirm=line.to_confirm,
        department_zh=line.department.name_zh,
        department_en=line.department.name_en,
        purpose_category=line.purpose_category,
        items=line.items,
        claimed_by=line.claimed_by,
        stands_in_for=line.stands_in_for,
    )


def barred_answer(one: case_inbox.Barred) -> BarredAnswer:
    """One review that a conflict keeps from the acting person."""
    return BarredAnswer(review=waiting(one.line), why_not=_problem(one.why_not), who_can=one.who_can)


def review_answer(uow: UnitOfWork, view: case_inbox.View) -> ReviewAnswer:
    """One review as the acting person reads it."""
    review, stage, proposal, no = view.review, view.stage, view.proposal, view.why_not
    return ReviewAnswer(
        id=review.id,
        application_id=review.application_id,
        number=view.number,
        stage=stage.code,
        round=review.round,
        opened_at=review.opened_at,
        due_at=review.due_at,
        escalated_at=review.escalated_at,
        closed_at=review.closed_at,
        closed_because=review.closed_because,
        claimed_by=view.claimed_by,
        claimed_by_me=review.claimed_by == uow.actor.id,
        outcomes=list(stage.outcomes),
        questions=[QuestionAnswer.model_validate(question) for question in stage.questions],
        reason_for=list(stage.reason_for),
        opinion_needed=stage.opinion_needed,
        may_raise=stage.may_raise,
        may_lower=stage.may_lower,
        second_person=view.second_person,
        form=view.revision.form,
        form_sha256=view.revision.sha256,
        findings=[ReviewFindingAnswer.model_validate(finding) for finding in view.findings],
        granted=view.granted,
        important_information=view.marks["important_information"],
        sensitive_event=view.marks["sensitive_event"],
        high_impact=view.marks["high_impact"],
        use_period_days=view.use_days,
        way_of_use=view.way_of_use,
        earlier=[
            EarlierAnswer(
                stage=row.stage,
                round=row.round,
                outcome=row.outcome,
                by=name,
                decided_at=row.decided_at,
                reason=row.reason,
                opinion=row.opinion,
            )
            for row, name in view.earlier
        ],
        proposal=None
        if proposal is None
        else ProposalAnswer(
            by=case_inbox.name_of(uow, proposal.person_id),
            proposed_at=proposal.proposed_at,
            outcome=proposal.statement["outcome"],
            answers=proposal.statement["answers"],
            statement_sha256=proposal.statement_sha256,
        ),
        outcome=view.decision.outcome if view.decision else None,
        why_not=None if no is None else _problem(no),
        stands_in_for=view.stands_in_for,
        who_can=view.who_can,
        signature_methods=list(view.signature_methods),
        most_use_days=view.most_days,
    )


def _problem(refusal: Refused) -> Problem:
    return Problem(code=refusal.code, zh=refusal.zh, en=refusal.en, field=refusal.field)
