"""The models, deployed on a store in memory, and what the engine makes of each move of a case."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from services.designers.policy_check import step_findings
from services.designers.policy_check.alike_marks import alike
from services.designers.policy_check.case import APPLICATION, Case, LiveOf, OpenReview, Register
from services.designers.policy_check.decision_inputs import names_that_matter
from services.designers.policy_check.facts import Fact
from services.designers.policy_check.live_variables import (
    ALL,
    Uses,
    all_names,
    called_from,
    names_in_decisions,
    names_of,
    numbers_in,
)
from services.designers.policy_check.moves import JOB, OPENS_REVIEW, TIMER, Move, PossibleMoves
from services.designers.policy_check.overlapping_flows import Gateway, WatchedExclusiveGateway
from services.designers.policy_check.rules import Rules
from services.designers.policy_check.step_findings import Finding
from services.designers.policy_check.unvaried import Values as SeenValues
from services.designers.policy_check.unvaried import note_value
from services.designers.policy_check.world import ATTEMPTS, FROM_NOW, KEEP, NEW_ID, Values, World
from services.domain.process.messages import APPLICATION_CORRECTED, APPLICATION_SUBMITTED, LOAN_CLOSED
from services.engine.clock import ControlledClock, from_millis
from services.engine.errors import ErrorType, Rejection
from services.engine.model.bpmn import ElementType, Process
from services.engine.model.timers import parse_duration
from services.engine.processing import jobs, messages, signals, timers
from services.engine.processing.command_processor import Command, CommandProcessor
from services.engine.processing.deployments import Deployed, Resource, deploy
from services.engine.processing.elements import PROCESSORS
from services.engine.processing.model_cache import ModelCache
from services.engine.processing.variables import visible_variables
from services.engine.state.memory import MemoryStore, State
from services.engine.state.records import Record

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
"""Where the clock of golden scenarios begins, which a path that is written as a scenario keeps to."""
REVIEW_ID, HAND_OVER_ID, STAGE = "reviewId", "handOverId", "stage"
_OF_BEGINNING = ("applicationId", "matterId", "workOrderId", "inspectionId")
"""Ids that a process has from its beginning on."""
CASE_ENDS = ("case", "ends")
CASE_BEGINS = Fact("case", "begins")
_NO_WAY = frozenset({ErrorType.CONDITION, ErrorType.EXTRACT_VALUE})


@dataclass(frozen=True)
class Beginning:
    """What begins a process: a message, and what it brings; its key is the register's.

    ``timer``: the start event of the timer that begins it instead.
    """

    message: str = APPLICATION_SUBMITTED
    values: Values = field(default_factory=lambda: {"applicationId": APPLICATION})
    timer: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """The case after a move, with what happened."""

    case: Case
    facts: tuple[Fact, ...]
    records: Sequence[Record]
    findings: tuple[Finding, ...] = ()


class NotDeployed(Exception):
    """The engine refuses the models at deployment."""


class Simulation:
    """The models, deployed on a store in memory, and the engine's own processing on it."""

    def __init__(
        self,
        resources: Sequence[Resource],
        world: World,
        rules: Rules,
        *,
        reduces: bool = True,
        begins: Command | None = None,
        beginnings: Sequence[Beginning] = (Beginning(),),
        earlier: Sequence[Sequence[Resource]] = (),
    ) -> None:
        """Raise NotDeployed for models that the engine does not deploy.

        Without ``reduces`` each outcome is tried, also those that differ only in what nothing reads. ``beginnings``
        are the messages that start a case; ``begins`` is what starts it instead where no message does. ``earlier`` are
        the models that were deployed before, oldest first: a case may have begun on them (``past``).
        """
        self._begins = begins
        self.beginnings = tuple(beginnings)
        self.world = world
        self.rules = rules
        self.reduces = reduces
        self.moves_made = 0
        self._seen_names: dict[str, list[str]] = {}
        self.visited: set[tuple[str, str]] = set()
        """The elements and flows that a walk entered, by process."""
        self.matched: set[tuple[str, int]] = set()
        """The rows of decision tables that a walk hit, by decision and number from 1."""
        self.seen_values: SeenValues = {}
        """The kinds of values that a walk saw of each variable."""
        self._clock = ControlledClock()
        self._clock.pin(START)
        self._store = MemoryStore()
        self.overlapping: set[Gateway] = set()
        """The exclusive gateways at which a case found more than one flow true."""
        watched = WatchedExclusiveGateway(self.overlapping)
        self._processor = CommandProcessor(
            self._store, self._clock, {**PROCESSORS, ElementType.EXCLUSIVE_GATEWAY: watched}
        )
        self.deployments: list[State] = []
        """The state after each deployment, in which no case runs."""
        for deployed in (*earlier, resources):
            [response] = self._processor.apply([partial(deploy, resources=list(deployed))]).responses
            if isinstance(response, Rejection):
                raise NotDeployed(str(response))
            self.deployed: Deployed = response
            self.deployments.append(self._store.state)
        models = ModelCache(self._store)
        self.processes: Mapping[int, Process] = {key: models.process(key) for key in self._store.state.definitions}
        self._asked_again = self._types_of_several_elements()
        self.empty = Case(self._store.state, Register(), START)
        decisions = [r.content for deployed in (*earlier, resources) for r in deployed if r.name.endswith(".dmn")]
        self.by_id = {process.id: process for process in self.processes.values()}  # the newest version of each
        self.numbers = numbers_in(self.processes.values(), decisions)
        uses = self._uses(decisions, required=False)
        self.live = LiveOf(self.processes, uses, self._uses(decisions, required=True))
        self.alike_marks = alike(self.processes.values(), decisions, world, rules, uses) if reduces else {}
        """The marks of importance that stand for others: these go on alike."""
        self._possible = PossibleMoves(
            self.processes, world, rules, self.live, reduces=reduces, asked_again=self._asked_again
        )

    def _types_of_several_elements(self) -> frozenset[str]:
        """Return the types of jobs that a case can have done more than once before it is corrected."""
        elements = [element for process in self.processes.values() for element in process.elements.values()]
        types = Counter(element.job.type.text for element in elements if element.job is not None)
        return frozenset(job_type for job_type, count in types.items() if count > 1)

    def _uses(self, decisions: Sequence[bytes], *, required: bool) -> Uses:
        """Return what is read outside the processes; ``required``: what a worker cannot work without, too."""

        def reads(job_type: str) -> frozenset[str]:
            if job_type == "*":
                return frozenset().union(*(reads(known) for known in self.world.workers))
            # what a job gives itself is not read from the case
            at_end = self.rules.compared("job", job_type, "done")
            at_end |= {n for m in self.world.meanings if job_type in m.of.names for n in m.of.variables}
            names = self.rules.compared("job", job_type, "starts") | (at_end - gives(job_type))
            for code in self.world.errors(job_type):
                names |= self.rules.compared("job", job_type, f"error {code}")
            names |= {STAGE} if job_type == OPENS_REVIEW else set()
            return frozenset(names | set(self.world.required(job_type) if required else ()))

        def gives(job_type: str) -> frozenset[str]:
            outcomes = self.world.outcomes(job_type)
            return frozenset.intersection(*(frozenset(outcome) for outcome in outcomes)) if outcomes else frozenset()

        in_decisions = frozenset[str]().union(*map(names_in_decisions, decisions))
        if not required and self.reduces:
            in_decisions = names_that_matter(decisions, self.world.known_values())

        @cache
        def called_reads(process_id: str) -> frozenset[str]:
            called = called_from(process_id, self.processes.values())
            if not called:
                return frozenset({ALL})
            elements = [element for process in called for element in process.elements.values()]
            of_jobs = (reads("*" if e.job.type.compiled else e.job.type.text) for e in elements if e.job is not None)
            asks_a_table = any(element.element_type == ElementType.BUSINESS_RULE_TASK for element in elements)
            return all_names(called).union(*of_jobs, in_decisions if asks_a_table else ())

        return Uses(reads, gives, in_decisions, self.rules.compared(*CASE_ENDS), called_reads)

    def start(self, empty: Case | None = None, beginning: Beginning | None = None) -> Applied:
        """Begin a case, with the message that the portal sends: without ``beginning``, the first that there is.

        ``empty`` is a state without cases: with other models, where they are not the newest.
        """
        if self._begins is not None:
            return self._applied(self.empty, self._begins, [], self.empty.now, self.empty.register)
        empty = empty or self.empty
        beginning = beginning or self.beginnings[0]
        if beginning.timer:
            return self._start_by_timer(empty, beginning.timer)
        values = self.filled(beginning.values, empty.now, empty)
        register = empty.register
        if isinstance(values.get(HAND_OVER_ID), str):
            register = replace(register, hand_over=values[HAND_OVER_ID])
        command = partial(
            messages.publish,
            name=beginning.message,
            key=self.key_of(beginning.message),
            ttl=0,
            message_id="",
            variables=values,
        )
        first = Fact("message", beginning.message, values=values)
        return self._applied(empty, command, [first, CASE_BEGINS], empty.now, register)

    def _start_by_timer(self, empty: Case, element_id: str) -> Applied:
        """Begin a case by the timer of a start event, when it is due."""
        timer = next(one for one in empty.state.timers.values() if one.element_id == element_id)
        command = partial(timers.trigger_timer, key=timer.key)
        first = Fact("timer", element_id, element_id=element_id)
        return self._applied(empty, command, [first, CASE_BEGINS], from_millis(timer.due_date), empty.register)

    def key_of(self, message: str) -> str:
        """Return the key of a message that begins a case; empty where the register has no such thing yet."""
        sent = self.world.sent.get(message)
        return "" if sent is None else Register().keys(sent.key) or ""

    def moves(self, case: Case) -> list[Move]:
        """Return what can happen where the case stands."""
        return self._possible.of(case)

    @property
    def used(self) -> Set[tuple[str, str, int]]:
        """The outcomes of jobs that a walk came to, by job type and number."""
        return self._possible.used

    def apply(self, case: Case, move: Move) -> Applied:
        """Apply a move; ``case`` stays as it is."""
        now, register = case.now, case.register
        if move.kind == TIMER:
            now = max(now, from_millis(move.due))
        values = self.filled(move.values, now, case)
        first = self._first_facts(case, move, values)
        register = self._registered(case, move, values, first)
        command: Command
        match move.kind:
            case "job":
                command = partial(jobs.complete_job, key=move.key, variables=values)
            case "error":
                command = partial(jobs.throw_job_error, key=move.key, code=move.what, text="", variables={})
            case "decision" | "message":
                subscription = case.state.message_subscriptions[move.key]
                command = partial(
                    messages.publish,
                    name=subscription.name,
                    key=subscription.correlation_key,
                    ttl=0,
                    message_id="",
                    variables=values,
                )
            case "signal":
                command = partial(signals.broadcast, name=move.name, variables={})
            case _:
                command = partial(timers.trigger_timer, key=move.key)
        return self._applied(case, command, first, now, register, move)

    @staticmethod
    def filled(values: Values, now: datetime, case: Case) -> dict[str, Any]:
        """Return the values with an id or a moment where one is made as they are given."""
        filled: dict[str, Any] = {}
        for name, value in values.items():
            if value == KEEP:
                continue
            if value == NEW_ID:
                filled[name] = f"{name}~{case.step + 1}"
            elif isinstance(value, str) and value.startswith(FROM_NOW) and value != NEW_ID:
                moment = parse_duration(value.removeprefix(FROM_NOW)).after(now)
                filled[name] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
            else:
                filled[name] = value
        return filled

    def _first_facts(self, case: Case, move: Move, values: dict[str, Any]) -> list[Fact]:
        """Return what the move itself tells, and what that means."""
        match move.kind:
            case "job" | "error":
                what = "done" if move.kind == JOB else f"error {move.what}"
                seen = self._seen_by_job(case.state, move.key, move.name)
                fact = Fact("job", move.name, what, {**seen, **values}, move.element_id)
            case "decision":
                stage = self.world.stages.get(move.name)
                of_stage = {} if stage is None else {"phase": stage.phase}
                fact = Fact("stage", move.name, move.what, {**values, **of_stage}, move.element_id)
            case kind:
                fact = Fact(kind, move.name, "", values, move.element_id)
        also = [
            replace(meaning.is_also, values=values, element_id=move.element_id)
            for meaning in self.world.meanings
            if meaning.of.fits(fact)
        ]
        return [fact, *also]

    def _seen_by_job(self, state: State, key: int, job_type: str) -> dict[str, Any]:
        names = self._seen_names.get(job_type)
        if names is None:
            names = self._seen_names[job_type] = self._names_seen_by_job(job_type)
        if not names:
            return {}
        job = state.jobs[key]
        instance = state.instances[job.process_instance_key]
        element = instance.element_instances[job.element_instance_key]
        return visible_variables(instance, element, names)

    def _names_seen_by_job(self, job_type: str) -> list[str]:
        names = self.rules.compared("job", job_type) | {
            name for meaning in self.world.meanings for name in meaning.of.variables
        }
        if job_type == OPENS_REVIEW:
            names |= {STAGE}
        return [name for name in names if self._is_seen(job_type, name)]

    def _is_seen(self, job_type: str, name: str) -> bool:
        # an item belongs to the jobs of items alone, though other jobs could see the name
        return name not in self.rules.each or self.world.takes(job_type, name)

    def _registered(self, case: Case, move: Move, values: dict[str, Any], happened: Sequence[Fact]) -> Register:
        """Return the register after what workers and people did."""
        register = case.register
        if move.kind == JOB and move.name == OPENS_REVIEW and isinstance(values.get(REVIEW_ID), str):
            stage = happened[0].values.get(STAGE)
            instance = case.state.jobs[move.key].process_instance_key
            register = register.opened(OpenReview(values[REVIEW_ID], str(stage), instance))
        elif move.kind == JOB and isinstance(values.get(HAND_OVER_ID), str):
            register = replace(register, hand_over=values[HAND_OVER_ID], is_lent=True)
        if move.kind == JOB and move.name in self._asked_again:
            register = register.fixing({name: values[name] for name in self.world.fixed & values.keys()})
        for fact in happened:
            if fact.kind == "stage" and fact.name in self.world.stages:
                stage_of = self.world.stages[fact.name]
                register = register.decided(stage_of, fact.what, values, move.review or None)
                if ATTEMPTS not in self.world.counters.values():
                    # a world that gives every later attempt one number
                    register = replace(register, attempt=min(register.attempt, 2))
            elif fact.kind == "message" and fact.name == APPLICATION_CORRECTED:
                register = replace(register, corrections=register.corrections + 1, fixed=())
            elif fact.kind == "message" and fact.name == LOAN_CLOSED:
                register = replace(register, is_lent=False)
        return register

    def _applied(  # noqa: PLR0917 - the parts of one move
        self,
        case: Case,
        command: Callable[..., Any],
        first: Sequence[Fact],
        now: datetime,
        register: Register,
        move: Move | None = None,
    ) -> Applied:
        self._store.state = case.state
        self._clock.pin(now)
        batch = self._processor.apply([command])
        self.moves_made += 1
        state = self._store.state
        [response] = batch.responses
        if isinstance(response, Rejection):
            finding = step_findings.refused(_element(move), str(response))
            return Applied(case, tuple(first), [], (finding,))
        step = case.step + 1
        born = {key: case.born.get(key, step) for key in state.timers}
        after = Case(state, register.without_ended(state.instances), now, born, step)
        followed, findings = self._read(case, after, batch.records, move)
        return Applied(after, (*first, *followed), batch.records, findings)

    def _read(
        self, before: Case, after: Case, records: Sequence[Record], move: Move | None
    ) -> tuple[list[Fact], tuple[Finding, ...]]:
        """Read the records: which jobs start, how the case ends, what went wrong, where it passed."""
        happened: list[Fact] = []
        findings: list[Finding] = []
        root_values: dict[int, dict[str, Any]] = {}
        for record in records:
            value = record.value
            if record.value_type == "PROCESS_INSTANCE":
                if record.intent in ("ELEMENT_ACTIVATED", "SEQUENCE_FLOW_TAKEN"):
                    self.visited.add((value["bpmnProcessId"], value["elementId"]))
                elif (
                    record.intent in ("ELEMENT_COMPLETED", "ELEMENT_TERMINATED")
                    and value["bpmnElementType"] == ElementType.PROCESS
                    and value["parentProcessInstanceKey"] == -1
                ):
                    happened.append(self._end(before, record, root_values.get(record.key, {})))
            elif record.value_type == "VARIABLE":
                root_values.setdefault(value["scopeKey"], {})[value["name"]] = value["value"]
                note_value(self.seen_values, value["bpmnProcessId"], value["name"], value["value"], self.world.items)
            elif record.value_type == "JOB" and record.intent == "CREATED":
                happened.append(self._started(after, record, findings))
            elif record.value_type == "DECISION_EVALUATION":
                for evaluated in value["evaluatedDecisions"]:
                    self.matched.update((evaluated["decisionId"], index) for index in evaluated["matchedRules"])
            elif record.value_type == "INCIDENT" and record.intent == "CREATED":
                at = value["elementId"] if value["elementId"] != jobs.NO_CATCH_EVENT_FOUND else _element(move)
                if self._is_without_answer(after, value):
                    findings.append(step_findings.no_answer(at))
                else:
                    findings.append(step_findings.incident(at, value["errorType"], value["errorMessage"]))
        if move is not None and move.kind == TIMER:
            first = next((fact for fact in happened if fact.kind == "job" and fact.what == "starts"), None)
            process = self.processes[before.state.timers[move.key].process_definition_key]
            findings += step_findings.unchecked_timer(process, move.element_id, first, self.world)
        findings += step_findings.wrong_keys(after, self.world)
        return happened, tuple(findings)

    def _is_without_answer(self, after: Case, incident: Mapping[str, Any]) -> bool:
        """Return whether no way is for a review that ended without an answer, as it should be.

        What the flows ask for is null then, at once or behind other jobs.
        """
        if not after.register.unanswered or incident["errorType"] not in _NO_WAY:
            return False
        instance = after.state.instances[incident["processInstanceKey"]]
        element = self.processes[instance.process_definition_key].elements[incident["elementId"]]
        asked = frozenset[str]().union(*(names_of(flow.condition) for flow in element.outgoing))
        at = instance.element_instances.get(incident["elementInstanceKey"])
        given = visible_variables(instance, at, sorted(asked)) if at is not None else {}
        return any(_lacks_answer(given.get(name)) for name in asked)

    def _end(self, before: Case, record: Record, set_in_step: Mapping[str, Any]) -> Fact:
        instance = before.state.instances.get(record.key)
        values = dict(instance.root.variables) if instance is not None else {}
        values |= {name: json.loads(text) for name, text in set_in_step.items()}
        compared = self.rules.compared(*CASE_ENDS)
        return Fact("case", "ends", "", {name: values.get(name) for name in compared})

    def _started(self, after: Case, record: Record, findings: list[Finding]) -> Fact:
        job_type, element_id = record.value["type"], record.value["elementId"]
        job = after.state.jobs.get(record.key)
        if job is None:
            return Fact("job", job_type, "starts", {}, element_id)
        values = self._seen_by_job(after.state, record.key, job_type)
        instance = after.state.instances[job.process_instance_key]
        element = instance.element_instances[job.element_instance_key]
        required = self.world.required(job_type)
        own = self._own_ids(job_type, after.register)
        given = visible_variables(instance, element, [*required, *(own.keys() - {*required})])
        for name in required:
            if given.get(name) is None:
                findings.append(step_findings.missing(element_id, job_type, name))
        for name, ids in own.items():
            if given.get(name) is not None and given[name] not in ids:
                findings.append(step_findings.of_another(element_id, job_type, name))
        return Fact("job", job_type, "starts", values, element_id)

    def _own_ids(self, job_type: str, register: Register) -> dict[str, frozenset[str]]:
        """Return the ids that a case has of each thing that a worker is told of; none where it is unknown."""
        if self._begins is not None:
            return {}
        own = {
            HAND_OVER_ID: frozenset({register.hand_over} - {None}),
            REVIEW_ID: frozenset(review.id for review in register.reviews),
            **{
                name: frozenset({b.values[name] for b in self.beginnings if name in b.values}) for name in _OF_BEGINNING
            },
        }
        return {name: ids for name, ids in own.items() if ids and self.world.takes(job_type, name)}

    def run(self, case: Case, command: Command) -> Applied:
        """Give the engine a command that is no move of the case; ``case`` stays as it is."""
        return self._applied(case, command, [], case.now, case.register)

    def awaited(self, case: Case) -> frozenset[str]:
        """Return the portal's messages that the case takes now."""
        return frozenset(
            s.name
            for s in case.state.message_subscriptions.values()
            if (sent := self.world.sent.get(s.name)) is not None and s.correlation_key == case.register.keys(sent.key)
        )


def _lacks_answer(value: object) -> bool:
    """Return whether a variable is null, or a list of answers of which one is."""
    return value is None or (isinstance(value, list) and None in value)


def _element(move: Move | None) -> str:
    return move.element_id if move is not None else ""
