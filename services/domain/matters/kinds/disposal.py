"""Disposal 销毁: footage past its retention is destroyed, as two people of two departments have agreed item by item.

A batch runs under the case of its first item: review, process and messages need one case. It is seen, though, by the
storage office, the head of Security and supervision alone, whoever sees that case. This job deletes nothing: the rows
say what is due, and ``workers.disposals`` deletes it, asking again before each item whether it is held.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field
from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.disposals import DUE, HELD, KEPT, LEFT_OUT, LISTED
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.custody import disposals
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Kind, Line
from services.domain.process.permissions import CaseState
from services.domain.reviews import disposal_marks
from services.domain.reviews.disposal_marks import CONFIRMING, PROPOSING
from services.runtime.canonical_json import hash_of
from services.runtime.errors import NotPermitted
from services.runtime.translations import Counted, Message
from services.web.schemas import Moment

ACT = "dispose of the batch"
PARTY = "party"  # why an item is kept: who has signed has a part in its case


class DisposalAsked(Asked):
    """``items_sha256``: of the facts of all items, in their order; so each is part of what is signed.

    ``barred``: by stage, who decides nothing about the batch, for a part in one of its cases; none in older batches.
    """

    items: Annotated[int, Field(ge=1)]
    items_sha256: str
    size: int
    first: Moment
    last: Moment
    barred: dict[str, list[str]] = Field(default_factory=dict)


class Disposal(Kind):
    code: ClassVar = disposal_marks.KIND
    title: ClassVar = "视频录像销毁清单"
    label: ClassVar = Message("Disposal")
    button: ClassVar = Message("Disposal")
    asked: ClassVar = DisposalAsked
    openers: ClassVar = ()
    filed: ClassVar = False  # the list of what was destroyed is written once the stores have answered
    of_loan: ClassVar = False
    has_form: ClassVar = False  # nobody asks for it

    def who_may(self) -> Message:
        return Message("The system lists what is past its retention every day: nobody asks for a disposal.")

    def is_offered(self, application: Application) -> bool:
        return False

    def unavailable(self, hand_over: HandOver | None) -> Message | None:
        return self.who_may()

    def is_same(self, uow: UnitOfWork, matter: Matter, asked: Any) -> bool:
        return False  # each batch has items of its own

    def is_moot(self, state: CaseState) -> bool:
        return False

    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: DisposalAsked) -> Message | None:
        return None

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        return {}

    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        return (PROPOSING, CONFIRMING)

    def undo(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:
        """Keep everything of a batch that is not agreed on; it is listed again later."""
        for item in disposals.items_of(uow, matter.id):
            if item.state in (LISTED, LEFT_OUT):
                item.state, item.ended_at = KEPT, uow.now

    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        """Make the items due that both have agreed on, and that nothing holds; the rest is kept.

        Raises NotPermitted where the two are of one department, or one of them has signed over other items or marks.
        """
        signed = self._decisions(uow, matter)
        items = disposals.items_of(uow, matter.id)
        self._require_as_signed(uow, matter, signed, [item.facts for item in items])
        _require_apart(uow, matter, signed)
        held = disposals.list_held(uow, {item.application_id for item in items})
        signers = {decision.decided_by for decision in signed.values()}
        parties = _parties(uow, {item.application_id for item in items}, signers)
        for item in items:
            if item.application_id in held:
                item.state, item.because, item.ended_at = HELD, "held", uow.now
            elif item.state == LEFT_OUT:
                item.state, item.ended_at = KEPT, uow.now
            elif item.application_id in parties:
                item.state, item.because, item.ended_at = KEPT, PARTY, uow.now
            else:
                item.state = DUE
        counts: dict[str, Any] = {name: sum(item.state == name for item in items) for name in (DUE, KEPT, HELD)}
        audit_trail.record(uow, "disposal-agreed", "matter", matter.id, number=matter.number, **counts)
        return counts

    def file_itself(self, uow: UnitOfWork, matter: Matter) -> None:
        """Write the list where nothing of the batch is left to be deleted."""
        from services.domain.matters import disposal_sheet  # noqa: PLC0415 - whose documents know all kinds

        disposal_sheet.write_if_finished(uow, matter.id)

    def results(self, uow: UnitOfWork, outcome: Mapping[str, Any]) -> list[Line]:
        if DUE not in outcome:
            return []
        names = ((DUE, Message("Agreed to be destroyed")), (KEPT, Message("Kept")), (HELD, Message("Held meanwhile")))
        return [Line(name, Counted("{count} item", "{count} items", outcome[key])) for key, name in names]

    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        asked = facts["asked"]
        return [
            Line(Message("Recordings"), Counted("{count} item", "{count} items", asked["items"])),
            base.text_line(Message("Size"), f"{asked['size'] / 1e9:,.2f} GB"),
            base.moment_line(uow, Message("Retention ended, the first"), asked["first"]),
            base.moment_line(uow, Message("Retention ended, the last"), asked["last"]),
            base.text_line(Message("SHA-256 of the list"), asked["itemsSha256"]),
        ]

    def _decisions(self, uow: UnitOfWork, matter: Matter) -> dict[str, Decision]:
        """Return the favourable decision of each of the two stages; ``tasks.apply`` has found that there are both."""
        proposal = disposal_marks.get_proposal(uow, matter.id)
        query = select(Decision).where(Decision.matter_id == matter.id, Decision.stage == CONFIRMING)
        confirmed = uow.session.scalar(query.order_by(Decision.decided_at.desc(), Decision.id).limit(1))
        if proposal is None or confirmed is None:
            raise _refusal(matter, "one of its two decisions is missing")
        return {PROPOSING: proposal, CONFIRMING: confirmed}

    def _require_as_signed(
        self, uow: UnitOfWork, matter: Matter, signed: Mapping[str, Decision], facts: list[dict[str, Any]]
    ) -> None:
        if hash_of({"items": facts}) != matter.facts["asked"]["itemsSha256"]:
            raise _refusal(matter, "its items are not those that were listed: restore the rows from a backup")
        left_out = disposal_marks.list_left_out(uow, matter.id)
        for stage, decision in signed.items():
            if (decision.judgement or {}).get("leftOut") != left_out:
                raise _refusal(matter, f"the decision of the stage {stage} leaves out other items than are marked")
        confirms = (signed[CONFIRMING].judgement or {}).get("confirms")
        if confirms != signed[PROPOSING].statement_sha256:
            raise _refusal(matter, "what was confirmed is another proposal")


def _require_apart(uow: UnitOfWork, matter: Matter, signed: Mapping[str, Decision]) -> None:
    """Raise NotPermitted where one person, or two of one department, have agreed."""
    first, second = (signed[stage].decided_by for stage in (PROPOSING, CONFIRMING))
    departments = access_queries.load_departments(uow, [first, second])
    if first == second or set(departments.get(first, ())) & set(departments.get(second, ())):
        raise _refusal(matter, "proposer and confirmer are one person, or of one department")


def _parties(uow: UnitOfWork, application_ids: set[str], signers: set[str]) -> set[str]:
    """Return those of the cases in which one of the signers has a part."""
    rows = uow.session.scalars(select(Application).where(Application.id.in_(application_ids)))
    parties = disposals.list_parties(uow, {row.id: row for row in rows})
    return {application_id for application_id, people in parties.items() if people & signers}


def _refusal(matter: Matter, cause: str) -> NotPermitted:
    return NotPermitted(
        f"could not {ACT} | {matter.number} | {cause} | find out who sent this job; where the batch is to go on, "
        "remove the cause, then resolve the incident"
    )
