"""Carry out what was asked for: schedules, handling, rules that apply, cameras, who leaves, or an act before these."""

from collections.abc import Callable, Mapping
from typing import Any

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.accounts.staff import InitialPassword
from services.domain.agreements import requested_acts
from services.domain.applicable_rules import service as applicable_rules
from services.domain.applicable_rules.entries import Entry
from services.domain.cameras import service as cameras
from services.domain.cameras.service import CameraEntry
from services.domain.change_requests import service as change_requests
from services.domain.handling import service as handling
from services.domain.handling.levels import Handling
from services.domain.staffing import directory_links, leaving
from services.domain.staffing.directory_links import LINK
from services.domain.work_orders import schedules
from services.domain.work_orders.schedules import Values

STAY = "stay"


async def carry_out(database: Database, actor: Actor, change_id: str) -> InitialPassword | None:
    """Do what was asked for; return the initial password if it was that. Refused as the act itself."""
    request = await database.run(actor, change_requests.get_own, change_id)
    if request.kind not in (STAY, LINK, *ACTS):
        return await requested_acts.carry_out(database, actor, change_id)
    await database.run(actor, _carry_out, change_id)
    return None


def _carry_out(uow: UnitOfWork, change_id: str) -> None:
    request = change_requests.begin(uow, change_id)
    if request.kind == STAY:
        leaving.stay(uow, str(request.person_id))
    elif request.kind == LINK:
        directory_links.carry_out(uow, str(request.person_id), request.payload["entry"], request.payload["name"])
    else:
        ACTS[request.kind](uow, request.payload)
    change_requests.finish(uow, request)


def _change_schedule(uow: UnitOfWork, stored: Mapping[str, Any]) -> None:
    schedules.change_schedule(
        uow,
        stored["schedule"],
        Values.from_json(stored["value"]),
        stored["reason"],
        was=Values.from_json(stored["was"]),
    )


def _change_handling(uow: UnitOfWork, stored: Mapping[str, Any]) -> None:
    handling.change_level(
        uow, stored["level"], Handling.from_json(stored["value"]), stored["reason"], version=stored["version"]
    )


def _change_applicable_rule(uow: UnitOfWork, stored: Mapping[str, Any]) -> None:
    applicable_rules.change_rule(
        uow, stored["rule_id"], Entry.from_json(stored["value"]), stored["reason"], version=stored["version"]
    )


def _change_camera(uow: UnitOfWork, stored: Mapping[str, Any]) -> None:
    cameras.change_camera(uow, stored["camera"], CameraEntry(**stored["value"]))


ACTS: Mapping[str, Callable[[UnitOfWork, Mapping[str, Any]], None]] = {
    "schedule": _change_schedule,
    "handling": _change_handling,
    "applicable-rule": _change_applicable_rule,
    "camera": _change_camera,
}
