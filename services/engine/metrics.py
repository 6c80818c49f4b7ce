"""Export metrics under Zeebe's names and labels.

One set of alerts serves both engines. Metrics that Zeebe does not have begin with ``footage_desk_engine_``.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from services.engine.state.records import Record

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PARTITION = "1"
JOB_ACTIONS = {
    "CREATED": "created",
    "COMPLETED": "completed",
    "FAILED": "failed",
    "TIMED_OUT": "timed out",
    "CANCELED": "canceled",
    "ERROR_THROWN": "error thrown",
}
ACTIVATED = "activated"
ELEMENT_ACTIONS = {
    "ELEMENT_ACTIVATED": "activated",
    "ELEMENT_COMPLETED": "completed",
    "ELEMENT_TERMINATED": "terminated",
}
INCIDENT_ACTIONS = {"CREATED": "created", "RESOLVED": "resolved"}

Counts = Counter[tuple[str, str]]


class EngineMetrics(Collector):
    """Counts the records of one engine; measures its disk at each scrape."""

    def __init__(
        self, data: Path | None, write_failures: Callable[[], int], unauthenticated_calls: Callable[[], int]
    ) -> None:
        """Create the metrics of the engine in ``data`` (None = in memory)."""
        self._data = data
        self._write_failures = write_failures
        self._unauthenticated_calls = unauthenticated_calls
        self._jobs: Counts = Counter()
        self._elements: Counts = Counter()
        self._incidents: Counter[str] = Counter()
        self._pending = 0
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def set_pending_incidents(self, pending: int) -> None:
        """Set the number of incidents that were open before the first record."""
        self._pending = pending

    def count(self, records: Iterable[Record]) -> None:
        """Count exported records."""
        for record in records:
            match record.value_type:
                case "JOB" if record.intent in JOB_ACTIONS:
                    self._count_job(JOB_ACTIONS[record.intent], record.value["type"])
                case "JOB_BATCH":
                    self._count_job(ACTIVATED, record.value["type"], len(record.value["jobKeys"]))
                case "PROCESS_INSTANCE" if record.intent in ELEMENT_ACTIONS:
                    self._elements[ELEMENT_ACTIONS[record.intent], record.value["bpmnElementType"]] += 1
                case "INCIDENT" if record.intent in INCIDENT_ACTIONS:
                    self._incidents[record.intent] += 1
                    self._pending += 1 if record.intent == "CREATED" else -1

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        yield _counter("zeebe_job_events", "Number of job events", ("action", "type"), self._jobs)
        yield _counter(
            "zeebe_element_instance_events",
            "Number of process element instance events",
            ("action", "type"),
            self._elements,
        )
        events = {(action,): float(self._incidents[intent]) for intent, action in INCIDENT_ACTIONS.items()}
        yield _counter("zeebe_incident_events", "Number of incident events", ("action",), events)
        # A gauge despite its name, as in Zeebe.
        pending = GaugeMetricFamily(
            "zeebe_pending_incidents_total", "Number of pending incidents", labels=("partition",)
        )
        pending.add_metric((PARTITION,), self._pending)
        yield pending
        yield CounterMetricFamily(
            "footage_desk_engine_write_failures",
            "Batches that the engine could not write to its disk",
            self._write_failures(),
        )
        yield CounterMetricFamily(
            "footage_desk_engine_unauthenticated_calls",
            "Calls that were refused because they had not the engine's token",
            self._unauthenticated_calls(),
        )
        if self._data is not None and self._data.exists():
            yield from self._disk_metrics(self._data)

    def _disk_metrics(self, data: Path) -> Iterator[GaugeMetricFamily]:
        disk = shutil.disk_usage(data)
        size = sum(path.stat().st_size for path in data.iterdir() if path.is_file())
        yield GaugeMetricFamily("footage_desk_engine_data_bytes", "Bytes of the engine's own files", size)
        yield GaugeMetricFamily("footage_desk_engine_disk_free_bytes", "Bytes free on the disk of its files", disk.free)
        yield GaugeMetricFamily("footage_desk_engine_disk_bytes", "Bytes of the disk of its files", disk.total)

    def _count_job(self, action: str, job_type: str, count: int = 1) -> None:
        if (JOB_ACTIONS["CREATED"], job_type) not in self._jobs:
            # Prometheus sees no increase from an absent series to 1.
            self._jobs.update(dict.fromkeys(((every, job_type) for every in (*JOB_ACTIONS.values(), ACTIVATED)), 0))
        self._jobs[action, job_type] += count


def _counter(
    name: str, text: str, labels: Sequence[str], counts: "Counts | dict[tuple[str], float]"
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=(*labels, "partition"))
    for values, count in counts.items():
        family.add_metric((*values, PARTITION), count)
    return family
