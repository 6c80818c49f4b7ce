"""Who may withdraw what was asked about a loan: while it is not decided, and asking for it has changed nothing.

An offer of copies to somebody who has left, or who does not answer, would else keep everybody from offering them anew.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.matters.kinds import KINDS
from services.domain.matters.kinds.base import roles_of
from services.domain.matters.permissions import Subject, counting
from services.domain.process import permissions
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import Refused

LEADING = ("head", "security-head")  # of the roles that ``roles_of`` gives


def may_withdraw(uow: UnitOfWork, matter: Matter, decided: Sequence[Decision]) -> bool:
    """Whether the acting person, who sees it, can withdraw the matter now; ``decided``: what was, the oldest first."""
    if matter.closed_at is not None or not KINDS[matter.kind].withdrawable:
        return False
    subject = Subject(matter, permissions.read(uow, matter.application_id))
    return refusal(uow, subject, counting(decided)) is None


def refusal(uow: UnitOfWork, subject: Subject, decisions: Mapping[str, Decision]) -> Refused | None:
    """Return why the acting person, who sees it, cannot withdraw the matter now, or None.

    ``decisions``: what counts of each stage.
    """
    matter = subject.matter
    if not KINDS[matter.kind].withdrawable:
        return Refused("not-withdrawable", "This has had an effect since it was requested: it has to be decided.")
    leads = set(LEADING) & roles_of(uow, subject.application, subject.state.hand_over)
    if matter.opened_by != uow.actor.id and not leads:
        return Refused(
            "not-yours",
            "Only who has requested it, the head of the department and the head of Security can withdraw it.",
            status=403,
        )
    if matter.closed_at is not None:
        return Refused("matter-over", "It has ended already: there is nothing to withdraw.")
    if _is_decided(uow, subject, decisions):
        return Refused("decided-already", "It is decided already: it can no longer be withdrawn.")
    return None


def _is_decided(uow: UnitOfWork, subject: Subject, decisions: Mapping[str, Decision]) -> bool:
    """Whether its process has nothing left to ask: somebody has decided against it, or all that it needs are for it."""
    if _is_against(decisions):
        return True
    floor = KINDS[subject.matter.kind].floor(uow, subject.state)
    asked = select(Review.id).where(Review.matter_id == subject.matter.id, Review.closed_at.is_(None)).limit(1)
    return decisions.keys() >= set(floor) and uow.session.scalar(asked) is None


def _is_against(decisions: Mapping[str, Decision]) -> bool:
    return any(row.outcome != STAGES[stage].favourable for stage, row in decisions.items())
