"""Lists over all that runs or has ended, for whoever looks on. None of it is on the way of a step."""

import json
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Select, String, case, cast, func, or_, select, text

from services.engine.state.incidents import Incident
from services.engine.state.jobs import Job
from services.engine.state.records import Record
from services.engine.state.tables import INSTANCE_ENDED, definitions, incidents, jobs, nodes, records

_ENDED_LOOKED_THROUGH = 5000
_BODY = "MULTI_INSTANCE_BODY"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; what is empty or 0 narrows nothing. ``text`` is part of an id or text, or a whole key."""

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
    process_id: str
    version: int
    resource_name: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How many stand at an element now; ``stuck`` of them with an incident."""

    element_id: str
    total: int
    stuck: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A process instance that has ended; ``ended`` in ms."""

    key: int
    definition_key: int
    process_id: str
    version: int
    parent_key: int
    completed: bool
    ended: int


class Overview:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def versions(self) -> dict[int, Version]:
        """By key, in the order of deployment."""
        columns = [definitions.c[field.name] for field in fields(Version)]
        found = self._connection.execute(select(*columns).order_by(definitions.c.key))
        return {row.key: Version(*row) for row in found}

    def counts(self) -> dict[int, int]:
        """How many instances of each version run, by its key."""
        own = nodes.c.key == nodes.c.instance_key
        query = select(nodes.c.definition_key, func.count()).where(own).group_by(nodes.c.definition_key)
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def standings(self, definition_key: int) -> list[Standing]:
        """The elements of a version at which something stands; reads all that runs, so it is asked seldom."""
        stuck = nodes.c.key.in_(select(incidents.c.node_key))
        query = (
            select(nodes.c.element_id, func.count(), func.sum(case((stuck, 1), else_=0)))
            .where(nodes.c.definition_key == definition_key, nodes.c.key != nodes.c.instance_key)
            .where(or_(nodes.c.kind != _BODY, stuck))  # a body stands where each of its instances does
            .group_by(nodes.c.element_id)
        )
        return [Standing(*row) for row in self._connection.execute(query)]

    def running(self, wanted: Wanted) -> list[int]:
        """The keys of instances that run, ``state`` being active, incident or neither."""
        query = select(nodes.c.key).where(nodes.c.key == nodes.c.instance_key)  # an instance's own node
        if wanted.process:
            query = query.where(nodes.c.element_id == wanted.process)
        if wanted.definition:
            query = query.where(nodes.c.definition_key == wanted.definition)
        if wanted.element:
            at_it = select(nodes.c.instance_key).where(nodes.c.element_id == wanted.element)
            query = query.where(nodes.c.key.in_(at_it.scalar_subquery()))
        if wanted.state in ("active", "incident"):
            with_one = nodes.c.key.in_(select(incidents.c.instance_key).scalar_subquery())
            query = query.where(with_one if wanted.state == "incident" else ~with_one)
        if wanted.text:
            named = select(nodes.c.instance_key).where(nodes.c.element_id.contains(wanted.text, autoescape=True))
            whole = cast(nodes.c.key, String) == wanted.text
            query = query.where(or_(whole, nodes.c.key.in_(named.scalar_subquery())))
        return [row.key for row in self._connection.execute(_part(query, nodes.c.key, wanted))]

    def ended(self, wanted: Wanted) -> list[Ended]:
        """Instances that have ended, as far as records of it are kept; the newest 5000 are looked through."""
        order = "DESC" if wanted.descending else "ASC"
        query = text(
            f"SELECT timestamp, intent, value FROM (SELECT * FROM records INDEXED BY records_of_ends "  # noqa: S608 - our own words
            f"WHERE {INSTANCE_ENDED} ORDER BY position DESC LIMIT {_ENDED_LOOKED_THROUGH}) AS r "
            "WHERE (:process = '' OR json_extract(value, '$.bpmnProcessId') = :process) "
            "AND (:definition = 0 OR json_extract(value, '$.processDefinitionKey') = :definition) "
            "AND (:element = '' OR EXISTS (SELECT 1 FROM records AS p WHERE p.instance_key = r.instance_key "
            "AND p.value_type = 'PROCESS_INSTANCE' AND json_extract(p.value, '$.elementId') = :element)) "
            "AND (:text = '' OR CAST(r.instance_key AS TEXT) = :text "
            "OR instr(json_extract(value, '$.bpmnProcessId'), :text) > 0) "
            f"ORDER BY position {order} LIMIT :limit OFFSET :offset"
        )
        asked = {name: getattr(wanted, name) for name in ("process", "definition", "element", "text")}
        rows = self._connection.execute(query, {**asked, "limit": wanted.limit, "offset": wanted.offset})
        return [_ended(row.timestamp, row.intent, json.loads(row.value)) for row in rows]

    def end_of(self, instance_key: int) -> Ended | None:
        """How an instance has ended; None where it runs, never was, or its records are gone."""
        query = (
            select(records.c.timestamp, records.c.intent, records.c.value)
            .where(records.c.instance_key == instance_key, records.c.key == instance_key)
            .where(records.c.intent.in_(("ELEMENT_COMPLETED", "ELEMENT_TERMINATED")))
        )
        row = self._connection.execute(query).first()
        return None if row is None else _ended(row.timestamp, row.intent, json.loads(row.value))

    def incidents(self, wanted: Wanted) -> list[tuple[Incident, int]]:
        """Open incidents, each with its instance's definition key."""
        query = select(incidents, nodes.c.definition_key).join(nodes, nodes.c.key == incidents.c.node_key)
        if wanted.element:
            query = query.where(or_(nodes.c.element_id == wanted.element, incidents.c.element_id == wanted.element))
        if wanted.text:
            parts = (incidents.c.text, incidents.c.element_id, incidents.c.error_type)
            keys = (incidents.c.key, incidents.c.instance_key, incidents.c.job_key)
            query = query.where(_mentions(wanted.text, parts, keys))
        query = _narrowed(query, wanted, nodes.c.definition_key, incidents.c.instance_key)
        return [
            (Incident(*row[:-1]), row[-1]) for row in self._connection.execute(_part(query, incidents.c.key, wanted))
        ]

    def jobs(self, wanted: Wanted) -> list[Job]:
        query = select(jobs)
        for column, value in ((jobs.c.element_id, wanted.element), (jobs.c.type, wanted.type)):
            if value:
                query = query.where(column == value)
        if wanted.state:
            query = query.where(jobs.c.state == wanted.state)
        if wanted.text:
            parts, keys = (jobs.c.type, jobs.c.element_id, jobs.c.error), (jobs.c.key, jobs.c.instance_key)
            query = query.where(_mentions(wanted.text, parts, keys))
        query = _narrowed(query, wanted, jobs.c.definition_key, jobs.c.instance_key)
        return [Job(*row) for row in self._connection.execute(_part(query, jobs.c.key, wanted))]

    def moment(self, instance_key: int, key: int, intents: tuple[str, ...]) -> int | None:
        """When (ms) this first happened to a thing of an instance; None where the record is not kept."""
        query = select(records.c.timestamp).where(
            records.c.instance_key == instance_key, records.c.key == key, records.c.intent.in_(intents)
        )
        return self._connection.execute(query.order_by(records.c.position).limit(1)).scalar()

    def history(self, instance_key: int, value_type: str, most: int) -> list[Record]:
        """The newest records of one kind about an instance, oldest first."""
        query = (
            select(records)
            .where(records.c.instance_key == instance_key, records.c.value_type == value_type)
            .order_by(records.c.position.desc())
            .limit(most)
        )
        rows = self._connection.execute(query).all()
        return [Record(r.position, r.timestamp, r.key, r.value_type, r.intent, json.loads(r.value)) for r in rows[::-1]]


def _part(query: Select[Any], key: Any, wanted: Wanted) -> Select[Any]:
    return query.order_by(key.desc() if wanted.descending else key).limit(wanted.limit).offset(wanted.offset)


def _narrowed(query: Select[Any], wanted: Wanted, definition: Any, instance: Any) -> Select[Any]:
    if wanted.process:
        versions = select(definitions.c.key).where(definitions.c.process_id == wanted.process)
        query = query.where(definition.in_(versions))
    if wanted.definition:
        query = query.where(definition == wanted.definition)
    return query.where(instance == wanted.instance) if wanted.instance else query


def _mentions(sought: str, parts: tuple[Any, ...], keys: tuple[Any, ...]) -> Any:
    return or_(
        *(part.contains(sought, autoescape=True) for part in parts), *(cast(key, String) == sought for key in keys)
    )


def _ended(timestamp: int, intent: str, value: dict[str, Any]) -> Ended:
    return Ended(
        value["processInstanceKey"],
        value["processDefinitionKey"],
        value["bpmnProcessId"],
        value["version"],
        max(value["parentProcessInstanceKey"], 0),
        intent == "ELEMENT_COMPLETED",
        timestamp,
    )
