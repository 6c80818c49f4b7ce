"""Hand-overs for their custodian: accept, decline, report a loss; the custody log (R45 to R48)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from services.domain.accounts.signatures.http import FormSigning, signed
from services.domain.custody import hand_overs, queries
from services.domain.custody.queries import HandOverView
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Account, Answer, Body, Identifier, Line, ListParameters, Moment

router = APIRouter(prefix="/api/hand-overs", tags=["custody"])


class HandOversQuestion(ListParameters):
    """``text`` is looked for in numbers and purposes."""

    sort: queries.Sort = "urgency"


class Acceptance(FormSigning):
    """The receipt: which conditions were read."""

    conditions_version: Line


class Refusal(FormSigning):
    reason: Account


class Loss(Body):
    kind: Literal["lost", "damaged", "leaked"]
    what_happened: Account


class CopyAnswer(Answer):
    """A copy. ``fragments`` are rows of time in ms, byte offset and length; ``actions`` what is granted."""

    id: str
    item_id: str
    camera_zh: str
    camera_en: str
    place_zh: str
    place_en: str
    site: str
    recorder: str
    recorder_clock: dict[str, Any]
    record_number: str
    zone: str
    size: int
    sha256: str
    outcome: str
    coverage: dict[str, Any]
    fragments: list[list[int]]
    actions: list[str]


class DownloadAnswer(Answer):
    id: str
    copy_id: str
    medium: str
    asked_at: Moment
    finished_at: Moment | None


class RecipientAnswer(Answer):
    """Somebody to whom the custodian may show the copies, once there is a valid agreement."""

    id: str
    name: str
    agreement: bool


class HandOverAnswer(Answer):
    """A hand-over; ``purpose`` is what the copies may be used for, and nothing else (R41).

    ``agreed`` says whether the confidentiality agreement is valid; ``signs_with`` what a receipt is signed with.
    """

    id: str
    application_id: str
    number: str
    state: str
    purpose: str
    way_of_use: str
    place_of_use: str
    recipients: list[RecipientAnswer]
    agreed: bool
    signs_with: list[str]
    conditions_version: str
    form_sha256: str
    use_days: int
    offered_at: Moment
    take_up_until: Moment
    accepted_at: Moment | None
    declined_at: Moment | None
    due_at: Moment | None
    suspended_at: Moment | None
    returned_at: Moment | None
    lost_at: Moment | None
    ended_at: Moment | None
    copies: list[CopyAnswer]
    downloads: list[DownloadAnswer]


class LogEntry(Answer):
    seq: int
    at: Moment
    event: str
    person_id: str | None
    copy_id: str | None
    detail: dict[str, Any]
    previous_sha256: str
    sha256: str


class LogAnswer(Answer):
    """The custody log; ``broken_at`` is the first line whose hash does not follow from the one before, or null.

    ``names`` are those of the people in it, by id.
    """

    number: str
    entries: list[LogEntry]
    names: dict[str, str]
    broken_at: int | None


def told(view: HandOverView) -> HandOverAnswer:
    """The row of the book and what is read beside it, as one flat answer."""
    return HandOverAnswer.model_validate({**vars(view.hand_over), **vars(view)}, from_attributes=True)


@router.get("", responses=problems(401))
async def my_hand_overs(
    question: Annotated[HandOversQuestion, Query()], actor: Acting, database: GivenDatabase
) -> list[HandOverAnswer]:
    """What I am custodian of, the most urgent first."""
    return [told(view) for view in await database.run(actor, queries.mine, question.listing())]


@router.get("/{hand_over_id}", responses=problems(401, 404))
async def read_hand_over(hand_over_id: Identifier, actor: Acting, database: GivenDatabase) -> HandOverAnswer:
    """One hand-over of mine."""
    return told(await database.run(actor, queries.one, hand_over_id))


@router.post("/{hand_over_id}/accept", responses=signed(*USUAL))
async def accept(hand_over_id: Identifier, body: Acceptance, actor: Acting, database: GivenDatabase) -> HandOverAnswer:
    """Take the copies: needs a valid confidentiality agreement (R46, R59). The use period begins now."""
    version = body.conditions_version
    await database.run(actor, hand_overs.accept, hand_over_id, conditions_version=version, proof=body.proof())
    return told(await database.run(actor, queries.one, hand_over_id))


@router.post("/{hand_over_id}/decline", responses=signed(*USUAL))
async def decline(hand_over_id: Identifier, body: Refusal, actor: Acting, database: GivenDatabase) -> HandOverAnswer:
    """Do not take the copies; the case ends without a hand-over."""
    await database.run(actor, hand_overs.decline, hand_over_id, reason=body.reason, proof=body.proof())
    return told(await database.run(actor, queries.one, hand_over_id))


@router.post("/{hand_over_id}/report-loss", responses=problems(*USUAL))
async def report_loss(hand_over_id: Identifier, body: Loss, actor: Acting, database: GivenDatabase) -> HandOverAnswer:
    """Report a loss, damage or leak (R48). Access stops at once."""
    await database.run(actor, hand_overs.report_loss, hand_over_id, kind=body.kind, what_happened=body.what_happened)
    return told(await database.run(actor, queries.one, hand_over_id))


@router.get("/{hand_over_id}/custody-log", responses=problems(401, 404))
async def read_log(hand_over_id: Identifier, actor: Acting, database: GivenDatabase) -> LogAnswer:
    """The custody log, with its chain of hashes checked (R47)."""
    return LogAnswer.model_validate(await database.run(actor, queries.log, hand_over_id))
