"""What the records say about the instances of a golden scenario at its end, in the words of golden.json."""

import json
from collections import defaultdict
from typing import Any

from services.engine.processing import jobs
from services.engine.state.records import Record


class Outcome:
    """What the records say about the instances of a scenario at its end."""

    def __init__(
        self,
        records: list[tuple[int, Record]],
        created: dict[str, int],
        order: str,
        definitions: set[int] | None = None,
    ) -> None:
        """``records`` with the number of their step, ``created`` the instances that steps named.

        With ``definitions`` what happens to instances of others is left out.
        """
        self._records = [
            (step, record)
            for step, record in records
            if definitions is None or record.value.get("processDefinitionKey", -1) in {-1, *definitions}
        ]
        self._created = created
        self._order = order

    def _of(self, value_type: str) -> list[Record]:
        return [record for _, record in self._records if record.value_type == value_type]

    def names(self) -> dict[int, str]:
        """Instance key to local name, in the order they began."""
        known = {key: name for name, key in self._created.items()}
        count: dict[str, int] = defaultdict(int)
        names: dict[int, str] = {}
        owner: dict[int, tuple[int, str]] = {}
        for record in self._of("PROCESS_INSTANCE"):
            value = record.value
            owner[record.key] = (value["processInstanceKey"], value["elementId"])
            if value["bpmnElementType"] != "PROCESS" or record.key in names:
                continue
            parent = value["parentElementInstanceKey"]
            if record.key in known:
                names[record.key] = known[record.key]
                continue
            base = f"{names[owner[parent][0]]}/{owner[parent][1]}" if parent in owner else value["bpmnProcessId"]
            count[base] += 1
            first_child = parent in owner and count[base] == 1
            names[record.key] = base if first_child else f"{base}#{count[base]}"
        return names

    def report(self) -> dict[str, Any]:
        names = self.names()
        scopes = self._scopes(names)
        found = {key: self._instance(key, scopes) for key in names}
        report: dict[str, Any] = {"instances": {names[key]: value for key, value in found.items()}}
        starts = self._start_timers()
        return report | ({"startTimers": starts} if starts else {})

    def _scopes(self, names: dict[int, str]) -> dict[int, tuple[int, str]]:
        scopes: dict[int, tuple[int, str]] = {}
        seen: dict[tuple[int, str, str], int] = defaultdict(int)
        for record in self._of("PROCESS_INSTANCE"):
            value = record.value
            key = value["processInstanceKey"]
            if key not in names or record.key in scopes:
                continue
            seen[key, value["elementId"], value["bpmnElementType"]] += 1
            number = seen[key, value["elementId"], value["bpmnElementType"]]
            body = "(body)" if value["bpmnElementType"] == "MULTI_INSTANCE_BODY" else ""
            scopes[record.key] = (key, value["elementId"] + body + ("" if number == 1 else f"#{number}"))
        return scopes

    def _instance(self, key: int, scopes: dict[int, tuple[int, str]]) -> dict[str, Any]:
        found: dict[str, Any] = {"process": None, "version": None, "state": "active", "elements": []}
        variables: dict[str, dict[str, Any]] = defaultdict(dict)
        raised: dict[int, dict[str, Any]] = {}
        for step, record in self._records:
            value = record.value
            if value.get("processInstanceKey") != key:
                continue
            if record.value_type == "PROCESS_INSTANCE":
                self._element(found, step, record)
            elif record.value_type == "VARIABLE" and record.intent in ("CREATED", "UPDATED"):
                variables[scopes[value["scopeKey"]][1]][value["name"]] = json.loads(value["value"])
            elif record.value_type == "INCIDENT" and record.intent == "CREATED":
                incident = {"errorType": value["errorType"], "elementId": value["elementId"], "resolved": False}
                raised[record.key] = incident
            elif record.value_type == "INCIDENT" and record.intent == "RESOLVED":
                raised[record.key]["resolved"] = True
        found["variables"] = {s: dict(sorted(v.items())) for s, v in sorted(variables.items())}
        found["incidents"] = list(raised.values())
        found["open"] = {kind: sorted(rows) for kind, rows in self._open(key, scopes).items() if rows}
        if self._order == "set":
            found["elements"].sort(key=lambda e: (e[3], e[0], e[1], e[2]))
            found["incidents"].sort(key=json.dumps)
        return found

    def _element(self, found: dict[str, Any], step: int, record: Record) -> None:
        value, intent = record.value, record.intent
        if value["bpmnElementType"] == "PROCESS":
            found["process"], found["version"] = value["bpmnProcessId"], value["version"]
            ends = {"ELEMENT_COMPLETED": "completed", "ELEMENT_TERMINATED": "terminated"}
            found["state"] = ends.get(intent, found["state"])
        if intent in ("ELEMENT_ACTIVATED", "ELEMENT_COMPLETED", "ELEMENT_TERMINATED"):
            found["elements"].append([value["elementId"], value["bpmnElementType"], intent[8:], step])

    def _open(self, key: int, scopes: dict[int, tuple[int, str]]) -> dict[str, list[Any]]:
        """Jobs, timers and subscriptions that are left."""
        left: dict[str, dict[Any, Any]] = {"jobs": {}, "timers": {}, "messages": {}, "signals": {}}
        for _, record in self._records:
            value, intent = record.value, record.intent
            owner = scopes.get(value.get("catchEventInstanceKey", 0), (value.get("processInstanceKey"),))[0]
            if owner != key or _is_start_timer(record):
                continue
            match record.value_type:
                case "JOB" if intent in ("COMPLETED", "CANCELED"):
                    left["jobs"].pop(record.key)
                case "JOB" if intent == "ERROR_THROWN" and value["elementId"] != jobs.NO_CATCH_EVENT_FOUND:
                    left["jobs"].pop(record.key)
                case "JOB" if intent == "CREATED":
                    left["jobs"][record.key] = [value["elementId"], value["type"], value["retries"]]
                case "JOB":
                    left["jobs"][record.key][2] = value["retries"]
                case "TIMER" if intent == "CREATED":
                    left["timers"][record.key] = value["targetElementId"]
                case "TIMER":
                    left["timers"].pop(record.key, None)
                case "PROCESS_MESSAGE_SUBSCRIPTION":
                    self._message(left["messages"], record)
                case "SIGNAL_SUBSCRIPTION" if intent == "CREATED":
                    left["signals"][record.key] = [value["catchEventId"], value["signalName"]]
                case "SIGNAL_SUBSCRIPTION":
                    left["signals"].pop(record.key, None)
        return {kind: list(rows.values()) for kind, rows in left.items()}

    @staticmethod
    def _message(left: dict[Any, Any], record: Record) -> None:
        """A broker opens and closes message subscriptions in two steps, and the first may have no key yet."""
        value, intent = record.value, record.intent
        place = (value["elementInstanceKey"], value["elementId"], value["messageName"])
        if intent in ("CREATING", "CREATED"):
            left[place] = [value["elementId"], value["messageName"], value["correlationKey"]]
        elif intent in ("DELETING", "DELETED") or value["interrupting"]:
            left.pop(place, None)

    def _start_timers(self) -> list[list[str]]:
        left: dict[int, list[str]] = {}
        processes = {r.key: r.value["bpmnProcessId"] for r in self._of("PROCESS") if r.intent == "CREATED"}
        for record in self._of("TIMER"):
            if not _is_start_timer(record) or record.value["processDefinitionKey"] not in processes:
                continue
            if record.intent == "CREATED":
                left[record.key] = [processes[record.value["processDefinitionKey"]], record.value["targetElementId"]]
            else:
                left.pop(record.key, None)
        return sorted(left.values())


def _is_start_timer(record: Record) -> bool:
    """Return whether a timer belongs to no instance, though a broker writes one into what follows a firing."""
    return record.value_type == "TIMER" and record.value["elementInstanceKey"] == -1
