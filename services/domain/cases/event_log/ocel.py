"""Write OCEL 2.0 as JSON (https://www.ocel-standard.org): one object, whose lists are written as the cases come.

Values are texts, as the standard's schema has them; the types say what each is. Objects go to the file at once, and
events to a temporary file beside it, so that two lists are filled in one reading of the register.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from services.domain.cases.event_log.shapes import (
    CaseLog,
    LogEvent,
    LogObject,
    Related,
    Value,
    Written,
    moment,
    text,
)

Types = dict[str, dict[str, str]]
"""The attributes of each type, with the kind of each."""


class _List:
    """The entries of one JSON list."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._is_empty = True

    def add(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
        self._file.write(f"{'' if self._is_empty else ','}\n{line}".encode())
        self._is_empty = False


def write(cases: Iterable[CaseLog], file: BinaryIO) -> Written:
    """Write the log to a file that has a name."""
    written, known = Written(), set[str]()
    object_types: Types = {}
    event_types: Types = {}
    with tempfile.TemporaryFile(dir=Path(file.name).parent) as later:
        file.write(b'{"objects":[')
        objects, events = _List(file), _List(later)
        for log in cases:
            written.cases += 1
            people = [person for person in log.people if person.id not in known]
            known.update(person.id for person in people)
            for thing in (*people, log.case, *log.objects):
                _note_type(object_types, thing.type, thing.attributes)
                objects.add(_object(thing))
            for event in log.events:
                written.events += 1
                _note_type(event_types, event.type, event.attributes)
                events.add(_event(written.events, event))
        file.write(b'],\n"events":[')
        later.seek(0)
        shutil.copyfileobj(later, file)
    declared = {"objectTypes": _declared(object_types), "eventTypes": _declared(event_types)}
    file.write(f"],\n{json.dumps(declared, ensure_ascii=False)[1:]}\n".encode())
    return written


def _kind_of(value: Value) -> str:
    """Return the standard's word for the kind of a value."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "float"
        case datetime():
            return "time"
    return "string"


def _note_type(types: Types, name: str, attributes: Mapping[str, Value]) -> None:
    """Enter a type with the attributes of one that is of it."""
    known = types.setdefault(name, {})
    for attribute, value in attributes.items():
        known[attribute] = _kind_of(value)


def _declared(types: Types) -> list[dict[str, Any]]:
    return [
        {"name": name, "attributes": [{"name": attribute, "type": kind} for attribute, kind in attributes.items()]}
        for name, attributes in types.items()
    ]


def _object(thing: LogObject) -> dict[str, Any]:
    at = moment(thing.since)
    return {
        "id": thing.id,
        "type": thing.type,
        "attributes": [{"name": name, "value": text(value), "time": at} for name, value in thing.attributes.items()],
        "relationships": _relationships(thing.related),
    }


def _event(number: int, event: LogEvent) -> dict[str, Any]:
    return {
        "id": f"e{number}",
        "type": event.type,
        "time": moment(event.at),
        "attributes": [{"name": name, "value": text(value)} for name, value in event.attributes.items()],
        "relationships": _relationships(event.objects),
    }


def _relationships(related: Related) -> list[dict[str, str]]:
    return [{"objectId": other, "qualifier": qualifier} for qualifier, other in related]
