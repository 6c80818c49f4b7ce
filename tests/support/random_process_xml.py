"""A random process as BPMN: one file with the process ``p`` and all that it calls."""

from collections.abc import Iterable
from functools import singledispatchmethod

from bpmn_makers import end, job, start, with_ends
from lxml import etree
from random_process import (
    ERROR_CODES,
    ESCALATION_CODES,
    Activity,
    Block,
    Call,
    Catch,
    Choice,
    Event,
    EventSubprocess,
    First,
    Fork,
    Job,
    Many,
    Pass,
    Process,
    Receive,
    Script,
    Sequence,
    Some,
    Sub,
    Throw,
    ends_token,
)

_HEAD = (
    '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" '
    'xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="http://example.org/test">'
)
_Ends = tuple[str, str | None]  # the id of the first element, and of the last if a token comes out


def diagram(process: Process) -> bytes:
    """The file to deploy."""
    writer = _Writer()
    root = writer.process("p", process.body, process.handlers)
    declared = [f'<bpmn:error id="{code}" errorCode="{code}" />' for code in ERROR_CODES]
    declared += [f'<bpmn:escalation id="{code}" escalationCode="{code}" />' for code in ESCALATION_CODES]
    text = _HEAD + "".join([*declared, *writer.declared, *writer.called, root]) + "</bpmn:definitions>"
    return with_ends(text.encode())


def names_of_messages(content: bytes) -> list[str]:
    """Of those that tokens wait for, which may be there before the token is."""
    of_tokens = "//*[local-name()='receiveTask' or local-name()='intermediateCatchEvent']"
    references = etree.fromstring(content).xpath(f"{of_tokens}/descendant-or-self::*/@messageRef")
    return [str(reference).removeprefix("d_") for reference in references]


def _element(tag: str, identity: str, inside: str = "", extensions: str = "", **attributes: str) -> str:
    told = "".join(f' {name}="{value}"' for name, value in attributes.items())
    extended = f"<bpmn:extensionElements>{extensions}</bpmn:extensionElements>" if extensions else ""
    return f'<bpmn:{tag} id="{identity}"{told}>{extended}{inside}</bpmn:{tag}>'


def _mapping(which: str, source: str, target: str) -> str:
    return f'<zeebe:{which} source="{source}" target="{target}" />'


def _mappings(job: Job) -> str:
    need, result = f"x_{job.id}", f"r_{job.id}"
    mappings = _mapping("input", "=k", f"i_{job.id}") if job.mapped else ""
    if job.needs:
        mappings += _mapping("input", f"=assert({need}, {need} != null)", f"l_{job.id}")
    if job.owes:
        mappings += _mapping("output", f"=assert({result}, {result} != null)", f"o_{job.id}")
    elif job.mapped:
        mappings += _mapping("output", f"={result}", f"o_{job.id}")
    return f"<zeebe:ioMapping>{mappings}</zeebe:ioMapping>" if mappings else ""


