"""The typed views of reviews, which page and API share, and the bodies of what is decided."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field

from services.database.listing import Listing
from services.domain.access.namesakes import PersonToChoose
from services.domain.accounts.signatures.bodies import FormSigning
from services.domain.applications.schemas import CaseAbout
from services.domain.reviews.given_judgements import GivenReplacement, GivenSanction, Judgement
from services.domain.reviews.scopes import Classification, Granting, Narrowed
from services.web.problem import Problem
from services.web.schemas import (
    Answer,
    Body,
    Code,
    Identifier,
    Line,
    Moment,
    PageParameters,
    Paragraph,
    SpanAnswer,
    no_control,
)

InboxSort = Literal["overwrite", "due", "number", "stage"]


class MatterFact(Answer):
    """One line of what a matter asks, in both languages."""

    name_zh: str
    name_en: str
    zh: str
    en: str


class ReviewedMatter(Answer):
    """The matter that a review is about; ``lines`` are empty in lists.

    ``openedBy`` is null where the system or a job has opened it, and of every violation: who reported it is no reason.
    """

    id: str
    number: str
    kind: str
    opened_by: str | None
    opened_at: Moment
    lines: list[MatterFact]


class ReviewHead(Answer):
    """What the inbox and the page of a review both say; ``handOverId`` is that of a receipt.

    ``matter`` is null where the review is about the application.
    """

    id: str
    application_id: str
    number: str | None
    stage: str
    round: int
    opened_at: Moment
    due_at: Moment
    escalated_at: Moment | None
    claimed_by: str | None
    claimed_by_me: bool
    stands_in_for: str | None
    hand_over_id: str | None
    matter: ReviewedMatter | None


class WaitingReview(ReviewHead):
    """One line of the inbox; from ``overwriteAt`` on the first of its footage may be gone.

    ``toConfirm``: somebody has decided and a second person is to confirm. ``about`` is null where a conflict bars you.
    """

    overwrite_at: Moment | None
    claimed: bool
    to_confirm: bool
    department_zh: str
    department_en: str
    purpose_category: str
    items: int
    about: CaseAbout | None


class BarredReview(Answer):
    """A review that a conflict keeps from you: the reason, and the names of those who can decide it."""

    review: WaitingReview
    why_not: Problem
    who_can: list[str]


class Candidate(PersonToChoose):
    """Somebody who may decide a review now."""


class ClaimedReview(Answer):
    """A review that somebody has claimed and you may give to one of ``reassignTo``."""

    review: WaitingReview
    reassign_to: list[Candidate]


class InboxQuestion(PageParameters):
    """``search`` is searched in number, title, camera and its place, department and claimer.

    ``place`` is one that `Link` names.
    """

    stage: Code | None = None
    search: Code = ""
    sort: InboxSort = "overwrite"
    descending: bool = False

    def listing(self) -> Listing:
        return Listing(self.search, self.sort, self.descending, self.limit, place=self.place)


class ReviewQuestion(Answer):
    """A yes-or-no question; the favourable outcome needs a yes where ``yes_to_approve`` says so."""

    code: str
    zh: str
    en: str
    yes_to_approve: bool


class ReviewFinding(Answer):
    """What an automatic check found."""

    check: str
    code: str
    severity: str
    zh: str
    en: str
    item_id: str | None


class EarlierConfirmation(Answer):
    """Who confirmed a release as its second person."""

    by: str
    confirmed_at: Moment


class EarlierDecision(Answer):
    """A decision that was made before in this case; a release may have a second person (R34).

    ``judgement`` is what it says of a violation: severity, sanctions, loss and referral.
    """

    stage: str
    round: int
    outcome: str
    by: str
    decided_at: Moment
    reason: str | None
    opinion: str | None
    judgement: list[MatterFact]
    confirmed_by: list[EarlierConfirmation]


class ReviewProposal(Answer):
    """A signed release that waits for its second person."""

    by: str
    proposed_at: Moment
    outcome: str
    answers: dict[str, bool]
    reason: str | None
    statement_sha256: str


class GrantedSpan(Answer):
    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")


class GrantedItem(Answer):
    """What is granted of one item now, and where it would be searched because of its recorder's clock (R34)."""

    item: str
    position: int
    camera: str
    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    clock_offset_ms: int | None
    searched: GrantedSpan


class AskedQuestion(Answer):
    """What a reviewer asked the applicant, and the answer; ``mayAnswer``: you may answer it now."""

    id: str
    review_id: str
    stage: str
    round: int
    asked_by: str
    asked_at: Moment
    text: str
    answered_by: str | None
    answered_at: Moment | None
    answer: str | None
    may_answer: bool


class QuestionBody(Body):
    """A question to the applicant, or the answer to one."""

    text: Annotated[str, Field(max_length=2000), AfterValidator(no_control)]


