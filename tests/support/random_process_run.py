"""Runs a random process on the engine and on the oracle side by side, and holds the one to the other."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from engine_harness import EngineHarness
from random_process import ERROR_CODES, Process
from random_process_oracle import Oracle
from random_process_places import Place, Wait
from random_process_xml import diagram, names_of_messages
from sqlalchemy import Table, select

from services.engine.clock import to_millis
from services.engine.errors import Rejection
from services.engine.processing import incidents, instances, jobs, messages, signals
from services.engine.processing.execution import Execution
from services.engine.state import tables
from services.engine.state.instances import ProcessInstance
from services.engine.state.records import Record

LIVE = (
    tables.process_instances,
    tables.element_instances,
    tables.jobs,
    tables.timers,
    tables.messages,
    tables.message_correlations,
    tables.message_subscriptions,
    tables.signal_subscriptions,
    tables.message_start_locks,
    tables.incidents,
)
_ROWS = {table.name: select(table).order_by(table.primary_key.columns[0]) for table in LIVE}
_MOST_ACTS = 150
_COMMANDS: dict[str, Callable[..., Any]] = {
    "create": lambda execution, variables: instances.create(
        execution, instances.find_definition(execution, 0, "p", -1), variables
    ),
    "complete": jobs.complete_job,
    "fail": lambda execution, key, retries, backoff, variables: jobs.fail_job(
        execution, key, retries=retries, backoff=backoff, text="", variables=variables
    ),
    "throw": lambda execution, key, code, variables: jobs.throw_job_error(execution, key, code, "", variables),
    "retries": jobs.update_retries,
    "fetch": lambda execution, job_type: jobs.activate_jobs(
        execution, job_type, worker="w", timeout=50_000, max_jobs=1, fetch_variables=[], max_bytes=1_000_000
    ),
    "resolve": incidents.resolve,
    "publish": lambda execution, name, variables, ttl: messages.publish(
        execution, name, "1", ttl=ttl, message_id="", variables=variables
    ),
    "signal": signals.broadcast,
    "set": lambda execution, key, variables: instances.set_variables(execution, key, variables, local=False),
    "cancel": instances.cancel,
}


@dataclass(frozen=True)
class Act:
    """A command with its arguments, or a turn of the clock by ``ms``."""

    command: str = ""
    given: tuple[Any, ...] = ()
    ms: int = 0

    def __call__(self, execution: Execution) -> Any:
        return _COMMANDS[self.command](execution, *self.given)


def _plain(answer: Any) -> Any:
    """To be compared with the answer of another run."""
    match answer:
        case Rejection():
            return f"{answer.reason}: {answer}"
        case ProcessInstance():
            return answer.key
    return answer


class Engine:
    """The engine's core with all its records so far."""

    def __init__(self, content: bytes, directory: Path | None = None) -> None:
        self.directory = directory
        self.harness = EngineHarness(directory)
        self.harness.deploy(content)
        self.records: list[Record] = []
        self.answers: list[Any] = []

    def restart(self) -> None:
        self.harness.store.close()
        self.harness = EngineHarness(self.directory, self.harness.clock)

    def apply(self, *acts: Act) -> None:
        """Commands in one batch, or one turn of the clock."""
        if acts[0].ms:
            self.harness.clock.turn(milliseconds=acts[0].ms)
            while (batch := self.harness.core.apply_due()).responses:
                self.records += batch.records
            return
        batch = self.harness.core.apply(acts)
        self.records += batch.records
        self.answers += [_plain(answer) for answer in batch.responses]

    def rows(self, table: Table) -> list[Any]:
        """In the order of their keys."""
        self.harness.store.begin()
        found = list(self.harness.store._connection.execute(_ROWS[table.name]))
        self.harness.store.rollback()
        return found

    def left(self) -> dict[str, int]:
        """How many rows are left in each live table that has any."""
        return {table.name: len(rows) for table in LIVE if (rows := self.rows(table))}


