"""What the two people of an urgent retrieval see of it, before its approval; for the pages."""

from services.database.tables.applications import Application
from services.database.tables.emergency_views import EmergencyCopy, EmergencyGrant
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import emergency
from services.domain.custody.schemas import EmergencyCopyView
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message


def list_mine(uow: UnitOfWork, matter_id: str) -> list[EmergencyCopyView]:
    """List what the actor may see of an urgent retrieval, or might have seen; empty for everybody else."""
    mine = next((one for one in emergency.list_grants(uow, matter_id) if one.person_id == uow.actor.id), None)
    if mine is None:
        return []
    matter, copies = uow.session.get_one(Matter, matter_id), emergency.list_of_matter(uow, matter_id)
    is_open = bool(copies) and emergency.is_open(uow, matter.application_id, mine)
    return [_shown(copy, matter.number, mine, opens=is_open and not emergency.is_gone(copy)) for copy in copies]


def get_shown(uow: UnitOfWork, copy_id: str) -> tuple[EmergencyCopyView, str]:
    """Return an emergency copy of mine, and the purpose of its application; NotFound for strangers."""
    copy = uow.session.get(EmergencyCopy, copy_id)
    found = [] if copy is None else [one for one in list_mine(uow, copy.matter_id) if one.id == copy_id]
    if copy is None or not found:
        raise NotFound(Message("copy"), copy_id)
    return found[0], uow.session.get_one(Application, copy.application_id).purpose


def get_opening(uow: UnitOfWork, copy_id: str) -> tuple[EmergencyCopyView, str, Refused | None]:
    """Return the same, and why the actor cannot see it now; None where they can."""
    row, mine = emergency.get_granted(uow, copy_id)
    refusal = emergency.refusal_for(uow, row, mine)
    [copy] = (one for one in emergency.list_of_matter(uow, mine.matter_id) if one.id == copy_id)
    number = uow.session.get_one(Matter, mine.matter_id).number
    purpose = uow.session.get_one(Application, row.application_id).purpose
    return _shown(copy, number, mine, opens=refusal is None), purpose, refusal


def _shown(copy: EmergencyCopy, number: str, mine: EmergencyGrant, *, opens: bool) -> EmergencyCopyView:
    camera, coverage = copy.item.camera, copy.sealed["coverage"]
    return EmergencyCopyView(
        id=copy.id,
        matter_id=copy.matter_id,
        number=number,
        position=copy.item.position,
        camera_zh=camera.name_zh,
        camera_en=camera.name_en,
        place_zh=camera.place_zh,
        place_en=camera.place_en,
        zone=copy.item.zone,
        until=mine.ended_at or mine.until,
        opens=opens,
        coverage={name: coverage[name] for name in emergency.SHOWN},
    )
