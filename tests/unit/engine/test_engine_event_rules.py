"""How events meet what else goes on in the same moment: interruptions, scopes that open, buffered messages."""

import pytest
from bpmn_makers import diagram, end, job, message, start
from engine_harness import EngineHarness

from services.engine.errors import Rejection
from services.engine.processing import instances, messages, signals

_MESSAGE = '<bpmn:messageEventDefinition messageRef="{}" />'
_SIGNAL = '<bpmn:signalEventDefinition signalRef="{}" />'
_ERROR = '<bpmn:errorEventDefinition errorRef="{}" />'
_ESCALATION = '<bpmn:escalationEventDefinition escalationRef="{}" />'
_DECLARED = '<bpmn:signal id="S" name="sig" /><bpmn:escalation id="X" escalationCode="x" />'


def _publish(harness: EngineHarness, name: str, key: str, ttl: int = 0, **variables: object) -> None:
    harness.do(lambda execution: messages.publish(execution, name, key, ttl=ttl, message_id="", variables=variables))


def _event(kind: str, identity: str, definition: str, more: str = "") -> str:
    return f'<bpmn:{kind} id="{identity}" {more}>{definition}</bpmn:{kind}>'


def _sub(identity: str, inside: str, flows: str, more: str = "") -> str:
    pairs = [flow.split(">") for flow in flows.split()]
    sequence = "".join(f'<bpmn:sequenceFlow id="f_{a}_{b}" sourceRef="{a}" targetRef="{b}" />' for a, b in pairs)
    return f'<bpmn:subProcess id="{identity}" {more}>{inside}{sequence}</bpmn:subProcess>'


def _handler(definition: str, more: str = "") -> str:
    """An event subprocess that waits at a job."""
    begin = _event("startEvent", "es", definition, more)
    return _sub("ev", begin + job("handle") + end("ee"), "es>handle handle>ee", 'triggeredByEvent="true"')


def test_an_interruption_terminates_elements_that_were_about_to_complete() -> None:
    harness = EngineHarness()
    inside = start() + '<bpmn:parallelGateway id="g" /><bpmn:task id="beside" />' + end("e1")
    inside += _event("endEvent", "thrown", _ESCALATION.format("X")) + _handler(_ESCALATION.format("X"))
    harness.deploy(diagram(inside, "s>g g>thrown g>beside beside>e1", before=_DECLARED))

    history = harness.history(harness.create("p"))

    assert ("beside", "TERMINATED") in history
    assert ("beside", "COMPLETED") not in history
    assert history[-1] == ("handle", "ACTIVATED")


def test_a_terminate_end_terminates_elements_that_were_about_to_complete() -> None:
    harness = EngineHarness()
    inside = start() + '<bpmn:parallelGateway id="g" /><bpmn:task id="beside" />' + end("e1")
    inside += _event("endEvent", "all", "<bpmn:terminateEventDefinition />")
    harness.deploy(diagram(inside, "s>g g>beside beside>e1 g>all"))

    history = harness.history(harness.create("p"))

    assert history[-3:] == [("all", "COMPLETED"), ("beside", "TERMINATED"), ("p", "COMPLETED")]


def test_what_a_scope_waits_for_begins_when_its_start_event_completes() -> None:
    mapped = "<bpmn:extensionElements><zeebe:ioMapping>{}</zeebe:ioMapping></bpmn:extensionElements>"
    begin = _event("startEvent", "i", mapped.format('<zeebe:output source="=k + 1" target="k" />'))
    boundary = _event("boundaryEvent", "b", _MESSAGE.format("M"), 'attachedToRef="sub"')
    harness = EngineHarness()
    inside = start() + _sub("sub", begin + job("work"), "i>work") + boundary + job("after")
    harness.deploy(diagram(inside, "s>sub b>after", before=message("M", "m", "=k")))
    instance = harness.create("p", k=1)

    _publish(harness, "m", "1")
    assert ("sub", "TERMINATED") not in harness.history(instance)
    _publish(harness, "m", "2")
    assert ("sub", "TERMINATED") in harness.history(instance)


