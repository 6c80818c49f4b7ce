"""What a decision about a batch of disposal is signed over: its items, and what is left out, with reasons (R52).

Items are marked on the page of the batch while its first review is open; the decision takes the marks as they are.
"""

from typing import Any

from sqlalchemy import func, select

from services.database.tables.disposals import LEFT_OUT, LISTED, DisposalItem
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import Refused
from services.runtime.translations import Message

KIND, PROPOSING, CONFIRMING = "disposal", "disposal", "disposal-confirm"


def list_left_out(uow: UnitOfWork, matter_id: str) -> list[dict[str, str | None]]:
    """List what is left out of a batch by position, as it is signed: item and reason."""
    query = select(DisposalItem.id, DisposalItem.because).where(
        DisposalItem.matter_id == matter_id, DisposalItem.state == LEFT_OUT
    )
    return [
        {"item": row.id, "because": row.because} for row in uow.session.execute(query.order_by(DisposalItem.position))
    ]


def get_proposal(uow: UnitOfWork, matter_id: str) -> Decision | None:
    """Return the decision that has proposed the disposal, the last one."""
    query = select(Decision).where(
        Decision.matter_id == matter_id,
        Decision.stage == PROPOSING,
        Decision.outcome == STAGES[PROPOSING].favourable,
    )
    return uow.session.scalar(query.order_by(Decision.decided_at.desc(), Decision.id).limit(1))


def judge(uow: UnitOfWork, matter: Matter, stage: str) -> dict[str, Any]:
    """Return what a favourable decision about a batch says besides; Refused where nothing would be disposed of."""
    count = select(func.count()).where(DisposalItem.matter_id == matter.id, DisposalItem.state == LISTED)
    number, left_out = uow.session.scalar(count) or 0, list_left_out(uow, matter.id)
    if not number:
        raise Refused("all-left-out", "All items are left out: reject the batch, or list an item again.", status=422)
    judged = {"items": number, "leftOut": left_out, "itemsSha256": matter.facts["asked"]["itemsSha256"]}
    if stage != CONFIRMING:
        return judged
    proposal = get_proposal(uow, matter.id)
    if proposal is None:
        raise Refused("nothing-to-confirm", Message("The storage office has to decide first."))
    return {**judged, "confirms": proposal.statement_sha256}
