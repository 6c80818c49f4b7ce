"""The engine's core: applies commands to the state, all that wait together, and makes them durable at once."""

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.engine.clock import EngineClock, to_millis
from services.engine.errors import Rejection, RejectionType
from services.engine.processing import jobs, messages, signals, timers
from services.engine.processing.elements import PROCESSORS
from services.engine.processing.execution import (
    BroadcastSignal,
    CorrelateBufferedMessage,
    CorrelateMessage,
    Execution,
    StartFromBufferedMessage,
)
from services.engine.processing.lifecycle import apply_step
from services.engine.processing.model_cache import ModelCache
from services.engine.state.records import Record
from services.engine.state.store import Store

Command = Callable[[Execution], Any]

MAX_STEPS = 100_000  # of one command; a loop without a wait state would never end
_MAX_DUE = 100
_POSTPONE_MS = 60_000
_PRUNE_BATCH = 1000
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Batch:
    """What a batch did: an answer or exception for each command, in order."""

    responses: list[Any] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    available_jobs: Counter[str] = field(default_factory=Counter)
    results: dict[int, dict[str, Any]] = field(default_factory=dict)
    write_failures: int = 0
    """How often the file did not take what was to be written."""


class CommandProcessor:
    """Used by one thread at a time. A command raises Rejection before it changes a thing."""

    def __init__(self, store: Store, clock: EngineClock) -> None:
        self._store = store
        self._clock = clock
        self._models = ModelCache(store)

    def apply(self, commands: Sequence[Command]) -> Batch:
        """Apply commands in order and commit them together.

        If one breaks, the whole is rolled back and each is applied alone, so that only the broken one fails.
        """
        try:
            return self._commit(commands)
        except Exception:  # noqa: BLE001 - whatever broke must not take the other commands with it
            self._undo()
            if len(commands) > 1:
                _log.warning("a batch of %d commands is taken apart, because one of them broke", len(commands))
        together = Batch()
        for command in commands:
            alone = self._apply_alone(command)
            together.responses += alone.responses
            together.records += alone.records
            together.available_jobs += alone.available_jobs
            together.results |= alone.results
            together.write_failures += alone.write_failures
        return together

    def _apply_alone(self, command: Command) -> Batch:
        try:
            return self._commit([command])
        except Rejection as rejection:
            self._undo()
            return Batch([rejection])
        except Exception as error:  # noqa: BLE001 - it is logged, and answered as INTERNAL
            self._undo()
            _log.exception("a command broke and was rolled back")
            return Batch(
                [
                    Rejection(
                        RejectionType.INTERNAL, f"The engine failed on this command: {type(error).__name__}: {error}"
                    )
                ],
                write_failures=int(isinstance(error, sqlite3.Error)),
            )

    def _undo(self) -> None:
        self._models.clear()
        self._store.rollback()

    def _commit(self, commands: Sequence[Command]) -> Batch:
        batch = Batch()
        self._store.begin()
        for command in commands:
            execution = Execution(self._store, self._models, self._clock, PROCESSORS)
            batch.responses.append(self._run(execution, command))
            batch.available_jobs += execution.available_jobs
            batch.results |= execution.results
        batch.records = self._store.commit()
        return batch

    def _run(self, execution: Execution, command: Command) -> Any:
        before = self._store.change_marker()
        try:
            response = command(execution)
        except Rejection as rejection:
            if self._store.change_marker() != before:
                raise  # it may have begun to change things: undo them
            return rejection
        taken = 0
        while execution.steps:
            taken += 1
            if taken > MAX_STEPS:
                raise Rejection(
                    RejectionType.EXHAUSTED, f"The process ran {MAX_STEPS} steps without waiting; it loops for ever."
                )
            step = execution.steps.popleft()
            match step:
                case CorrelateBufferedMessage():
                    messages.correlate_buffered_message(execution, step.subscription_key)
                case CorrelateMessage():
                    messages.correlate(execution, step.subscription, step.message)
                case BroadcastSignal():
                    signals.broadcast(execution, step.name, dict(step.variables))
                case StartFromBufferedMessage():
                    messages.start_from_buffered_message(execution, step.process_id, step.correlation_key)
                case _:
                    apply_step(execution, step)
        return response

    def apply_due(self) -> Batch:
        """Let happen what is due: timers first, then jobs that time out or end their back-off, then messages expire."""
        now = to_millis(self._clock.now())
        next_due = self._store.next_due()
        if next_due is None or next_due > now:
            return Batch()
        due_timers = self._store.timers.due(now, _MAX_DUE)
        due_jobs = self._store.jobs.due(now, _MAX_DUE)
        due_messages = self._store.messages.due(now, _MAX_DUE)
        commands: list[Command] = [_fire(t.key) for t in due_timers]
        commands += [_recur(j.key) for j in due_jobs]
        commands += [_expire(m.key) for m in due_messages]
        batch = self.apply(commands)
        broken = [
            t.key for t, response in zip(due_timers, batch.responses, strict=False) if isinstance(response, Rejection)
        ]
        if broken and not self._postpone(broken, now + _POSTPONE_MS):
            batch.write_failures += 1
        return batch

    def _postpone(self, timer_keys: list[int], due: int) -> bool:
        """A timer whose process breaks the engine is tried again later, not at once and for ever."""
        try:
            self._store.begin()
            for key in timer_keys:
                self._store.timers.postpone(key, due)
            self._store.commit()
        except sqlite3.Error:
            self._undo()
            _log.exception("timers that broke could not be put off")
            return False
        return True

    def next_due(self) -> int | None:
        """The next moment (ms) at which something happens by itself."""
        return self._store.next_due()

    def prune_records(self, before: int) -> bool:
        """Delete some records of what happened before ``before`` (ms); returns whether there may be more.

        Where that fails it is logged, and nothing else is held up.
        """
        try:
            self._store.begin()
            pruned = self._store.records.prune(before, _PRUNE_BATCH)
            self._store.commit()
        except sqlite3.Error:
            self._undo()
            _log.exception("old records could not be deleted")
            return False
        return pruned == _PRUNE_BATCH


def _fire(key: int) -> Command:
    return lambda execution: timers.fire(execution, key)


def _recur(key: int) -> Command:
    return lambda execution: jobs.recur(execution, key)


def _expire(key: int) -> Command:
    return lambda execution: messages.expire(execution, key)
