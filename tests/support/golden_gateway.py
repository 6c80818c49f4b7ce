"""An engine behind Zeebe's gateway for golden scenarios: its calls, its clock over HTTP, its records from a file."""

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from golden_steps import OutOfReach, Refused
from google.protobuf.message import Message
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc
from record_file import RecordFile
from whole_broker import BARRIER, BARRIER_ID, BARRIERS, BOUND_SECONDS, REPEATS

from services.engine.state.records import Record

_JOBS_SECONDS = 1.5  # how long one that tells no records may take to have the jobs that are expected
_LOOK_SECONDS = 0.5  # how often a broker looks at its clock, at least
_PAUSE_SECONDS = 0.02
_OVER = ("COMPLETED", "TIMED_OUT", "CANCELED", "ERROR_THROWN", "FAILED", "YIELDED")


class GatewayEngine:
    """``clock`` is the base of the clock's addresses, ``records`` a file of JSON lines; both are left out at times."""

    def __init__(
        self, address: str, clock: str | None = None, records: Path | None = None, barriers: int = BARRIERS
    ) -> None:
        """``barriers`` is through how many of its own commands an engine may pass on what it was told."""
        self._barriers = barriers
        self._channel = grpc.insecure_channel(address, REPEATS)
        self._stub = rpc.GatewayStub(self._channel)
        self._clock = _Clock(clock) if clock else None
        self._file = _Due(records) if records else None
        self._turned = False
        self.call("DeployResource", pb.DeployResourceRequest(resources=[pb.Resource(name="b.bpmn", content=BARRIER)]))
        self.settle()

    def close(self) -> None:
        self._channel.close()
        if self._file is not None:
            self._file.close()

    def begin(self) -> None:
        return

    def call(self, method: str, request: Message) -> Any:
        return _answer(lambda: getattr(self._stub, method)(request, timeout=BOUND_SECONDS))

    def ask(self, request: pb.CreateProcessInstanceWithResultRequest) -> Any:
        return self._stub.CreateProcessInstanceWithResult.future(request, timeout=BOUND_SECONDS)

    def result(self, asked: Any) -> pb.CreateProcessInstanceWithResultResponse:
        answer: pb.CreateProcessInstanceWithResultResponse = _answer(asked.result)
        return answer

    def fetch(self, request: pb.ActivateJobsRequest, expected: int) -> list[pb.ActivatedJob]:
        found = self._fetch(request)
        end = time.monotonic() + _JOBS_SECONDS
        while self._file is None and len(found) < expected and (left := end - time.monotonic()) > 0:
            waiting = pb.ActivateJobsRequest()
            waiting.CopyFrom(request)
            waiting.requestTimeout = max(1, int(left * 1000))
            found += self._fetch(waiting)
        return found

    def _fetch(self, request: pb.ActivateJobsRequest) -> list[pb.ActivatedJob]:
        return [job for answer in self.call("ActivateJobs", request) for job in answer.jobs]

    def advance(self, by: int) -> None:
        if self._clock is None:
            raise OutOfReach("a clock")
        self._clock.advance(by)
        self._turned = True

    def now(self) -> float:
        """In ms since 1970, as its clock shows; one that cannot be turned shows the machine's time."""
        return self._clock.now() if self._clock is not None else time.time() * 1000

    def show(self, moment: float) -> None:
        """Turn the clock to ``moment``; raises OutOfReach."""
        self.advance(int(moment - self.now()))
        self.settle()

    def settle(self) -> list[Record] | None:
        for _ in range(self._barriers):
            barrier = self._pass_barrier()
        if self._file is None:
            if self._turned:
                time.sleep(_LOOK_SECONDS)
                self._turned = False
            return None
        end = time.monotonic() + BOUND_SECONDS
        new = self._file.until_ended(barrier, end)
        while self._clock is not None and self._file.is_due(self._clock.now()) and time.monotonic() < end:
            new += self._file.until_ended(self._pass_barrier(), end)
        return new

    def _pass_barrier(self) -> int:
        """Run a process that ends at once: what the engine was told before has been taken. Its instance's key."""
        request = pb.CreateProcessInstanceRequest(bpmnProcessId=BARRIER_ID, version=-1)
        answer = self.call(
            "CreateProcessInstanceWithResult",
            pb.CreateProcessInstanceWithResultRequest(request=request, requestTimeout=int(BOUND_SECONDS * 1000)),
        )
        return int(answer.processInstanceKey)


def _answer(call: Callable[[], Any]) -> Any:
    try:
        answer = call()
        return answer if isinstance(answer, Message) else list(answer)
    except grpc.RpcError as error:
        raise Refused(error.code().name, error.details() or "") from error


class _Clock:
    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")
        self._ahead = self._told(urllib.request.Request(self._base))  # noqa: S310 - the address is the test's own

    def _told(self, request: urllib.request.Request) -> float:
        """How many ms its clock is ahead of the machine's."""
        with urllib.request.urlopen(request, timeout=BOUND_SECONDS) as answer:  # noqa: S310
            return float(json.load(answer)["epochMilli"]) - time.time() * 1000

    def now(self) -> float:
        return time.time() * 1000 + self._ahead

    def advance(self, by: int) -> None:
        body = json.dumps({"offsetMilli": by}).encode()
        request = urllib.request.Request(  # noqa: S310
            f"{self._base}/add", body, {"Content-Type": "application/json"}
        )
        self._ahead = self._told(request)


class _Due:
    """What the records tell, and what waits for the clock by them."""

    def __init__(self, path: Path) -> None:
        self._file = RecordFile(path)
        self._due: dict[tuple[str, int], int] = {}

    def close(self) -> None:
        self._file.close()

    def is_due(self, now: float) -> bool:
        return any(due <= now - 1000 * _PAUSE_SECONDS for due in self._due.values())

    def until_ended(self, instance_key: int, end: float) -> list[Record]:
        """The new events until an instance has ended: records come in the order in which things happened."""
        found: list[Record] = []
        while time.monotonic() < end:
            new = self._file.read()
            found += new
            for record in new:
                self._note(record)
            if any(r.key == instance_key and r.intent == "ELEMENT_COMPLETED" for r in new):
                return found
            time.sleep(_PAUSE_SECONDS)
        raise TimeoutError(f"The records do not tell the end of the instance {instance_key}.")

    def _note(self, record: Record) -> None:
        value, intent = record.value, record.intent
        match record.value_type:
            case "TIMER":
                self._due.pop(("timer", record.key), None)
                if intent == "CREATED":
                    self._due["timer", record.key] = value["dueDate"]
            case "JOB_BATCH" if intent == "ACTIVATED":
                for key, job in zip(value["jobKeys"], value["jobs"], strict=True):
                    self._due["job", key] = job["deadline"]
            case "JOB" if intent == "TIMEOUT_UPDATED":
                self._due["job", record.key] = value["deadline"]
            case "JOB" if intent in (*_OVER, "RECURRED_AFTER_BACKOFF"):
                self._due.pop(("job", record.key), None)
                if intent == "FAILED" and value["retries"] > 0 and value["retryBackoff"] > 0:
                    self._due["job", record.key] = value["recurringTime"]
