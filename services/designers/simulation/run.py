"""Run a year: what happens next, in all cases and with all people, in the order of time."""

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from services.designers.policy_check.moves import OPENS_REVIEW
from services.designers.simulation.absences import AbsenceCalendar
from services.designers.simulation.answers import Answers, Job, JobEnd
from services.designers.simulation.applicants import Senders
from services.designers.simulation.arrivals import Arrival, arrivals
from services.designers.simulation.case import Place, Recording, SimulatedCase
from services.designers.simulation.decisions import Decisions
from services.designers.simulation.draws import Draws
from services.designers.simulation.models import CannotEnd, Models
from services.designers.simulation.office import Office
from services.designers.simulation.profile import YEAR, Profile
from services.designers.simulation.reviews import STORAGE_RELEASE, CaseDuties, Deciders, OpenReview
from services.designers.simulation.tally import Tally, passes
from services.domain.process.messages import (
    APPLICATION_CORRECTED,
    APPLICATION_SUBMITTED,
    REVIEW_DECIDED,
    USE_PERIOD_CHANGED,
)
from services.engine.clock import MAX_MILLIS, from_millis, to_millis
from services.engine.model.bpmn import ElementType
from services.engine.processing import jobs, messages, timers
from services.engine.processing.command_processor import Command
from services.engine.processing.variables import visible_variables
from services.engine.state.memory import State
from services.engine.state.records import Record

MOST_STEPS = 20_000
"""Of one case: daily reminders of two years are a tenth of it."""
MOST_SILENT = 60
"""How often timers fire while nobody does anything: then what only repeats itself is left where it is."""
ESCALATES_REVIEW = "escalate-review"
Act = Callable[[datetime], None]


class Watch:
    """Sees what happens in cases. This one does nothing with it; an event log overrides all."""

    def submitted(self, case: SimulatedCase, at: datetime) -> None: ...

    def job_ended(self, case: SimulatedCase, job: Job, end: JobEnd) -> None: ...

    def message_came(self, case: SimulatedCase, message: str, at: datetime) -> None: ...

    def review_opened(self, case: SimulatedCase, review: OpenReview, at: datetime) -> None: ...

    def review_escalated(self, case: SimulatedCase, review: OpenReview, at: datetime) -> None: ...

    def review_decided(self, case: SimulatedCase, review: OpenReview, outcome: str, at: datetime) -> None: ...

    def ended(self, case: SimulatedCase, at: datetime) -> None: ...


@dataclass(frozen=True)
class Ran:
    """A year that was run; ``cpu_seconds`` is what it took."""

    tally: Tally
    cases: int
    cpu_seconds: float


def run(
    models: Models,
    profile: Profile,
    *,
    cases: int,
    seed: int,
    watch: Watch | None = None,
    consume: Callable[[Iterable[SimulatedCase]], object] | None = None,
) -> Ran:
    """Run the cases of a year to their end, or for a year after the last was submitted. Raises CannotEnd.

    ``consume`` gets each case when it has ended, and those that have not at last; it has to take all.
    """
    begun = time.process_time()
    draws = Draws(seed)
    year = _Year(models, profile, draws, watch or Watch())
    ended = year.steps(arrivals(profile, cases, draws))
    if consume is None:
        for _ in ended:
            pass
    else:
        consume(ended)
    return Ran(year.tally, cases, time.process_time() - begun)


