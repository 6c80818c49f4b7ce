"""The typed views of matters, which page and API share, and the body of what is asked."""

from typing import Annotated, Any, Literal

from pydantic import Field

from services.domain.accounts.signatures.bodies import Signing
from services.domain.accounts.signatures.given import Proof
from services.domain.custody.schemas import DerivativeView, EmergencyCopyView
from services.domain.reviews.schemas import MatterFact
from services.web.schemas import Account, Answer, Body, Code, Identifier, Line, Moment, Note, PageParameters

MatterSort = Literal["opened", "number"]


class MattersQuestion(PageParameters):
    """``mine``: asked by you or of you. ``state``: ``open``, or ``closed``."""

    state: Code = ""
    kind: Code = ""
    mine: bool = False


class MatterBody(Signing):
    """``asked`` has the fields of the kind, which ``docs/matters.md`` lists; a ``custody-transfer`` is signed."""

    kind: Code
    application_id: Identifier
    asked: dict[str, Any]

    def given(self) -> Proof | None:
        """Return the signature, if one was given."""
        signs = self.prepare or self.passkey is not None or self.password is not None
        return self.proof() if signs else None


class ViolationBody(Body):
    """A violation of the custodian of a case, which is named by its number or by that of one of its documents.

    ``accusedId``: of another person; of a refusal-pattern the one to whom access was refused.
    """

    number: Line
    violation_kind: Literal["leak", "breach", "finding", "refusal-pattern"]
    reason: Account
    accused_id: Identifier | None = None

    def asked(self) -> dict[str, str | None]:
        """Return what the kind of matter reads."""
        return {"violationKind": self.violation_kind, "reason": self.reason, "accusedId": self.accused_id}


class MatterLine(Answer):
    """One matter in a list. ``stages`` are asked now.

    ``state`` is ``open``, ``applied``, ``refused`` or ``moot``; of a problem report ``answered`` too, of an urgent
    retrieval ``ratified`` or ``not-ratified``; of a violation ``open``, ``cleared``, ``upheld`` or ``settled``.
    ``openedBy`` is null where the system or a job has opened it, and of a violation for the accused. ``caseVisible``:
    whether you may see its case; of a violation ``title`` is null where you may not.
    """

    id: str
    number: str
    kind: str
    state: str
    application_id: str
    application_number: str | None
    title: str | None
    case_visible: bool
    opened_by: str | None
    opened_at: Moment
    counterpart: str | None
    stages: list[str]
    due_at: Moment | None
    closed_at: Moment | None


class AskedReview(Answer):
    """An open review of a matter. ``whoCan``: who can decide it now, where you may know."""

    id: str
    stage: str
    due_at: Moment
    may_decide: bool
    who_can: list[str]


class MatterDecision(Answer):
    stage: str
    outcome: str
    by: str
    decided_at: Moment
    reason: str | None
    opinion: str | None


class HeardPerson(Answer):
    """Who is heard about a violation; not ``accused``: the head of the department, who has replied for it."""

    name: str
    accused: bool
    replied_at: Moment | None


class RecordedSanction(Answer):
    """A sanction; ``droppedBecause``: why it takes no effect, ``legal-rejected`` or ``switched-off``."""

    name: str
    kind: str
    amount: str | None
    currency: str | None  # ISO 4217; null without an amount, and where an older release recorded it
    note: str | None
    dropped_because: str | None
    revoked_at: Moment | None  # by an appeal that was granted


class AppealView(Answer):
    """The newest appeal of a violation; ``state`` is that of its matter."""

    matter_id: str
    number: str
    state: str
    opened_at: Moment


class ReferralView(Answer):
    """The referral of a violation; what lacks is null until the evidence was handed over.

    ``packageMadeHere``: whether this desk made the package; null where an older release did not ask. ``packageBecause``
    says where another one comes from.
    """

    authority: str | None
    handed_at: Moment | None
    receipt: str | None
    package_sha256: str | None
    package_made_here: bool | None
    package_because: str | None
    document: str | None


class SettlementView(Answer):
    """How a loss was made good."""

    account: str
    amount: str | None
    currency: str | None
    at: Moment


class ViolationView(Answer):
    """What a violation has besides its facts. ``awaits``: ``referral`` or ``settlement``, of an upheld one.

    ``currency``: in which amounts are recorded now; recorded ones have their own.
    """

    id: str
    violation_kind: str
    severity: str | None
    served_at: Moment | None
    reply_until: Moment | None
    heard_at: Moment | None
    heard: list[HeardPerson]
    sanctions: list[RecordedSanction]
    referral: ReferralView | None
    settlement: SettlementView | None
    awaits: str | None
    currency: str
    may_reply: bool
    may_refer: bool
    may_settle: bool
    appeal: AppealView | None
    appeal_until: Moment | None
    may_appeal: bool


class UnansweredViolation(Answer):
    """A violation that is served on you, and until when you can reply."""

    matter_id: str
    number: str
    reply_until: Moment


class AwaitedRecord(Answer):
    """A violation whose referral or settlement waits for you to record it; ``awaits`` says which."""

    matter_id: str
    number: str
    awaits: Literal["referral", "settlement"]


class ReplyBody(Body):
    """What an accused, or the head of the department for it, replies to a violation."""

    text: Account


class ReferralBody(Body):
    """That the evidence was handed over: to whom, when, with which receipt, and the SHA-256 of the package.

    ``unknownPackageBecause``: where the package comes from, where this desk did not make it.
    """

    authority: Account
    handed_at: Moment
    receipt: Account
    package_sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]
    unknown_package_because: Note = ""


class SettlementBody(Body):
    """That the loss of a violation is made good."""

    account: Account
    amount: Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,2})?$")] | None = None


class AppealBody(Body):
    """Why the decision of a violation is wrong."""

    reason: Account


class MatterView(MatterLine):
    """One matter with all of it; decisions are signed over ``factsSha256``.

    ``because`` says why it was closed without being carried out; ``results`` what was done, where it was.
    ``reviews`` are open. ``handOverId`` is the loan that it is about, and ``holder`` says whether you hold its copies.
    ``mayWithdraw``: you can end it before it is decided.
    ``emergencyCopies``: what you can see of an urgent retrieval before its approval. ``redactedCopy``: of a redaction.
    """

    lines: list[MatterFact]
    results: list[MatterFact]
    facts_sha256: str
    decisions: list[MatterDecision]
    reviews: list[AskedReview]
    because_zh: str | None
    because_en: str | None
    document: str | None
    hand_over_id: str | None
    holder: bool
    may_withdraw: bool
    violation: ViolationView | None
    emergency_copies: list[EmergencyCopyView]
    redacted_copy: DerivativeView | None


class MattersAnswer(Answer):
    matters: list[MatterLine]
    next: str
    previous: str


class Offer(Answer):
    """A kind of matter that you may ask for in a case now."""

    kind: str
    button_zh: str
    button_en: str


class OffersAnswer(Answer):
    """The kinds of matters that you may ask for in a case now."""

    offers: list[Offer]
