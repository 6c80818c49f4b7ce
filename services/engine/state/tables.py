"""Tables of the engine's SQLite file.

Times in ms since 1970, values as JSON text.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

metadata = MetaData()


def _key(name: str = "key", *, primary: bool = False) -> Column[int]:
    column_type = BigInteger().with_variant(Integer, "sqlite")
    return Column(name, column_type, primary_key=primary, autoincrement=False, nullable=False)


counters = Table(
    "counters", metadata, Column("name", String, primary_key=True), Column("value", BigInteger, nullable=False)
)

process_definitions = Table(
    "process_definitions",
    metadata,
    _key(primary=True),
    Column("bpmn_process_id", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("version_tag", String, nullable=False),
    Column("resource_name", String, nullable=False),
    Column("checksum", String, nullable=False),
    _key("deployment_key"),
    Column("content", LargeBinary, nullable=False),
    Column("deleted", Boolean, nullable=False),
)
Index("process_definitions_by_id", process_definitions.c.bpmn_process_id, process_definitions.c.version)

decision_requirements = Table(
    "decision_requirements",
    metadata,
    _key(primary=True),
    Column("decision_requirements_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("resource_name", String, nullable=False),
    Column("checksum", String, nullable=False),
    _key("deployment_key"),
    Column("content", LargeBinary, nullable=False),
    Column("deleted", Boolean, nullable=False),
)
Index("decision_requirements_by_id", decision_requirements.c.decision_requirements_id, decision_requirements.c.version)

decisions = Table(
    "decisions",
    metadata,
    _key(primary=True),
    Column("decision_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("version_tag", String, nullable=False),
    _key("decision_requirements_key"),
    _key("deployment_key"),
    Column("deleted", Boolean, nullable=False),
)
Index("decisions_by_id", decisions.c.decision_id, decisions.c.version)

process_instances = Table("process_instances", metadata, _key(primary=True), Column("document", Text, nullable=False))

element_instances = Table(
    "element_instances",
    metadata,
    _key(primary=True),
    _key("process_instance_key"),
    _key("process_definition_key"),  # this and the next two only serve the inspector
    Column("element_id", String, nullable=False),
    Column("element_type", String, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    _key(primary=True),
    Column("type", String, nullable=False),
    Column("state", String, nullable=False),
    Column("retries", Integer, nullable=False),
    Column("worker", String, nullable=False),
    Column("deadline", BigInteger),
    _key("process_instance_key"),
    _key("element_instance_key"),
    Column("element_id", String, nullable=False),
    _key("process_definition_key"),
    Column("custom_headers", Text, nullable=False),
    Column("error_message", Text, nullable=False),
)
Index("jobs_by_type", jobs.c.type, jobs.c.state, jobs.c.key)
Index("jobs_by_deadline", jobs.c.deadline, sqlite_where=jobs.c.deadline.is_not(None))

timers = Table(
    "timers",
    metadata,
    _key(primary=True),
    Column("due_date", BigInteger, nullable=False),
    _key("process_instance_key"),
    _key("element_instance_key"),
    Column("element_id", String, nullable=False),
    _key("process_definition_key"),
    Column("cycle", String),
    Column("repetitions", Integer, nullable=False),
)
Index("timers_by_due_date", timers.c.due_date, timers.c.key)
Index("timers_by_process_definition", timers.c.process_definition_key, sqlite_where=timers.c.process_instance_key == 0)

messages = Table(
    "messages",
    metadata,
    _key(primary=True),
    Column("name", String, nullable=False),
    Column("correlation_key", String, nullable=False),
    Column("message_id", String, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("variables", Text, nullable=False),
)
Index("messages_by_name", messages.c.name, messages.c.correlation_key, messages.c.key)
Index("messages_by_deadline", messages.c.deadline)

message_correlations = Table(
    "message_correlations",
    metadata,
    _key("message_key", primary=True),
    Column("bpmn_process_id", String, primary_key=True),
)

message_subscriptions = Table(
    "message_subscriptions",
    metadata,
    _key(primary=True),
    Column("name", String, nullable=False),
    Column("correlation_key", String, nullable=False),
    _key("process_instance_key"),
    _key("element_instance_key"),
    Column("element_id", String, nullable=False),
    Column("bpmn_process_id", String, nullable=False),
    Column("interrupting", Boolean, nullable=False),
)
Index(
    "message_subscriptions_by_name",
    message_subscriptions.c.name,
    message_subscriptions.c.correlation_key,
    message_subscriptions.c.key,
)

signal_subscriptions = Table(
    "signal_subscriptions",
    metadata,
    _key(primary=True),
    Column("name", String, nullable=False),
    _key("process_instance_key"),
    _key("element_instance_key"),
    Column("element_id", String, nullable=False),
)
Index("signal_subscriptions_by_name", signal_subscriptions.c.name, signal_subscriptions.c.key)

start_event_subscriptions = Table(
    "start_event_subscriptions",
    metadata,
    _key(primary=True),
    Column("event_type", String, nullable=False),
    Column("name", String, nullable=False),
    Column("bpmn_process_id", String, nullable=False),
    _key("process_definition_key"),
    Column("element_id", String, nullable=False),
)
Index("start_event_subscriptions_by_name", start_event_subscriptions.c.event_type, start_event_subscriptions.c.name)
Index("start_event_subscriptions_by_process", start_event_subscriptions.c.bpmn_process_id)

message_start_locks = Table(
    "message_start_locks",
    metadata,
    Column("bpmn_process_id", String, primary_key=True),
    Column("correlation_key", String, primary_key=True),
    _key("process_instance_key"),
)

incidents = Table(
    "incidents",
    metadata,
    _key(primary=True),
    _key("process_instance_key"),
    _key("element_instance_key"),
    _key("job_key"),
    Column("error_type", String, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("element_id", String, nullable=False),
)

records = Table(
    "records",
    metadata,
    _key("position", primary=True),
    Column("timestamp", BigInteger, nullable=False),
    _key("key"),
    Column("value_type", String, nullable=False),
    Column("intent", String, nullable=False),
    _key("process_instance_key"),
    Column("value", Text, nullable=False),
)
Index("records_by_process_instance", records.c.process_instance_key, records.c.position)
INSTANCE_ENDED = (
    "\"key\" = process_instance_key AND value_type = 'PROCESS_INSTANCE' "
    "AND intent IN ('ELEMENT_COMPLETED', 'ELEMENT_TERMINATED')"
)
Index("records_of_ended_instances", records.c.position, sqlite_where=text(INSTANCE_ENDED))
