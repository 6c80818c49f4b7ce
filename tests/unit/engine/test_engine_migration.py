"""Moving a running instance to another version: what stays as it is, what is opened anew, what is refused."""

import re
from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from bpmn_makers import diagram, end, job, message, message_catch, start, timer
from engine_harness import EngineHarness

from services.engine.errors import Rejection, RejectionType
from services.engine.inspection import queries
from services.engine.processing import incidents, jobs, messages
from services.engine.processing.migration import migrate
from services.engine.state.instances import ProcessInstance
from services.engine.state.overview import ListFilter

_M = message("M", "paid", "=key") + message("N", "called-off", "=key")


def _boundary(identity: str, on: str, definition: str, *, interrupting: bool = True) -> str:
    cancels = "" if interrupting else ' cancelActivity="false"'
    return f'<bpmn:boundaryEvent id="{identity}" attachedToRef="{on}"{cancels}>{definition}</bpmn:boundaryEvent>'


def _after(duration: str) -> str:
    return f"<bpmn:timerEventDefinition><bpmn:timeDuration>{duration}</bpmn:timeDuration></bpmn:timerEventDefinition>"


def _on(message_id: str) -> str:
    return f'<bpmn:messageEventDefinition messageRef="{message_id}" />'


def _event_subprocess(identity: str, definition: str, inner: str, *, interrupting: bool = True) -> str:
    cancels = "" if interrupting else ' isInterrupting="false"'
    return (
        f'<bpmn:subProcess id="{identity}" triggeredByEvent="true">'
        f'<bpmn:startEvent id="{identity}-s"{cancels}>{definition}</bpmn:startEvent>{job(inner)}'
        f'<bpmn:sequenceFlow id="f_{identity}" sourceRef="{identity}-s" targetRef="{inner}" /></bpmn:subProcess>'
    )


def _receive(identity: str, message_id: str) -> str:
    return f'<bpmn:receiveTask id="{identity}" messageRef="{message_id}" />'


def _line(*inside: str, more: str = "", before: str = "", process_id: str = "p") -> bytes:
    """A process of elements one after another; boundary events in ``more`` lead to its end."""
    ids = [text.split('id="', 1)[1].split('"', 1)[0] for text in inside]
    flows = " ".join(f"{a}>{b}" for a, b in zip(["s", *ids], [*ids, "e"], strict=True))
    flows += "".join(f" {event}>e" for event in re.findall('<bpmn:boundaryEvent id="([^"]+)"', more))
    return diagram(start() + "".join(inside) + end() + more, flows, process_id, before)


def _running(*, old: bytes, new: bytes, **variables: Any) -> tuple[EngineHarness, ProcessInstance, int]:
    """An instance of the old version, and the key of the new one."""
    harness = EngineHarness()
    harness.deploy(old)
    instance = harness.create("p", **{"key": "k", **variables})
    [definition] = harness.deploy(new).processes
    return harness, instance, definition.key


def _migrate(harness: EngineHarness, instance: ProcessInstance, to: int, *mapped: str) -> None:
    pairs = [(one.split(">")[0], one.split(">")[-1]) for one in mapped]
    harness.do(lambda execution: migrate(execution, instance.key, to, pairs))


def _publish(harness: EngineHarness, name: str) -> None:
    harness.do(lambda e: messages.publish(e, name, "k", ttl=0, message_id="", variables={}))


def _visited(harness: EngineHarness, instance: ProcessInstance) -> Sequence[str]:
    return [element for element, intent in harness.history(instance) if intent == "COMPLETED"]


def test_an_active_task_keeps_its_job_and_goes_on_in_the_new_version() -> None:
    harness, instance, to = _running(old=_line(job("one")), new=_line(job("one"), job("two")), x=1)
    [taken] = harness.fetch("one")

    _migrate(harness, instance, to, "one")
    harness.complete(taken.job.key, y=2)

    [two] = harness.fetch("two")
    assert (two.version, two.variables) == (2, {"key": "k", "x": 1, "y": 2})
    harness.complete(two.job.key)
    assert _visited(harness, instance) == ["s", "one", "two", "e", "p"]