class OfferedSanction(Answer):
    """A sanction that may be named; ``warning``: what the law has against it, ``forbidden``: switched off here."""

    code: str
    zh: str
    en: str
    amount: bool
    forbidden: bool
    warning_zh: str | None
    warning_en: str | None


class JudgementForm(Answer):
    """What a decision that upholds a violation has to say, and of whom; ``severity`` is as assessed.

    Amounts are of ``currency``.
    """

    severity: str
    referral_asked: bool
    currency: str
    sanctions: list[OfferedSanction]
    accused: list[Candidate]


class ApprovedCamera(Answer):
    """A camera with a span that the filed form grants."""

    camera_id: str
    zh: str
    en: str
    start: Moment
    end: Moment


RecalledBecause: TypeAlias = Literal["loan-closed", "used-up", "earlier-model"]


class ReplacementForm(Answer):
    """What the answer to a problem may have retrieved again: the items that were reported, and what was approved.

    ``recalledBecause``: why the answer to replace the copies would recall them instead; null where it replaces them.
    """

    reported: list[str]
    approved: list[ApprovedCamera]
    recalled_because: RecalledBecause | None


class ReviewsBody(Body):
    """The reviews to claim, to put back or to reassign."""

    review_ids: Annotated[list[Identifier], Field(min_length=1, max_length=100)]


class ReassignmentBody(Body):
    """Who is to decide the review in the place of the one who has claimed it."""

    person_id: Identifier


class ReassignmentsBody(ReviewsBody):
    """The claimed reviews, and who is to decide them in the place of those who have claimed them."""

    person_id: Identifier


class TriedReview(Answer):
    """What became of one of several reviews; ``number`` is null, and ``refusal`` says why, where you may not see it."""

    review_id: str
    number: str | None
    refusal: Problem | None


class ReviewView(ReviewHead):
    """One review. ``formSha256`` goes back with the decision: that of the form, or of the facts of the matter.

    ``whyNot`` says why you may not decide (or confirm) it.

    ``signatureMethods`` is what the signature needs of you: ``password``, or ``password`` and ``totp``. ``whoCan`` are
    names, ``mostUseDays`` the most that may be granted. ``applicantQuestions`` are those of the whole case.
    ``reassignTo`` are those to whom you may give the review that somebody has claimed. ``dueReason…`` says why it
    is due at ``dueAt``; null where an older release opened it, and for a receipt. ``judgement`` is of a violation.
    ``replacements`` is of a problem report.
    """

    due_reason_zh: str | None
    due_reason_en: str | None
    closed_at: Moment | None
    closed_because: str | None
    outcomes: list[str]
    questions: list[ReviewQuestion]
    reason_for: list[str]
    opinion_needed: bool
    may_raise: bool
    may_lower: bool
    second_person: bool
    form: dict[str, Any]
    form_sha256: str
    findings: list[ReviewFinding]
    granted: list[GrantedItem]
    importance: str | None  # of the case, once it is classified
    important_information: bool
    sensitive_event: bool
    high_impact: bool
    use_period_days: int
    way_of_use: str
    lesser_ways: list[str]  # than what was asked for, that may be granted in its place
    earlier: list[EarlierDecision]
    proposal: ReviewProposal | None
    outcome: str | None
    why_not: Problem | None
    signature_methods: list[str]
    who_can: list[str]
    most_use_days: int
    applicant_questions: list[AskedQuestion]
    may_ask: bool
    reassign_to: list[Candidate]
    judgement: JudgementForm | None
    replacements: ReplacementForm | None


class ItemCoverage(Answer):
    """What exists of an item: asked of its recorder (``askedNow``), or known from the vault.

    ``covered``, ``gaps`` and ``share`` are of the searched span, which is wider than the granted one because of the
    recorder's clock; nothing of it is known where ``trouble`` says why. ``clockTooFar``: the granted span alone is
    searched, and somebody has to say which time is meant. ``held``: its footage is safe in the vault.
    Where nothing is there, ``nearestBefore`` and ``nearestAfter`` are what the recorder has next to it, within a day.
    ``unread`` names files that may hold what lacks, and are damaged or of a kind that is not read.
    ``uploaded``: it is a file that a person uploaded, and no recorder is asked.
    ``picturesLost`` lack beside the gaps, at ``pictureHoles`` places with those; None where nobody has counted.
    """

    item_id: str
    position: int
    camera_id: str
    camera_zh: str
    camera_en: str
    place_zh: str
    place_en: str
    camera_class: str
    reference_picture: bool
    zone: str
    outcome: str | None
    asked: SpanAnswer
    start: Moment
    end: Moment
    covered: list[SpanAnswer]
    gaps: list[SpanAnswer]
    share: float
    asked_now: bool
    uploaded: bool
    trouble: Problem | None
    overwrite_at: Moment | None
    held: bool
    clock_offset_ms: int | None
    clock_method: str | None
    clock_uncertainty_ms: int | None
    clock_measured_at: Moment | None
    last_seen_at: Moment | None
    searched_start: Moment
    searched_end: Moment
    clock_too_far: bool
    pictures_lost: int | None
    pictures_there: int | None
    picture_holes: int | None
    longest_between_ms: int | None
    nearest_before: SpanAnswer | None
    nearest_after: SpanAnswer | None
    unread: list[str]

    @property
    def granted(self) -> SpanAnswer:
        return SpanAnswer(start=self.start, end=self.end)

    @property
    def searched(self) -> SpanAnswer:
        return SpanAnswer(start=self.searched_start, end=self.searched_end)


