"""What can happen where a case stands."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.designers.policy_check.case import Case, LiveOf, is_open
from services.designers.policy_check.live_variables import LiveVariables
from services.designers.policy_check.rules import Rules
from services.designers.policy_check.world import ATTEMPT, Values, World
from services.domain.process.messages import REVIEW_DECIDED
from services.engine.clock import MAX_MILLIS
from services.engine.model.bpmn import Process
from services.engine.processing.variables import visible_variables
from services.engine.state.instances import ProcessInstance
from services.engine.state.memory import State

OPENS_REVIEW = "open-review"
JOB, ERROR, DECISION, MESSAGE, SIGNAL, TIMER = "job", "error", "decision", "message", "signal", "timer"
SILENT = frozenset({JOB, ERROR, TIMER})
"""The moves that need nobody."""


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that can happen. ``key`` is the engine's, of the job, the timer or the subscription.

    ``name`` is the job type, stage, message, signal or timer; ``what`` the outcome or error code; ``of`` the values
    that tell a job from others of its element (the item); ``due`` in ms, of a timer.
    """

    kind: str
    key: int
    process_id: str
    element_id: str
    name: str
    what: str = ""
    values: Values = field(default_factory=dict, compare=False)
    of: tuple[tuple[str, Any], ...] = ()
    due: int = 0
    review: str = ""
    choice: int = 0

    @property
    def identity(self) -> tuple[str, int, str, int]:
        return self.kind, self.key, self.what, self.choice