def test_a_renamed_task_keeps_the_job_type_that_it_was_given() -> None:
    harness, instance, to = _running(old=_line(job("one")), new=_line(job("uno", "another-type"), job("two")))

    _migrate(harness, instance, to, "one>uno")

    [taken] = harness.fetch("one")
    assert (taken.job.element_id, taken.job.process_definition_key) == ("uno", to)
    harness.complete(taken.job.key)
    assert len(harness.fetch("two")) == 1


def test_the_inspector_shows_the_new_version_and_its_ids() -> None:
    harness, instance, to = _running(old=_line(job("one")), new=_line(job("uno", "one")))

    _migrate(harness, instance, to, "one>uno")

    harness.store.begin()
    counts = [(s.element_id, s.active) for s in queries.elements(harness.store, to)]
    visits = queries.instance(harness.store, instance.key)
    listed = harness.store.overview.running(ListFilter(definition=to, element="uno"))
    harness.store.rollback()
    assert counts == [("uno", 1)]
    assert visits is not None
    assert [v.element_id for v in visits.element_instances] == ["p", "s", "uno"]
    assert (visits.process_instance.version, listed) == (2, [instance.key])


def test_a_message_wait_is_kept_where_it_is_mapped() -> None:
    old = _line(_receive("wait", "M"), before=_M)
    new = _line(_receive("await", "N"), job("two"), before=_M)
    harness, instance, to = _running(old=old, new=new)

    _migrate(harness, instance, to, "wait>await")
    _publish(harness, "called-off")  # not evaluated anew: it still waits for what it waited for
    assert not harness.fetch("two")
    _publish(harness, "paid")

    assert len(harness.fetch("two")) == 1


def test_a_mapped_timer_keeps_its_due_date_and_an_unmapped_one_begins_anew() -> None:
    old = _line(job("one"), more=_boundary("late", "one", _after("PT2H")))
    new = diagram(
        start() + job("one") + _boundary("late", "one", _after("PT9H")) + job("act") + end(),
        "s>one one>e late>act act>e",
    )
    for mapped, hours in ((["one", "late"], 1), (["one"], 9)):
        harness, instance, to = _running(old=old, new=new)
        harness.turn(hours=1)

        _migrate(harness, instance, to, *mapped)

        harness.turn(minutes=hours * 60 - 1)
        assert not harness.fetch("act")
        harness.turn(minutes=1)
        assert len(harness.fetch("act")) == 1


def test_events_that_are_gone_are_closed_and_new_ones_opened() -> None:
    old = _line(job("one"), more=_boundary("late", "one", _after("PT2H")), before=_M)
    new = diagram(
        start() + job("one") + _boundary("off", "one", _on("N"), interrupting=False) + job("act") + end(),
        "s>one one>e off>act act>e",
        before=_M,
    )
    harness, instance, to = _running(old=old, new=new)

    _migrate(harness, instance, to, "one")
    harness.turn(hours=3)
    _publish(harness, "called-off")

    assert len(harness.fetch("act")) == len(harness.fetch("one")) == 1


def test_an_event_subprocess_is_kept_opened_and_migrated_while_it_runs() -> None:
    old = _line(job("one"), more=_event_subprocess("off", _on("N"), "undo"), before=_M)
    new = _line(
        job("one"),
        more=_event_subprocess("off", _on("N"), "undo")
        + _event_subprocess("paid", _on("M"), "note", interrupting=False),
        before=_M,
    )
    harness, instance, to = _running(old=old, new=new)
    _migrate(harness, instance, to, "one", "off-s")
    _publish(harness, "paid")
    _publish(harness, "called-off")
    [undo] = harness.fetch("undo")
    assert not harness.fetch("one")

    _migrate(harness, instance, to, "off", "off-s", "undo")
    harness.complete(undo.job.key)

    assert harness.history(instance)[-1] == ("p", "COMPLETED")


