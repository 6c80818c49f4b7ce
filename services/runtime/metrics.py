"""Metrics under Camunda's client names, so that its dashboards work, and our own for the business.

Labels are few and low in number: never an application, a job key, a person or a camera. A series is there at 0 before
the first event, because Prometheus sees no increase from nothing to 1.
"""

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

REGISTRY = CollectorRegistry(auto_describe=True)
# Memory, processor time and descriptors of this process, and Python's version and garbage collector.
for _collector in (ProcessCollector, PlatformCollector, GCCollector):
    _collector(registry=REGISTRY)
# Counted in the database by one process at a time, and kept there as text, which every portal exports. So they are
# there while another takes over, and the same from all: their rules and panels take the max.
DATABASE_REGISTRY = CollectorRegistry(auto_describe=True)
INSTANCE_REGISTRY = CollectorRegistry(auto_describe=True)  # of a task with a lease of its own
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

JOB_INVOCATIONS = Counter(
    "camunda_job_invocations",
    "Jobs by outcome: activated, completed, failed, waiting (for a part that is away), bpmn-error",
    ["type", "action"],
    registry=REGISTRY,
)
JOB_EXECUTION_TIME = Histogram(
    "camunda_job_execution_time_seconds",
    "Seconds that a handler ran",
    ["type"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200),
    registry=REGISTRY,
)
JOBS_ACTIVATED = Counter(
    "camunda_client_worker_job_activated", "Jobs activated from the engine", ["type"], registry=REGISTRY
)
JOBS_HANDLED = Counter("camunda_client_worker_job_handled", "Jobs whose handler has ended", ["type"], registry=REGISTRY)

