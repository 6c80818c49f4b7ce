"""What an embedded engine did, from its records: jobs, incidents, instances, and every element that was visited."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from visited_elements import VISITED

from services.engine.state.records import Record

OVER = ("COMPLETED", "CANCELED", "ERROR_THROWN")
PARKED = 45_000  # milliseconds: what keeps a job for longer than a handler does waits for something


@dataclass(frozen=True)
class Trouble:
    """An open incident."""

    key: int
    error_type: str
    text: str
    element_id: str
    job_key: int
    instance_key: int
    scope_key: int


@dataclass
class Trace:
    """Feed it to ``EngineServer.writer.add_exporter``; ``changed`` is called after each batch."""

    changed: Callable[[], None]
    jobs: dict[int, str] = field(default_factory=dict)  # job key -> type, of jobs that can be worked on now
    failures: list[dict[str, Any]] = field(default_factory=list)
    incidents: dict[int, Trouble] = field(default_factory=dict)
    running: dict[int, str] = field(default_factory=dict)  # process instance key -> process id
    ended: dict[int, str] = field(default_factory=dict)
    outcomes: dict[int, str] = field(default_factory=dict)  # process instance key -> applicationOutcome
    elements: Counter[str] = field(default_factory=Counter)
    _types: dict[int, str] = field(default_factory=dict)

    def __call__(self, records: list[Record]) -> None:
        for record in records:
            handle = {"JOB": self._job, "INCIDENT": self._incident, "VARIABLE": self._variable}.get(record.value_type)
            if record.value_type == "PROCESS_INSTANCE":
                self._element(record)
            elif handle is not None:
                handle(record)
        self.changed()

    def _element(self, record: Record) -> None:
        value = record.value
        if record.intent in ("ELEMENT_ACTIVATED", "SEQUENCE_FLOW_TAKEN"):
            VISITED[value["bpmnProcessId"], value["elementId"]] += 1
            self.elements[value["elementId"]] += 1
        if value["bpmnElementType"] == "PROCESS":
            if record.intent == "ELEMENT_ACTIVATED":
                self.running[value["processInstanceKey"]] = value["bpmnProcessId"]
            elif record.intent in ("ELEMENT_COMPLETED", "ELEMENT_TERMINATED"):
                name = self.running.pop(value["processInstanceKey"], "?")
                self.ended[value["processInstanceKey"]] = f"{name} {record.intent}"

    def _job(self, record: Record) -> None:
        self._types[record.key] = record.value["type"]
        if record.intent in ("CREATED", "RECURRED_AFTER_BACKOFF", "TIMED_OUT"):
            self.jobs[record.key] = record.value["type"]
        elif record.intent == "TIMEOUT_UPDATED" and record.value["deadline"] - record.timestamp > PARKED:
            self.jobs.pop(record.key, None)
        elif record.intent in OVER:
            self.jobs.pop(record.key, None)
            del self._types[record.key]
        elif record.intent == "FAILED":
            self.failures.append({"key": record.key, **record.value})
            if record.value["retryBackoff"] > 0 or record.value["retries"] <= 0:
                self.jobs.pop(record.key, None)
            else:
                self.jobs[record.key] = record.value["type"]

    def _incident(self, record: Record) -> None:
        value = record.value
        if record.intent == "CREATED":
            self.incidents[record.key] = Trouble(
                record.key,
                value["errorType"],
                value["errorMessage"],
                value["elementId"],
                value["jobKey"],
                value["processInstanceKey"],
                value["variableScopeKey"],
            )
        elif self.incidents.pop(record.key, None) is not None and value["jobKey"] in self._types:
            self.jobs[value["jobKey"]] = self._types[value["jobKey"]]  # it can be worked on again

    def _variable(self, record: Record) -> None:
        if record.value["name"] == "applicationOutcome":
            self.outcomes[record.value["processInstanceKey"]] = json.loads(record.value["value"])

    @property
    def quiet(self) -> bool:
        """Nothing is left that a worker could do now."""
        return not self.jobs

    def failed(self, job_type: str) -> list[dict[str, Any]]:
        """The failures of jobs of this type, oldest first."""
        return [one for one in self.failures if one["type"] == job_type]
