"""Export the register's history as an event log. Each export is an event of the audit trail."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO

from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.cases.event_log import ocel, register_cases, xes
from services.domain.cases.event_log.people import PeopleOfLog
from services.domain.cases.event_log.shapes import WriteLog, Written
from services.runtime.errors import Fatal


class Format(StrEnum):
    """The standards in which a log can be written."""

    OCEL = "ocel"
    XES = "xes"


WRITERS: Mapping[Format, WriteLog] = {Format.OCEL: ocel.write, Format.XES: xes.write}
EXPORTED = "events-exported"  # the action in the audit trail


def export(
    uow: UnitOfWork,
    file: BinaryIO,
    format_: Format,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    named_because: str | None = None,
) -> Written:
    """Write the cases submitted from ``since`` and before ``until``; in a unit that only reads, for the operator.

    People are codes of this export alone, unless ``named_because`` says why they are named.
    """
    people = PeopleOfLog(named=named_because is not None)
    written = WRITERS[format_](register_cases.read(uow.session, people, since, until), file)
    if not written.cases:
        raise Fatal("no log was written | the register | it has no case of this time | name another one")
    audit_trail.record(
        uow,
        EXPORTED,
        "register",
        "events",
        format=format_.value,
        since=None if since is None else since.isoformat(),
        until=None if until is None else until.isoformat(),
        cases=written.cases,
        events=written.events,
        names=people.named,
        reason=named_because,
    )
    return written
