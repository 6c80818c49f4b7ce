"""Event definitions: what an event waits for or throws."""

from collections.abc import Callable

from lxml import etree

from services.engine.model.bpmn import ElementKind, Event, EventKind, TimerKind, required
from services.engine.model.expression import Expression
from services.engine.model.extensions import ExtensionReader
from services.engine.model.timers import parse_cycle, parse_date, parse_duration
from services.engine.model.xml import bpmn_children, extension, local

_EVENTS = {
    ElementKind.START_EVENT,
    ElementKind.INTERMEDIATE_CATCH_EVENT,
    ElementKind.INTERMEDIATE_THROW_EVENT,
    ElementKind.BOUNDARY_EVENT,
    ElementKind.END_EVENT,
}
_INSTEAD = {
    "conditional": "use a message from whoever knows, or a timer with a gateway behind it",
    "cancel": "use an error end event, and an error boundary event on the subprocess",
}
_TIMERS = {"timeDate": TimerKind.DATE, "timeDuration": TimerKind.DURATION, "timeCycle": TimerKind.CYCLE}
_PARSERS = {TimerKind.DATE: parse_date, TimerKind.DURATION: parse_duration, TimerKind.CYCLE: parse_cycle}


class EventReader:
    """Reads event definitions with the messages, signals, errors and escalations of a file."""

    def __init__(self, root: etree._Element, problems: list[str]) -> None:
        self._problems = problems
        self._extensions = ExtensionReader(problems)
        self._declared = {e.get("id"): e for e in bpmn_children(root)}

    def of(self, identity: str, kind: ElementKind, xml: etree._Element) -> Event | None:
        """The event of an element; None for elements that are none."""
        if kind == ElementKind.RECEIVE_TASK:
            return self._message(identity, xml)
        if kind not in _EVENTS:
            return None
        definitions = [d for d in bpmn_children(xml) if local(d).endswith("EventDefinition")]
        if len(definitions) > 1:
            self._problems.append(
                f"Element '{identity}': an event has one definition, this one has {len(definitions)}."
            )
        return self._read(identity, definitions[0]) if definitions else Event(EventKind.NONE)

    def _read(self, identity: str, definition: etree._Element) -> Event:
        readers: dict[str, Callable[[], Event]] = {
            "messageEventDefinition": lambda: self._message(identity, definition),
            "timerEventDefinition": lambda: self._timer(identity, definition),
            "signalEventDefinition": lambda: Event(EventKind.SIGNAL, name=self._name(identity, definition, "signal")),
            "errorEventDefinition": lambda: Event(EventKind.ERROR, code=self._code(identity, definition, "error")),
            "escalationEventDefinition": lambda: Event(
                EventKind.ESCALATION, code=self._code(identity, definition, "escalation")
            ),
            "linkEventDefinition": lambda: Event(EventKind.LINK, name=Expression(definition.get("name") or "")),
            "compensateEventDefinition": lambda: self._compensation(identity, definition),
            "terminateEventDefinition": lambda: Event(EventKind.TERMINATE),
        }
        reader = readers.get(local(definition))
        if reader is not None:
            return reader()
        what = local(definition).removesuffix("EventDefinition")
        instead = _INSTEAD.get(what, "use a message, timer, signal, error or escalation")
        self._problems.append(f"Element '{identity}': the event type '{what}' is not supported; {instead}.")
        return Event(EventKind.NONE)

    def _message(self, identity: str, xml: etree._Element) -> Event:
        message = self._declared.get(xml.get("messageRef"))
        if message is None:
            return Event(EventKind.MESSAGE)
        subscription = extension(message, "subscription")
        key = subscription.get("correlationKey") if subscription is not None else None
        name = message.get("name") or ""
        return Event(
            EventKind.MESSAGE,
            name=self._extensions.expression(identity, "message name", name) if name else None,
            key=self._extensions.formula(identity, "correlation key", key) if key else None,
        )

    def _name(self, identity: str, definition: etree._Element, what: str) -> Expression | None:
        declared = self._declared.get(definition.get(f"{what}Ref"))
        name = declared.get("name") if declared is not None else None
        if not name:
            self._problems.append(f"Element '{identity}': the event needs a {what} with a name.")
            return None
        return self._extensions.expression(identity, f"{what} name", name)

    def _code(self, identity: str, definition: etree._Element, what: str) -> Expression | None:
        reference = definition.get(f"{what}Ref")
        if not reference:
            return None
        declared = self._declared.get(reference)
        if declared is None:
            self._problems.append(f"Element '{identity}': the {what} '{reference}' does not exist.")
            return None
        code = declared.get(f"{what}Code")
        return self._extensions.expression(identity, f"{what} code", code) if code else None

    def _compensation(self, identity: str, definition: etree._Element) -> Event:
        thrown = local(required(definition.getparent())) != "boundaryEvent"
        if thrown and definition.get("waitForCompletion", "true") != "true":
            self._problems.append(
                f"Element '{identity}': a compensation that is thrown is waited for; take waitForCompletion out."
            )
        return Event(EventKind.COMPENSATION, activity=definition.get("activityRef") or None)

    def _timer(self, identity: str, definition: etree._Element) -> Event:
        children = [c for c in bpmn_children(definition) if local(c) in _TIMERS]
        if len(children) != 1:
            self._problems.append(f"Element '{identity}': a timer needs one of date, duration and cycle.")
            return Event(EventKind.TIMER)
        kind = _TIMERS[local(children[0])]
        text = (children[0].text or "").strip()
        expression = self._extensions.expression(identity, f"timer {kind}", text)
        if expression.compiled is None and not text.startswith("="):
            try:
                _PARSERS[kind](text)
            except ValueError as error:
                self._problems.append(f"Element '{identity}': {error}.")
        return Event(EventKind.TIMER, timer=expression, timer_kind=kind)
