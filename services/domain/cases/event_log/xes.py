"""Write XES (IEEE 1849-2016): one trace for each case, with the standard's own extensions."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import BinaryIO

from lxml import etree

from services.domain.cases.event_log.shapes import CaseLog, LogEvent, Value, Written, text

VERSION = "1849.2016"  # a decimal number, as the standard's XML schema has it
EXTENSIONS = (("Concept", "concept"), ("Time", "time"), ("Lifecycle", "lifecycle"), ("Organizational", "org"))
NAME, TIME, TRANSITION, RESOURCE = "concept:name", "time:timestamp", "lifecycle:transition", "org:resource"
NEVER = "1970-01-01T00:00:00.000+00:00"  # the value of an event that has none, as the standard's globals want one


def write(cases: Iterable[CaseLog], file: BinaryIO) -> Written:
    """Write the log as the cases come."""
    written = Written()
    with etree.xmlfile(file, encoding="UTF-8") as xml:
        xml.write_declaration()
        with xml.element("log", {"xes.version": VERSION, "xes.features": "nested-attributes"}):
            for part in _header():
                xml.write(part)
            names: dict[str, Value] = {}
            for log in cases:
                written.cases += 1
                written.events += len(log.events)
                names.update({one.id: one.attributes["name"] for one in log.people if "name" in one.attributes})
                xml.write(_trace(log, names))
    return written


def _header() -> Iterable[etree._Element]:
    for name, prefix in EXTENSIONS:
        uri = f"http://www.xes-standard.org/{prefix}.xesext"
        yield etree.Element("extension", {"name": name, "prefix": prefix, "uri": uri})
    for scope, values in (
        ("trace", (("string", NAME, "UNKNOWN"),)),
        ("event", (("string", NAME, "UNKNOWN"), ("date", TIME, NEVER), ("string", TRANSITION, "complete"))),
    ):
        element = etree.Element("global", {"scope": scope})
        for tag, key, value in values:
            etree.SubElement(element, tag, {"key": key, "value": value})
        yield element
    for name, keys in (("Activity", NAME), ("ActivityAndTransition", f"{NAME} {TRANSITION}")):
        yield etree.Element("classifier", {"name": name, "scope": "event", "keys": keys})


def _trace(log: CaseLog, names: Mapping[str, Value]) -> etree._Element:
    trace = etree.Element("trace")
    _add(trace, {NAME: log.case.id, **log.case.attributes})
    for event in log.events:
        _add(etree.SubElement(trace, "event"), _values(event, names))
    return trace


def _values(event: LogEvent, names: Mapping[str, Value]) -> Mapping[str, Value]:
    values: dict[str, Value] = {NAME: event.activity, TIME: event.at, TRANSITION: event.transition}
    if event.person is not None:
        values[RESOURCE] = names.get(event.person, event.person)
    return {**values, **event.attributes}


def _add(parent: etree._Element, values: Mapping[str, Value]) -> None:
    for key, value in values.items():
        etree.SubElement(parent, _tag(value), {"key": key, "value": text(value)})


def _tag(value: Value) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "int"
        case float():
            return "float"
        case datetime():
            return "date"
    return "string"
