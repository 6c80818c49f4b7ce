"""What an issued copy is made from (R4, R29, R36)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.database.tables.applications import Application, Item
from services.database.unit_of_work import UnitOfWork
from services.domain.cameras import measurements
from services.domain.retrieval import masters
from services.domain.retrieval.records import get_record, get_release, granted_span, searched_span
from services.runtime.errors import Fatal
from services.runtime.spans import Span


@dataclass(frozen=True)
class Task:
    """A master as it was sealed, and the span that may leave it.

    ``searched`` is where the granted span was looked for by both readings of the recorder's clock, as its record says,
    and no more of it than the release was signed over: a clock that was measured afterwards widens no copy.
    """

    master: dict[str, Any]
    searched: Span
    channel: str
    form_number: str
    record_number: str


def task(uow: UnitOfWork, application_id: str, item_id: str) -> Task:
    """Fatal where there is no master, or no retrieval record for it (R35)."""
    master = masters.require(uow, application_id, item_id)
    record = get_record(uow, item_id)
    application = uow.session.get_one(Application, application_id)
    if record is None or application.number is None:
        raise Fatal(
            f"could not issue a copy | item {item_id} of application {application_id} | its master has no retrieval "
            "record (R35) | retrieve it again, then resolve the incident"
        )
    item = uow.session.get_one(Item, item_id)
    return Task(
        dict(master.sealed),
        _bounded(uow, item, searched_span(item, record)),
        measurements.source_of(uow, item).channel,
        application.number,
        record.number,
    )


def _bounded(uow: UnitOfWork, item: Item, searched: Span) -> Span:
    """What of the searched span the release said would be searched; the granted one where it said nothing (R4, R34)."""
    granted, release = granted_span(item), get_release(uow, item.application_id)
    for line in release.signature.get("statement", {}).get("granted", ()) if release is not None else ():
        if line["item"] == item.id and "searched" in line and _span(line) == granted:
            return searched.intersect(_span(line["searched"])) or granted
    return granted


def _span(told: dict[str, Any]) -> Span:
    return Span(datetime.fromisoformat(told["from"]), datetime.fromisoformat(told["to"]))
