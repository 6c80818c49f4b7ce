"""The timeline of a case: its way through the process and how long each step took; no engine is asked.

The database knows when work was done (steps), when people were asked (reviews), when a correction was awaited and when
copies were out; the model knows what lies around and between (docs/process.md).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from services.database.tables.applications import Application, Revision
from services.database.tables.custody import HandOver
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import Decision, Finding, Review
from services.domain.cases import case_models
from services.domain.cases.case_models import REVIEW, CaseModels, DrawnModel, version_of
from services.domain.cases.rows import CaseRows
from services.domain.cases.schemas.timeline import Await, CalledProcess, DiagramMarker, MarkerKind, Timeline
from services.domain.cases.standstills import standstill_of
from services.domain.process import messages, steps
from services.domain.process.model_library import ModelLibrary
from services.runtime.errors import NotFound
from services.runtime.models import Element, Model
from services.runtime.translations import Message

# What the elements of a model do is known by their jobs, messages and tables: ids and names are the designer's.
EXPIRY, OPENING, CLASSIFICATION = "expire-application", "open-review", "classification"

NOWHERE = frozenset[str]()
STRONGEST: tuple[MarkerKind, ...] = ("passed", "working", "event", "waiting", "unserved", "stuck")


@dataclass(frozen=True)
class Visit:
    """Once at one element, from ``since`` until ``until``; None while it lasts."""

    element_id: str
    since: datetime
    until: datetime | None
    kind: MarkerKind = "working"  # while it lasts
    whole: bool = True  # ended as the model draws it, and not from outside
    review_id: str | None = None
    item_id: str | None = None
    attempts: int = 1
    step: ProcessStep | None = None
    called: str | None = None


@dataclass(frozen=True)
class History:
    """The rows of one case that say how it went through its processes."""

    application: Application
    reviews: Sequence[Review]
    decisions: Sequence[Decision]
    steps: Sequence[ProcessStep]
    findings: Sequence[Finding]
    revisions: Sequence[Revision]
    hand_over: HandOver | None

    @property
    def own_steps(self) -> list[ProcessStep]:
        """Of the case's own process instance and of the reviews that it called."""
        instances = {self.application.process_instance_key, *(review.process_instance_key for review in self.reviews)}
        return [step for step in self.steps if step.process_instance_key in instances]


def of_rows(rows: CaseRows, library: ModelLibrary, called: str | None = None) -> Timeline:
    """Derive the timeline of the case from rows that are read, or of a process that it has ``called``; NotFound."""
    models = _models_of(rows, library)
    if called is not None:
        return _of_called(rows, models, called)
    application, now, history = rows.application, rows.uow.now, _history(rows)
    drawn = models.main
    visits = main_visits(history, models)
    waiting = application.closed_at is None and rows.head.in_transit
    # the engine classifies by itself, and the database has it once something rests on it
    tables = drawn.model.of_decision(CLASSIFICATION)
    classified = [table.id for table in tables] if application.importance is not None else []
    markers = _markers(drawn.model, visits, now, classified) + _unopened(rows, models)
    here = any(marker.here for marker in markers)
    line = _timeline(
        drawn, markers, application, in_transit=waiting and not here, called=_called_processes(history, models)
    )
    return line.model_copy(update={"awaits": list(_awaits(history, models))})


def visits_of_rows(rows: CaseRows, library: ModelLibrary) -> Iterator[tuple[Model, Visit]]:
    """List all known visits of the case in its own process, in its reviews and in the processes that it has called."""
    models, history = _models_of(rows, library), _history(rows)
    for visit in main_visits(history, models):
        yield models.main.model, visit
    for drawn in models.called.values():
        for visit in called_visits(history, models, drawn.model):
            yield drawn.model, visit
    review = models.of_process(REVIEW)
    if review is not None:
        for step in history.own_steps:
            if step.process_id == REVIEW:
                yield review.model, _worked(step, rows.application)


def _awaits(history: History, models: CaseModels) -> Iterator[Await]:
    """Yield what people have to do before the process goes on, and until when, by the database alone."""
    application, hand_over = history.application, history.hand_over
    if application.closed_at is not None or application.withdrawn_at is not None:
        return
    for drawn in (models.main, *models.called.values()):
        model = drawn.model
        for review in history.reviews:
            call = model.of_stage(review.stage)
            if call is not None and review.closed_at is None:
                yield _await(model, call, "review", review.stage, review.due_at)
        correction, use = model.awaiting(messages.APPLICATION_CORRECTED), model.awaiting(messages.COPY_RETURNED)
        if correction is not None and application.correction_until is not None:
            yield _await(model, correction, "message", messages.APPLICATION_CORRECTED, application.correction_until)
        if use is not None and hand_over is not None and _is_out(hand_over):
            yield _await(model, use, "message", messages.COPY_RETURNED, hand_over.due_at)


