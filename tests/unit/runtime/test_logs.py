"""Logs: one JSON object a line, with the ids of the job, without secrets and without variables."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from broken_gateways import served
from fake_gateway import PATIENCE, FakeGateway
from pydantic import SecretStr
from seal_jobs import Sealed, SealItem, raises, seal_worker, settings_for
from written_logs import written_logs

from services.runtime.jobs.runner import JobRunner
from services.runtime.logs import BOUND, configure_logs, get_logger, log_context


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    with written_logs() as out:
        yield out


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_what_is_bound(written: io.StringIO) -> None:
    with log_context(application_id="A1", job_key=5, element_id=None):
        get_logger("desk").info("sealed", items=2)
        logging.getLogger("a.library").warning("said %s", "this")

    ours, theirs = lines(written)
    assert (ours["event"], ours["items"], ours["application_id"], ours["job_key"]) == ("sealed", 2, "A1", 5)
    assert "element_id" not in ours
    assert (theirs["event"], theirs["application_id"], theirs["level"]) == ("said this", "A1", "warning")
    assert ours["timestamp"].endswith("Z")


def test_secrets_are_hidden_by_name_by_type_and_by_looks(written: io.StringIO) -> None:
    log = get_logger("desk")
    log.info("one", session_token="shh1", password="shh2", key=SecretStr("shh3"))
    log.info("could not open postgresql://desk:shh4@db/desk", header="Bearer shh5", loan="AGE-SECRET-KEY-1SHH6")
    try:
        int("postgresql://desk:shh7@db/desk")
    except ValueError:
        log.exception("failed")

    assert "shh" not in written.getvalue().lower()
    assert lines(written)[2]["exception"].startswith("Traceback")


def test_the_console_form_is_for_people(written: io.StringIO) -> None:
    configure_logs("info", "console", written)

    get_logger("desk").info("sealed", items=2, password="shh")

    assert "sealed" in written.getvalue()
    assert "{" not in written.getvalue()
    assert "shh" not in written.getvalue()


async def test_a_failing_job_logs_its_ids_and_no_variable(
    written: io.StringIO, gateway: FakeGateway, channel: Any
) -> None:
    runner = JobRunner(settings_for(gateway), [seal_worker(raises(KeyError("Zhang San")))], {}, channel)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        await gateway.put("seal-item", 60, {"applicationId": "A1", "applicantName": "Zhang San"})
        await gateway.call("FailJob")
        await runner.stop()

    failure = next(line for line in lines(written) if line["event"] == "failed unexpectedly")
    assert {name: failure[name] for name in BOUND} == {
        "application_id": "A1",
        "job_key": 60,
        "job_type": "seal-item",
        "process_instance_key": 7,
        "element_id": "Task_seal-item",
    }
    assert "builtins.KeyError" in failure["stack"]
    assert "seal_jobs.py" in failure["stack"]
    assert "Zhang San" not in written.getvalue()


class QuotingGateway(FakeGateway):
    """Refuses every answer with words that repeat what it carries."""

    async def CompleteJob(self, request: Any, context: Any) -> Any:
        await self._note("CompleteJob", request, context)
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"cannot read {request.variables}")


async def test_no_value_of_a_jobs_answer_is_logged_when_the_engine_quotes_it(written: io.StringIO) -> None:
    async def act(_command: SealItem) -> Sealed:
        return Sealed("Zhang San", 1)

    gateway = QuotingGateway()
    async with served(gateway) as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        runner = JobRunner(settings_for(gateway), [seal_worker(act)], {}, channel)
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            group.create_task(runner.run())
            await gateway.put("seal-item", 63, {"applicationId": "A1"})
            await gateway.call("CompleteJob")
            await runner.stop()

    told = [line["cause"] for line in lines(written) if "the engine was not notified" in line["event"]]
    assert told == [
        "could not complete the job | the engine refused the call | INVALID_ARGUMENT | "
        "check ZEEBE_ADDRESS, CAMUNDA_CLIENT_ID and what the client may do"
    ]
    assert "Zhang" not in written.getvalue()


async def test_what_one_job_binds_does_not_stay_for_the_next(
    written: io.StringIO, gateway: FakeGateway, channel: Any
) -> None:
    async def act(command: SealItem) -> None:
        get_logger("desk").info("at work", part=command.part)

    runner = JobRunner(settings_for(gateway), [seal_worker(act)], {}, channel)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        await gateway.put("seal-item", 61, {"applicationId": "A1"})
        await gateway.put("seal-item", 62, {"applicationId": "A2", "part": 2})
        await gateway.call("CompleteJob", 2)
        await runner.stop()

    bound = {line["part"]: (line["application_id"], line["job_key"]) for line in lines(written) if "part" in line}
    assert bound == {1: ("A1", 61), 2: ("A2", 62)}
    assert all("job_key" not in line for line in lines(written) if line["event"] == "stopping")