class ReturnedCopy(Answer):
    """A lent copy; ``matches``: its stored bytes are still what was sealed, null where they are not hashed yet."""

    id: str
    item_id: str
    position: int
    camera_zh: str
    camera_en: str
    sha256: str
    size: int
    matches: bool | None


class AccountedDownload(Answer):
    """A download and what the custodian attested of it; ``fate`` is null where nothing was attested."""

    id: str
    copy_id: str
    medium: str
    asked_at: Moment
    finished_at: Moment | None
    fate: str | None
    note: str


class InspectionFinding(Answer):
    """hash-differs of the ``copy``, download-not-attested of the ``download``, or returned-late by ``days``."""

    code: str
    # not ``copy``, which a model has as a method
    copy_id: str | None = Field(default=None, alias="copy")
    download: str | None = None
    days: int | None = None


class ReturnSheet(Answer):
    """What was lent, what came back, and what the automatic inspection found.

    ``returnedBy``: who has returned the copies in the place of a custodian who has left; null else.
    """

    custodian: str
    returned_by: str | None
    accepted_at: Moment | None
    due_at: Moment | None
    returned_at: Moment | None
    return_to: str
    statement_sha256: str
    copies: list[ReturnedCopy]
    downloads: list[AccountedDownload]
    inspected_at: Moment | None
    findings: list[InspectionFinding]


class ScopeBody(Body):
    item_id: Identifier
    start: Moment
    end: Moment


class SanctionBody(Body):
    """One sanction of one person; ``personId`` may be left out where one person alone is accused."""

    kind: Code
    person_id: Identifier | None = None
    amount: Line | None = None
    note: Paragraph | None = None


class ReplacementBody(Body):
    """An item that is wrong, and what is retrieved instead: within the filed form, as granted where left out."""

    item_id: Identifier
    camera_id: Identifier | None = None
    start: Moment | None = None
    end: Moment | None = None


class JudgementBody(Body):
    """What a decision about a violation says besides its outcome; ``authority`` is of the decision to refer it.

    ``replacements`` belong to the answer ``replace`` to a problem report; without them what was reported is retrieved
    again as approved.
    """

    severity: Code | None = None
    sanctions: Annotated[list[SanctionBody], Field(max_length=50, default_factory=list)]
    loss: bool | None = None
    loss_amount: Line | None = None
    referral: bool | None = None
    authority: Paragraph | None = None
    replacements: Annotated[list[ReplacementBody], Field(max_length=100, default_factory=list)]

    def judgement(self) -> Judgement:
        """Return it as the service takes it."""
        return Judgement(
            severity=self.severity,
            sanctions=tuple(GivenSanction(one.kind, one.person_id, one.amount, one.note) for one in self.sanctions),
            loss=self.loss,
            loss_amount=self.loss_amount,
            referral=self.referral,
            authority=self.authority,
            replacements=tuple(
                GivenReplacement(one.item_id, one.camera_id, one.start, one.end) for one in self.replacements
            ),
        )


class DecisionBody(FormSigning):
    """The answer to a review, signed over the hash of the form that was read: with a passkey, or with the
    password again, and the authenticator's code where the review's ``signature_methods`` say so.

    What is left out of the class stays as it is. Scope, use period and way of use are for Security's approval;
    ``removed`` names the items that are not granted at all. ``judgement`` belongs to a violation.
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
    judgement: JudgementBody | None = None

    def arguments(self) -> dict[str, Any]:
        """Return what ``service.decide`` takes beside the review."""
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
            "judgement": self.judgement.judgement() if self.judgement is not None else Judgement(),
        }


class ConfirmationBody(FormSigning):
    """The second person's word on a release; whoever disagrees says why."""

    agrees: bool
    reason: Paragraph | None = None

    def arguments(self) -> dict[str, Any]:
        """Return what ``service.confirm`` takes beside the review."""
        return {
            "agrees": self.agrees,
            "proof": self.proof(),
            "reason": self.reason,
        }


class DecidedReview(Answer):
    """``published`` is false while a second person has to confirm, or has disagreed."""

    review_id: str
    outcome: str
    published: bool
