"""Who reads the reconciliations, who explains what they have found, and who is told of it."""

from services.database.tables.applications import Application
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import violations
from services.domain.access.directory import LEADERS
from services.domain.access.storage import may_explain, may_read_reconciliations
from services.runtime.errors import Refused


def require_reader(uow: UnitOfWork) -> None:
    """Raise Refused with 403 for people who do not read reconciliations."""
    if not may_read_reconciliations(access_queries.load_directory(uow), uow.actor.id):
        raise Refused(
            "reconciliation-readers-only",
            "Reconciliations are only for the storage office, Security and the supervision group.",
            status=403,
        )


def require_explainer(uow: UnitOfWork) -> None:
    """Raise Refused with 403 for people who may not explain findings."""
    if not may_explain(access_queries.load_directory(uow), uow.actor.id):
        raise Refused(
            "finding-explainers-only",
            "Only the head of Security, the deputy and the supervision group explain findings: ask one of them.",
            status=403,
        )


def require_no_part(uow: UnitOfWork, application_id: str | None) -> None:
    """Raise Refused with 403 for who has asked for the footage of the case, has or had it, or is accused in it."""
    if application_id is None:
        return
    facts = access_queries.load_facts(uow, application_id)
    near = {*facts.done.get("applicant", ()), *facts.custodians, *violations.list_accused(uow, application_id)}
    if uow.actor.id in near:
        raise Refused(
            "own-case",
            "You have a part in the case that this is about: another person has to explain it.",
            status=403,
        )


def list_keepers(uow: UnitOfWork, application_id: str | None = None) -> list[str]:
    """List who leads the storage office, but for those whom the case concerns (T8)."""
    subjects = uow.session.get_one(Application, application_id).subject_ids if application_id else []
    leaders = access_queries.load_directory(uow).holders_in("storage", *LEADERS)
    return [person_id for person_id in dict.fromkeys(leaders) if person_id not in subjects]


def list_overseers(uow: UnitOfWork) -> list[str]:
    """List who is told of new findings: those who explain them."""
    directory = access_queries.load_directory(uow)
    people = [*directory.holders_in("security", *LEADERS), *directory.holders(None, "supervisor")]
    return [person_id for person_id in dict.fromkeys(people) if may_explain(directory, person_id)]