def test_a_scope_that_cannot_wait_for_its_events_is_an_incident_of_its_start_event() -> None:
    harness = EngineHarness()
    inside = start() + job("work") + _handler(_MESSAGE.format("M"))
    harness.deploy(diagram(inside, "s>work", before=message("M", "m", "=missing")))

    history = harness.history(harness.create("p"))

    assert harness.open_incidents() == [("s", "EXTRACT_VALUE_ERROR")]
    assert history == [("p", "ACTIVATED"), ("s", "ACTIVATED")]


def test_a_message_that_waits_interrupts_a_process_that_has_begun() -> None:
    harness = EngineHarness()
    inside = start() + job("work") + _handler(_MESSAGE.format("M"))
    harness.deploy(diagram(inside, "s>work", before=message("M", "m", "=k")))
    _publish(harness, "m", "1", ttl=60_000)

    history = harness.history(harness.create("p", k="1"))

    assert history[2:] == [
        ("s", "COMPLETED"),
        ("work", "ACTIVATED"),
        ("work", "TERMINATED"),
        ("ev", "ACTIVATED"),
        ("es", "ACTIVATED"),
        ("es", "COMPLETED"),
        ("handle", "ACTIVATED"),
    ]


def test_a_message_that_has_expired_is_taken_again_under_its_id() -> None:
    """What was published before anything waited for it, and lost its time, can be published once more."""
    harness = EngineHarness()
    caught = _event("intermediateCatchEvent", "c", _MESSAGE.format("M"))
    harness.deploy(diagram(start() + caught + job("after"), "s>c c>after", before=message("M", "m", "=k")))

    def publish() -> None:
        harness.do(lambda execution: messages.publish(execution, "m", "1", ttl=3_600_000, message_id="x", variables={}))

    publish()
    harness.turn(minutes=59)
    with pytest.raises(Rejection, match="already published"):
        publish()
    harness.turn(minutes=2)
    harness.create("p", k="1")
    assert harness.fetch("after") == []

    publish()

    assert len(harness.fetch("after")) == 1


@pytest.mark.parametrize(("ttl", "waiting_gets_it"), [(60_000, True), (0, False)])
def test_a_task_that_hangs_leaves_its_message_to_the_next_that_waits_if_it_is_kept(
    ttl: int, *, waiting_gets_it: bool
) -> None:
    output = '<zeebe:ioMapping><zeebe:output source="=assert(x, false)" target="y" /></zeebe:ioMapping>'
    boundary = _event("boundaryEvent", "b", _MESSAGE.format("M"), 'attachedToRef="work"')
    harness = EngineHarness()
    inside = start() + job("work", more=output) + boundary + job("after")
    harness.deploy(diagram(inside, "s>work b>after", before=message("M", "m", "=k")))
    hangs, waits = harness.create("p", k="1"), harness.create("p", k="1")
    harness.complete(harness.fetch("work", most=1)[0].job.key)

    _publish(harness, "m", "1", ttl=ttl)

    assert ("work", "TERMINATED") not in harness.history(hangs)
    assert (("work", "TERMINATED") in harness.history(waits)) is waiting_gets_it


def test_a_signal_thrown_inside_lets_the_thrower_complete_before_it_ends_the_scope_around() -> None:
    thrown = _event("intermediateThrowEvent", "t", _SIGNAL.format("S"))
    boundary = _event("boundaryEvent", "b", _SIGNAL.format("S"), 'attachedToRef="sub"')
    harness = EngineHarness()
    inside = start() + _sub("sub", start("i") + thrown + job("work"), "i>t t>work") + boundary + end()
    harness.deploy(diagram(inside, "s>sub b>e", before=_DECLARED))

    history = harness.history(harness.create("p"))

    assert ("t", "COMPLETED") in history
    assert ("work", "ACTIVATED") not in history
    assert history[-1] == ("p", "COMPLETED")


def test_a_signal_subscription_stays_open_while_its_event_has_an_incident() -> None:
    hangs = (
        '<bpmn:extensionElements><zeebe:ioMapping><zeebe:output source="=assert(x, false)" target="y" />'
        "</zeebe:ioMapping></bpmn:extensionElements>" + _SIGNAL.format("S")
    )
    harness = EngineHarness()
    harness.deploy(diagram(start() + _event("intermediateCatchEvent", "c", hangs), "s>c", before=_DECLARED))
    harness.create("p")

    harness.do(lambda execution: signals.broadcast(execution, "sig", {}))

    harness.store.begin()
    left = [s.element_id for s in harness.store.signals.subscribers("sig")]
    harness.store.rollback()
    assert harness.open_incidents() == [("c", "IO_MAPPING_ERROR")]
    assert left == ["c"]


