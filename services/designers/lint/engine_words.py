"""The engine's clauses about a model that it refuses, so that they can be shown in other languages than English.

The engine says them in English (``services/engine/model/``); a clause that is not here stays English. A test holds
each against the engine's own text.
"""

import re
from functools import cache

from services.runtime.translations import Bilingual, Message, Text

CLAUSES = (
    Message("conditions belong on the flows out of an exclusive or inclusive gateway"),
    Message("it needs a start event"),
    Message("it has more than one start event without a trigger"),
    Message("an embedded subprocess needs one start event without a trigger"),
    Message("it needs a task definition with a job type"),
    Message("the task definition needs a type"),
    Message("it needs either a script or a task definition"),
    Message("it needs either a called decision or a task definition"),
    Message("it needs a called element"),
    Message("an event subprocess has no flows"),
    Message("an event subprocess needs one start event with a message, timer, signal, error or escalation"),
    Message("an event that catches an error always interrupts"),
    Message("it throws an {kind}, so it needs one with a code"),
    Message("a boundary event must be attached to a task, subprocess or call activity"),
    Message("a boundary event needs an outgoing flow"),
    Message("a boundary event needs an outgoing flow, named in an 'outgoing'"),
    Message("a boundary event has no incoming flow"),
    Message("an end event has no outgoing flow"),
    Message("a boundary event must be in the scope of the activity it is attached to"),
    Message("a flow stays in its process or subprocess; use events to leave it"),
    Message("it needs a message with a name"),
    Message("its message needs a subscription with a correlation key"),
    Message("a message that is sent needs a task definition with a job type"),
    Message("its default flow '{flow}' does not leave it"),
    Message("each of its flows needs a condition, or must be the default"),
    Message("a cycle belongs on a start event of the process or on an event that does not interrupt"),
    Message("only a subprocess or call activity catches an escalation at its boundary"),
    Message("no link catch event is named '{name}'"),
    Message("two link catch events are named '{name}'"),
    Message("an event-based gateway needs two outgoing flows"),
    Message("an event-based gateway needs two outgoing flows, each named in an 'outgoing'"),
    Message("an event-based gateway leads to message, timer and signal catch events only"),
    Message("the events after an event-based gateway have no other incoming flow"),
    Message("nothing waits in the loop {names}; put an event or a job into it"),
    Message("the event type '{kind}' is not supported; {alternative}"),
    Message("an event has one definition, this one has {count}"),
    Message("the event needs a {kind} with a name"),
    Message("the {kind} '{name}' does not exist"),
    Message("a timer needs one of date, duration and cycle"),
    Message("'{text}' has no zone; write a date such as 2026-12-01T08:00:00Z"),
    Message("'{text}' is not an ISO 8601 duration such as PT1H or P7D"),
    Message("'{text}' is not a cycle such as R3/PT1H"),
    Message("'{text}' is not an ISO 8601 date with a zone such as 2026-12-01T08:00:00Z"),
    Message("the {part} '{text}' must be an expression beginning with '='"),
    Message("the {part} '{text}' is not valid FEEL: {error}"),
    Message("in the {part} '{text}' the function '{name}' is of Camunda {version} and later, and {rest}"),
    Message("a multi-instance needs an inputCollection"),
    Message("outputCollection and outputElement belong together"),
    Message("the {direction} mapping to '{target}' needs a source"),
    Message("'{target}' is not a variable name or path to map to"),
    Message("the called decision needs a resultVariable"),
    Message("the script needs a resultVariable"),
    Message("Camunda user tasks need REST; draw a service task and a receive task"),
    Message("execution listeners are not supported; draw a service task before or behind it"),
    Message("task listeners are not supported; draw a service task before or behind it"),
    Message('The file has no process with isExecutable="true"'),
    Message("a standard loop is not supported; draw the loop or use multi-instance"),
    Message("'{tag}' is not supported; {alternative}"),
    Message("the flow refers to '{name}', which does not exist"),
    Message("the id is used twice; give each element its own"),
    Message("the id is not a valid XML name; use a letter or '_' first, then letters, digits, '.', '-' and '_'"),
    Message("'{name}' refers to '{reference}', which does not exist"),
    Message("'{name}' is too late; the BPMN schema requires it earlier"),
    Message("two {kind} events with {what} are at the same element"),
)


def told(problem: str) -> Text:
    """Return the engine's clause as a text in every language."""
    clause = problem.removesuffix(".")
    for pattern, message in _patterns():
        match = pattern.fullmatch(clause)
        if match is not None:
            return message.with_values(**match.groupdict())
    return Bilingual(clause, clause)


@cache
def _patterns() -> list[tuple[re.Pattern[str], Message]]:
    return [(re.compile(_pattern(message.msgid), re.DOTALL), message) for message in CLAUSES]


def _pattern(msgid: str) -> str:
    parts = re.split(r"\{(\w+)\}", msgid)
    return "".join(f"(?P<{part}>.*?)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
