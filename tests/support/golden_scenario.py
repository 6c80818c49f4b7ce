"""Runs one golden scenario in process: the gateway itself on the engine's core, with no server, thread or waiting."""

import asyncio
import weakref
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from golden_steps import Refused, Steps
from google.protobuf.message import Message
from pyzeebe.proto import gateway_pb2 as pb

from services.engine.errors import Rejection
from services.engine.gateway import Gateway
from services.engine.processing.command_processor import Batch, Command, CommandProcessor
from services.engine.state.instances import ProcessInstance
from services.engine.state.records import Record
from services.engine.state.store import Store

_TICKS = 8  # of the event loop: more than any call in process takes


class TurnableClock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


class _Context:
    """What the gateway answers to."""

    def __init__(self) -> None:
        self.written: list[Any] = []

    async def write(self, answer: Any) -> None:
        self.written.append(answer)

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise Refused(code.name, details)


class _Here:
    """Stands where the writer stands: a command is applied at once."""

    stopping = False

    def __init__(self, directory: Path | None, make_store: Callable[[], Any] | None) -> None:
        self._directory = directory
        self._make_store = make_store or (lambda: Store(directory))
        self.clock = TurnableClock()
        self.records: list[Record] = []
        self._results: dict[int, dict[str, Any]] = {}
        self._awaited: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._open()

    def _open(self) -> None:
        self._store = self._make_store()
        self._core = CommandProcessor(self._store, self.clock)

    def start_anew(self) -> None:
        if self._directory is not None:
            self._store.close()
            self._open()

    def apply(self, command: Command) -> Any:
        batch = self._core.apply([command])
        self._take(batch)
        (answer,) = batch.responses
        if isinstance(answer, Rejection):
            raise answer
        return answer

    def _take(self, batch: Batch) -> None:
        self.records += batch.records
        self._results |= batch.results
        for key in self._awaited.keys() & batch.results.keys():
            self._awaited[key].set_result(batch.results[key])

    def settle(self) -> list[Record]:
        while (batch := self._core.apply_due()).responses:
            self._take(batch)
        new, self.records = self.records, []
        return new

    async def submit(self, command: Command) -> Any:
        return self.apply(command)

    def enqueue(self, command: Command) -> asyncio.Future[Any]:
        return asyncio.ensure_future(self.submit(command))

    async def submit_with_result(self, create: Command) -> tuple[ProcessInstance, asyncio.Future[dict[str, Any]]]:
        instance: ProcessInstance = self.apply(create)
        future = self._awaited[instance.key] = asyncio.get_running_loop().create_future()
        if instance.key in self._results:
            future.set_result(self._results[instance.key])
        return instance, future

    def discard_result(self, instance_key: int) -> None:
        self._awaited.pop(instance_key, None)

    def subscribe_to_jobs(self, _job_type: str) -> asyncio.Event:
        return asyncio.Event()

    def pause_notifications(self, _job_type: str, _event: asyncio.Event) -> None:
        pass

    def unsubscribe_from_jobs(self, _job_type: str, _event: asyncio.Event) -> None:
        return


class CoreEngine:
    """With a ``directory`` it is started anew on its data before every step; else on what ``make_store`` makes."""

    def __init__(self, directory: Path | None = None, make_store: Callable[[], Any] | None = None) -> None:
        self._here = _Here(directory, make_store)
        self._gateway = Gateway(self._here, lambda: "here:0")
        self._loop = asyncio.new_event_loop()
        weakref.finalize(self, self._loop.close)

    def begin(self) -> None:
        self._here.start_anew()

    def call(self, method: str, request: Message) -> Any:
        return self._loop.run_until_complete(getattr(self._gateway, method)(request, _Context()))

    def ask(self, request: pb.CreateProcessInstanceWithResultRequest) -> "asyncio.Task[Any]":
        answer: Any = self._gateway.CreateProcessInstanceWithResult(request, _Context())
        asked: asyncio.Task[Any] = self._loop.create_task(answer)
        self._tick()
        return asked

    def result(self, asked: "asyncio.Task[Any]") -> pb.CreateProcessInstanceWithResultResponse:
        self._tick()
        if not asked.done():
            asked.cancel()
            raise Refused("DEADLINE_EXCEEDED", "the instance has not ended")
        answer: pb.CreateProcessInstanceWithResultResponse = asked.result()
        return answer

    def _tick(self) -> None:
        for _ in range(_TICKS):
            self._loop.run_until_complete(asyncio.sleep(0))

    def fetch(self, request: pb.ActivateJobsRequest, expected: int) -> list[pb.ActivatedJob]:
        context = _Context()
        self._loop.run_until_complete(self._gateway.ActivateJobs(request, context))
        return [job for answer in context.written for job in answer.jobs]

    def advance(self, by: int) -> None:
        self._here.clock.moment += timedelta(milliseconds=by)

    def show(self, moment: float) -> None:
        """Turn the clock to ``moment``, in ms since 1970."""
        self._here.clock.moment = datetime.fromtimestamp(moment / 1000, UTC)

    def settle(self) -> list[Record]:
        return self._here.settle()


class Scenario(Steps):
    """One folder, run to its end by ``run``."""

    def __init__(
        self, folder: Path, directory: Path | None = None, make_store: Callable[[], Any] | None = None
    ) -> None:
        """With a ``directory`` the engine is started anew on its data before every step."""
        super().__init__(folder, CoreEngine(directory, make_store))