class Run:
    """``acts`` is what was done, to do it again."""

    def __init__(self, process: Process, picks: list[int]) -> None:
        self.content = diagram(process)
        self.engine = Engine(self.content)
        self.oracle = Oracle(process, to_millis(self.engine.harness.clock.now()))
        self.acts: list[Act] = []
        self.begun: list[tuple[int, Place]] = []
        self._process = process
        self._choices = sorted(process.choices) or ["x"]
        self._kept = names_of_messages(self.content)
        self._number = 0
        self._begin()
        for pick in picks:
            if not self.oracle.roots:
                break
            self._any(pick)
        while self.oracle.roots:
            self._onward()
        if self.oracle.messages:
            self._turn(max(m.deadline for m in self.oracle.messages) - self.oracle.now)

    def groups(self, sizes: list[int]) -> Iterator[list[Act]]:
        """What was done, in groups of so many commands; the clock is turned between two groups."""
        left = list(self.acts)
        for size in cycle(sizes):
            if not left:
                return
            most = next((n for n, act in enumerate(left[:size]) if act.ms), size) or 1
            yield left[:most]
            left = left[most:]

    def _begin(self) -> None:
        variables = {"k": "1", **self._process.choices}
        key = self._do("create", variables)
        self.begun.append((key, self.oracle.begin(variables)))
        self.check()

    def _do(self, command: str, *given: Any) -> Any:
        act = Act(command, given)
        self.acts.append(act)
        self.engine.apply(act)
        return self.engine.answers[-1]

    def _turn(self, ms: int) -> None:
        act = Act(ms=max(1, ms))
        self.acts.append(act)
        self.engine.apply(act)
        self.oracle.turn(to_millis(self.engine.harness.clock.now()))

    # --- what may happen next

    def _any(self, pick: int) -> None:
        """One of all that can happen now, chosen by a number."""
        pick, which = divmod(pick, len(self.oracle.waits) + 2)
        if which == len(self.oracle.waits):
            self._turn(10_000 * (1 + pick % 12))
        elif which > len(self.oracle.waits):
            self._rarely(pick)
        else:
            self._one(self.oracle.waits[which], pick)
        self.check()

    def _rarely(self, pick: int) -> None:
        pick, what = divmod(pick, 6)
        key, root = next(begun for begun in self.begun if begun[1] in self.oracle.roots)
        if what == 0:
            self._cancel()
        elif what == 1:
            self._do("complete", key, {})  # no job has this key
        elif what == 2 and len(self.begun) == 1:
            self._begin()
        elif what == 3 and self._kept:
            self._publish(self._kept[pick % len(self._kept)], 100_000)
        else:
            variables = {self._choices[pick % len(self._choices)]: pick % 3}
            self._do("set", key, variables)
            self.oracle.set(root, variables)

    def _cancel(self) -> None:
        key, root = next(begun for begun in self.begun if begun[1] in self.oracle.roots)
        self._do("cancel", key)
        self.oracle.cancel(root)

    def _onward(self) -> None:
        """What brings the process nearer to its end."""
        wait = min(self.oracle.waits, key=_urgency, default=None)
        if len(self.acts) > _MOST_ACTS or wait is None or wait.kind == "UNHANDLED_ERROR_EVENT":
            self._cancel()
        else:
            self._one(wait, 0)
        self.check()

    def _one(self, wait: Wait, pick: int) -> None:
        self._number += 1
        match wait.kind:
            case "job":
                self._job(wait, pick)
            case "message":
                self._publish(wait.name, 0)
            case "signal":
                self._do("signal", wait.name, {f"g_{wait.name}": self._number})
                self.oracle.signal(wait.name, {f"g_{wait.name}": self._number})
            case "timer":
                self._turn(wait.due - self.oracle.now)
            case _:
                self._resolve(wait, pick)

    def _publish(self, name: str, ttl: int) -> None:
        variables = {f"g_{name}": self._number}
        self._do("publish", name, variables, ttl)
        self.oracle.publish(name, variables, ttl)

    def _resolve(self, wait: Wait, pick: int) -> None:
        """An element's incident, with a cure or without."""
        if wait.kind != "UNHANDLED_ERROR_EVENT" and pick % 4 < 3:
            cure = {f"{'r' if wait.place.stuck else 'x'}_{wait.element}": 1 + pick % 2}
            self._do("set", self._row(tables.incidents, wait).element_instance_key, cure)
            self.oracle.set(wait.place, cure)
        self._do("resolve", self._row(tables.incidents, wait).key)
        self.oracle.resolve(wait)

    def _job(self, wait: Wait, pick: int) -> None:
        key = self._row(tables.jobs, wait).key
        if wait.state == "backing-off":
            self._turn(wait.due - self.oracle.now)
            return
        if wait.state != "open":
            if wait.state == "failed":
                self._do("retries", key, 2)
            self._do("resolve", next(row.key for row in self.engine.rows(tables.incidents) if row.job_key == key))
            self.oracle.resolve(wait)
            return
        result = {f"r_{wait.element}": self._number}
        pick, what = divmod(pick, 12)
        match what:
            case 6:
                self._do("fail", key, 2, 0, result)
                self.oracle.fail(wait, result, "open", 0)
            case 7:
                self._do("fail", key, 2, 45_000, {})
                self.oracle.fail(wait, {}, "backing-off", self.oracle.now + 45_000)
            case 8:
                self._do("fail", key, 0, 0, {})
                self.oracle.fail(wait, {}, "failed", 0)
            case 9 | 10:
                code = (*ERROR_CODES, "E-9")[pick % 3]
                self._do("throw", key, code, result)
                self.oracle.throw(wait, code, result)
            case 11:
                self._fetch(wait)
            case _:
                if pick % 4 == 3:
                    result = {}
                if pick % 3 == 1:
                    result[self._choices[pick // 3 % len(self._choices)]] = pick % 2
                self._do("complete", key, result)
                self.oracle.complete(wait, result)

    def _fetch(self, wait: Wait) -> None:
        """The oldest job of the type, with all that it sees."""
        same = [w for w in self.oracle.waits if (w.kind, w.element) == ("job", wait.element)]
        keys = [row.key for row in self.engine.rows(tables.jobs) if row.element_id == wait.element]
        for activated in self._do("fetch", wait.element):
            seen = self.oracle.seen(same[keys.index(activated.job.key)].place)
            _agree("variables of a job", activated.variables, seen)

    def _row(self, table: Table, wait: Wait) -> Any:
        """The one of the engine that is meant: of the same element, the oldest first."""
        same = [w for w in self.oracle.waits if (w.kind, w.element) == (wait.kind, wait.element)]
        rows = [row for row in self.engine.rows(table) if row.element_id == wait.element]
        return rows[same.index(wait)]

    # --- what must hold now

    def check(self) -> None:
        """The engine stands where the oracle stands."""
        waits = self.oracle.waits
        for kind, table in (
            ("job", tables.jobs),
            ("timer", tables.timers),
            ("message", tables.message_subscriptions),
            ("signal", tables.signal_subscriptions),
        ):
            expected = Counter(w.element for w in waits if w.kind == kind)
            _agree(f"open {kind}s", Counter(row.element_id for row in self.engine.rows(table)), expected)
        troubles = Counter((w.element, w.kind) for w in waits if w.kind.isupper())
        troubles.update((w.element, "JOB_NO_RETRIES") for w in waits if w.state == "failed")
        troubles.update((jobs.NO_CATCH_EVENT_FOUND, "UNHANDLED_ERROR_EVENT") for w in waits if w.state == "thrown")
        found = Counter((row.element_id, row.error_type) for row in self.engine.rows(tables.incidents))
        _agree("incidents", found, troubles)
        _agree("live instances", len(self.engine.rows(tables.process_instances)), len(self.oracle.roots))
        _agree("elements", counts(self.engine.records), self.oracle.counts)


def _urgency(wait: Wait) -> tuple[bool, bool, bool, int]:
    kinds = ["job", "EXTRACT_VALUE_ERROR", "IO_MAPPING_ERROR", "message", "signal", "timer", "UNHANDLED_ERROR_EVENT"]
    return (
        wait.place.stuck and not wait.kind.isupper(),
        wait.state == "backing-off",
        not wait.once,
        kinds.index(wait.kind),
    )


def _agree(what: str, found: Any, expected: Any) -> None:
    if found == expected:
        return
    if isinstance(found, Counter):
        found, expected = found - expected, expected - found
    raise AssertionError(f"{what}: the engine has {found}, the oracle {expected}")


def counts(records: list[Record]) -> Counter[tuple[str, bool, str]]:
    """How often each element (or body of a multi-instance) was activated, completed and terminated."""
    return Counter(
        (r.value["elementId"], r.value["bpmnElementType"] == "MULTI_INSTANCE_BODY", r.intent.removeprefix("ELEMENT_"))
        for r in records
        if r.value_type == "PROCESS_INSTANCE" and r.intent[8:] in ("ACTIVATED", "COMPLETED", "TERMINATED")
    )
