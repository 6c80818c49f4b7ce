"""The typed views of matters, which page and API share, and the body of what is asked."""

from typing import Any, Literal

from services.domain.accounts.signatures.http import Signing
from services.domain.custody.schemas import EmergencyCopyView
from services.domain.matters.kinds.urgent import Ground
from services.domain.reviews.schemas import MatterFact
from services.web.schemas import Account, Answer, Body, Code, Identifier, Moment, PageParameters

MatterSort = Literal["opened", "number"]


class MattersQuestion(PageParameters):
    """``mine``: asked by you or of you. ``state``: ``open``, or ``closed``."""

    state: Code = ""
    kind: Code = ""
    mine: bool = False


class MatterBody(Body):
    """``asked`` has the fields of the kind, which ``docs/matters.md`` lists."""

    kind: Code
    application_id: Identifier
    asked: dict[str, Any]


class UrgentBody(Signing):
    """The call of an urgent retrieval, signed with the password, and the code where one is required."""

    ground: Ground
    reason: Account


class MatterLine(Answer):
    """One matter in a list. ``state`` is ``open``, ``applied``, ``answered``, ``ratified``, ``not-ratified``,
    ``refused`` or ``moot``.

    ``stages`` are asked now; ``openedBy`` is null where the system has opened it.
    """

    id: str
    number: str
    kind: str
    state: str
    application_id: str
    application_number: str | None
    title: str | None
    opened_by: str | None
    opened_at: Moment
    counterpart: str | None
    stages: list[str]
    due_at: Moment | None
    closed_at: Moment | None


class MatterDecision(Answer):
    stage: str
    outcome: str
    by: str
    decided_at: Moment
    reason: str | None
    opinion: str | None


class MatterView(MatterLine):
    """One matter with all of it; decisions are signed over ``factsSha256``.

    ``because`` says why it was closed without being carried out; ``results`` what was done, where it was.
    ``emergencyCopies``: what you can see of an urgent retrieval before its approval.
    """

    lines: list[MatterFact]
    results: list[MatterFact]
    facts_sha256: str
    decisions: list[MatterDecision]
    because_zh: str | None
    because_en: str | None
    document: str | None
    hand_over_id: str | None
    emergency_copies: list[EmergencyCopyView]


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
