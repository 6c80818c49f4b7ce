"""The data of 《保留通知》: which case is held, what of it, why, by whom, and when that is reviewed (F34)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.masters import Master
from services.database.tables.preservations import DAMAGED, Preservation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.documents import service as document_service
from services.domain.holds.notice_sheet import TITLE
from services.domain.holds.queries import NOTICE


def write(uow: UnitOfWork, hold: Hold, application: Application, *, number: str | None = None) -> Document:
    """Write the notice of a hold that was just placed; under its matter's ``number``, or one of its own."""
    return document_service.write_once(
        uow,
        NOTICE,
        hold.id,
        lambda: _content(uow, hold, application, to_confirm=number is not None),
        application_id=application.id,
        number=number,
    )


def _content(uow: UnitOfWork, hold: Hold, application: Application, *, to_confirm: bool) -> dict[str, Any]:
    names = access_queries.get_names(uow, [hold.placed_by, hold.owner_id])
    masters = select(Master).where(Master.application_id == application.id, Master.discarded_at.is_(None))
    of_item = {row.item_id: row for row in uow.session.scalars(masters)}
    preserved = select(Preservation.item_id).where(
        Preservation.application_id == application.id,
        Preservation.discarded_at.is_(None),
        func.coalesce(Preservation.released_because, "") != DAMAGED,
    )
    in_quarantine = set(uow.session.scalars(preserved))
    items = (
        select(Item)
        .where(Item.application_id == application.id)
        .options(joinedload(Item.camera).load_only(Camera.name_zh, Camera.place_zh))
        .order_by(Item.position)
    )
    documents = select(func.count()).select_from(Document).where(Document.application_id == application.id)
    return {
        "title": TITLE,
        "application": application.number,
        "hold": hold.id,
        "procedure": "matter" if to_confirm else "decision",
        "cause": hold.cause,
        "reason": hold.reason,
        "placedAt": hold.placed_at.isoformat(),
        "reviewAt": hold.review_at.isoformat(),
        "by": {"id": hold.placed_by, "name": names.get(hold.placed_by)},
        "owner": {"id": hold.owner_id, "name": names.get(hold.owner_id)},
        "documents": uow.session.scalar(documents) or 0,
        "held": [_item(item, of_item.get(item.id), item.id in in_quarantine) for item in uow.session.scalars(items)],
    }


def _item(item: Item, master: Master | None, preserved: bool) -> Mapping[str, Any]:
    return {
        "position": item.position,
        "camera": item.camera.name_zh,
        "place": item.camera.place_zh,
        "asked": {"start": item.asked_start.isoformat(), "end": item.asked_end.isoformat(), "zone": item.zone},
        "quarantine": preserved,
        "master": None if master is None else master.sealed["sha256Cipher"],
        "replica": master is not None and master.replica is not None,
    }
