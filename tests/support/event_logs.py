"""What the standards ask of an event log: OCEL 2.0 as JSON, and XES (IEEE 1849-2016)."""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from lxml import etree

OCEL_KINDS = {"string", "time", "integer", "float", "boolean"}
XES_ORDER = ("extension", "global", "classifier", "string", "date", "int", "float", "boolean", "trace")
XES_VALUES = {
    "string": str,
    "date": datetime.fromisoformat,
    "int": int,
    "float": float,
    "boolean": {"true": True, "false": False}.__getitem__,
}


def read_ocel(path: Path) -> dict[str, Any]:
    """The log, which is as the standard's schema has it, and refers to nothing that is not there."""
    log: dict[str, Any] = json.loads(path.read_bytes())
    assert log.keys() == {"objectTypes", "eventTypes", "objects", "events"}
    declared = {kind: _declared(log[f"{kind}Types"]) for kind in ("object", "event")}
    ids = [thing["id"] for thing in log["objects"]]
    assert len(set(ids)) == len(ids)
    for thing in log["objects"]:
        assert thing.keys() == {"id", "type", "attributes", "relationships"}
        for attribute in thing["attributes"]:
            assert attribute.keys() == {"name", "value", "time"}
            _moment(attribute["time"])
        _check(thing, declared["object"], set(ids))
    events = [event["id"] for event in log["events"]]
    assert len(set(events)) == len(events)
    for event in log["events"]:
        assert event.keys() == {"id", "type", "time", "attributes", "relationships"}
        _moment(event["time"])
        _check(event, declared["event"], set(ids))
    return log


def _declared(types: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    assert len({of["name"] for of in types}) == len(types)
    found = {of["name"]: {one["name"]: one["type"] for one in of["attributes"]} for of in types}
    assert {kind for of in found.values() for kind in of.values()} <= OCEL_KINDS
    return found


def _check(thing: dict[str, Any], declared: dict[str, dict[str, str]], ids: set[str]) -> None:
    for attribute in thing["attributes"]:
        assert isinstance(attribute["value"], str)
        assert attribute["name"] in declared[thing["type"]]
    for related in thing["relationships"]:
        assert related.keys() == {"objectId", "qualifier"}
        assert related["objectId"] in ids


def read_xes(path: Path) -> list[list[dict[str, Any]]]:
    """The events of each trace by key, of a log that is as the standard's XML schema has it."""
    root = etree.parse(path).getroot()
    assert root.tag == "log"
    float(root.get("xes.version"))  # a decimal number there
    places = [XES_ORDER.index(child.tag) for child in root]
    assert places == sorted(places)
    prefixes = {child.get("prefix") for child in root.iterfind("extension")}
    traces = []
    for trace in root.iterfind("trace"):
        tags = [child.tag for child in trace]
        assert tags == sorted(tags, key=lambda tag: tag == "event")
        assert "concept:name" in _values(trace, prefixes)
        traces.append([_values(event, prefixes) for event in trace.iterfind("event")])
    for trace in traces:
        times = [event["time:timestamp"] for event in trace]
        assert times == sorted(times)
        assert all({"concept:name", "lifecycle:transition"} <= event.keys() for event in trace)
    return traces


def _values(element: etree._Element, prefixes: set[str | None]) -> dict[str, Any]:
    found = {}
    for child in element:
        if child.tag != "event":
            key = child.get("key")
            assert ":" not in key or key.split(":")[0] in prefixes
            found[key] = XES_VALUES[child.tag](child.get("value"))
    counted = Counter(child.get("key") for child in element if child.tag != "event")
    assert not counted or max(counted.values()) == 1
    return found


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    assert at.tzinfo is not None
    return at