def test_a_call_goes_on_in_its_own_version_and_is_migrated_by_itself() -> None:
    call = (
        '<bpmn:callActivity id="{}"><bpmn:extensionElements><zeebe:calledElement processId="c" />'
        "</bpmn:extensionElements></bpmn:callActivity>"
    )
    harness = EngineHarness()
    harness.deploy(_line(call.format("ask")), _line(job("old"), process_id="c"))
    parent = harness.create("p")
    deployed = harness.deploy(_line(call.format("ask2"), job("after")), _line(job("old"), job("more"), process_id="c"))
    to = {definition.bpmn_process_id: definition.key for definition in deployed.processes}
    [taken] = harness.fetch("old")
    child = harness.store.instances.get(taken.job.process_instance_key)
    assert child is not None

    _migrate(harness, parent, to["p"], "ask>ask2")
    assert taken.version == 1
    _migrate(harness, child, to["c"], "old")
    harness.complete(taken.job.key)
    harness.complete(harness.fetch("more")[0].job.key)
    harness.complete(harness.fetch("after")[0].job.key)

    assert harness.history(parent)[-1] == ("p", "COMPLETED")


def _ordered_loop(*tasks: str, sequential: bool = False) -> bytes:
    """A multi-instance subprocess with these tasks; the schema wants its loop before what is in it."""
    ids = ["i", *tasks]
    flows = "".join(f'<bpmn:sequenceFlow id="g{a}" sourceRef="{a}" targetRef="{b}" />' for a, b in pairwise(ids))
    kind = ' isSequential="true"' if sequential else ""
    return _line(
        f'<bpmn:subProcess id="each"><bpmn:multiInstanceLoopCharacteristics{kind}><bpmn:extensionElements>'
        '<zeebe:loopCharacteristics inputCollection="=[1, 2]" inputElement="n" /></bpmn:extensionElements>'
        f"</bpmn:multiInstanceLoopCharacteristics>{start('i')}{''.join(map(job, tasks))}{flows}</bpmn:subProcess>"
    )


def test_each_inner_instance_of_a_loop_goes_on_in_the_new_version() -> None:
    harness, instance, to = _running(old=_ordered_loop("one"), new=_ordered_loop("one", "two"))
    first, second = harness.fetch("one")
    harness.complete(first.job.key)

    _migrate(harness, instance, to, "each", "one")
    harness.complete(second.job.key)

    [two] = harness.fetch("two")
    assert two.variables["n"] == 2
    harness.complete(two.job.key)
    assert harness.history(instance)[-1] == ("p", "COMPLETED")


def _fork(join: str, branches: str, *, kind: str = "parallelGateway") -> bytes:
    tasks = "".join(job(branch) for branch in branches)
    flows = " ".join(f"fork>{b} {b}>{join}" for b in branches)
    inside = start() + f'<bpmn:parallelGateway id="fork" /><bpmn:{kind} id="{join}" />' + tasks + job("last") + end()
    return diagram(inside, f"s>fork {flows} {join}>last last>e")


def test_a_join_that_waits_keeps_its_tokens() -> None:
    harness, instance, to = _running(old=_fork("join", "ab"), new=_fork("join2", "abc"))
    harness.complete(harness.fetch("a")[0].job.key)

    _migrate(harness, instance, to, "b", "join>join2", "f_a_join>f_a_join2")
    harness.complete(harness.fetch("b")[0].job.key)

    assert not harness.fetch("last")  # the third flow of the new version is still awaited, as on a broker


def test_an_incident_is_kept_and_resolved_by_what_the_new_version_says() -> None:
    old = _line(
        job("one", more='<zeebe:ioMapping><zeebe:input source="=assert(x, false)" target="y" /></zeebe:ioMapping>')
    )
    harness, instance, to = _running(old=old, new=_line(job("one")))
    [(element, _)] = harness.open_incidents()
    assert element == "one"

    _migrate(harness, instance, to, "one")
    [incident] = harness.store.incidents.all_open()
    harness.do(lambda execution: incidents.resolve(execution, incident.key))

    assert len(harness.fetch("one")) == 1


def test_a_message_that_started_the_process_still_starts_no_second_one() -> None:
    by_message = '<bpmn:startEvent id="s"><bpmn:messageEventDefinition messageRef="M" /></bpmn:startEvent>'
    harness = EngineHarness()
    harness.deploy(diagram(by_message + job("one") + end(), "s>one one>e", before=_M))
    _publish(harness, "paid")
    [taken] = harness.fetch("one")
    [definition] = harness.deploy(
        diagram(by_message + job("one") + job("two") + end(), "s>one one>two two>e", before=_M)
    ).processes

    harness.do(lambda e: migrate(e, taken.job.process_instance_key, definition.key, [("one", "one")]))
    _publish(harness, "paid")

    assert not harness.fetch("one", timeout=1)
    harness.complete(taken.job.key)
    assert len(harness.fetch("two")) == 1


