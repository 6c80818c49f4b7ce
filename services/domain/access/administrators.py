"""Who may administer, and who may read the set-up. Administrators see no footage (R2)."""

from sqlalchemy import text

from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries
from services.runtime.errors import Refused

SETUP_LOCK = 0x0F007A6E  # the advisory lock of those who change the set-up


def is_administrator(uow: UnitOfWork) -> bool:
    """Whether the acting person is an administrator now."""
    return queries.load_directory(uow).holds(uow.actor.id, "administrator")


def require_administrator(uow: UnitOfWork) -> None:
    """Refused with 403 unless the acting person is an administrator."""
    if not is_administrator(uow):
        raise Refused(
            "administrators-only",
            "Only an administrator can do this: contact one.",
            status=403,
        )


def may_read(uow: UnitOfWork) -> bool:
    """Whether the acting person administers, heads Security or supervises."""
    me, directory = uow.actor.id, queries.load_directory(uow)
    return directory.holds(me, "administrator", "supervisor") or directory.holds_in(me, "security", "head", "deputy")


def require_reader(uow: UnitOfWork) -> None:
    """Refused with 403 unless the acting person administers, heads Security or supervises."""
    if not may_read(uow):
        raise Refused(
            "readers-only",
            "This page is only for administrators, the head of Security and the supervision group.",
            status=403,
        )


def lock_setup(uow: UnitOfWork) -> None:
    """Lock the set-up until this transaction ends; SQLite has one writer anyway."""
    if uow.session.get_bind().dialect.name == "postgresql":
        uow.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SETUP_LOCK})