@pytest.mark.parametrize(
    "definition",
    [
        'signalEventDefinition signalRef="N"',
        'escalationEventDefinition escalationRef="F"',
        'errorEventDefinition errorRef="G"',
    ],
)
def test_a_name_or_code_that_is_no_text_is_an_incident(definition: str) -> None:
    before = '<bpmn:signal id="N" name="=n" /><bpmn:escalation id="F" escalationCode="=n" />'
    harness = EngineHarness()
    thrown = _event("endEvent", "thrown", f"<bpmn:{definition} />")
    harness.deploy(diagram(start() + thrown, "s>thrown", before=before + '<bpmn:error id="G" errorCode="=n" />'))

    history = harness.history(harness.create("p"))

    assert harness.open_incidents() == [("thrown", "EXTRACT_VALUE_ERROR")]
    assert ("thrown", "ACTIVATED") not in history


def test_an_escalation_that_its_own_handler_throws_leaves_the_thrower_where_it_is() -> None:
    handler = _sub(
        "ev",
        _event("startEvent", "es", _ESCALATION.format("X")) + _event("endEvent", "again", _ESCALATION.format("X")),
        "es>again",
        'triggeredByEvent="true"',
    )
    harness = EngineHarness()
    inside = start() + _event("intermediateThrowEvent", "t", _ESCALATION.format("X")) + end() + handler
    harness.deploy(diagram(inside, "s>t t>e", before=_DECLARED))

    history = harness.history(harness.create("p"))

    assert history[-1] == ("again", "ACTIVATED")


def test_an_error_end_does_not_go_on_outwards_from_a_scope_that_is_being_interrupted() -> None:
    before = _DECLARED + '<bpmn:error id="E" errorCode="e" />'
    inner = start("i") + '<bpmn:parallelGateway id="g" />' + _event("endEvent", "one", _ERROR.format("E"))
    inner += _event("endEvent", "two", _ERROR.format("E"))
    outer = start("o") + _sub("inner", inner, "i>g g>one g>two")
    outer += _event("boundaryEvent", "near", _ERROR.format("E"), 'attachedToRef="inner"') + job("here")
    harness = EngineHarness()
    inside = start() + _sub("outer", outer, "o>inner near>here")
    inside += _event("boundaryEvent", "far", _ERROR.format("E"), 'attachedToRef="outer"') + job("there")
    harness.deploy(diagram(inside, "s>outer far>there", before=before))

    history = harness.history(harness.create("p"))

    assert history[-1] == ("here", "ACTIVATED")
    assert ("far", "ACTIVATED") not in history


def test_a_catch_event_has_input_mappings_that_its_message_is_asked_by() -> None:
    mapped = (
        '<bpmn:extensionElements><zeebe:ioMapping><zeebe:input source="=k + 1" target="k" /></zeebe:ioMapping>'
        "</bpmn:extensionElements>" + _MESSAGE.format("M")
    )
    harness = EngineHarness()
    inside = start() + _event("intermediateCatchEvent", "c", mapped) + end()
    harness.deploy(diagram(inside, "s>c c>e", before=message("M", "m", "=k")))
    instance = harness.create("p", k=1)

    _publish(harness, "m", "2")

    assert ("p", "COMPLETED") in harness.history(instance)


def test_a_boundary_event_is_there_before_the_scope_around_it_ends() -> None:
    near = _event("boundaryEvent", "near", _SIGNAL.format("S"), 'attachedToRef="work" cancelActivity="false"')
    far = _event("boundaryEvent", "far", _SIGNAL.format("S"), 'attachedToRef="sub"')
    harness = EngineHarness()
    inside = start() + _sub("sub", start("i") + job("work") + near + job("beside"), "i>work near>beside") + far + end()
    harness.deploy(diagram(inside, "s>sub far>e", before=_DECLARED))
    instance = harness.create("p")

    harness.do(lambda execution: signals.broadcast(execution, "sig", {}))

    history = harness.history(instance)
    assert ("near", "ACTIVATED") in history
    assert ("near", "TERMINATED") in history
    assert ("beside", "ACTIVATED") not in history


