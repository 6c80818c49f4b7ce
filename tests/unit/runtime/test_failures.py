"""What an operator reads, and how long a failed job waits."""

import random
from datetime import timedelta
from types import SimpleNamespace

import pytest

from services.runtime.errors import Fatal, Refused, Retryable
from services.runtime.jobs.failures import MESSAGE_LIMIT, Attempts, Backoff, failure_message, runbook_of, stack
from services.vault.store.protocol import StoreDown

JOB = SimpleNamespace(
    key=9,
    type="re-archive",
    element_id="Task_ReArchive",
    element_instance_key=1,
    process_instance_key=2,
    variables={"applicationId": "A1"},
)


SEEDED = random.Random(1)  # noqa: S311  # the same waits in every run


def test_a_message_has_four_parts() -> None:
    assert failure_message(JOB, "no answer", "wait") == ("re-archive failed | application A1, job 9 | no answer | wait")


def test_a_message_that_has_its_form_is_kept() -> None:
    assert failure_message(JOB, "a | b of application A1 | c | d", "wait") == "a | b of application A1 | c | d"


def test_a_long_cause_is_cut_and_the_next_step_stays() -> None:
    message = failure_message(JOB, "cause " * 200, "restart the recorder")

    assert len(message) <= MESSAGE_LIMIT
    assert message.endswith("… | restart the recorder")


def test_waits_grow_stay_near_their_value_and_have_a_limit() -> None:
    backoff = Backoff(timedelta(seconds=1), 4, timedelta(minutes=5), 0.2, SEEDED)

    waits = [backoff.delay(attempt).total_seconds() for attempt in range(5)]

    assert waits == sorted(waits)
    assert all(0.8 * 4**n <= wait <= 1.2 * 4**n for n, wait in enumerate(waits))
    assert backoff.delay(1000) <= timedelta(minutes=6)


def test_waits_of_two_jobs_differ() -> None:
    backoff = Backoff(chance=SEEDED)

    assert backoff.delay(3) != backoff.delay(3)


def test_attempts_start_again_when_a_person_raises_the_retries() -> None:
    attempts = Attempts()

    assert [attempts.made(9, retries) for retries in (3, 2, 1)] == [0, 1, 2]
    assert attempts.made(9, 5) == 0


def test_attempts_of_long_ago_are_forgotten() -> None:
    attempts = Attempts(keep=1)
    attempts.made(1, 3)
    attempts.made(2, 3)

    assert attempts.made(1, 2) == 0


def test_a_stack_names_places_and_types_of_the_whole_chain_and_no_texts() -> None:
    def fail() -> None:
        try:
            {}["Zhang San"]
        except KeyError as error:
            raise ValueError("Zhang San's number") from error

    try:
        fail()
    except ValueError as error:
        shown = stack(error)

    assert "builtins.ValueError" in shown
    assert "builtins.KeyError" in shown
    assert "test_failures.py" in shown
    assert shown.count("in fail") == 2


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ("no answer", "re-archive failed | application A1, job 9 | no answer | wait"),
        ("it broke | no answer", "it broke | application A1, job 9 | no answer | wait"),
        ("it broke | no answer | mend it", "it broke | application A1, job 9 | no answer | mend it"),
        ("it broke | the disk | a | b | mend it", "it broke | application A1, the disk | a / b | mend it"),
    ],
)
def test_a_message_that_lacks_a_part_gets_it(cause: str, message: str) -> None:
    assert failure_message(JOB, cause, "wait") == message


NUMBERED = SimpleNamespace(**{**vars(JOB), "variables": {"applicationId": "A1", "applicationNumber": "SQ-2026-000123"}})


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ("no answer", "re-archive failed | application SQ-2026-000123, job 9 | no answer | wait"),
        ("it broke | application A1 | full | mend it", "it broke | application SQ-2026-000123 | full | mend it"),
        ("it broke | item I7 | full | mend it", "it broke | application SQ-2026-000123, item I7 | full | mend it"),
    ],
)
def test_a_message_names_the_case_as_people_do(cause: str, message: str) -> None:
    assert failure_message(NUMBERED, cause, "wait") == message


@pytest.mark.parametrize("longest", range(4))
def test_the_runbook_closes_the_message_however_long_the_rest_is(longest: int) -> None:
    cause = " | ".join("long " * 300 if part == longest else f"part {part}" for part in range(4))

    message = failure_message(JOB, cause, "wait", "incidents-pending#keys")

    assert len(message) <= MESSAGE_LIMIT
    assert message.endswith(" (docs/runbooks/incidents-pending.md#keys)")
    assert message.count(" | ") == 3


def test_four_long_parts_leave_something_of_each() -> None:
    message = failure_message(JOB, " | ".join(letter * 900 for letter in "abcd"), "wait", "jobs-failing")

    assert len(message) <= MESSAGE_LIMIT
    assert all(message.count(letter) > 40 for letter in "abcd")


def test_each_kind_of_failure_has_a_runbook_and_one_raise_may_name_another() -> None:
    assert runbook_of(Retryable("x")) == "jobs-failing"
    assert runbook_of(Fatal("x")) == "incidents-pending"
    assert runbook_of(Fatal("x", runbook="database-unavailable")) == "database-unavailable"
    assert runbook_of(StoreDown("x")) == "sealing-stalled"
    assert runbook_of(ValueError("x")) == "jobs-failing"
    assert runbook_of(Refused("code", "x")) == "incidents-pending"
