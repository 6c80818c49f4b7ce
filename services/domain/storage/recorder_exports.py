"""The exports that recorders tell of, compared with what was retrieved: other ones leave a trace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import UPLOADED, Camera, Recorder
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.storage.findings import Found
from services.domain.storage.told_texts import distinct, storable
from services.recorders.protocol import RecorderExport

# A fetch begins some pictures early, and in whole pieces.
NEAR = timedelta(minutes=15)


@dataclass(frozen=True)
class AskedRecorder:
    """A recorder that is asked for its exports."""

    id: str
    name: str
    kind: str
    configuration: dict[str, Any]


def list_asked(uow: UnitOfWork) -> list[AskedRecorder]:
    """List the recorders in use."""
    query = select(Recorder).where(Recorder.kind != UPLOADED, Recorder.active).order_by(Recorder.name, Recorder.id)
    return [AskedRecorder(row.id, row.name, row.kind, dict(row.configuration)) for row in uow.session.scalars(query)]


def judge(uow: UnitOfWork, recorder: AskedRecorder, exports: Sequence[RecorderExport]) -> list[Found]:
    """Return the exports that no retrieval of ours explains, with a case that asks for the same footage, if any.

    One that bears our name counts as ours only where an attempt of the register fetched that footage.
    """
    found = []
    for export in exports:
        if export.own and _is_fetched(uow, recorder.id, export):
            continue
        export_id = distinct(export.id)
        detail = {
            "export": export_id,
            "channel": distinct(export.channel),
            "name": storable(export.name, 200),
            "start": export.start.isoformat() if export.start else None,
        }
        application_id = _find_case(uow, recorder.id, export)
        found.append(
            Found("ghost-export", "recorder", recorder.name, f"{recorder.id}:{export_id}", application_id, detail)
        )
    return found


def _is_fetched(uow: UnitOfWork, recorder_id: str, export: RecorderExport) -> bool:
    if export.start is None:
        return False
    query = (
        select(UploadAttempt.id)
        .join(Item, Item.id == UploadAttempt.item_id)
        .join(Camera, Camera.id == Item.camera_id)
        .where(
            Camera.recorder_id == recorder_id,
            Camera.channel == distinct(export.channel),
            Item.asked_start <= export.start + NEAR,
            Item.asked_end >= export.start - NEAR,
        )
    )
    return uow.session.scalar(query.limit(1)) is not None


def _find_case(uow: UnitOfWork, recorder_id: str, export: RecorderExport) -> str | None:
    """Return the newest case about the exported footage."""
    if export.start is None:
        return None
    query = (
        select(Item.application_id)
        .join(Camera, Camera.id == Item.camera_id)
        .join(Application, Application.id == Item.application_id)
        .where(
            Camera.recorder_id == recorder_id,
            Camera.channel == distinct(export.channel),
            Item.asked_start <= export.start + NEAR,
            Item.asked_end >= export.start - NEAR,
            Item.dropped_in_round.is_(None),
            Application.submitted_at.is_not(None),
        )
        .order_by(Application.submitted_at.desc(), Application.id)
    )
    return uow.session.scalar(query.limit(1))
