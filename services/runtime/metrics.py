"""Metrics under Camunda's client names, so that its dashboards work, and our own for the business.

Labels are few and low in number: never an application, a job key, a person or a camera. A series is there at 0 before
the first event, because Prometheus sees no increase from nothing to 1.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry(auto_describe=True)
# What the books say. Only the process that counts them shows it: elsewhere these gauges would say 0, and mean nothing.
BOOKS = CollectorRegistry(auto_describe=True)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

JOB_INVOCATIONS = Counter(
    "camunda_job_invocations",
    "Jobs by what came of them: activated, completed, failed, bpmn-error",
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
    "camunda_client_worker_job_activated", "Jobs taken from the engine", ["type"], registry=REGISTRY
)
JOBS_HANDLED = Counter("camunda_client_worker_job_handled", "Jobs whose handler has ended", ["type"], registry=REGISTRY)

LAST_SUCCESSFUL_POLL = Gauge(
    "footage_desk_last_successful_poll_timestamp_seconds",
    "When the engine last answered a poll for jobs; until it has, when the worker began",
    ["type"],
    registry=REGISTRY,
)
JOBS_IN_FLIGHT = Gauge("footage_desk_jobs_in_flight", "Jobs whose handler runs now", ["type"], registry=REGISTRY)
JOB_PLACES = Gauge("footage_desk_job_places", "Jobs that may run at once", ["type"], registry=REGISTRY)
LEASES_LOST = Counter(
    "footage_desk_job_leases_lost", "Handlers stopped because the job was gone", ["type"], registry=REGISTRY
)
BYTES_MOVED = Counter(
    "footage_desk_bytes_moved", "Bytes of footage on their way into the vault, counted as they pass", registry=REGISTRY
)
BYTES_SEALED = Counter("footage_desk_bytes_sealed", "Bytes of footage sealed", registry=REGISTRY)
FETCHED_BYTES = Counter(
    "footage_desk_fetched_bytes", "Bytes that recorders gave, repeated ones included", ["kind"], registry=REGISTRY
)
FETCHED_SEGMENTS = Counter("footage_desk_fetched_segments", "Segments that recorders gave", ["kind"], registry=REGISTRY)
FETCHES_AGAIN = Counter(
    "footage_desk_fetches_again",
    "Times that a recorder was asked once more for what it had broken off, or had promised and not given",
    ["kind"],
    registry=REGISTRY,
)
FETCHES_WAITING = Gauge(
    "footage_desk_fetches_waiting",
    "Fetches that wait until their recorder gives fewer recordings at once",
    ["kind"],
    registry=REGISTRY,
)
SEALINGS = Counter(
    "footage_desk_sealings",
    "Footage sent through the seal by outcome: complete, partial, missing, unreadable, failed",
    ["outcome"],
    registry=REGISTRY,
)
SEALING_SECONDS = Histogram(
    "footage_desk_sealing_seconds",
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
    "Footage at risk of being overwritten, by outcome: kept, failed",
    ["outcome"],
    registry=REGISTRY,
)
VERIFICATION_FAILURES = Counter(
    "footage_desk_verification_failures", "Masters, copies and documents that failed verification", registry=REGISTRY
)
TIME_STAMPS = Counter(
    "footage_desk_time_stamps",
    "Time stamps asked for, by outcome: granted, failed (what was sealed then has none)",
    ["outcome"],
    registry=REGISTRY,
)
NOTICES = Counter(
    "footage_desk_notices",
    "Notices sent out of the portal by outcome: delivered, tried (and to be tried again), failed",
    ["channel", "outcome"],
    registry=REGISTRY,
)
REGISTER_SECONDS = Histogram(
    "footage_desk_register_seconds",
    "Seconds that one act took in the books, waiting for its turn included",
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 30),
    registry=REGISTRY,
)
REGISTER_FAILURES = Counter(
    "footage_desk_register_failures",
    "Acts that the database did not take, by reason: away, conflict",
    ["reason"],
    registry=REGISTRY,
)
PERIODIC_LAST_RUN = Gauge(
    "footage_desk_periodic_last_run_timestamp_seconds",
    "When a periodic task last ran to its end; until it has, when the process began",
    ["task"],
    registry=REGISTRY,
)
PERIODIC_EVERY = Gauge(
    "footage_desk_periodic_every_seconds", "Seconds between two runs of a periodic task", ["task"], registry=REGISTRY
)
PERIODIC_FAILURES = Counter(
    "footage_desk_periodic_failures", "Runs of a periodic task that failed", ["task"], registry=REGISTRY
)

BOOKS_COUNTED = Gauge(
    "footage_desk_books_counted_timestamp_seconds", "When the books were last counted", registry=BOOKS
)
APPLICATIONS = Gauge("footage_desk_applications", "Applications by state", ["state"], registry=BOOKS)
REVIEW_AGE = Gauge(
    "footage_desk_review_age_seconds", "Age of the oldest open review by stage", ["stage"], registry=BOOKS
)
REVIEWS_OPEN = Gauge("footage_desk_reviews_open", "Open reviews by stage", ["stage"], registry=BOOKS)
REVIEWS_OVERDUE = Gauge(
    "footage_desk_reviews_overdue", "Open reviews past their limit by stage", ["stage"], registry=BOOKS
)
NEAREST_OVERWRITE = Gauge(
    "footage_desk_nearest_overwrite_seconds",
    "Seconds until the recorder overwrites footage that an open application asks for",
    registry=BOOKS,
)
ITEMS_PRESERVED = Gauge(
    "footage_desk_items_preserved", "Items whose footage lies in the quarantine now", registry=BOOKS
)
COPIES_OUT = Gauge("footage_desk_copies_out", "Hand-overs whose copies are not yet back", registry=BOOKS)
COPIES_OVERDUE = Gauge("footage_desk_copies_overdue", "Hand-overs past their due date", registry=BOOKS)
RECORDER_CLOCK_OFFSET = Gauge(
    "footage_desk_recorder_clock_offset_seconds", "A recorder's clock minus ours", ["recorder"], registry=BOOKS
)
RECORDER_LAST_SEEN = Gauge(
    "footage_desk_recorder_last_seen_timestamp_seconds",
    "When a recorder last answered",
    ["recorder"],
    registry=BOOKS,
)
RECORDER_ANSWERS = Gauge(
    "footage_desk_recorder_answers",
    "1 where the recorder answered when it was asked last, 0 where it did not",
    ["recorder"],
    registry=BOOKS,
)
OUTBOX_LAG = Gauge(
    "footage_desk_outbox_lag_seconds", "Age of the oldest message that waits for the engine", registry=BOOKS
)
CHECKPOINT_LAG = Gauge(
    "footage_desk_checkpoint_lag_seconds",
    "Age of the oldest event of the audit trail that no signed checkpoint covers",
    registry=BOOKS,
)
NOTICES_WAITING = Gauge(
    "footage_desk_notices_waiting", "Notices that wait to leave the portal", ["channel"], registry=BOOKS
)
AUDIT_SIZE = Gauge("footage_desk_audit_size", "Events in the audit trail", registry=BOOKS)

JOB_ACTIONS = ("activated", "completed", "failed", "bpmn-error")
STAMP_OUTCOMES = ("granted", "failed")
NOTICE_OUTCOMES = ("delivered", "tried", "failed")

for _outcome in ("complete", "partial", "missing", "unreadable"):
    COVERAGE_OUTCOMES.labels(_outcome)
    SEALINGS.labels(_outcome)
SEALINGS.labels("failed")
for _outcome in ("kept", "failed"):
    PRESERVATIONS.labels(_outcome)
for _outcome in STAMP_OUTCOMES:
    TIME_STAMPS.labels(_outcome)
for _reason in ("away", "conflict"):
    REGISTER_FAILURES.labels(_reason)


def expect_jobs(job_type: str, places: int) -> None:
    """Show everything about a job type from the start; ``places`` of its jobs may run at once."""
    for action in JOB_ACTIONS:
        JOB_INVOCATIONS.labels(job_type, action)
    for counter in (JOBS_ACTIVATED, JOBS_HANDLED, LEASES_LOST, JOB_EXECUTION_TIME, JOBS_IN_FLIGHT):
        counter.labels(job_type)
    JOB_PLACES.labels(job_type).set(places)
    LAST_SUCCESSFUL_POLL.labels(job_type).set_to_current_time()


def expect_recorders(kinds: Iterable[str]) -> None:
    """Show what is fetched from each kind of recorder from the start."""
    for kind in kinds:
        for series in (FETCHED_BYTES, FETCHED_SEGMENTS, FETCHES_AGAIN, FETCHES_WAITING):
            series.labels(kind)


def expect_notices(channel: str) -> None:
    """Show a channel's notices from the start."""
    for outcome in NOTICE_OUTCOMES:
        NOTICES.labels(channel, outcome)


def expect_periodic(task: str, every: float) -> None:
    """Show everything about a task that runs every ``every`` seconds from the start."""
    PERIODIC_EVERY.labels(task).set(every)
    PERIODIC_LAST_RUN.labels(task).set_to_current_time()
    PERIODIC_FAILURES.labels(task)


def exposition() -> bytes:
    """All metrics in Prometheus' text format; those of the books where this process has counted them."""
    counted = BOOKS.get_sample_value("footage_desk_books_counted_timestamp_seconds")
    return generate_latest(REGISTRY) + (generate_latest(BOOKS) if counted else b"")
