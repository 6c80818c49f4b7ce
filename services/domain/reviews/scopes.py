"""What a decision grants: spans inside those asked for, use days, way of use, and the class (R4, R26, R49, T9, T10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.applications import WAYS_OF_USE, Application, Item
from services.database.tables.cameras import UPLOADED, Camera, Recorder
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import ways
from services.domain.audit import trail as audit_trail
from services.domain.cameras import clocks
from services.domain.handling import cases as handling_of_cases
from services.domain.retrieval import preservations
from services.domain.stages.catalogue import Stage
from services.runtime.errors import Refused
from services.runtime.labels import Label
from services.runtime.spans import Span
from services.runtime.translations import Message, Text


@dataclass(frozen=True)
class Narrowed:
    """The span that is granted of one item; both moments aware, inside the span that was asked for."""

    item_id: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Classification:
    """What people choose (R26); None leaves a mark as it is."""

    important_information: bool | None = None
    sensitive_event: bool | None = None
    high_impact: bool | None = None


@dataclass(frozen=True)
class Granting:
    """What Security grants; what is left out is granted as it was asked for. ``removed`` items are not granted."""

    scope: tuple[Narrowed, ...] = ()
    use_period_days: int | None = None
    way_of_use: str | None = None
    removed: tuple[str, ...] = ()


UNCHANGED = Classification()
AS_ASKED = Granting()
MARKS = ("important_information", "sensitive_event", "high_impact")


def classify(application: Application, stage: Stage, chosen: Classification, reason: str | None) -> list[str]:
    """Set the case's marks; which of them were lowered. Anyone may raise; lowering needs the stage and a reason."""
    lowered = []
    for mark in MARKS:
        wanted = getattr(chosen, mark)
        if wanted is None or wanted == getattr(application, mark):
            continue
        if wanted and not stage.may_raise:
            raise Refused("class-fixed", "The class cannot be changed at this stage.", status=422, field=mark)
        if not wanted:
            if not stage.may_lower:
                raise Refused(
                    "class-only-raised",
                    "This stage can raise the class but not lower it.",
                    status=422,
                    field=mark,
                )
            if not (reason or "").strip():
                raise Refused(
                    "lowering-reason",
                    "Enter a reason for lowering the class.",
                    status=422,
                    field="reason",
                )
            lowered.append(mark)
        setattr(application, mark, wanted)
    return lowered


def narrow(
    uow: UnitOfWork, application: Application, narrowed: Sequence[Narrowed], removed: Sequence[str] = ()
) -> None:
    """Grant what was asked for, but these items' spans only as given, and the ``removed`` items not at all (R4)."""
    items = {item.id: item for item in preservations.items_in_scope(uow, application.id)}
    _remove(uow, application, items, removed)
    for item in items.values():
        item.granted_start, item.granted_end = item.asked_start, item.asked_end
    for span in narrowed:
        if span.item_id not in items:
            raise _scope(Message("The application has no item {item_id}.", item_id=span.item_id))
        item = items[span.item_id]
        if not item.asked_start <= span.start < span.end <= item.asked_end:
            raise _scope(
                Message("Item {position} can only be narrowed within the requested time span.", position=item.position),
            )
        item.granted_start, item.granted_end = span.start, span.end


def _remove(uow: UnitOfWork, application: Application, items: dict[str, Item], removed: Sequence[str]) -> None:
    for item_id in dict.fromkeys(removed):
        item = items.pop(item_id, None)
        if item is None:
            raise _scope(Message("The application has no item {item_id}.", item_id=item_id))
        item.dropped_in_round = application.round
        audit_trail.record(uow, "item-removed", "item", item_id, application_id=application.id, round=application.round)
    if not items:
        raise _scope(
            Message("Grant at least one item; to grant none, return or reject the application."),
        )


