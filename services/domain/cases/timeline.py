"""Where a case stands in its process and how long each step took: from the books and the model, no engine is asked.

The books know when work was done (steps), when people were asked (reviews), when a correction was awaited and when
copies were out; the model knows what lies around and between (docs/process.md).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from services.database.tables.applications import Application
from services.database.tables.steps import Step
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import rows as case_rows
from services.domain.cases.rows import CaseRows
from services.domain.process import steps
from services.runtime.errors import NotFound
from services.runtime.models import Element, Model
from services.runtime.translations import Message

MAIN, REVIEW = "video-retrieval", "review"
SUBMITTED, USE = "Event_Submitted", "Task_AwaitReturn"
CORRECTION, EXPIRY = "Task_AwaitCorrection", "Task_ExpireApplication"
CLASSIFICATION = "Task_ClassifyApplication"
OPENING, ANSWER, ANSWERED = "Task_OpenReview", "Task_AwaitDecision", "Event_Decided"

Kind = Literal["passed", "working", "waiting", "stuck"]
STRONGEST: tuple[Kind, ...] = ("passed", "working", "waiting", "stuck")


@dataclass(frozen=True)
class Stay:
    """Once at one element, from ``since`` until ``until``; None while it lasts."""

    element_id: str
    since: datetime
    until: datetime | None
    kind: Kind = "working"  # while it lasts
    whole: bool = True  # ended as the model draws it, and not from outside
    review_id: str | None = None
    item_id: str | None = None
    attempts: int = 1


@dataclass(frozen=True)
class Marker:
    """One element as the diagram marks it; ``took`` adds up its stays, the one that lasts included."""

    element: Element
    kind: Kind
    since: datetime | None = None
    until: datetime | None = None
    took: timedelta | None = None
    times: int = 0
    attempts: int = 0
    review_id: str | None = None

    @property
    def here(self) -> bool:
        return self.kind != "passed"


@dataclass(frozen=True)
class Standing:
    """All markers of one process, in the order in which they were first reached.

    ``in_transit``: a message is on its way to the engine, and nobody has anything to do meanwhile.
    """

    model: Model
    markers: tuple[Marker, ...]
    in_transit: bool = False

    @property
    def timed(self) -> list[Marker]:
        """What takes time, and where it began and ended: the list that is read instead of the diagram."""
        return [
            marker
            for marker in self.markers
            if marker.since is not None and marker.element.kind not in ("subProcess", "boundaryEvent")
        ]

    @property
    def here(self) -> list[Marker]:
        """Where the case is now; phases around it are left out."""
        return [marker for marker in self.markers if marker.here and marker.element.kind != "subProcess"]


def of_case(uow: UnitOfWork, application_id: str, models: Mapping[str, Model]) -> Standing:
    """Where the case stands, for one who may see it."""
    return of_rows(case_rows.of_case(uow, application_id), models)


def of_rows(rows: CaseRows, models: Mapping[str, Model]) -> Standing:
    """As ``of_case``, of rows that are read."""
    application, now = rows.application, rows.uow.now
    stays = main_stays(rows, models[MAIN])
    waiting = application.closed_at is None and rows.head.in_transit
    # the engine classifies by itself, and the book has it once something rests on it
    classified = [CLASSIFICATION] if application.importance is not None else []
    markers = _markers(models[MAIN], stays, now, classified) + _unopened(rows, models[REVIEW])
    here = any(marker.here for marker in markers)
    return Standing(models[MAIN], markers, in_transit=waiting and not here)


def _unopened(rows: CaseRows, model: Model) -> tuple[Marker, ...]:
    """What stops a review before it is one: no book knows its stage yet, so it stands for itself."""
    stopped = [
        _worked(step, rows.application)
        for step in rows.steps
        if step.process_id == model.process_id and step.element_id == OPENING and step.stuck_since is not None
    ]
    return tuple(marker for marker in _markers(model, stopped, rows.uow.now) if marker.here)


def of_review(uow: UnitOfWork, application_id: str, review_id: str, models: Mapping[str, Model]) -> Standing:
    """Where one review of the case stands in the process that it is."""
    return review_of_rows(case_rows.of_case(uow, application_id), review_id, models)


def review_of_rows(rows: CaseRows, review_id: str, models: Mapping[str, Model]) -> Standing:
    """As ``of_review``, of rows that are read."""
    review = next((row.review for row in rows.reviews if row.review.id == review_id), None)
    if review is None:
        raise NotFound(Message("review"), review_id)
    stays = [
        _worked(step, rows.application)
        for step in rows.own_steps
        if step.process_instance_key == review.process_instance_key
    ]
    decided = review.closed_because == "decided"
    stays.append(Stay(ANSWER, review.opened_at, review.closed_at, "waiting", whole=decided, review_id=review.id))
    if decided and review.closed_at is not None:
        stays.append(Stay(ANSWERED, review.closed_at, review.closed_at))
    return Standing(models[REVIEW], _markers(models[REVIEW], stays, rows.uow.now))


def main_stays(rows: CaseRows, model: Model) -> list[Stay]:
    """Everything that the books know of the case's way through its main process, oldest first."""
    application = rows.application
    if application.submitted_at is None:
        return []
    stays = [_submission(application)]
    stays += [_worked(step, application) for step in rows.own_steps if step.process_id == model.process_id]
    stays += _reviews(rows, model)
    stays += _corrections(rows)
    hand_over = rows.head.hand_over
    if hand_over is not None and hand_over.accepted_at is not None:
        back = hand_over.returned_at or hand_over.lost_at
        until = back or application.closed_at
        stays.append(Stay(USE, hand_over.accepted_at, until, "waiting", whole=hand_over.returned_at is not None))
    end = model.of_outcome(application.closed_as) if application.closed_as else None
    if end is not None and application.closed_at is not None:
        stays.append(Stay(end.id, application.closed_at, application.closed_at))
    return _left(model, sorted(stays, key=lambda stay: stay.since))


