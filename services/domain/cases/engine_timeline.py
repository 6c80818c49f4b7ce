"""Where a case stands as the engine of this process has it: what it waits for by itself, and what nobody does.

A cluster has no such answers: there the timeline is what jobs, reviews and messages tell, and says so.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.exc import SQLAlchemyError

from services.database.unit_of_work import Actor, Database
from services.domain.cases import timeline
from services.domain.cases.case_models import MAIN, REVIEW
from services.domain.cases.rows import CaseRows
from services.domain.cases.schemas.timeline import Await, CalledProcess, DiagramMarker, MarkerKind, Standstill, Timeline
from services.domain.cases.timeline import STRONGEST
from services.domain.process.deployed_models import ProcessVersion
from services.domain.process.engine_view import (
    ActiveElementAnswer,
    ActiveInstanceAnswer,
    ActiveWaitAnswer,
    EngineInspection,
)
from services.domain.process.model_library import KnownModels, ModelLibrary
from services.runtime.logs import get_logger
from services.runtime.models import Model

log = get_logger(__name__)

ANSWER_SECONDS = 2.0  # an engine that takes longer is left out, and the page says what it cannot see
SCOPES = ("SUB_PROCESS", "EVENT_SUB_PROCESS", "PROCESS")
CATCHING = ("RECEIVE_TASK", "INTERMEDIATE_CATCH_EVENT", "EVENT_BASED_GATEWAY")
EVENTS: tuple[Literal["timer", "message", "signal"], ...] = ("timer", "message", "signal")
ORDER = ("unserved", "review", *EVENTS)


@dataclass(frozen=True)
class Place:
    """What of a case is shown: its own process, or that of ``review_instance``, or a ``called`` one.

    ``instance`` is that of the case; None before the process has begun.
    """

    instance: int | None
    review_instance: int | None = None
    called: str | None = None

    def shows(self, instance: ActiveInstanceAnswer) -> bool:
        if self.called is not None:
            return instance.bpmn_process_id == self.called
        return instance.key == (self.review_instance or self.instance)


def timeline_of(
    rows: CaseRows, library: ModelLibrary, review_id: str | None, called: str | None
) -> tuple[Timeline, Place]:
    """Derive the timeline of the case from rows that are read, and what of the case it shows.

    It is that of one review, or of one process that the case has called, or of its own process.
    """
    instance = rows.application.process_instance_key
    if review_id is not None:
        line = timeline.review_of_rows(rows, review_id, library)
        [review] = (row.review for row in rows.reviews if row.review.id == review_id)
        return line, Place(instance, review.process_instance_key)
    called = called if called != MAIN else None
    return timeline.of_rows(rows, library, called), Place(instance, called=called)


async def complete(
    line: Timeline,
    place: Place,
    engine: EngineInspection | None,
    *,
    database: Database,
    actor: Actor,
    library: ModelLibrary,
) -> Timeline:
    """Add what the engine of this process knows; without one, or without its answer, return the timeline as it is."""
    if engine is None or place.instance is None or not line.runs:
        return line
    instances = await _ask(engine, place.instance)
    if instances is None:
        return line
    if not instances:
        return line.model_copy(update={"process_gone": True})
    versions = [_version_of(instance) for instance in instances]
    known = await library.find_known(database, actor, [line.model_sha256], versions)
    return _completed(line, place, instances, known)


async def _ask(engine: EngineInspection, key: int) -> list[ActiveInstanceAnswer] | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return [ActiveInstanceAnswer.model_validate(instance) for instance in await engine.active(key)]
    except (TimeoutError, SQLAlchemyError, sqlite3.Error, OSError) as error:
        log.warning("the engine did not say where a case stands", cause=type(error).__name__)
        return None


def _completed(line: Timeline, place: Place, instances: Sequence[ActiveInstanceAnswer], known: KnownModels) -> Timeline:
    shown = [instance for instance in instances if place.shows(instance)]
    line, model = _drawn(line, shown, known)
    markers = {marker.element_id: marker for marker in line.markers}
    if model is not None:
        for instance in shown:
            for element in instance.elements:
                _mark(markers, model, element, _kind(element, instances))
    whole = place == Place(place.instance)
    awaits = {
        (wait.kind, wait.process_id, wait.element_id, wait.name, wait.due_at): wait
        for wait in (
            *(wait for wait in line.awaits if wait.kind == "review"),
            *_awaits(instances if whole else shown, place, known),
        )
    }
    return line.model_copy(
        update={
            "markers": list(markers.values()),
            "in_transit": line.in_transit and not any(marker.here for marker in markers.values()),
            "awaits": sorted(awaits.values(), key=_urgency),
            "called": _called(line.called, instances, known) if whole else line.called,
            "from_engine": True,
        }
    )


def _drawn(line: Timeline, shown: Sequence[ActiveInstanceAnswer], known: KnownModels) -> tuple[Timeline, Model | None]:
    """Return the timeline on the version that the engine runs, where its model is kept, and the model to be drawn."""
    digest = known.digest_of.get(_version_of(shown[-1])) if shown else None
    model = known.find(line.process_id, digest or line.model_sha256)
    if digest is None or model is None:
        return line, model
    markers = [marker for marker in line.markers if marker.element_id in model.elements]
    drawn = {"model_sha256": digest, "process_version": shown[-1].version, "model_source": "own", "markers": markers}
    return line.model_copy(update=drawn), model


def _called(
    found: Sequence[CalledProcess], instances: Sequence[ActiveInstanceAnswer], known: KnownModels
) -> list[CalledProcess]:
    """Return the called processes of the database, and those that run in the engine."""
    running = {instance.bpmn_process_id: instance for instance in instances[1:] if instance.bpmn_process_id != REVIEW}
    called = {one.process_id: one.model_copy(update={"here": one.process_id in running}) for one in found}
    for process_id, instance in running.items():
        model = known.of_version(_version_of(instance))
        names = {"zh": model.zh if model else process_id, "en": model.en if model else process_id}
        called.setdefault(process_id, CalledProcess(process_id=process_id, here=True, **names))
    return list(called.values())


def _urgency(wait: Await) -> tuple[int, bool, str, str]:
    due = wait.due_at.isoformat() if wait.due_at is not None else ""
    return ORDER.index(wait.kind), wait.due_at is None, due, wait.element_id


def _kind(element: ActiveElementAnswer, instances: Sequence[ActiveInstanceAnswer]) -> MarkerKind:
    """Return how an element is drawn; a call is drawn as the strongest of what it has called."""
    if element.has_incident:
        return "stuck"
    if any(wait.served is False for wait in element.waits):
        return "unserved"
    calls = [wait.key for wait in element.waits if wait.kind == "call"]
    inner = [
        kind
        for instance in instances
        if instance.key in calls
        for one in instance.elements
        if one.element_type not in SCOPES
        # the database has what people are asked
        if (kind := _kind(one, instances)) in ("unserved", "stuck") or instance.bpmn_process_id != REVIEW
    ]
    if inner:
        return max(inner, key=STRONGEST.index)
    return "event" if element.element_type in CATCHING else "working"


def _mark(markers: dict[str, DiagramMarker], model: Model, element: ActiveElementAnswer, kind: MarkerKind) -> None:
    """Mark an active element and the phases around it; what people are asked stays as the database has it."""
    drawn = model.elements.get(element.element_id)
    if drawn is None or element.element_type in SCOPES:
        return
    known = markers.get(drawn.id)
    here = known if known is not None and known.here else None
    if here is None or STRONGEST.index(kind) > STRONGEST.index(here.kind):
        stopped = Standstill(since=element.since, stopped=True) if kind == "stuck" and element.since else None
        markers[drawn.id] = DiagramMarker(
            element_id=drawn.id,
            element_kind=drawn.kind,
            zh=drawn.zh,
            en=drawn.en,
            kind=kind,
            since=here.since if here else element.since,
            seconds=here.seconds if here else None,
            times=known.times if known else 1,
            attempts=known.attempts if known else 1,
            review_id=known.review_id if known else None,
            called=drawn.called if drawn.called != REVIEW else None,
            standstill=(known.standstill if known else None) or stopped,
        )
    for scope in model.scopes(drawn.id):
        around = markers.get(scope)
        if around is None:
            markers[scope] = timeline.marker_at(model.elements[scope], kind, element.since)
        elif not around.here or STRONGEST.index(kind) > STRONGEST.index(around.kind):
            markers[scope] = around.model_copy(update={"kind": kind, "until": None})


def _awaits(instances: Iterable[ActiveInstanceAnswer], place: Place, known: KnownModels) -> Iterator[Await]:
    """Yield what the instances wait for; of a review within another process only what nobody does."""
    for instance in instances:
        model = known.of_version(_version_of(instance))
        inside = instance.bpmn_process_id == REVIEW and place.review_instance is None
        for element in instance.elements:
            for wait in element.waits:
                if (found := _await(instance, wait, model)) is not None and (found.kind == "unserved" or not inside):
                    yield found


def _await(instance: ActiveInstanceAnswer, wait: ActiveWaitAnswer, model: Model | None) -> Await | None:
    unserved = wait.served is False
    if not unserved and wait.kind not in EVENTS:
        return None
    element = model.elements.get(wait.element_id) if model is not None else None
    return Await(
        kind="unserved" if unserved else wait.kind,  # type: ignore[arg-type]  # one of EVENTS, as asked above
        process_id=instance.bpmn_process_id,
        element_id=wait.element_id,
        zh=(element.zh if element is not None else "") or wait.element_id,
        en=(element.en if element is not None else "") or wait.element_id,
        name=wait.name,
        due_at=wait.due_date,
    )


def _version_of(instance: ActiveInstanceAnswer) -> ProcessVersion:
    return ProcessVersion(instance.bpmn_process_id, instance.version, instance.process_definition_key)