class PossibleMoves:
    """Finds the moves of a case; ``reduces``: outcomes that differ only in what nothing reads are one."""

    def __init__(
        self,
        processes: Mapping[int, Process],
        world: World,
        rules: Rules,
        live: LiveOf,
        *,
        reduces: bool,
        asked_again: frozenset[str] = frozenset(),
    ) -> None:
        """``asked_again`` are the types of jobs that can be done again, with what the register has said before."""
        self._asked_again = asked_again
        self._processes = processes
        self._world = world
        self._rules = rules
        self._live = live
        self._reduces = reduces
        self._ahead: dict[tuple[int, str], frozenset[str]] = {}
        self._outcomes: dict[tuple[LiveVariables, str, str], list[tuple[int, Values]]] = {}
        self._decisions: dict[
            tuple[LiveVariables, str, str, tuple[bool, ...] | None], list[tuple[int, str, Values]]
        ] = {}
        self.used: set[tuple[str, str, int]] = set()
        """The outcomes of jobs that were found, by job type and number."""

    def of(self, case: Case) -> list[Move]:
        """Return what can happen where the case stands, in a fixed order."""
        return [
            *self._job_moves(case),
            *self._message_moves(case),
            *self._signal_moves(case),
            *self._timer_moves(case),
        ]

    def _job_moves(self, case: Case) -> Iterator[Move]:
        state = case.state
        for key in sorted(state.jobs):
            job = state.jobs[key]
            # a job that failed and is resolved equals one that is not done yet: nothing else moves meanwhile
            if not is_open(job.state):
                continue
            instance = state.instances[job.process_instance_key]
            of = self._item(instance, job.element_instance_key)
            for choice, values in self._distinct_outcomes(instance, job.element_id, job.type, state):
                if not case.register.says(values):
                    continue
                given = {name: case.register.attempt if value == ATTEMPT else value for name, value in values.items()}
                yield Move(JOB, key, instance.bpmn_process_id, job.element_id, job.type, "", given, of, choice=choice)
            for code in self._world.errors(job.type):
                yield Move(ERROR, key, instance.bpmn_process_id, job.element_id, job.type, code, {}, of)

    def _item(self, instance: ProcessInstance, element_key: int) -> tuple[tuple[str, Any], ...]:
        if not self._rules.each:
            return ()
        visible = visible_variables(instance, instance.element_instances[element_key], sorted(self._rules.each))
        return tuple(sorted((name, value) for name, value in visible.items() if isinstance(value, str)))

    def _distinct_outcomes(
        self, instance: ProcessInstance, element_id: str, job_type: str, state: State
    ) -> Sequence[tuple[int, Values]]:
        """Return a job's outcomes; those that differ only in what nothing reads are one."""
        read, _ = self._live(instance, state)
        key = (read, element_id, job_type)
        if key not in self._outcomes:
            self._outcomes[key] = list(self._distinct(read, element_id, job_type))
        return self._outcomes[key]

    def _distinct(self, read: LiveVariables, element_id: str, job_type: str) -> Iterator[tuple[int, Values]]:
        compared = self._rules.compared("job", job_type) | self._rules.timed_by(job_type)
        compared |= {name for meaning in self._world.meanings for name in meaning.of.variables}
        if job_type in self._asked_again:
            compared |= self._world.fixed
        told: set[str] = set()
        for choice, values in enumerate(self._world.outcomes(job_type)):
            matters = {*read.given(element_id, values), *(compared & values.keys())} if self._reduces else values.keys()
            key = repr(sorted((name, values[name]) for name in matters))
            self.used.add((JOB, job_type, choice))
            if key not in told:
                told.add(key)
                yield choice, values

    def _message_moves(self, case: Case) -> Iterator[Move]:
        state, register = case.state, case.register
        told: set[tuple[str, str]] = set()
        for key in sorted(state.message_subscriptions):
            subscription = state.message_subscriptions[key]
            if (subscription.name, subscription.correlation_key) in told:
                continue
            told.add((subscription.name, subscription.correlation_key))
            process_id = subscription.bpmn_process_id
            if subscription.name == REVIEW_DECIDED:
                yield from self._decision_moves(case, key)
                continue
            sent = self._world.sent.get(subscription.name)
            if sent is not None and subscription.correlation_key != register.keys(sent.key):
                continue  # the portal sends it with another key, so it never comes here
            for choice, values in enumerate(self._world.message(subscription.name)):
                yield Move(
                    MESSAGE, key, process_id, subscription.element_id, subscription.name, "", values, choice=choice
                )

    def _decision_moves(self, case: Case, key: int) -> Iterator[Move]:
        subscription = case.state.message_subscriptions[key]
        review = next((r for r in case.register.reviews if r.id == subscription.correlation_key), None)
        if review is None:
            return
        instance = case.state.instances[subscription.process_instance_key]
        read, _ = self._live(instance, case.state)
        of = (read, subscription.element_id, review.stage, case.register.marks)
        if of not in self._decisions:
            self._decisions[of] = list(self._distinct_decisions(*of))
        for choice, outcome, values in self._decisions[of]:
            yield Move(
                DECISION,
                key,
                instance.bpmn_process_id,
                subscription.element_id,
                review.stage,
                outcome,
                values,
                review=review.id,
                choice=choice,
            )

    def _distinct_decisions(
        self, read: LiveVariables, element_id: str, stage: str, marks: tuple[bool, ...] | None
    ) -> Iterator[tuple[int, str, Values]]:
        """Yield the outcomes of a review; those that differ only in what nothing reads are one."""
        compared = self._rules.compared("stage", stage)
        told: set[str] = set()
        for choice, (outcome, values) in enumerate(self._world.decisions(stage, marks)):
            matters = {*read.given(element_id, values), *(compared & values.keys()), "decision"}
            key_of = repr((outcome, sorted((n, values[n]) for n in (matters if self._reduces else values))))
            if key_of not in told:
                told.add(key_of)
                yield choice, outcome, values

    def _signal_moves(self, case: Case) -> Iterator[Move]:
        told: set[str] = set()
        for key in sorted(case.state.signal_subscriptions):
            subscription = case.state.signal_subscriptions[key]
            if subscription.name not in told:
                told.add(subscription.name)
                process_id = case.state.instances[subscription.process_instance_key].bpmn_process_id
                yield Move(SIGNAL, key, process_id, subscription.element_id, subscription.name)

    def _timer_moves(self, case: Case) -> Iterator[Move]:
        """Yield the timers that may be next: of those that were set in one step, the earliest.

        Between timers of different steps any time may have passed, so that either may be the first.
        """
        earliest: dict[int, int] = {}
        timers_left = case.state.timers.values()
        found = [t for t in timers_left if t.process_instance_key and t.due_date < MAX_MILLIS]
        for timer in found:
            born = case.born.get(timer.key, 0)
            earliest[born] = min(earliest.get(born, timer.due_date), timer.due_date)
        for timer in sorted(found, key=lambda timer: timer.key):
            if timer.due_date > earliest[case.born.get(timer.key, 0)]:
                continue
            instance = case.state.instances[timer.process_instance_key]
            # The one approximation: what a timer began beside the way has ended before it begins the same again.
            if self._is_busy(instance, timer.element_id):
                continue
            yield Move(
                TIMER, timer.key, instance.bpmn_process_id, timer.element_id, timer.element_id, due=timer.due_date
            )

    def _is_busy(self, instance: ProcessInstance, element_id: str) -> bool:
        if self._processes[instance.process_definition_key].elements[element_id].interrupting:
            return False
        ahead = self._elements_ahead(instance, element_id)
        return any(active.element_id in ahead for active in instance.element_instances.values())

    def _elements_ahead(self, instance: ProcessInstance, element_id: str) -> frozenset[str]:
        key = (instance.process_definition_key, element_id)
        if key not in self._ahead:
            process = self._processes[instance.process_definition_key]
            found: set[str] = set()
            todo = [flow.target for flow in process.elements[element_id].outgoing]
            while todo:
                current = todo.pop()
                if current not in found:
                    found.add(current)
                    todo += [flow.target for flow in process.elements[current].outgoing]
            self._ahead[key] = frozenset(found)
        return self._ahead[key]