def use_days(uow: UnitOfWork, application: Application, wanted: int | None) -> int:
    """Return the use days to grant: as wanted, never above what was asked for or the maximum (R49, R50)."""
    limits = (application.requested_use_days, uow.rules.max_use_days)
    most = min(limit for limit in limits if limit is not None)
    if wanted is None:
        return most
    if not 1 <= wanted <= most:
        raise Refused(
            "use-days",
            "The use period must be 1 to {most} days.",
            status=422,
            field="usePeriodDays",
            most=most,
        )
    return wanted


def way_of_use(uow: UnitOfWork, application: Application, wanted: str | None, *, approves: bool = True) -> str:
    """Return the way of use to grant: viewing, on site where that was asked for; a download only where granted (T9).

    Never more than was asked for, nor than the rules of the case's confidentiality levels allow where the decision
    ``approves`` (R56); and on site only with a custodian who may accompany it.
    """
    usual = min(application.way_of_use, ways.VIEW, key=WAYS_OF_USE.index)
    if approves:
        rules = handling_of_cases.compute(uow, application, preservations.items_in_scope(uow, application.id))
        most = rules.handling.way_of_use
        if wanted in WAYS_OF_USE and ways.exceeds(wanted, most):
            raise Refused(
                "way-above-level",
                "This footage may be used no further than this: {way} (confidentiality level: {level}). Grant that, or "
                "return the application.",
                status=422,
                field="wayOfUse",
                way=Label(most),
                level=rules.named("way_of_use"),
            )
        usual = min(usual, most, key=WAYS_OF_USE.index)
    wanted = wanted or usual
    if wanted not in WAYS_OF_USE or ways.exceeds(wanted, application.way_of_use):
        only = {
            ways.ON_SITE: Message("Only viewing on site was requested: nothing more can be granted."),
            ways.VIEW: Message("No download was requested: only viewing can be granted."),
        }.get(application.way_of_use, Message("Choose the way of use from the list."))
        raise Refused("way-of-use", only, status=422, field="wayOfUse")
    if wanted == ways.ON_SITE and not ways.is_companion(uow, application.custodian_id):
        raise Refused(
            "custodian-no-companion",
            "On site, the custodian accompanies the viewing and must be of Security or the storage office: return the "
            "application for another custodian.",
            status=422,
            field="wayOfUse",
        )
    return wanted


def lesser_ways(uow: UnitOfWork, application: Application) -> list[str]:
    """Return what may be granted in place of the way of use that was asked for, the most first."""
    possible = bool(uow.rules.viewing_stations) and ways.is_companion(uow, application.custodian_id)
    return [way for way in ways.up_to(application.way_of_use)[1:] if way != ways.ON_SITE or possible]


def granted(uow: UnitOfWork, application: Application) -> list[dict[str, Any]]:
    """Return camera, span and clock of each item as they are now: what a decision is signed over (R34).

    ``searched`` is where it would be searched because of that clock: a copy holds no more than the release says.
    """
    query = (
        select(Item, Camera, Recorder)
        .join(Camera, Camera.id == Item.camera_id)
        .join(Recorder, Recorder.id == Camera.recorder_id)
        .where(Item.application_id == application.id, Item.dropped_in_round.is_(None))
        .order_by(Item.position)
    )
    lines = []
    for item, camera, recorder in uow.session.execute(query):
        span = Span(item.granted_start or item.asked_start, item.granted_end or item.asked_end)
        searched = span if recorder.kind == UPLOADED else clocks.search_span(span, clocks.clock_of(recorder))
        lines.append(
            {
                "item": item.id,
                **({"formItem": item.form_item_id, "replaces": item.replaces_id} if item.replaces_id else {}),
                "position": item.position,
                "camera": camera.id,
                "from": span.start.isoformat(),
                "to": span.end.isoformat(),
                "clockOffsetMs": recorder.clock_offset_ms,
                "searched": {"from": searched.start.isoformat(), "to": searched.end.isoformat()},
            }
        )
    return lines


def _scope(message: Text) -> Refused:
    return Refused("scope", message, status=422, field="scope")