class _Writer:
    def __init__(self) -> None:
        self.declared: list[str] = []
        self.called: list[str] = []
        self._parts: list[str] = []

    def process(self, identity: str, body: Sequence, handlers: Iterable[EventSubprocess]) -> str:
        inside = self._scope(identity, body, handlers)
        return _element("process", identity, inside, isExecutable="true")

    def _scope(
        self, identity: str, body: Sequence, handlers: Iterable[EventSubprocess] = (), rounds: int = 0, begin: str = ""
    ) -> str:
        """What stands inside a process or subprocess; flows lead within it."""
        around, self._parts = self._parts, [begin or start(f"st_{identity}")]
        for handler in handlers:
            self._parts.append(self._event_subprocess(handler))
        first, last = self._sequence(body)
        if rounds:
            last = self._repeat(identity, first, last or "", rounds)
            first = f"m_{identity}"
        self._flow(f"st_{identity}", first)
        self._end(f"e_{identity}", last)
        inside, self._parts = "".join(self._parts), around
        return inside

    def _repeat(self, identity: str, first: str, last: str, rounds: int) -> str:
        count, again = f"n_{identity}", f"b_{identity}"
        self._parts.append(_element("exclusiveGateway", f"m_{identity}"))
        self._parts.append(self._script(f"q_{identity}", count, f"={count} + 1"))
        self._parts.append(_element("exclusiveGateway", again, default=f"f_{again}_e_{identity}"))
        self._flow(f"m_{identity}", first)
        self._flow(last, f"q_{identity}")
        self._flow(f"q_{identity}", again)
        self._flow(again, f"m_{identity}", f"={count} &lt; {rounds}")
        return again

    def _script(self, identity: str, variable: str, expression: str) -> str:
        script = f'<zeebe:script expression="{expression}" resultVariable="{variable}" />'
        return _element("scriptTask", identity, extensions=script)

    def _event_subprocess(self, handler: EventSubprocess) -> str:
        flag = {} if handler.event.interrupting else {"isInterrupting": "false"}
        begin = _element("startEvent", f"st_{handler.id}", self._definition(handler.event), **flag)
        inside = self._scope(handler.id, handler.body, begin=begin)
        return _element("subProcess", handler.id, inside, triggeredByEvent="true")

    def _definition(self, event: Event) -> str:
        match event.kind:
            case "message" | "signal":
                self._declare(event)
                return f'<bpmn:{event.kind}EventDefinition {event.kind}Ref="d_{event.id}" />'
            case "timer":
                seconds = f"PT{event.ms / 1000}S"
                tag, text = ("timeCycle", f"R{event.times}/{seconds}") if event.times else ("timeDuration", seconds)
                return f"<bpmn:timerEventDefinition><bpmn:{tag}>{text}</bpmn:{tag}></bpmn:timerEventDefinition>"
        reference = f'{event.kind}Ref="{event.code}" ' if event.code else ""
        return f"<bpmn:{event.kind}EventDefinition {reference}/>"

    def _declare(self, event: Event) -> None:
        key = '<zeebe:subscription correlationKey="=k" />' if event.kind == "message" else ""
        self.declared.append(_element(event.kind, f"d_{event.id}", extensions=key, name=event.id))

    def _flow(self, source: str, target: str, condition: str = "") -> None:
        inside = f"<bpmn:conditionExpression>{condition}</bpmn:conditionExpression>" if condition else ""
        self._parts.append(_element("sequenceFlow", f"f_{source}_{target}", inside, sourceRef=source, targetRef=target))

    def _end(self, identity: str, last: str | None) -> None:
        if last is not None:
            self._parts.append(end(identity))
            self._flow(last, identity)

    def _sequence(self, blocks: Sequence) -> _Ends:
        first, last = self._block(blocks[0])
        for block in blocks[1:]:
            entry, leaving = self._block(block)
            self._flow(last or "", entry)
            last = leaving
        return first, None if ends_token(blocks) else last

    @singledispatchmethod
    def _block(self, block: Block) -> _Ends:
        raise NotImplementedError(type(block).__name__)

    @_block.register
    def _(self, block: Activity) -> _Ends:
        loop = extensions = ""
        activity: Block = block
        if isinstance(block, Many):
            loop, activity = self._loop(block), block.inner
        match activity:
            case Job():
                text = job(block.id, more=_mappings(activity)).replace(
                    "</bpmn:serviceTask>", f"{loop}</bpmn:serviceTask>"
                )
            case Receive():
                self._declare(activity.event)
                text = _element("receiveTask", block.id, loop, messageRef=f"d_{activity.event.id}")
            case Call():
                called = self._called(activity)
                text = _element("callActivity", block.id, loop, called)
            case Sub():
                inside = self._scope(block.id, activity.body, activity.handlers, activity.rounds)
                if activity.rounds:
                    extensions = f"<zeebe:ioMapping>{_mapping('input', '=0', f'n_{block.id}')}</zeebe:ioMapping>"
                text = _element("subProcess", block.id, loop + inside, extensions)
        self._parts.append(text)
        return self._boundaries(block)

    def _called(self, call: Call) -> str:
        around, self._parts = self._parts, []
        self.called.append(self.process(f"p_{call.id}", call.body, call.handlers))
        self._parts = around
        return f'<zeebe:calledElement processId="p_{call.id}" />'

    def _loop(self, many: Many) -> str:
        element = f"=r_{many.id}" if isinstance(many.inner, Job) else "=loopCounter * 10"
        zeebe = (
            f'<zeebe:loopCharacteristics inputCollection="={list(range(1, many.size + 1))}" '
            f'inputElement="it_{many.id}" outputCollection="outs_{many.id}" outputElement="{element}" />'
        )
        condition = f"=numberOfCompletedInstances &gt;= {many.enough}"
        told = f"<bpmn:completionCondition>{condition}</bpmn:completionCondition>" if many.enough else ""
        return (
            f'<bpmn:multiInstanceLoopCharacteristics isSequential="{str(many.sequential).lower()}">'
            f"<bpmn:extensionElements>{zeebe}</bpmn:extensionElements>{told}</bpmn:multiInstanceLoopCharacteristics>"
        )

    def _boundaries(self, block: Activity) -> _Ends:
        merge = f"a_{block.id}"
        merged = any(b.merges for b in block.boundaries)
        if merged:
            self._parts.append(_element("exclusiveGateway", merge))
            self._flow(block.id, merge)
        for boundary in block.boundaries:
            event = boundary.event
            flag = {} if event.interrupting else {"cancelActivity": "false"}
            definition = self._definition(event)
            self._parts.append(_element("boundaryEvent", event.id, definition, attachedToRef=block.id, **flag))
            first, last = self._sequence(boundary.handler)
            self._flow(event.id, first)
            if boundary.merges:
                self._flow(last or "", merge)
            else:
                self._end(f"e_{event.id}", last)
        return block.id, merge if merged else block.id

    @_block.register
    def _(self, block: Pass) -> _Ends:
        self._parts.append(_element("task", block.id))
        return block.id, block.id

    @_block.register
    def _(self, block: Script) -> _Ends:
        name = f"y_{block.id}"
        self._parts.append(self._script(block.id, name, f"=if {name} = null then 1 else {name} + 1"))
        return block.id, block.id

    @_block.register
    def _(self, block: Catch) -> _Ends:
        self._parts.append(self._catch(block.event))
        return block.event.id, block.event.id

    def _catch(self, event: Event) -> str:
        return _element("intermediateCatchEvent", event.id, self._definition(event))

    @_block.register
    def _(self, block: Throw) -> _Ends:
        reference = f' {block.kind}Ref="{block.code}"' if block.code else ""
        tag = "endEvent" if block.ends else "intermediateThrowEvent"
        self._parts.append(_element(tag, block.id, f"<bpmn:{block.kind}EventDefinition{reference} />"))
        return block.id, block.id

    @_block.register
    def _(self, block: First) -> _Ends:
        self._parts.append(_element("eventBasedGateway", block.id))
        self._parts.append(_element("exclusiveGateway", f"z_{block.id}"))
        for event, branch in block.branches:
            self._parts.append(self._catch(event))
            self._flow(block.id, event.id)
            first, last = self._sequence(branch)
            self._flow(event.id, first)
            self._flow(last or "", f"z_{block.id}")
        return block.id, f"z_{block.id}"

    @_block.register
    def _(self, block: Choice) -> _Ends:
        self._split("exclusiveGateway", block.id, block.branches, joined=True, condition="=x_{} >= {}")
        return block.id, f"z_{block.id}"

    @_block.register
    def _(self, block: Some) -> _Ends:
        self._split("inclusiveGateway", block.id, block.branches, joined=block.joined, condition="=x_{} >= {}")
        return block.id, f"z_{block.id}"

    @_block.register
    def _(self, block: Fork) -> _Ends:
        self._split("parallelGateway", block.id, block.branches, joined=block.joined, condition="")
        return block.id, f"z_{block.id}"

    def _split(self, tag: str, identity: str, branches: tuple[Sequence, ...], *, joined: bool, condition: str) -> None:
        built = [self._sequence(branch) for branch in branches]
        default = {"default": f"f_{identity}_{built[0][0]}"} if condition else {}
        self._parts.append(_element(tag, identity, **default))
        if joined:
            self._parts.append(_element(tag, f"z_{identity}"))
        for number, (first, last) in enumerate(built):
            told = condition.format(identity, number).replace(">", "&gt;") if number else ""
            self._flow(identity, first, told)
            if joined and last is not None:
                self._flow(last, f"z_{identity}")
            elif last is not None:
                self._end(f"e_{identity}_{number}", last)