class _Year:
    def __init__(self, models: Models, profile: Profile, draws: Draws, watch: Watch) -> None:
        self._models, self._profile, self._draws, self._watch = models, profile, draws, watch
        self._answers = Answers(models, profile, draws)
        self._decisions = Decisions(profile, draws)
        self._senders = Senders(models, profile, draws)
        self._deciders = Deciders(profile)
        self._absences = AbsenceCalendar(profile, draws)
        self._office = Office(profile.calendar, self._absences)
        self._planned: list[tuple[datetime, int, Act]] = []
        self._number = 0
        self._wakes: dict[str, datetime] = {}
        self._reviews: dict[str, tuple[SimulatedCase, OpenReview]] = {}
        self._open: dict[str, SimulatedCase] = {}
        self._done: list[SimulatedCase] = []
        self.tally = Tally(models)
        self.horizon = profile.begins + 2 * YEAR

    def steps(self, coming: Sequence[Arrival]) -> Iterator[SimulatedCase]:
        """Take one step after another; yield the cases that have ended, and those that have not at last."""
        for arrival in coming:
            self._plan(arrival.at, partial(self._submit, arrival))
        for person in sorted({post.person_id for post in self._profile.directory.held}):
            for begin, _ in self._absences.of(person):
                self._plan(begin, partial(self._leave, person))
        while self._planned and self._planned[0][0] < self.horizon:
            at, _, act = heapq.heappop(self._planned)
            act(at)
            if self._done:
                yield from self._done
                self._done.clear()
        for case in self._open.values():
            self.tally.close(case, self.horizon)
            yield case

    def _plan(self, at: datetime, act: Act) -> None:
        self._number += 1
        heapq.heappush(self._planned, (at, self._number, act))

    # -- a case goes on --------------------------------------------------------------------------------------------

    def _submit(self, arrival: Arrival, now: datetime) -> None:
        near = self._deciders.near(arrival.drafter, arrival.department)
        duties = CaseDuties(arrival.department, arrival.drafter, near=near)
        recordings = {item.id: Recording(item) for item in arrival.items}
        case = SimulatedCase(arrival, self._models.empty, duties, recordings)
        self._open[case.id] = case
        self._watch.submitted(case, now)
        self._publish(case, APPLICATION_SUBMITTED, case.id, {"applicationId": case.id}, now)

    def _publish(self, case: SimulatedCase, name: str, key: str, values: dict[str, Any], now: datetime) -> None:
        case.silent = 0
        command = partial(messages.publish, name=name, key=key, ttl=0, message_id="", variables=values)
        self._apply(case, command, now)

    def _apply(self, case: SimulatedCase, command: Command, now: datetime) -> None:
        case.steps += 1
        if case.steps > MOST_STEPS:
            raise self._cannot_end(case)
        before = case.state
        applied = self._models.apply(before, now, command)
        if applied.refused:
            self.tally.stops[self._place(case), applied.refused] += 1
            return
        case.state = applied.state
        self._read(case, applied.records, now)
        self._plan_next(case, now)

    def _read(self, case: SimulatedCase, records: Iterable[Record], now: datetime) -> None:
        for record in records:
            value = record.value
            if record.value_type == "PROCESS_INSTANCE":
                self._pass(case, record, now)
            elif record.value_type == "INCIDENT" and record.intent == "CREATED":
                place = (value["bpmnProcessId"], value["elementId"])
                self.tally.stops[place, value["errorMessage"]] += 1

    def _pass(self, case: SimulatedCase, record: Record, now: datetime) -> None:
        value = record.value
        place = (value["bpmnProcessId"], value["elementId"])
        if record.intent == "ELEMENT_ACTIVATED":
            if passes(value):
                case.active[record.key] = (place, now)
        elif record.intent in ("ELEMENT_COMPLETED", "ELEMENT_TERMINATED"):
            entered = case.active.pop(record.key, None)
            if entered is not None:
                self.tally.left(case, *entered, now)
            if record.intent == "ELEMENT_COMPLETED" and _is_end_of_case(value):
                self.tally.ends[place] += 1

    def _plan_next(self, case: SimulatedCase, now: datetime) -> None:
        """Plan what the case waits for now, and forget the reviews whose branch has ended."""
        state = case.state
        if not state.instances:
            self._end(case, now)
            return
        for key, job in state.jobs.items():
            if key not in case.known:
                case.known.add(key)
                seconds = self._answers.seconds(case, job.type)
                self._plan(now + timedelta(seconds=seconds), partial(self._finish_job, case, key))
        for key, timer in state.timers.items():
            if timer.process_instance_key and timer.due_date < MAX_MILLIS and case.timers.get(key) != timer.due_date:
                case.timers[key] = timer.due_date
                self._plan(max(now, from_millis(timer.due_date)), partial(self._fire, case, key))
        waiting = set()
        for key, subscription in state.message_subscriptions.items():
            waiting.add(subscription.correlation_key)
            if key not in case.known:
                case.known.add(key)
                if subscription.name == REVIEW_DECIDED:
                    self._ask(case, subscription.correlation_key, now)
                else:
                    self._await(case, key, now)
        for review in [review for review in case.reviews.values() if review.id not in waiting and review.begun_asking]:
            self._close_review(case, review)

    def _end(self, case: SimulatedCase, now: datetime) -> None:
        case.ended = now
        for review in list(case.reviews.values()):
            self._close_review(case, review)
        del self._open[case.id]
        self.tally.close(case, self.horizon)
        self._watch.ended(case, now)
        case.state = self._models.empty  # what is still planned for it holds the case for weeks
        self._done.append(case)

    def _finish_job(self, case: SimulatedCase, key: int, now: datetime) -> None:
        job = case.state.jobs.get(key)
        if job is None or case.is_over:
            return
        instance = case.state.instances[job.process_instance_key]
        seen = visible_variables(instance, instance.element_instances[job.element_instance_key])
        ending = Job(job.type, seen, now)
        end = self._answers.end_of(case, ending)
        self._watch.job_ended(case, ending, end)
        if end.error:
            self._apply(case, partial(jobs.throw_job_error, key=key, code=end.error, text="", variables={}), now)
            return
        if job.type == OPENS_REVIEW:
            self._open_review(case, seen, str(end.values.get("reviewId")), now)
        elif job.type == ESCALATES_REVIEW:
            self._escalate(case, str(seen.get("reviewId")), now)
        elif job.type == "security-review":
            kinds = [kind for kind in ("security", "management") if end.values.get(f"{kind}Involved")]
            case.duties.near = self._deciders.near(case.arrival.drafter, case.arrival.department, *kinds)
        self._apply(case, partial(jobs.complete_job, key=key, variables=end.values), now)

    def _fire(self, case: SimulatedCase, key: int, now: datetime) -> None:
        timer = case.state.timers.get(key)
        if case.is_over or timer is None or timer.due_date != case.timers.get(key):
            return
        if timer.due_date > to_millis(now):
            return
        process_id = case.state.instances[timer.process_instance_key].bpmn_process_id
        self.tally.timers[process_id, timer.element_id] += 1
        case.silent += 1
        if case.silent > MOST_SILENT and case.can_only_repeat():
            case.given_up = True
            return
        self._apply(case, partial(timers.trigger_timer, key=key), now)

    def _await(self, case: SimulatedCase, key: int, now: datetime) -> None:
        subscription = case.state.message_subscriptions[key]
        sent_key = case.key_of(subscription.name, subscription.correlation_key)
        if sent_key != subscription.correlation_key:
            return  # the portal sends it with another key, so it never comes here
        sending = self._senders.sending(case, subscription.name, now)
        if sending is not None:
            case.coming += 1
            self._plan(sending.at, partial(self._send, case, key, dict(sending.values)))

    def _send(self, case: SimulatedCase, key: int, values: dict[str, Any], now: datetime) -> None:
        subscription = case.state.message_subscriptions.get(key)
        case.coming -= 1
        if case.is_over or subscription is None:
            return
        if subscription.name == APPLICATION_CORRECTED:
            case.corrections += 1
        elif subscription.name == USE_PERIOD_CHANGED:
            case.due = datetime.fromisoformat(values["dueAt"])
        self._watch.message_came(case, subscription.name, now)
        self._publish(case, subscription.name, subscription.correlation_key, values, now)

    # -- reviews and people ----------------------------------------------------------------------------------------

    def _open_review(self, case: SimulatedCase, seen: dict[str, Any], review_id: str, now: datetime) -> None:
        stage = self._models.stage_file.stages.get(str(seen.get("stage")))
        if stage is None:
            return
        variables = _case_variables(case.state)
        case.duties.decided_by = variables.get("decidedBy")
        needed = 2 if stage.code == STORAGE_RELEASE and variables.get("secondPerson") is True else 1
        number = case.nth(f"stage {stage.code}")
        response = self._profile.deciding(stage.code).response
        seconds = response.at(self._draws.share("response", case.id, stage.code, number))
        ready = self._profile.calendar.add(now, timedelta(seconds=seconds))
        groups = self._deciders.groups(stage, case.duties)
        if not groups:
            self.tally.undecidable[stage.code] += 1
        case.reviews[review_id] = OpenReview(review_id, case.id, stage, groups, now, ready, number, needed)

    def _ask(self, case: SimulatedCase, review_id: str, now: datetime) -> None:
        review = case.reviews.get(review_id)
        if review is None:
            return
        review.begun_asking = True
        self._reviews[review_id] = (case, review)
        self._watch.review_opened(case, review, now)
        self._plan(review.ready, partial(self._offer, review))

    def _close_review(self, case: SimulatedCase, review: OpenReview) -> None:
        review.closed = True
        del case.reviews[review.id]
        self._reviews.pop(review.id, None)

    def _offer(self, review: OpenReview, now: datetime) -> None:
        if review.closed or review.taken or now < review.ready:
            return
        people = self._office.offer(review, now)
        there = [person for person in people if self._office.free_from(person, now) == now]
        for person in there or people:
            self._wake(person, now)
            if review.taken:
                return

    def _wake(self, person: str, now: datetime) -> None:
        """Let a person begin the next review, or come back when at work."""
        if self._wakes.get(person) == now:
            del self._wakes[person]
        review = self._office.next_review(person)
        if review is None:
            return
        begins = self._office.free_from(person, now)
        if begins > now:
            if self._wakes.get(person) != begins:
                self._wakes[person] = begins
                self._plan(begins, partial(self._wake, person))
            return
        share = self._draws.share("work", review.case, review.stage.code, review.number, len(review.signed))
        work = timedelta(seconds=max(1.0, self._profile.deciding(review.stage.code).work.at(share)))
        self.tally.waited(review.stage.code, now - review.ready)
        self._plan(self._office.begin(person, review, now, work), partial(self._decide, person))

    def _leave(self, person: str, now: datetime) -> None:
        for review in self._office.waiting_for(person):
            self._offer(review, now)

    def _escalate(self, case: SimulatedCase, review_id: str, now: datetime) -> None:
        review = case.reviews.get(review_id)
        if review is not None:
            review.escalated = True
            self._watch.review_escalated(case, review, now)
            self._offer(review, now)

    def _decide(self, person: str, now: datetime) -> None:
        review = self._office.finish(person)
        if review is not None and not review.closed:
            case = self._reviews[review.id][0]
            review.signed.append(person)
            case.duties.done.setdefault(review.stage.duty, set()).add(person)
            if len(review.signed) < review.needed and any(p not in review.signed for p in review.everybody):
                review.taken, review.ready = False, now
                self._offer(review, now)
            else:
                values = self._decisions.decide(case, review.stage, review.number, now)
                self._watch.review_decided(case, review, values["decision"], now)
                self._close_review(case, review)
                self._publish(case, REVIEW_DECIDED, review.id, values, now)
        self._wake(person, now)

    def _place(self, case: SimulatedCase) -> Place:
        waiting = case.waiting_elements(self._models.review_processes)
        return waiting[0] if waiting else ("", "")

    def _cannot_end(self, case: SimulatedCase) -> CannotEnd:
        names = [self._models.words.element(*place) for place in case.waiting_elements(self._models.review_processes)]
        zh, en = "、".join(f"“{zh}”" for zh, _ in names), ", ".join(en for _, en in names)
        return CannotEnd(
            f"一个案件走了 {MOST_STEPS} 步仍未结束，停在{zh}", f"a case has gone {MOST_STEPS} steps, and stands at {en}"
        )


def _is_end_of_case(value: Mapping[str, Any]) -> bool:
    """Return whether a record is of an end event of the case itself, and not of a phase or of what it calls."""
    is_outermost = value["flowScopeKey"] == value["processInstanceKey"] and value["parentProcessInstanceKey"] == -1
    return is_outermost and bool(value["bpmnElementType"] == ElementType.END_EVENT)


def _case_variables(state: State) -> dict[str, Any]:
    """Return the variables of the case and of its open phases; the innermost wins."""
    root = next((instance for instance in state.instances.values() if instance.parent is None), None)
    variables: dict[str, Any] = {}
    if root is not None:
        for element in root.element_instances.values():
            variables.update(element.variables)
    return variables
