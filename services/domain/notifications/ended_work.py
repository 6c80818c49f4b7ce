"""End unread notices whose work has ended unnoticed: in an earlier version, or by the passing of time (R30).

Whoever does the work ends its notices in the same act (``service.mark_done``). Here the register is asked once a day: a
notice of an earlier version, whose work was done then, would else stay in each mail of the day.
"""

from datetime import timedelta
from functools import partial

from sqlalchemy import ColumnElement, String, and_, cast, exists, or_, select, update
from sqlalchemy.orm import aliased

from services.database.leases import Lease, Leased
from services.database.tables.applications import Application, Item
from services.database.tables.custody import HandOver, of_present_issue, present_custodian
from services.database.tables.evidence_packages import EvidencePackage, PackageFetch
from services.database.tables.holds import Hold
from services.database.tables.integrity_checks import IntegrityCheck
from services.database.tables.maintenance import Damage, ReconciliationFinding
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.tables.staffing import Leaving
from services.database.tables.violations import Violation
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.notifications import texts
from services.domain.notifications.service import OPEN
from services.domain.notifications.texts import Work
from services.runtime.periodic import Periodic

ACTOR = Actor("system", "notices")
EVERY = timedelta(days=1)


def ended_notices(database: Database) -> Periodic:
    """Return the task that asks the register, in one process at a time."""
    return Leased(
        Lease.between_runs(database, "ended-notices", EVERY), EVERY, partial(database.run, ACTOR, end_unnoticed)
    )


def end_unnoticed(uow: UnitOfWork) -> None:
    """End the unread notices whose work is done, as the register has it; one statement."""
    ended = [
        and_(Notice.code.in_(texts.codes_of(work)), condition) for work, condition in _list_conditions(uow).items()
    ]
    uow.session.execute(
        update(Notice).where(*OPEN, or_(*ended)).values(done_at=uow.now).execution_options(synchronize_session=False)
    )


def _list_conditions(uow: UnitOfWork) -> dict[Work, ColumnElement[bool]]:
    """Build for each work the condition that it is done, on the notice of it."""
    package = EvidencePackage.id == Notice.subject_id
    fetched = exists().where(PackageFetch.package_id == Notice.subject_id, PackageFetch.finished_at.is_not(None))
    gone = or_(EvidencePackage.expires_at <= uow.now, EvidencePackage.key_destroyed_at.is_not(None))
    accepted = exists().where(
        Application.id == Notice.application_id, of_present_issue(), HandOver.accepted_at.is_not(None)
    )
    return {
        "custodian": ~_has_leaving_custodian(),
        "download": or_(fetched, exists().where(package, gone)),
        "damage": or_(_is_repaired(), _is_checked_again(), _is_item_needless()),
        "examination": exists().where(
            Damage.id == Notice.subject_id, or_(Damage.examined_at.is_not(None), Damage.removed_at.is_not(None))
        ),
        "findings": ~exists().where(
            ReconciliationFinding.first_day == Notice.subject_id,
            ReconciliationFinding.state.in_(("open", "work-order")),
        ),
        "recall": exists().where(WorkOrder.id == Notice.subject_id, WorkOrder.closed_at.is_not(None)),
        "hold": exists().where(Hold.id == Notice.subject_id, Hold.lifted_at.is_not(None)),
        "replacement": or_(_is_case_over(), accepted),
        "refused-access": exists().where(
            Violation.kind == "refusal-pattern",
            Violation.opened_at >= Notice.created_at,
            cast(Violation.accused, String).contains(Notice.subject_id),
        ),
        "matter": exists().where(Matter.id == Notice.subject_id, Matter.closed_at.is_not(None)),
    }


def _is_case_over() -> ColumnElement[bool]:
    return exists().where(
        Application.id == Notice.application_id,
        or_(Application.closed_at.is_not(None), Application.withdrawn_at.is_not(None)),
    )


def _has_leaving_custodian() -> ColumnElement[bool]:
    """Whether the case goes on, and who is to have or has its copies leaves or has left."""
    leaves = exists().where(Leaving.person_id == Person.id, Leaving.ended_at.is_(None))
    query = (
        select(Application.id)
        .outerjoin(HandOver, of_present_issue())
        .join(Person, Person.id == present_custodian())
        .where(
            Application.id == Notice.application_id,
            Application.closed_at.is_(None),
            Application.withdrawn_at.is_(None),
            *(moment.is_(None) for moment in (HandOver.returned_at, HandOver.lost_at, HandOver.ended_at)),
            or_(Person.active.is_(False), leaves),
        )
    )
    return query.exists()


def _is_repaired() -> ColumnElement[bool]:
    """Whether the damaged version was made anew, or its footage is not kept any more."""
    over = or_(Damage.repaired_at.is_not(None), Master.discarded_at.is_not(None), Master.unneeded_at.is_not(None))
    return exists().where(Damage.id == Notice.subject_id, Master.id == Damage.master_id, over)


def _is_checked_again() -> ColumnElement[bool]:
    """Whether a later check of the case has found all of it intact."""
    found, later = aliased(IntegrityCheck), aliased(IntegrityCheck)
    return exists().where(
        found.id == Notice.subject_id,
        later.application_id == found.application_id,
        later.began_at > found.began_at,
        later.outcome == "intact",
    )


def _is_item_needless() -> ColumnElement[bool]:
    """Whether what the quarantine had of an item is needed no more: it is retrieved, or the case has ended."""
    retrieved = exists().where(Master.item_id == Item.id)
    return exists().where(Item.id == Notice.subject_id, or_(_is_case_over(), retrieved))