_PLAIN = _line(job("one"))
_ARGUMENT, _STATE = RejectionType.INVALID_ARGUMENT, RejectionType.INVALID_STATE


@pytest.mark.parametrize(
    ("old", "new", "mapped", "reason", "text"),
    [
        (
            _PLAIN,
            _line(job("one"), job("two")),
            ["one", "one>two"],
            _ARGUMENT,
            r"duplicate source element ids '\[one\]'",
        ),
        (_PLAIN, _line(job("two")), ["no>two"], _ARGUMENT, "non-existing source element id 'no'"),
        (_PLAIN, _line(job("two")), ["one>no"], _ARGUMENT, "non-existing target element id 'no'"),
        (
            _PLAIN,
            _line(job("one"), job("two")),
            [],
            _STATE,
            "no mapping instruction defined for active element with id 'one'",
        ),
        (
            _PLAIN,
            _line(_receive("one", "M"), before=_M),
            ["one"],
            _STATE,
            "id 'one' and type 'SERVICE_TASK' is mapped to an element with id 'one' and different type 'RECEIVE_TASK'",
        ),
        (
            _PLAIN,
            _ordered_loop("one"),
            ["one"],
            _STATE,
            "flow scope of the active element is expected to be 'p' but was 'each'",
        ),
        (
            _line(job("one"), more=_boundary("late", "one", _after("PT2H"))),
            _line(job("one"), job("two"), more=_boundary("late", "two", _after("PT2H"))),
            ["one", "late"],
            _STATE,
            "These mappings detach the catch event from the element",
        ),
        (
            _line(job("one"), more=_boundary("a", "one", _after("PT1H")) + _boundary("b", "one", _after("PT2H"))),
            _line(job("one"), more=_boundary("a", "one", _after("PT1H"))),
            ["one", "a", "b>a"],
            _STATE,
            "multiple mapping instructions that target this catch event: 'a', 'b'",
        ),
        (
            _line(job("one"), more=_boundary("a", "one", _after("PT1H")), before=_M),
            _line(job("one"), more=_boundary("a", "one", _on("M")), before=_M),
            ["one", "a"],
            _STATE,
            "different event types: 'TIMER' and 'MESSAGE'",
        ),
        (
            _line(job("one"), more=_boundary("a", "one", _on("M")), before=_M),
            _line(job("one"), more=_boundary("b", "one", _on("M")), before=_M),
            ["one"],
            _STATE,
            "already subscribed to with name 'paid'",
        ),
        (
            _PLAIN,
            _line(job("one"), more=_boundary("late", "one", _after("=nothing"))),
            ["one"],
            _STATE,
            "must be subscribed to a catch event",
        ),
        (
            _ordered_loop("one"),
            _ordered_loop("one", sequential=True),
            ["each", "one"],
            _STATE,
            "different loop characteristics",
        ),
    ],
)
def test_what_cannot_be_migrated_is_refused_and_nothing_is_changed(
    old: bytes, new: bytes, mapped: list[str], reason: RejectionType, text: str
) -> None:
    harness, instance, to = _running(old=old, new=new)
    harness.store.begin()
    before = deepcopy(harness.store.instances.get(instance.key))
    harness.store.rollback()

    with pytest.raises(Rejection, match=text) as refused:
        _migrate(harness, instance, to, *mapped)

    assert refused.value.reason == reason
    harness.store.begin()
    assert harness.store.instances.get(instance.key) == before
    harness.store.rollback()
    assert harness.fetch("one")