def _is_out(hand_over: HandOver) -> bool:
    return hand_over.accepted_at is not None and not (hand_over.returned_at or hand_over.lost_at or hand_over.ended_at)


def _await(
    model: Model, element: Element, kind: Literal["review", "message"], name: str, due_at: datetime | None
) -> Await:
    return Await(
        kind=kind,
        process_id=model.process_id,
        element_id=element.id,
        zh=element.zh,
        en=element.en,
        name=name,
        due_at=due_at,
    )


def _models_of(rows: CaseRows, library: ModelLibrary) -> CaseModels:
    known = case_models.load(rows.uow, library, [(rows.application, rows.steps)])
    return CaseModels(known, rows.application, rows.steps)


def _timeline(
    drawn: DrawnModel,
    markers: list[DiagramMarker],
    application: Application,
    *,
    in_transit: bool = False,
    called: Sequence[CalledProcess] = (),
) -> Timeline:
    return Timeline(
        process_id=drawn.model.process_id,
        markers=markers,
        in_transit=in_transit,
        process_version=drawn.version,
        model_sha256=drawn.model.sha256,
        model_source=drawn.source,
        runs=application.process_instance_key is not None
        and application.closed_at is None
        and application.withdrawn_at is None,
        called=list(called),
    )


def _of_called(rows: CaseRows, models: CaseModels, process_id: str) -> Timeline:
    drawn = models.called.get(process_id)
    if drawn is None:
        raise NotFound(Message("process"), process_id)
    visits = called_visits(_history(rows), models, drawn.model)
    return _timeline(drawn, _markers(drawn.model, visits, rows.uow.now), rows.application)


def _called_processes(history: History, models: CaseModels) -> list[CalledProcess]:
    """List the designers' own processes in which the case has been, or is."""
    found = []
    for process_id, drawn in models.called.items():
        visits = called_visits(history, models, drawn.model)
        if visits:
            here = any(visit.until is None for visit in visits)
            found.append(CalledProcess(process_id=process_id, zh=drawn.model.zh, en=drawn.model.en, here=here))
    return found


def _unopened(rows: CaseRows, models: CaseModels) -> list[DiagramMarker]:
    """Return what stops or delays a review before it is open: its stage is not stored yet."""
    stopped = [
        step
        for step in rows.steps
        if step.process_id == REVIEW and (step.stuck_since is not None or step.waiting_since is not None)
    ]
    drawn = models.of_process(REVIEW) if stopped else None
    if drawn is None:
        return []
    opening = {element.id for element in drawn.model.of_job(OPENING)}
    visits = [_worked(step, rows.application) for step in stopped if step.element_id in opening]
    return [marker for marker in _markers(drawn.model, visits, rows.uow.now) if marker.here]


def review_of_rows(rows: CaseRows, review_id: str, library: ModelLibrary) -> Timeline:
    """Derive the timeline of one review, in the process that it is, from rows that are read; NotFound."""
    review = next((row.review for row in rows.reviews if row.review.id == review_id), None)
    if review is None:
        raise NotFound(Message("review"), review_id)
    own_steps = [step for step in rows.own_steps if step.process_instance_key == review.process_instance_key]
    version = next((version for step in own_steps if (version := version_of(step)) is not None), None)
    models = _models_of(rows, library)
    drawn = models.of_version(REVIEW, version) if version is not None else models.of_process(REVIEW)
    assert drawn is not None  # noqa: S101  no installation is without it
    visits = [_worked(step, rows.application) for step in own_steps]
    decided = review.closed_because == "decided"
    model = drawn.model
    answer = model.awaiting(messages.REVIEW_DECIDED)
    if answer is not None:
        wait = Visit(answer.id, review.opened_at, review.closed_at, "waiting", whole=decided, review_id=review.id)
        end = model.ending_after(answer)
        visits.append(wait)
        if decided and review.closed_at is not None and end is not None:
            visits.append(Visit(end.id, review.closed_at, review.closed_at))
    return _timeline(drawn, _markers(model, visits, rows.uow.now), rows.application)


def _history(rows: CaseRows) -> History:
    return History(
        application=rows.application,
        reviews=[row.review for row in rows.reviews],
        decisions=[row.decision for row in rows.reviews if row.decision is not None],
        steps=rows.steps,
        findings=rows.findings,
        revisions=rows.revisions,
        hand_over=rows.head.hand_over,
    )