def _left(model: Model, stays: list[Stay]) -> list[Stay]:
    """End what was never told to have ended because its phase was left: phases follow one another.

    Of two phases that began at one moment and both seem to last, the later of the model is the one.
    """
    order = list(model.elements)

    def phase(stay: Stay) -> str:
        return next(reversed([stay.element_id, *model.scopes(stay.element_id)]))

    def follows(later: Stay, stay: Stay) -> bool:
        if later.since != stay.since:
            return later.since > stay.since
        return later.until is None and order.index(phase(later)) > order.index(phase(stay))

    known = [stay for stay in stays if stay.element_id in model.elements]
    ended = {}
    for stay in known:
        after = [one.since for one in known if phase(one) != phase(stay) and follows(one, stay)]
        if stay.until is None and after:
            ended[id(stay)] = replace(stay, until=min(after), whole=False)
    return [ended.get(id(stay), stay) for stay in stays]


def _submission(application: Application) -> Stay:
    """The process has taken the application once it has opened the case."""
    assert application.submitted_at is not None  # noqa: S101  asked by the caller
    taken = application.process_instance_key is not None or application.closed_at is not None
    return Stay(SUBMITTED, application.submitted_at, application.submitted_at if taken else None)


def _worked(step: Step, application: Application) -> Stay:
    until = step.ended_at or application.closed_at
    return Stay(
        step.element_id,
        step.began_at,
        until,
        "stuck" if step.stuck_since is not None else "working",
        whole=step.outcome == steps.COMPLETED,
        item_id=step.item_id,
        attempts=step.attempts,
    )


def _reviews(rows: CaseRows, model: Model) -> list[Stay]:
    application = rows.application
    stays = []
    for review in (row.review for row in rows.reviews):
        call = model.of_stage(review.stage)
        if call is None:
            continue
        until = review.closed_at or application.withdrawn_at or application.closed_at
        decided = review.closed_because == "decided"
        stays.append(Stay(call.id, review.opened_at, until, "waiting", whole=decided, review_id=review.id))
    return stays


def _corrections(rows: CaseRows) -> list[Stay]:
    """One wait for each round that went back: by a decision, or by the automatic check of what is complete."""
    decisions = [row.decision for row in rows.reviews if row.decision is not None]
    returned = {one.round: one.decided_at for one in decisions if one.outcome == "returned"}
    incomplete = {
        one.round: one.found_at
        for one in rows.findings
        if one.check == "preliminary-review" and one.severity == "blocks"
    }
    corrected = {one.round: one.submitted_at for one in rows.revisions}
    stays = []
    for round_, since in sorted({**incomplete, **returned}.items()):
        until = corrected.get(round_ + 1)
        whole = until is not None
        if until is None:
            until = _given_up(rows, since)
        stays.append(Stay(CORRECTION, since, until, "waiting", whole=whole))
    return stays


def _given_up(rows: CaseRows, since: datetime) -> datetime | None:
    """When the wait for a correction ended without one; None while it lasts."""
    expired = (step.began_at for step in rows.steps if step.element_id == EXPIRY and step.began_at >= since)
    return next(expired, None) or rows.application.withdrawn_at or rows.application.closed_at


def _markers(model: Model, stays: Iterable[Stay], now: datetime, known: Iterable[str] = ()) -> tuple[Marker, ...]:
    """Stays with the phases around them, what is ``known`` beside them, and what must have been passed between."""
    at: dict[str, list[Stay]] = {}
    for stay in stays:
        if stay.element_id in model.elements:
            at.setdefault(stay.element_id, []).append(stay)
            for scope in model.scopes(stay.element_id):
                at.setdefault(scope, []).append(stay)
    found = {element_id: _marker(model.elements[element_id], those, now) for element_id, those in at.items()}
    completed = {one for one, those in at.items() if all(stay.until is not None and stay.whole for stay in those)}
    tasks = {one for one in completed if model.elements[one].kind != "subProcess"}
    beside = {one for one in known if one in model.elements}
    for element_id in beside | model.certain({*found, *beside}, tasks):
        found.setdefault(element_id, Marker(model.elements[element_id], "passed"))
    return tuple(found.values())


def _marker(element: Element, stays: list[Stay], now: datetime) -> Marker:
    open_ones = [stay for stay in stays if stay.until is None]
    kinds: list[Kind] = [stay.kind for stay in open_ones] or ["passed"]
    phase = element.kind == "subProcess"
    since = min(stay.since for stay in stays)
    until = None if open_ones else max(stay.until for stay in stays if stay.until is not None)
    worked = sum(((stay.until or now) - stay.since for stay in stays), timedelta())
    return Marker(
        element,
        max(kinds, key=STRONGEST.index),
        since,
        until,
        (until or now) - since if phase else worked,
        times=0 if phase else len(stays),
        attempts=0 if phase else max(stay.attempts for stay in stays),
        review_id=None if phase else stays[-1].review_id,
    )