@pytest.mark.parametrize(
    ("new", "mapped", "text"),
    [
        (_fork("join", "ab"), ["b"], "Joining gateways with at least one incoming sequence flow taken must be mapped"),
        (
            _fork("join", "ab", kind="inclusiveGateway"),
            ["b", "join"],
            "id 'join' and type 'PARALLEL_GATEWAY' is mapped to an element with id 'join' and different type",
        ),
        (_fork("join2", "b"), ["b", "join>join2"], "has less incoming sequence flows than the source gateway"),
        (_fork("join2", "bc"), ["b", "join>join2"], "Taken sequence flow with id 'f_a_join' must connect"),
    ],
)
def test_a_join_that_is_not_in_the_new_version_as_it_was_is_refused(new: bytes, mapped: list[str], text: str) -> None:
    harness, instance, to = _running(old=_fork("join", "ab"), new=new)
    harness.complete(harness.fetch("a")[0].job.key)

    with pytest.raises(Rejection, match=text) as refused:
        _migrate(harness, instance, to, *mapped)

    assert refused.value.reason == _ARGUMENT


def test_elements_that_no_broker_migrates_are_refused() -> None:
    throw = (
        '<bpmn:intermediateThrowEvent id="tell"><bpmn:extensionElements><zeebe:taskDefinition type="tell" />'
        '</bpmn:extensionElements><bpmn:messageEventDefinition messageRef="M" /></bpmn:intermediateThrowEvent>'
    )
    harness, instance, to = _running(old=_line(throw, before=_M), new=_line(throw, job("two"), before=_M))

    with pytest.raises(Rejection, match="The migration of a INTERMEDIATE_THROW_EVENT is not supported"):
        _migrate(harness, instance, to, "tell")


def test_an_event_based_gateway_keeps_what_it_waits_for() -> None:
    inside = (
        start() + '<bpmn:eventBasedGateway id="g" />' + message_catch("m", "M") + timer("t", "timeDuration", "PT1H")
    )
    old = diagram(inside + end(), "s>g g>m g>t m>e t>e", before=_M)
    new = diagram(inside + job("two") + end(), "s>g g>m g>t m>e t>two two>e", before=_M)
    harness, instance, to = _running(old=old, new=new)
    harness.turn(minutes=30)

    _migrate(harness, instance, to, "g", "m", "t")
    harness.turn(minutes=30)

    assert len(harness.fetch("two")) == 1


def test_compensation_of_a_mapped_event_runs_the_new_handler_and_of_another_none() -> None:
    def model(handler: str) -> bytes:
        event = _boundary("undone", "one", "<bpmn:compensateEventDefinition />")
        undo = (
            f'<bpmn:serviceTask id="{handler}" isForCompensation="true"><bpmn:extensionElements>'
            f'<zeebe:taskDefinition type="{handler}" /></bpmn:extensionElements></bpmn:serviceTask>'
        )
        throw = (
            '<bpmn:intermediateThrowEvent id="back"><bpmn:compensateEventDefinition /></bpmn:intermediateThrowEvent>'
        )
        content = diagram(
            start() + job("one") + job("two") + throw + end() + event + undo, "s>one one>two two>back back>e"
        )
        link = f'<bpmn:association id="as" associationDirection="One" sourceRef="undone" targetRef="{handler}" />'
        return content.replace(b"</bpmn:process>", f"{link}</bpmn:process>".encode())

    for mapped, found in ((["two", "undone"], 1), (["two"], 0)):
        harness, instance, to = _running(old=model("undo"), new=model("undo-well"))
        harness.complete(harness.fetch("one")[0].job.key)

        _migrate(harness, instance, to, *mapped)
        harness.complete(harness.fetch("two")[0].job.key)

        assert len(harness.fetch("undo-well")) == found
        assert not harness.fetch("undo")


def test_a_job_that_failed_stays_failed_until_its_incident_is_resolved() -> None:
    harness, instance, to = _running(old=_PLAIN, new=_line(job("one"), job("two")))
    [taken] = harness.fetch("one")
    harness.do(lambda e: jobs.fail_job(e, taken.job.key, retries=0, backoff=0, text="no", variables={}))

    _migrate(harness, instance, to, "one")

    assert not harness.fetch("one")
    [incident] = harness.store.incidents.all_open()
    harness.do(lambda e: jobs.update_retries(e, taken.job.key, 1))
    harness.do(lambda e: incidents.resolve(e, incident.key))
    assert [j.job.key for j in harness.fetch("one")] == [taken.job.key]
