"""Tables of the engine's SQLite file.

Times in ms since 1970, values as JSON text.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

metadata = MetaData()


def _key(name: str = "key", *, attribute: str | None = None, primary: bool = False) -> Column[int]:
    return Column(
        name,
        BigInteger().with_variant(Integer, "sqlite"),
        key=attribute or name,
        primary_key=primary,
        autoincrement=False,
        nullable=False,
    )


def _element_instance_key() -> Column[int]:
    """Name the column ``node_key`` as in existing files."""
    return _key("node_key", attribute="element_instance_key")


counters = Table(
    "counters", metadata, Column("name", String, primary_key=True), Column("value", BigInteger, nullable=False)
)

definitions = Table(
    "definitions",
    metadata,
    _key(primary=True),
    Column("process_id", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("version_tag", String, nullable=False),
    Column("resource_name", String, nullable=False),
    Column("checksum", String, nullable=False),
    _key("deployment_key"),
    Column("content", LargeBinary, nullable=False),
    Column("deleted", Boolean, nullable=False),
)
Index("definitions_by_process", definitions.c.process_id, definitions.c.version)

requirements = Table(
    "decision_requirements",
    metadata,
    _key(primary=True),
    Column("requirements_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("resource_name", String, nullable=False),
    Column("checksum", String, nullable=False),
    _key("deployment_key"),
    Column("content", LargeBinary, nullable=False),
    Column("deleted", Boolean, nullable=False),
)
Index("requirements_by_id", requirements.c.requirements_id, requirements.c.version)

decisions = Table(
    "decisions",
    metadata,
    _key(primary=True),
    Column("decision_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("version_tag", String, nullable=False),
    _key("requirements_key"),
    _key("deployment_key"),
    Column("deleted", Boolean, nullable=False),
)
Index("decisions_by_id", decisions.c.decision_id, decisions.c.version)

instances = Table("instances", metadata, _key(primary=True), Column("document", Text, nullable=False))

element_instances = Table(
    "nodes",
    metadata,
    _key(primary=True),
    _key("instance_key"),
    Column("definition_key", BigInteger),  # this and the next two only serve the inspector
    Column("element_id", String),
    Column("kind", String),
)

jobs = Table(
    "jobs",
    metadata,
    _key(primary=True),
    Column("type", String, nullable=False),
    Column("state", String, nullable=False),
    Column("retries", Integer, nullable=False),
    Column("worker", String, nullable=False),
    Column("due", BigInteger),
    _key("instance_key"),
    _element_instance_key(),
    Column("element_id", String, nullable=False),
    _key("definition_key"),
    Column("headers", Text, nullable=False),
    Column("error", Text, nullable=False),
)
Index("jobs_to_activate", jobs.c.type, jobs.c.state, jobs.c.key)
Index("jobs_due", jobs.c.due, sqlite_where=jobs.c.due.is_not(None))

timers = Table(
    "timers",
    metadata,
    _key(primary=True),
    Column("due", BigInteger, nullable=False),
    _key("instance_key"),
    _element_instance_key(),
    Column("element_id", String, nullable=False),
    _key("definition_key"),
    Column("cycle", String),
    Column("repetitions", Integer, nullable=False),
)
Index("timers_due", timers.c.due, timers.c.key)
Index("timers_by_definition", timers.c.definition_key, sqlite_where=timers.c.instance_key == 0)

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
Index("messages_due", messages.c.deadline)

correlations = Table(
    "message_correlations",
    metadata,
    _key("message_key", primary=True),
    Column("process_id", String, primary_key=True),
)

message_subscriptions = Table(
    "message_subscriptions",
    metadata,
    _key(primary=True),
    Column("name", String, nullable=False),
    Column("correlation_key", String, nullable=False),
    _key("instance_key"),
    _element_instance_key(),
    Column("element_id", String, nullable=False),
    Column("process_id", String, nullable=False),
    Column("interrupting", Boolean, nullable=False),
)
Index(
    "subscriptions_by_message",
    message_subscriptions.c.name,
    message_subscriptions.c.correlation_key,
    message_subscriptions.c.key,
)

signal_subscriptions = Table(
    "signal_subscriptions",
    metadata,
    _key(primary=True),
    Column("name", String, nullable=False),
    _key("instance_key"),
    _element_instance_key(),
    Column("element_id", String, nullable=False),
)
Index("subscriptions_by_signal", signal_subscriptions.c.name, signal_subscriptions.c.key)

start_subscriptions = Table(
    "start_subscriptions",
    metadata,
    _key(primary=True),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("process_id", String, nullable=False),
    _key("definition_key"),
    Column("element_id", String, nullable=False),
)
Index("starts_by_name", start_subscriptions.c.kind, start_subscriptions.c.name)
Index("starts_by_process", start_subscriptions.c.process_id)

start_locks = Table(
    "start_locks",
    metadata,
    Column("process_id", String, primary_key=True),
    Column("correlation_key", String, primary_key=True),
    _key("instance_key"),
)

incidents = Table(
    "incidents",
    metadata,
    _key(primary=True),
    _key("instance_key"),
    _element_instance_key(),
    _key("job_key"),
    Column("error_type", String, nullable=False),
    Column("text", Text, nullable=False),
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
    _key("instance_key"),
    Column("value", Text, nullable=False),
)
Index("records_by_instance", records.c.instance_key, records.c.position)
INSTANCE_ENDED = (
    "\"key\" = instance_key AND value_type = 'PROCESS_INSTANCE' "
    "AND intent IN ('ELEMENT_COMPLETED', 'ELEMENT_TERMINATED')"
)
ENDS = Index("records_of_ends", records.c.position, sqlite_where=text(INSTANCE_ENDED))