def main_visits(history: History, models: CaseModels) -> list[Visit]:
    """List all known visits of the case in its main process, oldest first."""
    application, model = history.application, models.main.model
    if application.submitted_at is None:
        return []
    visits = _submission(application, model)
    visits += [_worked(step, application) for step in history.own_steps if step.process_id == model.process_id]
    visits += _waits(history, models, model)
    end = model.of_outcome(application.closed_as) if application.closed_as else None
    if end is not None and application.closed_at is not None:
        visits.append(Visit(end.id, application.closed_at, application.closed_at))
    return _left(model, sorted(visits, key=lambda visit: visit.since))


def called_visits(history: History, models: CaseModels, model: Model, within: frozenset[str] = NOWHERE) -> list[Visit]:
    """List all known visits of the case in a process that it calls, oldest first; ``within`` are its callers."""
    visits = [
        _worked(step, history.application)
        for step in history.steps
        if step.process_id == model.process_id and step.process_instance_key != history.application.process_instance_key
    ]
    visits += _waits(history, models, model, within | {model.process_id})
    return _left(model, sorted(visits, key=lambda visit: visit.since))


def _waits(history: History, models: CaseModels, model: Model, within: frozenset[str] = NOWHERE) -> list[Visit]:
    """List what a process has waited for: reviews, corrections, the use of copies, and what it has called."""
    visits = _reviews(history, model) + _corrections(history, model) + _calls(history, models, model, within)
    use = model.awaiting(messages.COPY_RETURNED)
    hand_over = history.hand_over
    if use is not None and hand_over is not None and hand_over.accepted_at is not None:
        until = hand_over.returned_at or hand_over.lost_at or history.application.closed_at
        whole = hand_over.returned_at is not None
        visits.append(Visit(use.id, hand_over.accepted_at, until, "waiting", whole=whole))
    return visits


def _calls(history: History, models: CaseModels, model: Model, within: frozenset[str]) -> list[Visit]:
    """Return one visit for each process of the designers' own that is called at one place, from all that it did.

    The database knows what was done in such a process and not which of several calls did it.
    """
    calls: dict[str, list[Element]] = {}
    for element in model.elements.values():
        if element.called in models.called and element.called not in within:
            calls.setdefault(str(element.called), []).append(element)
    visits = []
    for process_id, elements in calls.items():
        inner = called_visits(history, models, models.called[process_id].model, within) if len(elements) == 1 else []
        if inner:
            open_ones = [visit for visit in inner if visit.until is None]
            visits.append(
                Visit(
                    elements[0].id,
                    min(visit.since for visit in inner),
                    None if open_ones else max(visit.until for visit in inner if visit.until is not None),
                    max((visit.kind for visit in open_ones), key=STRONGEST.index, default="working"),
                    called=process_id,
                )
            )
    return visits


def _left(model: Model, visits: list[Visit]) -> list[Visit]:
    """End visits whose end is not recorded although their phase was left: one that follows it was entered.

    Of two phases that began at one moment and both seem to last, the later of the model is the one.
    """
    order = list(model.elements)

    known = [visit for visit in visits if visit.element_id in model.elements]
    around = {visit.element_id: [*reversed(list(model.scopes(visit.element_id))), visit.element_id] for visit in known}

    def follows(later: Visit, visit: Visit) -> bool:
        phase, following = _parted(around[visit.element_id], around[later.element_id])
        # within a phase the branches go on beside each other, but for the phases that it is made of
        if phase is None or (phase == visit.element_id and len(around[phase]) > 1):
            return False
        if following not in model.leads_to[phase]:
            return False
        if later.since != visit.since:
            return later.since > visit.since
        return later.until is None and order.index(following) > order.index(phase)

    ended = {}
    for visit in known:
        after = [other.since for other in known if follows(other, visit)] if visit.until is None else []
        if after:
            ended[id(visit)] = replace(visit, until=min(after), whole=False)
    return [ended.get(id(visit), visit) for visit in visits]


def _parted(one: Sequence[str], other: Sequence[str]) -> tuple[str, str] | tuple[None, None]:
    """Return where two ways from the process inwards part: an element of each; None where they do not."""
    return next(((left, right) for left, right in zip(one, other, strict=False) if left != right), (None, None))


def _submission(application: Application, model: Model) -> list[Visit]:
    """Return the time from the submission to the opening of the case."""
    start = model.awaiting(messages.APPLICATION_SUBMITTED)
    assert application.submitted_at is not None  # noqa: S101  asked by the caller
    taken = application.process_instance_key is not None or application.closed_at is not None
    until = application.submitted_at if taken else None
    return [] if start is None else [Visit(start.id, application.submitted_at, until)]


