"""Queries over all running and ended instances, for the inspector only."""

import json
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Select, String, case, cast, func, or_, select, text

from services.engine.state.incidents import Incident
from services.engine.state.jobs import ACTIVATED, Job
from services.engine.state.records import Record
from services.engine.state.tables import (
    INSTANCE_ENDED,
    element_instances,
    incidents,
    jobs,
    process_definitions,
    records,
)

_MAX_ENDED_SCANNED = 5000
_BODY = "MULTI_INSTANCE_BODY"


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Filter and page of a list.

    An empty or zero field does not filter.
    ``text`` matches part of an id or message, or a whole key.
    """

    process: str = ""
    definition: int = 0
    element: str = ""
    state: str = ""
    type: str = ""
    instance: int = 0
    text: str = ""
    descending: bool = True
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """One deployed version of a process, without its file."""

    key: int
    bpmn_process_id: str
    version: int
    resource_name: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class ElementCount:
    """An element's active instances, and those with an incident."""

    element_id: str
    total: int
    with_incident: int


@dataclass(frozen=True, slots=True)
class EndedInstance:
    """An ended process instance; ``ended_at`` in ms."""

    key: int
    process_definition_key: int
    bpmn_process_id: str
    version: int
    parent_process_instance_key: int
    completed: bool
    ended_at: int


