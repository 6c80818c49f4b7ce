"""Every call that the gateway refuses: its status, and a sentence that says why; and those it takes all the same."""

from collections.abc import AsyncIterator, Callable

import grpc
import pytest
import pytest_asyncio
from engine_harness import Running, running_engine
from google.protobuf.message import Message
from wrong_calls import (
    ACTIVATE,
    CANCEL,
    COMPLETE,
    FAIL,
    PUBLISH,
    SIGNAL,
    THROW,
    TIMEOUT,
    WRONG,
    Keys,
    answer,
    create,
    set_stage,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[tuple[Running, Keys]]:
    """One for all: what is refused changes nothing."""
    async with running_engine() as engine:
        yield engine, await set_stage(engine)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("call", sorted(WRONG))
async def test_a_wrong_call_is_answered_with_its_status_and_a_sentence(stage: tuple[Running, Keys], call: str) -> None:
    engine, keys = stage
    method, request, status, text = WRONG[call]

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await answer(engine, method, request(keys))

    assert error.value.code() == status
    assert text in (error.value.details() or "")


TAKEN: dict[str, tuple[str, Callable[[Keys], Message]]] = {
    "no variables at all": ("CompleteJob", lambda k: COMPLETE(jobKey=k.fetched)),
    "null for variables": ("CompleteJob", lambda k: COMPLETE(jobKey=k.fetched, variables="null")),
    "a job nobody fetched": ("CompleteJob", lambda k: COMPLETE(jobKey=k.waiting)),
    "negative retries of a failure": ("FailJob", lambda k: FAIL(jobKey=k.fetched, retries=-1)),
    "a negative back-off": ("FailJob", lambda k: FAIL(jobKey=k.fetched, retries=1, retryBackOff=-1)),
    "an error without a code": ("ThrowError", lambda k: THROW(jobKey=k.fetched)),
    "a timeout that is over": ("UpdateJobTimeout", lambda k: TIMEOUT(jobKey=k.fetched, timeout=-1)),
    "a message without a name": ("PublishMessage", lambda k: PUBLISH()),
    "a message that is over at once": ("PublishMessage", lambda k: PUBLISH(name="m", timeToLive=-1)),
    "a message for ever": ("PublishMessage", lambda k: PUBLISH(name="m", timeToLive=2**63 - 1)),
    "a signal nobody waits for": ("BroadcastSignal", lambda k: SIGNAL(signalName="nobody")),
    "the default tenant": ("CreateProcessInstance", lambda k: create("one-job", tenantId="<default>")),
    "a blank tenant": ("CreateProcessInstance", lambda k: create("one-job", tenantId=" ")),
    "an operation's reference": (
        "CancelProcessInstance",
        lambda k: CANCEL(processInstanceKey=k.running, operationReference=7),
    ),
    "a field of a later version": (
        "CancelProcessInstance",
        lambda k: CANCEL.FromString(CANCEL(processInstanceKey=k.running).SerializeToString() + b"\x98\x06\x01"),
    ),
    "jobs of a type nobody makes": (
        "ActivateJobs",
        lambda k: ACTIVATE(type="nobody", timeout=2**63 - 1, maxJobsToActivate=2**31 - 1, requestTimeout=-1),
    ),
}


@pytest.mark.parametrize("call", sorted(TAKEN))
async def test_what_is_odd_and_not_wrong_is_taken(call: str) -> None:
    method, request = TAKEN[call]

    async with running_engine() as engine:
        await answer(engine, method, request(await set_stage(engine)))
