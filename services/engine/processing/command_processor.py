"""Apply commands to the state in batches and commit each batch."""

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from services.engine.clock import EngineClock, to_millis
from services.engine.errors import Rejection, RejectionType
from services.engine.processing import jobs, messages, signals, timers
from services.engine.processing.elements import PROCESSORS
from services.engine.processing.execution import (
    BroadcastSignal,
    CorrelateBufferedMessage,
    CorrelateMessage,
    ElementProcessor,
    Execution,
    StartFromBufferedMessage,
)
from services.engine.processing.lifecycle import apply_step
from services.engine.processing.model_cache import ModelCache
from services.engine.state.protocol import Store
from services.engine.state.records import Record

Command = Callable[[Execution], Any]

MAX_STEPS = 100_000  # of one command: a loop without a wait state never ends
_MAX_DUE = 100
_POSTPONE_MS = 60_000
_PRUNE_BATCH = 1000
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Batch:
    """A committed batch; ``responses`` has a value or Rejection for each command."""

    responses: list[Any] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    available_jobs: Counter[str] = field(default_factory=Counter)
    results: dict[int, dict[str, Any]] = field(default_factory=dict)
    write_failures: int = 0
    """The number of failed writes."""


class CommandProcessor:
    """Used by one thread at a time.

    A command raises Rejection before it changes state.
    """

    def __init__(
        self, store: Store, clock: EngineClock, processors: Mapping[str, ElementProcessor] = PROCESSORS
    ) -> None:
        self._store = store
        self._clock = clock
        self._processors = processors
        self._models = ModelCache(store)

    def apply(self, commands: Sequence[Command]) -> Batch:
        """Apply commands in order and commit them together.

        If one fails, the batch is rolled back and each command applied alone, so that only that one fails.
        """
        try:
            return self._commit(commands)
        except Exception:  # noqa: BLE001 - one failure must not fail the other commands
            self._roll_back()
            if len(commands) > 1:
                _log.warning("one of %d commands failed; each is applied alone", len(commands))
        batch = Batch()
        for command in commands:
            single = self._apply_alone(command)
            batch.responses += single.responses
            batch.records += single.records
            batch.available_jobs += single.available_jobs
            batch.results |= single.results
            batch.write_failures += single.write_failures
        return batch

    def _apply_alone(self, command: Command) -> Batch:
        try:
            return self._commit([command])
        except Rejection as rejection:
            self._roll_back()
            return Batch([rejection])
        except Exception as error:  # noqa: BLE001 - logged, and rejected as INTERNAL
            self._roll_back()
            _log.exception("a command failed and was rolled back")
            return Batch(
                [
                    Rejection(
                        RejectionType.INTERNAL, f"The engine failed on this command: {type(error).__name__}: {error}"
                    )
                ],
                write_failures=int(isinstance(error, sqlite3.Error)),
            )

    def _roll_back(self) -> None:
        self._models.clear()
        self._store.rollback()

    def _commit(self, commands: Sequence[Command]) -> Batch:
        batch = Batch()
        self._store.begin()
        for command in commands:
            execution = Execution(self._store, self._models, self._clock, self._processors)
            batch.responses.append(self._run(execution, command))
            batch.available_jobs += execution.available_jobs
            batch.results |= execution.results
        batch.records = self._store.commit()
        return batch

    def _run(self, execution: Execution, command: Command) -> Any:
        marker = self._store.change_marker()
        try:
            response = command(execution)
        except Rejection as rejection:
            if self._store.change_marker() != marker:
                raise  # it may have changed state: roll back
            return rejection
        step_count = 0
        while execution.steps:
            step_count += 1
            if step_count > MAX_STEPS:
                # whoever completes a job hears no more than that it is too late
                _log.error("a command was rolled back: its process ran %d steps without waiting", MAX_STEPS)
                raise Rejection(
                    RejectionType.EXHAUSTED,
                    f"The process ran {MAX_STEPS} steps without waiting; it is in an endless loop.",
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
                    messages.start_from_buffered_message(execution, step.bpmn_process_id, step.correlation_key)
                case _:
                    apply_step(execution, step)
        return response

    def apply_due(self) -> Batch:
        """Trigger due timers, then time out or release jobs, then expire messages."""
        now = to_millis(self._clock.now())
        next_due = self._store.next_due()
        if next_due is None or next_due > now:
            return Batch()
        due_timers = self._store.timers.due(now, _MAX_DUE)
        due_jobs = self._store.jobs.due(now, _MAX_DUE)
        due_messages = self._store.messages.due(now, _MAX_DUE)
        commands: list[Command] = [partial(timers.trigger_timer, key=timer.key) for timer in due_timers]
        commands += [partial(jobs.recur, key=job.key) for job in due_jobs]
        commands += [partial(messages.expire, key=message.key) for message in due_messages]
        batch = self.apply(commands)
        failed = [
            t.key for t, response in zip(due_timers, batch.responses, strict=False) if isinstance(response, Rejection)
        ]
        if failed and not self._postpone(failed, now + _POSTPONE_MS):
            batch.write_failures += 1
        return batch

    def _postpone(self, timer_keys: list[int], due: int) -> bool:
        """Postpone timers whose commands failed, to avoid failing in a loop."""
        try:
            self._store.begin()
            for key in timer_keys:
                self._store.timers.postpone(key, due)
            self._store.commit()
        except sqlite3.Error:
            self._roll_back()
            _log.exception("failed timers could not be postponed")
            return False
        return True

    def next_due(self) -> int | None:
        """Return when (ms) the next timer, job or message is due."""
        return self._store.next_due()

    def prune_records(self, before: int) -> bool:
        """Delete records older than ``before`` (ms); return whether more may follow.

        A failure is logged and affects nothing else.
        """
        try:
            self._store.begin()
            pruned = self._store.records.prune(before, _PRUNE_BATCH)
            self._store.commit()
        except sqlite3.Error:
            self._roll_back()
            _log.exception("old records could not be deleted")
            return False
        return pruned == _PRUNE_BATCH
