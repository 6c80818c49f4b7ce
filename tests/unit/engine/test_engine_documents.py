"""Variables of clients: what is JSON and can be kept is taken as it is, everything else is refused with a sentence."""

import json

import grpc
import pytest
from bpmn_makers import ONE_JOB
from engine_harness import running_engine
from pyzeebe.proto import gateway_pb2 as pb

from services.engine.documents import parse_document
from services.engine.errors import Rejection, RejectionType

REFUSED = {
    "text": '"x"',
    "a number": "1",
    "a list": "[1]",
    "blanks": " ",
    "half a list": '{"a": [1',
    "not a number": '{"a": NaN}',
    "infinity": '{"a": -Infinity}',
    "a number beyond all": '{"a": 1e999}',
    "a number of 5000 digits": '{"a": ' + "9" * 5000 + "}",
    "half a surrogate pair": r'{"a": "\ud800"}',
    "half a surrogate pair as a name": r'{"\udfff": 1}',
    "lists without end": '{"a":' + "[" * 100_000,
    "a very deep list": '{"a":' + "[" * 5000 + "]" * 5000 + "}",
    "a deep object": '{"a":' * 300 + "1" + "}" * 300,
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_refused(what: str) -> None:
    with pytest.raises(Rejection) as refusal:
        parse_document(REFUSED[what])

    assert refusal.value.reason == RejectionType.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("", {}),
        ("null", {}),
        ("{}", {}),
        (r'{"": "\u0000", "录像": "\ud83d\ude00"}', {"": "\0", "录像": "😀"}),
        ('{"n": 12345678901234567890123}', {"n": 12345678901234567890123}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('{"a": ' + "[" * 150 + "]" * 150 + "}", None),
    ],
)
def test_accepted(text: str, document: dict[str, object] | None) -> None:
    parsed = parse_document(text)

    assert document is None or parsed == document


async def test_big_variables_go_through_and_bad_ones_leave_the_engine_alive() -> None:
    big = json.dumps({"text": "x" * 1_000_000, "items": list(range(10_000))})
    async with running_engine() as engine:
        await engine.deploy(ONE_JOB)
        for text in REFUSED.values():
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await engine.stub.CreateProcessInstance(
                    pb.CreateProcessInstanceRequest(bpmnProcessId="one-job", version=-1, variables=text)
                )
            assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT

        await engine.stub.CreateProcessInstance(
            pb.CreateProcessInstanceRequest(bpmnProcessId="one-job", version=-1, variables=big)
        )

        (job,) = await engine.fetch("work")
        assert parse_document(job.variables) == parse_document(big)
