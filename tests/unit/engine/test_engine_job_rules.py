"""What a job may be told in which state, and what odd numbers in a command do."""

from collections.abc import Callable

import pytest
from bpmn_makers import ONE_JOB, diagram, start
from engine_harness import EngineHarness

from services.engine.errors import Rejection, RejectionType
from services.engine.processing import incidents, instances, jobs, messages
from services.engine.processing.execution import Execution

FAR = 2**63 - 1
COMMANDS: dict[str, Callable[[Execution, int], None]] = {
    "complete": lambda execution, key: jobs.complete_job(execution, key, {}),
    "fail": lambda execution, key: jobs.fail_job(execution, key, retries=1, backoff=0, text="", variables={}),
    "throw": lambda execution, key: jobs.throw_job_error(execution, key, "E", "", {}),
    "extend": lambda execution, key: jobs.update_timeout(execution, key, 1000),
}


def _fail(harness: EngineHarness, key: int, retries: int, backoff: int = 0) -> None:
    harness.do(lambda execution: jobs.fail_job(execution, key, retries=retries, backoff=backoff, text="", variables={}))


def _one_job() -> tuple[EngineHarness, int]:
    harness = EngineHarness()
    harness.deploy(ONE_JOB)
    harness.create("one-job")
    return harness, harness.fetch("work")[0].job.key


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize(("retries", "backoff"), [(0, 0), (-3, 0), (2, 60_000)])
def test_a_job_that_failed_or_backs_off_takes_no_command(command: str, retries: int, backoff: int) -> None:
    harness, key = _one_job()
    _fail(harness, key, retries, backoff)

    with pytest.raises(Rejection) as refusal:
        harness.do(lambda execution: COMMANDS[command](execution, key))

    assert refusal.value.reason == RejectionType.INVALID_STATE


def test_an_incident_of_a_job_is_resolved_once_the_job_has_retries() -> None:
    harness, key = _one_job()
    _fail(harness, key, 0)

    def resolve() -> None:
        harness.do(lambda execution: incidents.resolve(execution, execution.store.incidents.all_open()[0].key))

    with pytest.raises(Rejection, match="no retries left") as refusal:
        resolve()
    assert refusal.value.reason == RejectionType.INVALID_STATE
    assert harness.fetch("work") == []
    harness.do(lambda execution: jobs.update_retries(execution, key, 1))
    resolve()

    assert [h.job.retries for h in harness.fetch("work")] == [1]


def test_the_retries_of_a_job_that_backs_off_may_be_changed_without_ending_the_back_off() -> None:
    harness, key = _one_job()
    _fail(harness, key, 2, backoff=60_000)

    harness.do(lambda execution: jobs.update_retries(execution, key, 7))

    assert harness.fetch("work") == []
    harness.turn(minutes=2)
    assert [h.job.retries for h in harness.fetch("work")] == [7]


def test_cancelling_ends_a_back_off() -> None:
    harness, key = _one_job()
    _fail(harness, key, 2, backoff=60_000)
    harness.do(lambda execution: instances.cancel(execution, execution.store.jobs.get(key).process_instance_key))  # type: ignore[union-attr]  # just made

    harness.turn(hours=1)

    assert harness.fetch("work") == []


@pytest.mark.parametrize("far", [FAR, -FAR])
def test_times_of_64_bits_are_accepted(far: int) -> None:
    harness, key = _one_job()

    harness.do(lambda execution: jobs.update_timeout(execution, key, far))
    harness.do(lambda execution: messages.publish(execution, "m", "k", ttl=far, message_id="", variables={}))
    _fail(harness, key, 1, backoff=far)
    harness.turn(days=1)

    assert len(harness.fetch("work", timeout=FAR)) == (0 if far > 0 else 1)


@pytest.mark.parametrize(
    ("key", "process_id", "version", "reason"),
    [
        (0, "one-job", -1, None),
        (0, "one-job", -7, None),
        (99, "one-job", 1, None),
        (99, "one-job", -1, None),
        (0, "one-job", 0, RejectionType.NOT_FOUND),
        (0, "one-job", 999, RejectionType.NOT_FOUND),
        (0, "other", -1, RejectionType.NOT_FOUND),
        (0, "", -1, RejectionType.NOT_FOUND),
        (99, "", 0, RejectionType.NOT_FOUND),
        (-1, "", 0, RejectionType.INVALID_ARGUMENT),
    ],
)
def test_a_process_is_found_by_its_id_before_its_key(
    key: int, process_id: str, version: int, reason: RejectionType | None
) -> None:
    harness, _ = _one_job()

    if reason is None:
        assert harness.do(lambda execution: instances.find_definition(execution, key, process_id, version)).version == 1
        return
    with pytest.raises(Rejection) as refusal:
        harness.do(lambda execution: instances.find_definition(execution, key, process_id, version))
    assert refusal.value.reason == reason


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("3", 3),
        ("2147483648", -(2**31)),
        ("=99999999999", 1_215_752_191),
        ("=-3", -3),
        ("=1.9", 1),
        ("=10**30", 1_073_741_824),
    ],
)
def test_retries_keep_their_lowest_32_bits_as_in_zeebe(written: str, kept: int) -> None:
    harness = EngineHarness()
    task = f'<zeebe:taskDefinition type="a" retries="{written}" />'
    task = f'<bpmn:serviceTask id="a"><bpmn:extensionElements>{task}</bpmn:extensionElements></bpmn:serviceTask>'
    harness.deploy(diagram(start() + task, "s>a"))

    harness.create("p")

    assert [h.job.retries for h in harness.fetch("a")] == [kept]


@pytest.mark.parametrize("retries", [0, -1, 2**31])
def test_retries_that_no_job_can_have_are_refused(retries: int) -> None:
    harness, key = _one_job()

    with pytest.raises(Rejection, match=f"given was '{retries}'") as refusal:
        harness.do(lambda execution: jobs.update_retries(execution, key, retries))

    assert refusal.value.reason == RejectionType.INVALID_ARGUMENT