def test_a_cycle_follows_its_expression_after_each_firing() -> None:
    cycle = '<bpmn:timerEventDefinition><bpmn:timeCycle>="R3/PT" + string(n) + "M"</bpmn:timeCycle>'
    boundary = _event(
        "boundaryEvent", "b", cycle + "</bpmn:timerEventDefinition>", 'attachedToRef="work" cancelActivity="false"'
    )
    harness = EngineHarness()
    harness.deploy(diagram(start() + job("work") + boundary + end(), "s>work b>e"))
    instance = harness.create("p", n=10)
    harness.do(lambda execution: instances.set_variables(execution, instance.key, {"n": 2}, local=False))

    fired = []
    for _ in range(4):
        fired.append(harness.history(instance).count(("b", "COMPLETED")))
        harness.turn(minutes=10 if not fired[-1] else 2)

    assert fired == [0, 1, 2, 3]


def test_a_correlation_key_that_is_a_number_is_its_whole_part() -> None:
    harness = EngineHarness()
    inside = start() + _event("intermediateCatchEvent", "c", _MESSAGE.format("M")) + end()
    harness.deploy(diagram(inside, "s>c c>e", before=message("M", "m", "=k")))
    instance = harness.create("p", k=17.9)

    _publish(harness, "m", "17")

    assert ("p", "COMPLETED") in harness.history(instance)


def test_a_message_is_free_again_when_what_waits_for_it_is_ended_in_the_same_moment() -> None:
    caught = _event("intermediateCatchEvent", "c", _MESSAGE.format("M"))
    inside = start() + '<bpmn:parallelGateway id="g" />' + caught + end()
    inside += _event("endEvent", "all", "<bpmn:terminateEventDefinition />")
    harness = EngineHarness()
    harness.deploy(diagram(inside, "s>g g>c c>e g>all", before=message("M", "m", "=k")))
    harness.deploy(diagram(start() + caught + end(), "s>c c>e", before=message("M", "m", "=k")))
    _publish(harness, "m", "1", ttl=60_000, x=1)
    ended = harness.do(
        lambda execution: instances.create(execution, instances.find_definition(execution, 0, "p", 1), {"k": "1"}),
    )
    assert ("c", "TERMINATED") in harness.history(ended)

    instance = harness.create("p", k="1")

    assert harness.history(instance)[-1] == ("p", "COMPLETED")


@pytest.mark.parametrize("lost", [None, "soon", "99999999999"])
def test_a_cycle_whose_expression_yields_none_any_more_goes_on_as_before(
    lost: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    cycle = '<bpmn:timerEventDefinition><bpmn:timeCycle>="R/PT" + n + "M"</bpmn:timeCycle>'
    boundary = _event(
        "boundaryEvent", "b", cycle + "</bpmn:timerEventDefinition>", 'attachedToRef="work" cancelActivity="false"'
    )
    harness = EngineHarness()
    harness.deploy(diagram(start() + job("work") + boundary + end(), "s>work b>e"))
    instance = harness.create("p", n="10")
    harness.do(lambda execution: instances.set_variables(execution, instance.key, {"n": lost}, local=False))

    for fired in (1, 2):
        harness.turn(minutes=10)
        assert harness.history(instance).count(("b", "COMPLETED")) == fired
    assert "the repeating timer b of process instance" in caplog.text
    assert "PT" not in caplog.text
    assert harness.open_incidents() == []

    harness.do(lambda execution: instances.set_variables(execution, instance.key, {"n": "2"}, local=False))
    for minutes in (10, 2, 2):  # the next one was scheduled before
        harness.turn(minutes=minutes)
    assert harness.history(instance).count(("b", "COMPLETED")) == 5


def test_a_cycle_ends_where_the_calendar_does() -> None:
    cycle = "<bpmn:timerEventDefinition><bpmn:timeCycle>R/P4000Y</bpmn:timeCycle></bpmn:timerEventDefinition>"
    boundary = _event("boundaryEvent", "b", cycle, 'attachedToRef="work" cancelActivity="false"')
    harness = EngineHarness()
    harness.deploy(diagram(start() + job("work") + boundary + end(), "s>work b>e"))
    instance = harness.create("p")
    for days in (4001 * 366, 1):
        harness.turn(days=days)
        assert harness.history(instance).count(("b", "COMPLETED")) == 1
