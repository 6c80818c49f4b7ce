"""Parse event definitions."""

from collections.abc import Callable

from lxml import etree

from services.engine.model.bpmn import ElementType, Event, EventType, TimerType, required
from services.engine.model.expression import Expression
from services.engine.model.extensions import ExtensionReader
from services.engine.model.timers import parse_cycle, parse_date, parse_duration
from services.engine.model.xml import bpmn_children, extension, local_name

_EVENTS = {
    ElementType.START_EVENT,
    ElementType.INTERMEDIATE_CATCH_EVENT,
    ElementType.INTERMEDIATE_THROW_EVENT,
    ElementType.BOUNDARY_EVENT,
    ElementType.END_EVENT,
}
_ALTERNATIVES = {
    "conditional": "use a message from whoever knows, or a timer with a gateway behind it",
    "cancel": "use an error end event, and an error boundary event on the subprocess",
}
_TIMERS = {"timeDate": TimerType.DATE, "timeDuration": TimerType.DURATION, "timeCycle": TimerType.CYCLE}
_PARSERS = {TimerType.DATE: parse_date, TimerType.DURATION: parse_duration, TimerType.CYCLE: parse_cycle}


class EventReader:
    """Parses event definitions with the file's messages, signals, errors and escalations."""

    def __init__(self, root: etree._Element, extensions: ExtensionReader, problems: list[str]) -> None:
        self._problems = problems
        self._extensions = extensions
        self._declared = {e.get("id"): e for e in bpmn_children(root)}

    def parse(self, element_id: str, element_type: ElementType, xml: etree._Element) -> Event | None:
        """Parse the event definition of an element.

        None if it is not an event.
        """
        if element_type == ElementType.RECEIVE_TASK:
            return self._message(element_id, xml)
        if element_type not in _EVENTS:
            return None
        definitions = [d for d in bpmn_children(xml) if local_name(d).endswith("EventDefinition")]
        if len(definitions) > 1:
            self._problems.append(
                f"Element '{element_id}': an event has one definition, this one has {len(definitions)}."
            )
        return self._read(element_id, definitions[0]) if definitions else Event(EventType.NONE)

    def _read(self, element_id: str, definition: etree._Element) -> Event:
        readers: dict[str, Callable[[], Event]] = {
            "messageEventDefinition": lambda: self._message(element_id, definition),
            "timerEventDefinition": lambda: self._timer(element_id, definition),
            "signalEventDefinition": lambda: Event(EventType.SIGNAL, name=self._name(element_id, definition, "signal")),
            "errorEventDefinition": lambda: Event(EventType.ERROR, code=self._code(element_id, definition, "error")),
            "escalationEventDefinition": lambda: Event(
                EventType.ESCALATION, code=self._code(element_id, definition, "escalation")
            ),
            "linkEventDefinition": lambda: Event(EventType.LINK, name=Expression(definition.get("name") or "")),
            "compensateEventDefinition": lambda: self._compensation(element_id, definition),
            "terminateEventDefinition": lambda: Event(EventType.TERMINATE),
        }
        reader = readers.get(local_name(definition))
        if reader is not None:
            return reader()
        event_type = local_name(definition).removesuffix("EventDefinition")
        alternative = _ALTERNATIVES.get(event_type, "use a message, timer, signal, error or escalation")
        self._problems.append(f"Element '{element_id}': the event type '{event_type}' is not supported; {alternative}.")
        return Event(EventType.NONE)

    def _message(self, element_id: str, xml: etree._Element) -> Event:
        message = self._declared.get(xml.get("messageRef"))
        if message is None:
            return Event(EventType.MESSAGE)
        subscription = extension(message, "subscription")
        key = subscription.get("correlationKey") if subscription is not None else None
        name = message.get("name") or ""
        return Event(
            EventType.MESSAGE,
            name=self._extensions.expression(element_id, "message name", name) if name else None,
            key=self._extensions.feel_expression(element_id, "correlation key", key) if key else None,
        )

    def _name(self, element_id: str, definition: etree._Element, reference_type: str) -> Expression | None:
        declared = self._declared.get(definition.get(f"{reference_type}Ref"))
        name = declared.get("name") if declared is not None else None
        if not name:
            self._problems.append(f"Element '{element_id}': the event needs a {reference_type} with a name.")
            return None
        return self._extensions.expression(element_id, f"{reference_type} name", name)

    def _code(self, element_id: str, definition: etree._Element, reference_type: str) -> Expression | None:
        reference = definition.get(f"{reference_type}Ref")
        if not reference:
            return None
        declared = self._declared.get(reference)
        if declared is None:
            self._problems.append(f"Element '{element_id}': the {reference_type} '{reference}' does not exist.")
            return None
        code = declared.get(f"{reference_type}Code")
        return self._extensions.expression(element_id, f"{reference_type} code", code) if code else None

    def _compensation(self, element_id: str, definition: etree._Element) -> Event:
        thrown = local_name(required(definition.getparent())) != "boundaryEvent"
        if thrown and definition.get("waitForCompletion", "true") != "true":
            self._problems.append(
                f"Element '{element_id}': a thrown compensation always waits; remove waitForCompletion."
            )
        return Event(EventType.COMPENSATION, activity=definition.get("activityRef") or None)

    def _timer(self, element_id: str, definition: etree._Element) -> Event:
        children = [c for c in bpmn_children(definition) if local_name(c) in _TIMERS]
        if len(children) != 1:
            self._problems.append(f"Element '{element_id}': a timer needs one of date, duration and cycle.")
            return Event(EventType.TIMER)
        timer_type = _TIMERS[local_name(children[0])]
        text = (children[0].text or "").strip()
        expression = self._extensions.expression(element_id, f"timer {timer_type}", text)
        if expression.compiled is None and not text.startswith("="):
            try:
                _PARSERS[timer_type](text)
            except ValueError as error:
                self._problems.append(f"Element '{element_id}': {error}.")
        return Event(EventType.TIMER, timer=expression, timer_type=timer_type)