LAST_SUCCESSFUL_POLL = Gauge(
    "footage_desk_last_successful_poll_timestamp_seconds",
    "When the engine last answered a poll for jobs; until it has, when the worker began",
    ["type"],
    registry=REGISTRY,
)
POLL_FAILURES = Counter(
    "footage_desk_poll_failures",
    "Polls for jobs that failed, by reason: unavailable, refused (somebody has to act)",
    ["type", "reason"],
    registry=REGISTRY,
)
JOBS_IN_FLIGHT = Gauge("footage_desk_jobs_in_flight", "Jobs whose handler runs now", ["type"], registry=REGISTRY)
JOB_CAPACITY = Gauge("footage_desk_job_capacity", "Jobs that may run at once", ["type"], registry=REGISTRY)
JOBS_REFUSED = Counter(
    "footage_desk_jobs_refused", "Jobs that asked for what the database does not allow", ["type"], registry=REGISTRY
)
LEASES_LOST = Counter(
    "footage_desk_job_leases_lost", "Handlers stopped because the job was gone", ["type"], registry=REGISTRY
)
TRANSFERRED_BYTES = Counter(
    "footage_desk_transferred_bytes",
    "Bytes of footage transferred to the vault, counted as they pass",
    registry=REGISTRY,
)
SEALED_BYTES = Counter("footage_desk_sealed_bytes", "Bytes of footage sealed", registry=REGISTRY)
FETCHED_BYTES = Counter(
    "footage_desk_fetched_bytes", "Bytes received from recorders, retries included", ["kind"], registry=REGISTRY
)
FETCHED_SEGMENTS = Counter(
    "footage_desk_fetched_segments", "Segments received from recorders", ["kind"], registry=REGISTRY
)
FETCH_RETRIES = Counter(
    "footage_desk_fetch_retries",
    "Retries of a fetch that broke off or was incomplete",
    ["kind"],
    registry=REGISTRY,
)
FETCHES_WAITING = Gauge(
    "footage_desk_fetches_waiting",
    "Fetches that wait until their recorder has capacity",
    ["kind"],
    registry=REGISTRY,
)
SEALINGS = Counter(
    "footage_desk_sealings",
    "Sealings by outcome: complete, partial, missing, unreadable, failed",
    ["outcome"],
    registry=REGISTRY,
)
SEALING_DURATION = Histogram(
    "footage_desk_sealing_duration_seconds",
    "Seconds from the first byte read to the sealed object",
    buckets=(1, 5, 15, 60, 300, 900, 3600, 14400),
    registry=REGISTRY,
)
COVERAGE_OUTCOMES = Counter(
    "footage_desk_coverage_outcomes",
    "Retrieved items by outcome: complete, partial, missing, unreadable",
    ["outcome"],
    registry=REGISTRY,
)
PRESERVATIONS = Counter(
    "footage_desk_preservations",
    "Preservations of footage at risk, by outcome: preserved, failed",
    ["outcome"],
    registry=REGISTRY,
)
VERIFICATION_FAILURES = Counter(
    "footage_desk_verification_failures", "Masters, copies and documents that failed verification", registry=REGISTRY
)
TIMESTAMP_REQUESTS = Counter(
    "footage_desk_timestamp_requests",
    "Timestamps requested, by outcome: granted, failed (what was sealed then has none)",
    ["outcome"],
    registry=REGISTRY,
)
NOTICES = Counter(
    "footage_desk_notices",
    "Notices sent by outcome: delivered, deferred (to be retried), failed",
    ["channel", "outcome"],
    registry=REGISTRY,
)
TRANSACTION_DURATION = Histogram(
    "footage_desk_database_transaction_duration_seconds",
    "Duration of a transaction, the wait for its turn included",
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 30),
    registry=REGISTRY,
)
TRANSACTION_FAILURES = Counter(
    "footage_desk_database_transaction_failures",
    "Failed transactions by reason: unavailable, busy (no connection was free in time), conflict",
    ["reason"],
    registry=REGISTRY,
)
CONNECTIONS_IN_USE = Gauge(
    "footage_desk_database_connections_in_use", "Connections to the database that are in use", registry=REGISTRY
)
CONNECTIONS_LIMIT = Gauge(
    "footage_desk_database_connections_limit",
    "Connections to the database that this process may open",
    registry=REGISTRY,
)
CONNECTIONS_WAITED_FOR = Gauge(
    "footage_desk_database_connections_waited_for", "Transactions that wait for a connection", registry=REGISTRY
)
HTTP_REQUESTS = Counter(
    "footage_desk_http_requests",
    "Requests by method, template of the route, status and class of it (2xx, 5xx)",
    ["method", "route", "status", "class"],
    registry=REGISTRY,
)
ACCESS_REFUSED = Counter(
    "footage_desk_access_refused",
    "Requests that were refused, by cause: signed-out, not-allowed, not-there (or not for this person)",
    ["cause"],
    registry=REGISTRY,
)
HTTP_BUCKETS = (0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
HTTP_DURATION = Histogram(
    "footage_desk_http_request_duration_seconds",
    "Seconds from a request to the beginning of its answer",
    ["method", "route"],
    buckets=HTTP_BUCKETS,
    registry=REGISTRY,
)
HTTP_IN_FLIGHT = Gauge("footage_desk_http_requests_in_flight", "Requests whose answer has not ended", registry=REGISTRY)
HTTP_RESPONSE_BYTES = Counter(
    "footage_desk_http_response_bytes", "Bytes of answers by the template of the route", ["route"], registry=REGISTRY
)
PERIODIC_LAST_RUN = Gauge(
    "footage_desk_periodic_task_last_run_timestamp_seconds",
    "When a periodic task last completed a run; until it has, when the process began",
    ["task"],
    registry=REGISTRY,
)
PERIODIC_INTERVAL = Gauge(
    "footage_desk_periodic_task_interval_seconds",
    "Seconds between two runs of a periodic task",
    ["task"],
    registry=REGISTRY,
)
PERIODIC_FAILURES = Counter(
    "footage_desk_periodic_task_failures", "Runs of a periodic task that failed", ["task"], registry=REGISTRY
)
LEASE_HELD = Gauge(
    "footage_desk_lease_held",
    "1 if this process does a task that one process does at a time, else 0",
    ["task"],
    registry=REGISTRY,
)
MESSAGES_PUBLISHED_TWICE = Counter(
    "footage_desk_messages_published_twice",
    "Messages that two portals have published at once; the engine takes one of them",
    registry=REGISTRY,
)

DATABASE_METRICS_UPDATED = Gauge(
    "footage_desk_database_metrics_updated_timestamp_seconds",
    "When the metrics of the database were last read",
    registry=DATABASE_REGISTRY,
)
APPLICATIONS = Gauge("footage_desk_applications", "Applications by state", ["state"], registry=DATABASE_REGISTRY)
REVIEW_AGE = Gauge(
    "footage_desk_review_age_seconds", "Age of the oldest open review by stage", ["stage"], registry=DATABASE_REGISTRY
)
REVIEWS_OPEN = Gauge("footage_desk_reviews_open", "Open reviews by stage", ["stage"], registry=DATABASE_REGISTRY)
REVIEWS_OVERDUE = Gauge(
    "footage_desk_reviews_overdue", "Open reviews past their limit by stage", ["stage"], registry=DATABASE_REGISTRY
)
NEAREST_OVERWRITE = Gauge(
    "footage_desk_nearest_overwrite_seconds",
    "Seconds until the recorder overwrites footage that an open application asks for",
    registry=DATABASE_REGISTRY,
)
ITEMS_PRESERVED = Gauge(
    "footage_desk_items_preserved", "Items whose footage is in the quarantine", registry=DATABASE_REGISTRY
)
PRESERVATIONS_OPEN = Gauge(
    "footage_desk_preservations_open",
    "Items at risk that could not be preserved and are tried again",
    registry=DATABASE_REGISTRY,
)
LONGEST_UNPRESERVED = Gauge(
    "footage_desk_longest_unpreserved_seconds",
    "How long ago the item that could not be preserved for longest failed first; 0 where none is tried again",
    registry=DATABASE_REGISTRY,
)
HAND_OVERS_OPEN = Gauge(
    "footage_desk_hand_overs_open", "Hand-overs whose copies are not yet back", registry=DATABASE_REGISTRY
)
HOLDS_OPEN = Gauge("footage_desk_holds_open", "Legal holds that were placed and not lifted", registry=DATABASE_REGISTRY)
HOLDS_REVIEW_OVERDUE = Gauge(
    "footage_desk_holds_review_overdue", "Open legal holds past their review date", registry=DATABASE_REGISTRY
)
WORK_ORDERS_OPEN = Gauge(
    "footage_desk_work_orders_open", "Work orders that are not closed", ["kind"], registry=DATABASE_REGISTRY
)
WORK_ORDERS_OVERDUE = Gauge(
    "footage_desk_work_orders_overdue", "Open work orders past their due date and not done", registry=DATABASE_REGISTRY
)
INSPECTION_UNSIGNED = Gauge(
    "footage_desk_inspection_unsigned_seconds",
    "How long ago the oldest period ended whose inspection is not signed; 0 where there is none",
    registry=DATABASE_REGISTRY,
)
DISPOSALS_DUE = Gauge(
    "footage_desk_disposals_due",
    "Masters past their retention that nothing holds, up to ten thousand",
    registry=DATABASE_REGISTRY,
)
LONGEST_DISPOSAL_DUE = Gauge(
    "footage_desk_longest_disposal_due_seconds",
    "How long ago the retention of the first of them ended; 0 where there is none",
    registry=DATABASE_REGISTRY,
)
MASTERS_UNVERIFIED = Gauge(
    "footage_desk_masters_unverified_seconds",
    "Since when the longest unread master or replica was not compared with what was sealed; 0 without any",
    registry=DATABASE_REGISTRY,
)
RECONCILE_AGE = Gauge(
    "footage_desk_reconcile_age_seconds",
    "Age of the last report of a reconciliation, or of the first master where there is none; 0 without either",
    registry=DATABASE_REGISTRY,
)
STORE_LOG_AGE = Gauge(
    "footage_desk_access_log_age_seconds",
    "Since when a store that sends its access log has sent nothing of it, the longer of two; 0 where none does",
    registry=DATABASE_REGISTRY,
)
DAMAGES_UNREPAIRED = Gauge(
    "footage_desk_damages_unrepaired",
    "Damaged masters and replicas that could not be made anew",
    registry=DATABASE_REGISTRY,
)
FINDINGS_OPEN = Gauge(
    "footage_desk_reconciliation_findings_open",
    "Differences between the register and what it describes that nobody has explained",
    registry=DATABASE_REGISTRY,
)
DEVICES_UNHEALTHY = Gauge(
    "footage_desk_devices_unhealthy",
    "Stores and recorders that were last read to be defective: vault, replica, recorder",
    ["part"],
    registry=DATABASE_REGISTRY,
)
HAND_OVERS_OVERDUE = Gauge(
    "footage_desk_hand_overs_overdue", "Hand-overs past their due date", registry=DATABASE_REGISTRY
)
RECORDER_CLOCK_OFFSET = Gauge(
    "footage_desk_recorder_clock_offset_seconds",
    "A recorder's clock minus ours",
    ["recorder"],
    registry=DATABASE_REGISTRY,
)
RECORDER_LAST_SEEN = Gauge(
    "footage_desk_recorder_last_seen_timestamp_seconds",
    "When a recorder last answered",
    ["recorder"],
    registry=DATABASE_REGISTRY,
)
RECORDER_UP = Gauge(
    "footage_desk_recorder_up",
    "1 if the recorder answered its last request, else 0",
    ["recorder"],
    registry=DATABASE_REGISTRY,
)
OUTBOX_LAG = Gauge(
    "footage_desk_outbox_lag_seconds", "Age of the oldest message that waits for the engine", registry=DATABASE_REGISTRY
)
LONGEST_WAIT = Gauge(
    "footage_desk_longest_wait_seconds",
    "How long the step that has waited longest has waited for a part that is away: recorder, store, database",
    ["part"],
    registry=DATABASE_REGISTRY,
)
STEPS_WAITING = Gauge(
    "footage_desk_steps_waiting", "Steps that wait for a part that is away", ["part"], registry=DATABASE_REGISTRY
)
CASES_WITHOUT_INSTANCE = Gauge(
    "footage_desk_cases_without_instance",
    "Open cases, matters, inspections and work orders for which the engine has no instance of their process",
    ["process"],
    registry=INSTANCE_REGISTRY,
)
VIOLATIONS_OPEN = Gauge(
    "footage_desk_violations_open", "Violations that are not closed", ["severity"], registry=DATABASE_REGISTRY
)
CHECKPOINT_LAG = Gauge(
    "footage_desk_checkpoint_lag_seconds",
    "Age of the oldest event of the audit trail that no signed checkpoint covers",
    registry=DATABASE_REGISTRY,
)
NOTICES_WAITING = Gauge(
    "footage_desk_notices_waiting", "Notices that wait to be sent", ["channel"], registry=DATABASE_REGISTRY
)
MODELS_UNRECORDED = Gauge(
    "footage_desk_models_unrecorded",
    "Versions of process models on no record whose jobs came within a day",
    registry=DATABASE_REGISTRY,
)
AUDIT_EVENTS = Gauge("footage_desk_audit_events", "Events in the audit trail", registry=DATABASE_REGISTRY)

REFUSED_CAUSES = ("signed-out", "not-allowed", "not-there")
JOB_ACTIONS = ("activated", "completed", "failed", "waiting", "bpmn-error")
TIMESTAMP_OUTCOMES = ("granted", "failed")
NOTICE_OUTCOMES = ("delivered", "deferred", "failed")

for _outcome in ("complete", "partial", "missing", "unreadable"):
    COVERAGE_OUTCOMES.labels(_outcome)
    SEALINGS.labels(_outcome)
SEALINGS.labels("failed")
for _outcome in ("preserved", "failed"):
    PRESERVATIONS.labels(_outcome)
for _cause in REFUSED_CAUSES:
    ACCESS_REFUSED.labels(_cause)
for _outcome in TIMESTAMP_OUTCOMES:
    TIMESTAMP_REQUESTS.labels(_outcome)
for _reason in ("unavailable", "busy", "conflict"):
    TRANSACTION_FAILURES.labels(_reason)


def count_request(method: str, route: str, status: str) -> None:
    """Count a request; its route's errors are there at 0 from the first request on."""
    for expected in ("500", "503"):
        HTTP_REQUESTS.labels(method, route, expected, "5xx")
    HTTP_REQUESTS.labels(method, route, status, f"{status[0]}xx" if status.isdigit() else status).inc()


def expect_jobs(job_type: str, capacity: int) -> None:
    """Export all series of a job type from the start; ``capacity`` of its jobs may run at once."""
    for action in JOB_ACTIONS:
        JOB_INVOCATIONS.labels(job_type, action)
    for counter in (JOBS_ACTIVATED, JOBS_HANDLED, JOBS_REFUSED, LEASES_LOST, JOB_EXECUTION_TIME, JOBS_IN_FLIGHT):
        counter.labels(job_type)
    for reason in ("unavailable", "refused"):
        POLL_FAILURES.labels(job_type, reason)
    JOB_CAPACITY.labels(job_type).set(capacity)
    LAST_SUCCESSFUL_POLL.labels(job_type).set_to_current_time()


def expect_recorders(kinds: Iterable[str]) -> None:
    """Export the series of each kind of recorder from the start."""
    for kind in kinds:
        for series in (FETCHED_BYTES, FETCHED_SEGMENTS, FETCH_RETRIES, FETCHES_WAITING):
            series.labels(kind)


def expect_notices(channel: str) -> None:
    """Export the series of a channel from the start."""
    for outcome in NOTICE_OUTCOMES:
        NOTICES.labels(channel, outcome)


def expect_periodic(task: str, interval: float) -> None:
    """Export all series of a periodic task from the start; ``interval`` is in seconds."""
    PERIODIC_INTERVAL.labels(task).set(interval)
    PERIODIC_LAST_RUN.labels(task).set_to_current_time()
    PERIODIC_FAILURES.labels(task)


class Counted:
    """What was last read of the table ``counted_metrics``; empty in a process that does not read it."""

    text = ""


def export_counted(text: str) -> None:
    """Export what was counted in the database, as its text says, until it is read again."""
    Counted.text = text


def exposition() -> bytes:
    """Return all metrics in Prometheus' text format; those of the database if this process has read them."""
    return generate_latest(REGISTRY) + Counted.text.encode()
