"""Notify people of what happened to their own account, wherever they can still be reached."""

from services.database.unit_of_work import UnitOfWork
from services.domain.change_requests import addresses
from services.domain.notifications import service as notification_service


def notify(uow: UnitOfWork, person_id: str, code: str) -> None:
    """Notify the person, also at the addresses of the last 30 days: whoever acts may be somebody else."""
    former = addresses.list_former(uow, person_id)
    notification_service.notify(uow, person_id, code, application_id=None, **former)
