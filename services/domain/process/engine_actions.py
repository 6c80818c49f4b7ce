"""What administrators read and order in the process engine; the engine's own books are not ours, the trail is (F29)."""

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.audit import trail as audit_trail


def record_variables_read(uow: UnitOfWork, instance_key: int, root_key: int) -> None:
    """The variables of a process instance are about to be shown. ``root_key``: the instance that began it all."""
    administrators.require_administrator(uow)
    audit_trail.record(
        uow,
        "process-variables-read",
        "process-instance",
        str(instance_key),
        application_id=_case_of(uow, root_key),
    )


def record_incident_retry(uow: UnitOfWork, incident_key: int, root_key: int, *, element: str, retries: int) -> None:
    """An incident is about to be resolved."""
    administrators.require_administrator(uow)
    audit_trail.record(
        uow,
        "incident-retry-ordered",
        "incident",
        str(incident_key),
        application_id=_case_of(uow, root_key),
        element=element,
        retries=retries,
    )


def record_job_retries(uow: UnitOfWork, job_key: int, root_key: int, *, element: str, retries: int) -> None:
    """A job is about to be given so many tries."""
    administrators.require_administrator(uow)
    audit_trail.record(
        uow,
        "job-retries-set",
        "job",
        str(job_key),
        application_id=_case_of(uow, root_key),
        element=element,
        retries=retries,
    )


def _case_of(uow: UnitOfWork, root_key: int) -> str | None:
    """The application whose process it is; a process of nobody's case has none."""
    return uow.session.scalar(select(Application.id).where(Application.process_instance_key == root_key))
