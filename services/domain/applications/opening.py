"""The case at the start of its process, at each new round, and where a correction does not come (T6)."""

from dataclasses import dataclass
from datetime import timedelta

from services.database.tables.applications import Application
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import service
from services.domain.audit import trail as audit_trail
from services.domain.process import deployed_models, messages, outbox, permissions
from services.domain.process.deployed_models import ProcessVersion
from services.domain.rules import agreed_limits
from services.runtime.errors import NotPermitted


@dataclass(frozen=True)
class Opened:
    duplicate: bool
    item_ids: list[str]
    correction_period: timedelta
    application_number: str  # what people call the case; Operate shows it from here on


def open_case(
    uow: UnitOfWork, application_id: str, process_instance_key: int, process: ProcessVersion | None = None
) -> Opened:
    """Bind the application to the process instance that runs it; any other instance is a duplicate and ends.

    ``process`` is the version that the instance runs on.

    Raises NotPermitted for an application that was not submitted or has no items: such a case cannot run.
    """
    application = uow.session.get(Application, application_id, with_for_update=True)
    items = service.item_ids(uow, application_id)
    if application is None or application.submitted_at is None or not items:
        cause = "it has no items" if application and application.submitted_at else "nobody has submitted it"
        raise NotPermitted(
            f"could not open the case | application {application_id} | {cause} | cancel this process instance"
        )
    if application.process_instance_key is None:
        application.process_instance_key = process_instance_key
        if process is not None:
            deployed_models.set_version(uow, application, process)
        application.correction_seconds = uow.rules.correction_period // timedelta(seconds=1)
        audit_trail.record(
            uow,
            "case-opened",
            "application",
            application_id,
            application_id=application_id,
            process_instance=str(process_instance_key),
            process=application.process_id,
            process_version=application.process_version,
            model_sha256=application.model_sha256,
        )
    outbox.settle(uow, application_id, "the process has opened the case", messages.APPLICATION_SUBMITTED)
    duplicate = application.process_instance_key != process_instance_key
    return Opened(duplicate, items, agreed_limits.get_correction_period(uow, application), application.number or "")


@dataclass(frozen=True)
class Expiry:
    corrected_meanwhile: bool
    item_ids: list[str]


def expire(uow: UnitOfWork, application_id: str, round_: int) -> Expiry:
    """End the time to correct; a correction that came before wins, later ones are refused.

    ``round_`` is the process's count: the number that the awaited correction makes. Raises NotPermitted before the time
    to correct is over.
    """
    act = "expire the application"
    state = permissions.lock(uow, application_id, act)
    permissions.require_running(state, act)
    application = state.application
    corrected = application.round >= round_
    if corrected:
        outbox.settle(
            uow, application_id, "the process found the correction in the database", messages.APPLICATION_CORRECTED
        )
    elif not state.expired:
        if application.correction_until is None:
            raise permissions.refusal(act, application_id, "nobody has sent it back")
        if not permissions.is_over(uow, application.correction_until):
            raise permissions.refusal(
                act, application_id, f"it may be corrected until {application.correction_until.isoformat()}"
            )
        application.correction_until = None
        audit_trail.record(
            uow,
            permissions.CORRECTION_EXPIRED,
            "application",
            application_id,
            application_id=application_id,
            round=round_,
        )
    return Expiry(corrected, service.item_ids(uow, application_id))
