"""Issued copies, each under a loan key of its own, the grants to open them, and what was done with them (R36, R55)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from services.database.tables.applications import Item
from services.database.tables.copies import Copy, Download
from services.database.tables.custody import HandOver
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.process import permissions
from services.domain.retrieval import attempts, masters
from services.domain.retrieval.records import get_record, get_release, granted_span, released_span, searched_span
from services.runtime.spans import Span
from services.verifier.bindings import EVIDENCE


def get_of_item(uow: UnitOfWork, item_id: str) -> Copy | None:
    return uow.session.scalar(select(Copy).where(Copy.item_id == item_id))


def list_of_application(uow: UnitOfWork, application_id: str) -> list[Copy]:
    """Return the case's copies that were not discarded, oldest first."""
    return list(
        uow.session.scalars(
            select(Copy)
            .where(Copy.application_id == application_id, Copy.discarded_at.is_(None))
            .order_by(Copy.made_at, Copy.id)
        )
    )


def list_in_scope(uow: UnitOfWork, application_id: str) -> list[Copy]:
    """Return the copies of the present issue that were not discarded, oldest first."""
    query = (
        select(Copy)
        .join(Item, Item.id == Copy.item_id)
        .where(Copy.application_id == application_id, Copy.discarded_at.is_(None), Item.dropped_in_round.is_(None))
    )
    return list(uow.session.scalars(query.order_by(Copy.made_at, Copy.id)))


def list_lent(uow: UnitOfWork, hand_over_id: str) -> list[Copy]:
    """Return the copies of a hand-over that were not discarded, oldest first."""
    query = select(Copy).where(Copy.hand_over_id == hand_over_id, Copy.discarded_at.is_(None))
    return list(uow.session.scalars(query.order_by(Copy.made_at, Copy.id)))


def list_unlent(uow: UnitOfWork, application_id: str) -> list[Copy]:
    """Return the case's copies that nobody has accepted, and that were not discarded, oldest first."""
    query = select(HandOver.id).where(HandOver.application_id == application_id, HandOver.accepted_at.is_not(None))
    accepted = set(uow.session.scalars(query))
    return [row for row in list_of_application(uow, application_id) if row.hand_over_id not in accepted]


def create(uow: UnitOfWork, attempt_id: str, sealed: dict[str, Any]) -> Copy | None:
    """Record an issued copy; None when it is no longer wanted: then its object and its loan key go (R36)."""
    if not attempts.finish(uow, attempt_id, sealed["versionId"]):
        return None
    attempt = attempts.get(uow, attempt_id)
    copy = get_of_item(uow, attempt.item_id)
    if copy is None:
        master = masters.require(uow, attempt.application_id, attempt.item_id)
        copy = Copy(
            id=attempt.subject_id,
            application_id=attempt.application_id,
            item_id=attempt.item_id,
            master_id=master.id,
            attempt_id=attempt_id,
            made_at=uow.now,
            sealed=sealed,
        )
        uow.session.add(copy)
        audit_trail.record(
            uow,
            "copy-issued",
            "copy",
            copy.id,
            application_id=copy.application_id,
            master=master.id,
            evidence=EVIDENCE,
            key=attempt.key,
            sha256_plain=sealed["sha256Plain"],
            sha256_cipher=sealed["sha256Cipher"],
        )
    return copy


def mark_key_destroyed(uow: UnitOfWork, copy_id: str) -> None:
    """Record that the copy's loan key is destroyed (T2)."""
    copy = uow.session.get(Copy, copy_id)
    if copy is not None and copy.key_destroyed_at is None:
        copy.key_destroyed_at = uow.now
        audit_trail.record(uow, "loan-key-destroyed", "copy", copy_id, application_id=copy.application_id)


def list_downloads(uow: UnitOfWork, hand_over_id: str) -> list[Download]:
    return list(
        uow.session.scalars(
            select(Download).where(Download.hand_over_id == hand_over_id).order_by(Download.asked_at, Download.id)
        )
    )


@dataclass(frozen=True)
class CopyOrder:
    """A master as it was sealed, and the span that may leave it.

    ``searched`` is where the granted span was searched by both readings of the recorder's clock, as its record says,
    and no more of it than the release was signed over: a clock that was measured afterwards widens no copy.
    """

    master_id: str
    master: dict[str, Any]
    searched: Span
    channel: str
    form_number: str
    record_number: str


def get_order(uow: UnitOfWork, application_id: str, item_id: str) -> CopyOrder:
    """Return the order, once the case allows a copy: filed, released, retrieved with a record (R29, R33, R35).

    Raises NotPermitted.
    """
    state, item = permissions.lock_released(uow, application_id, item_id, "issue a copy")
    master = masters.require(uow, application_id, item_id)
    record = get_record(uow, item_id)
    if record is None:
        raise permissions.refusal(
            "issue a copy", application_id, f"the master of the item {item_id} has no retrieval record (R35)"
        )
    return CopyOrder(
        master.id,
        dict(master.sealed),
        _bounded(uow, item, searched_span(item, record)),
        measurements.source_of(uow, item).channel,
        str(state.application.number),
        record.number,
    )


def _bounded(uow: UnitOfWork, item: Item, searched: Span) -> Span:
    """Return the part of the searched span that the release allows; else the granted span (R4, R34)."""
    release = get_release(uow, item.application_id)
    allowed = None if release is None else released_span(item, release)
    return granted_span(item) if allowed is None else searched.intersect(allowed) or granted_span(item)