class Overview:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def versions(self) -> dict[int, Version]:
        """Return all versions by key, in the order of deployment."""
        columns = [process_definitions.c[field.name] for field in fields(Version)]
        rows = self._connection.execute(select(*columns).order_by(process_definitions.c.key))
        return {row.key: Version(*row) for row in rows}

    def counts(self) -> dict[int, int]:
        """Count the running instances of each version by its key."""
        is_root = element_instances.c.key == element_instances.c.process_instance_key
        query = (
            select(element_instances.c.process_definition_key, func.count())
            .where(is_root)
            .group_by(element_instances.c.process_definition_key)
        )
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def element_counts(self, process_definition_key: int) -> list[ElementCount]:
        """Count the active instances of each element of a version.

        Reads every element instance of the version.
        """
        has_incident = element_instances.c.key.in_(select(incidents.c.element_instance_key))
        query = (
            select(element_instances.c.element_id, func.count(), func.sum(case((has_incident, 1), else_=0)))
            .where(
                element_instances.c.process_definition_key == process_definition_key,
                element_instances.c.key != element_instances.c.process_instance_key,
            )
            .where(
                or_(element_instances.c.element_type != _BODY, has_incident)
            )  # its inner instances are counted already
            .group_by(element_instances.c.element_id)
        )
        return [ElementCount(*row) for row in self._connection.execute(query)]

    def running(self, list_filter: ListFilter) -> list[int]:
        """Return the keys of running instances; ``state`` is active, incident or empty."""
        is_root = element_instances.c.key == element_instances.c.process_instance_key
        query = select(element_instances.c.key).where(is_root)
        if list_filter.process:
            query = query.where(element_instances.c.element_id == list_filter.process)
        if list_filter.definition:
            query = query.where(element_instances.c.process_definition_key == list_filter.definition)
        if list_filter.element:
            in_element = select(element_instances.c.process_instance_key).where(
                element_instances.c.element_id == list_filter.element
            )
            query = query.where(element_instances.c.key.in_(in_element.scalar_subquery()))
        if list_filter.state in ("active", "incident"):
            has_incident = element_instances.c.key.in_(select(incidents.c.process_instance_key).scalar_subquery())
            query = query.where(has_incident if list_filter.state == "incident" else ~has_incident)
        if list_filter.text:
            in_matching = select(element_instances.c.process_instance_key).where(
                element_instances.c.element_id.contains(list_filter.text, autoescape=True)
            )
            is_key = cast(element_instances.c.key, String) == list_filter.text
            query = query.where(or_(is_key, element_instances.c.key.in_(in_matching.scalar_subquery())))
        return [row.key for row in self._connection.execute(_page(query, element_instances.c.key, list_filter))]

    def ended(self, list_filter: ListFilter) -> list[EndedInstance]:
        """Return ended instances whose records are kept, out of the latest 5000."""
        order = "DESC" if list_filter.descending else "ASC"
        query = text(
            f"SELECT timestamp, intent, value FROM (SELECT * FROM records INDEXED BY records_of_ended_instances "  # noqa: S608 - constants only
            f"WHERE {INSTANCE_ENDED} ORDER BY position DESC LIMIT {_MAX_ENDED_SCANNED}) AS r "
            "WHERE (:process = '' OR json_extract(value, '$.bpmnProcessId') = :process) "
            "AND (:definition = 0 OR json_extract(value, '$.processDefinitionKey') = :definition) "
            "AND (:element = '' OR EXISTS (SELECT 1 FROM records AS p "
            "WHERE p.process_instance_key = r.process_instance_key AND p.value_type = 'PROCESS_INSTANCE' "
            "AND json_extract(p.value, '$.elementId') = :element)) "
            "AND (:text = '' OR CAST(r.process_instance_key AS TEXT) = :text "
            "OR instr(json_extract(value, '$.bpmnProcessId'), :text) > 0) "
            f"ORDER BY position {order} LIMIT :limit OFFSET :offset"
        )
        parameters = {name: getattr(list_filter, name) for name in ("process", "definition", "element", "text")}
        rows = self._connection.execute(query, {**parameters, "limit": list_filter.limit, "offset": list_filter.offset})
        return [_ended(row.timestamp, row.intent, json.loads(row.value)) for row in rows]

    def end_of(self, process_instance_key: int) -> EndedInstance | None:
        """Return an ended instance.

        None if it runs, never existed, or its records are deleted.
        """
        query = (
            select(records.c.timestamp, records.c.intent, records.c.value)
            .where(records.c.process_instance_key == process_instance_key, records.c.key == process_instance_key)
            .where(records.c.intent.in_(("ELEMENT_COMPLETED", "ELEMENT_TERMINATED")))
        )
        row = self._connection.execute(query).first()
        return None if row is None else _ended(row.timestamp, row.intent, json.loads(row.value))

    def incidents(self, list_filter: ListFilter) -> list[tuple[Incident, int]]:
        """Return open incidents, each with its instance's definition key."""
        query = select(incidents, element_instances.c.process_definition_key).join(
            element_instances, element_instances.c.key == incidents.c.element_instance_key
        )
        if list_filter.element:
            query = query.where(
                or_(
                    element_instances.c.element_id == list_filter.element, incidents.c.element_id == list_filter.element
                )
            )
        if list_filter.text:
            parts = (incidents.c.error_message, incidents.c.element_id, incidents.c.error_type)
            keys = (incidents.c.key, incidents.c.process_instance_key, incidents.c.job_key)
            query = query.where(_text_matches(list_filter.text, parts, keys))
        query = _filter(
            query, list_filter, element_instances.c.process_definition_key, incidents.c.process_instance_key
        )
        return [
            (Incident(*row[:-1]), row[-1])
            for row in self._connection.execute(_page(query, incidents.c.key, list_filter))
        ]

    def jobs(self, list_filter: ListFilter) -> list[Job]:
        query = select(jobs)
        for column, value in ((jobs.c.element_id, list_filter.element), (jobs.c.type, list_filter.type)):
            if value:
                query = query.where(column == value)
        if list_filter.state:
            query = query.where(jobs.c.state == list_filter.state)
        if list_filter.text:
            parts, keys = (
                (jobs.c.type, jobs.c.element_id, jobs.c.error_message),
                (jobs.c.key, jobs.c.process_instance_key),
            )
            query = query.where(_text_matches(list_filter.text, parts, keys))
        query = _filter(query, list_filter, jobs.c.process_definition_key, jobs.c.process_instance_key)
        return [Job(*row) for row in self._connection.execute(_page(query, jobs.c.key, list_filter))]

    def first_timestamp(self, process_instance_key: int, key: int, intent: str) -> int | None:
        """Return the timestamp (ms) of the first such record.

        None once it is deleted.
        """
        query = select(records.c.timestamp).where(
            records.c.process_instance_key == process_instance_key, records.c.key == key, records.c.intent == intent
        )
        return self._connection.execute(query.order_by(records.c.position).limit(1)).scalar()

    def first_timestamps(self, process_instance_key: int, keys: list[int], intent: str) -> dict[int, int]:
        """Return the timestamps (ms) of the first such records by key, without those that are deleted."""
        query = (
            select(records.c.key, func.min(records.c.timestamp))
            .where(
                records.c.process_instance_key == process_instance_key,
                records.c.key.in_(keys),
                records.c.intent == intent,
            )
            .group_by(records.c.key)
        )
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def has_activated(self, job_type: str) -> bool:
        """Return whether a worker has a job of the type now."""
        query = select(jobs.c.key).where(jobs.c.type == job_type, jobs.c.state == ACTIVATED).limit(1)
        return self._connection.execute(query).first() is not None

    def history(self, process_instance_key: int, value_type: str, limit: int) -> list[Record]:
        """Return an instance's latest ``limit`` records of a value type, oldest first."""
        query = (
            select(records)
            .where(records.c.process_instance_key == process_instance_key, records.c.value_type == value_type)
            .order_by(records.c.position.desc())
            .limit(limit)
        )
        rows = self._connection.execute(query).all()
        return [Record(r.position, r.timestamp, r.key, r.value_type, r.intent, json.loads(r.value)) for r in rows[::-1]]


def _page(query: Select[Any], key: Any, list_filter: ListFilter) -> Select[Any]:
    return (
        query.order_by(key.desc() if list_filter.descending else key)
        .limit(list_filter.limit)
        .offset(list_filter.offset)
    )


def _filter(query: Select[Any], list_filter: ListFilter, definition: Any, instance: Any) -> Select[Any]:
    if list_filter.process:
        versions = select(process_definitions.c.key).where(process_definitions.c.bpmn_process_id == list_filter.process)
        query = query.where(definition.in_(versions))
    if list_filter.definition:
        query = query.where(definition == list_filter.definition)
    return query.where(instance == list_filter.instance) if list_filter.instance else query


def _text_matches(text: str, parts: tuple[Any, ...], keys: tuple[Any, ...]) -> Any:
    return or_(*(part.contains(text, autoescape=True) for part in parts), *(cast(key, String) == text for key in keys))


def _ended(timestamp: int, intent: str, value: dict[str, Any]) -> EndedInstance:
    return EndedInstance(
        value["processInstanceKey"],
        value["processDefinitionKey"],
        value["bpmnProcessId"],
        value["version"],
        max(value["parentProcessInstanceKey"], 0),
        intent == "ELEMENT_COMPLETED",
        timestamp,
    )