def _worked(step: ProcessStep, application: Application) -> Visit:
    until = step.ended_at or application.closed_at
    return Visit(
        step.element_id,
        step.began_at,
        until,
        "stuck" if step.stuck_since is not None else "working",
        whole=step.outcome == steps.COMPLETED,
        item_id=step.item_id,
        attempts=step.attempts,
        step=step,
    )


def _reviews(history: History, model: Model) -> list[Visit]:
    application = history.application
    visits = []
    for review in history.reviews:
        call = model.of_stage(review.stage)
        if call is None:
            continue
        until = review.closed_at or application.withdrawn_at or application.closed_at
        decided = review.closed_because == "decided"
        visits.append(Visit(call.id, review.opened_at, until, "waiting", whole=decided, review_id=review.id))
    return visits


def _corrections(history: History, model: Model) -> list[Visit]:
    """Return one wait for each round that went back: by a decision, or by the automatic check of what is complete."""
    returned = {decision.round: decision.decided_at for decision in history.decisions if decision.outcome == "returned"}
    incomplete = {
        finding.round: finding.found_at
        for finding in history.findings
        if finding.check == "preliminary-review" and finding.severity == "blocks"
    }
    corrected = {revision.round: revision.submitted_at for revision in history.revisions}
    correction = model.awaiting(messages.APPLICATION_CORRECTED)
    if correction is None:
        return []
    visits = []
    for round_, since in sorted({**incomplete, **returned}.items()):
        until = corrected.get(round_ + 1)
        whole = until is not None
        if until is None:
            until = _given_up(history, model, since)
        visits.append(Visit(correction.id, since, until, "waiting", whole=whole))
    return visits


def _given_up(history: History, model: Model, since: datetime) -> datetime | None:
    """Return when the wait for a correction ended without one; None while it lasts."""
    expiry = {element.id for element in model.of_job(EXPIRY)}
    expired = (step.began_at for step in history.steps if step.element_id in expiry and step.began_at >= since)
    return next(expired, None) or history.application.withdrawn_at or history.application.closed_at


def _markers(model: Model, visits: Iterable[Visit], now: datetime, known: Iterable[str] = ()) -> list[DiagramMarker]:
    """Stays with the phases around them, what is ``known`` beside them, and what must have been passed between."""
    at: dict[str, list[Visit]] = {}
    for visit in visits:
        if visit.element_id in model.elements:
            at.setdefault(visit.element_id, []).append(visit)
            for scope in model.scopes(visit.element_id):
                at.setdefault(scope, []).append(visit)
    markers = {element_id: _marker(model.elements[element_id], those, now) for element_id, those in at.items()}
    completed = {
        element_id
        for element_id, those in at.items()
        if all(visit.until is not None and visit.whole for visit in those)
    }
    tasks = {element_id for element_id in completed if model.elements[element_id].kind != "subProcess"}
    beside = {element_id for element_id in known if element_id in model.elements}
    for element_id in beside | model.certain({*markers, *beside}, tasks):
        markers.setdefault(element_id, marker_at(model.elements[element_id], "passed"))
    return list(markers.values())


def marker_at(element: Element, kind: MarkerKind, since: datetime | None = None) -> DiagramMarker:
    """Return the marker of an element of which nothing else is known."""
    return DiagramMarker(
        element_id=element.id, element_kind=element.kind, zh=element.zh, en=element.en, kind=kind, since=since
    )


def _marker(element: Element, visits: list[Visit], now: datetime) -> DiagramMarker:
    open_ones = [visit for visit in visits if visit.until is None]
    kinds: list[MarkerKind] = [visit.kind for visit in open_ones] or ["passed"]
    phase = element.kind == "subProcess"
    since = min(visit.since for visit in visits)
    found = [standstill_of(visit.step, now) for visit in open_ones if visit.step is not None]
    standstills = [one for one in found if one is not None]
    until = None if open_ones else max(visit.until for visit in visits if visit.until is not None)
    lengths = [(visit.until or now) - visit.since for visit in visits]
    took = (until or now) - since if phase else sum(lengths, timedelta())
    return DiagramMarker(
        element_id=element.id,
        element_kind=element.kind,
        zh=element.zh,
        en=element.en,
        kind=max(kinds, key=STRONGEST.index),
        since=since,
        until=until,
        seconds=took.total_seconds(),
        times=0 if phase else len(visits),
        attempts=0 if phase else max(visit.attempts for visit in visits),
        review_id=None if phase else visits[-1].review_id,
        called=None if phase else visits[-1].called,
        standstill=None if phase else max(standstills, key=lambda one: (one.stopped, one.since), default=None),
    )
