"""Metrics under Camunda's client names, so that its dashboards work, and our own for the business.

Labels are few and low in number: never an application, a job key, a person or a camera.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry(auto_describe=True)
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
    "When the engine last answered a poll for jobs",
    ["type"],
    registry=REGISTRY,
)
LEASES_LOST = Counter(
    "footage_desk_job_leases_lost", "Handlers stopped because the job was gone", ["type"], registry=REGISTRY
)
APPLICATIONS = Gauge("footage_desk_applications", "Applications by state", ["state"], registry=REGISTRY)
REVIEW_AGE = Gauge(
    "footage_desk_review_age_seconds", "Age of the oldest open review by stage", ["stage"], registry=REGISTRY
)
NEAREST_OVERWRITE = Gauge(
    "footage_desk_nearest_overwrite_seconds",
    "Seconds until the recorder overwrites footage that an open application asks for",
    registry=REGISTRY,
)
BYTES_SEALED = Counter("footage_desk_bytes_sealed", "Bytes of footage sealed", registry=REGISTRY)
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
COPIES_OUT = Gauge("footage_desk_copies_out", "Issued copies that are not yet back", registry=REGISTRY)
COPIES_OVERDUE = Gauge("footage_desk_copies_overdue", "Issued copies past their due date", registry=REGISTRY)
RECORDER_CLOCK_OFFSET = Gauge(
    "footage_desk_recorder_clock_offset_seconds", "A recorder's clock minus ours", ["recorder"], registry=REGISTRY
)
RECORDER_LAST_SEEN = Gauge(
    "footage_desk_recorder_last_seen_timestamp_seconds",
    "When a recorder last answered",
    ["recorder"],
    registry=REGISTRY,
)
OUTBOX_LAG = Gauge(
    "footage_desk_outbox_lag_seconds", "Age of the oldest message that waits for the engine", registry=REGISTRY
)
NOTICES = Counter(
    "footage_desk_notices",
    "Notices sent out of the portal by outcome: delivered, tried (and to be tried again), failed",
    ["channel", "outcome"],
    registry=REGISTRY,
)
NOTICES_WAITING = Gauge(
    "footage_desk_notices_waiting", "Notices that wait to leave the portal", ["channel"], registry=REGISTRY
)
AUDIT_SIZE = Gauge("footage_desk_audit_size", "Events in the audit trail", registry=REGISTRY)
VERIFICATION_FAILURES = Counter(
    "footage_desk_verification_failures", "Masters and copies that failed verification", registry=REGISTRY
)


def exposition() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)
