"""Refusals of those who may not read or change the registers of storage."""

from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import storage as policy
from services.runtime.errors import Refused


def may_change(uow: UnitOfWork) -> bool:
    return policy.may_change(access_queries.load_directory(uow), uow.actor.id)


def require_change(uow: UnitOfWork) -> None:
    """Raise Refused for those who keep no register of storage."""
    if not may_change(uow):
        raise Refused(
            "storage-only", "Only the storage office and administrators can do this: ask one of them.", status=403
        )


def require_read(uow: UnitOfWork) -> None:
    """Raise Refused for those who read no register of storage."""
    if not policy.may_read(access_queries.load_directory(uow), uow.actor.id):
        raise Refused(
            "storage-readers-only",
            "This is only for the storage office, administrators, the head of Security and the supervision group.",
            status=403,
        )


def require_disposal_reader(uow: UnitOfWork) -> None:
    """Raise Refused for those who read no batch of disposal."""
    if not policy.may_read_disposals(access_queries.load_directory(uow), uow.actor.id):
        raise Refused(
            "disposal-readers-only",
            "This is only for the storage office, the head of Security and the supervision group.",
            status=403,
        )
