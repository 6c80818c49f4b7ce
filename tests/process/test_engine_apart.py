"""The process tests against an engine that is only reached through Zeebe's gateway, as with `make test-zeebe`."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import amount
import pytest

HERE = Path(__file__).parent
START_SECONDS = 30
RUN_SECONDS = 240
CHOSEN = (
    "test_whole_case.py::test_two_items_go_from_the_form_to_the_archive",
    "test_retrieval_paths.py::test_of_three_items_one_is_missing_and_one_partial_and_the_rest_is_accepted",
    "test_approval_paths.py::test_reviewers_are_reminded_and_a_review_that_is_overdue_goes_to_the_substitutes",
    "test_correction_paths.py::test_an_application_that_is_not_corrected_expires",
    "test_correction_paths.py::test_withdrawing_in_approval",
    "test_custody_paths.py::test_a_return_within_the_grace_is_late_and_no_violation",
    "test_process_mishaps.py::test_a_second_start_of_a_case_ends_silently",
    "test_closed_loans.py::test_a_loan_that_only_a_message_has_closed_is_an_incident[recalled-Task_InspectReturn]",
)[: amount.examples(sample=3, full=8)]


@asynccontextmanager
async def engine_apart(records: Path) -> AsyncIterator[tuple[str, str]]:
    """Gateway and clock of an engine in a process of its own, which writes a file of records."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("footage-desk"),
        *("engine", "--address", "127.0.0.1:0", "--controlled-clock", "--management", "127.0.0.1:0"),
        *("--records", str(records)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            gateway = re.search(r"listens on (\S+)\.$", (await process.stdout.readline()).decode().strip())
            management = re.search(r"are at (\S+)\.$", (await process.stdout.readline()).decode().strip())
        assert gateway is not None
        assert management is not None
        yield gateway[1], f"{management[1]}/actuator/clock"
    finally:
        process.terminate()
        await process.wait()


def run_pytest(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """pytest by itself, with these variables and no others about a broker."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ZEEBE_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "zeebe", "-q", "-p", "no:cacheprovider", *arguments],
        env=variables | environment,
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


async def test_whole_cases_run_against_an_engine_behind_its_gateway_alone(tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    async with engine_apart(records) as (gateway, clock):
        tests = [str(HERE / name) for name in CHOSEN]
        ran = await asyncio.to_thread(
            run_pytest, *tests, ZEEBE_ADDRESS=gateway, ZEEBE_CLOCK=clock, ZEEBE_RECORDS=str(records)
        )

    assert ran.returncode == 0, ran.stdout[-4000:]
    assert f"{len(CHOSEN)} passed" in ran.stdout


def test_without_a_broker_they_are_skipped_with_a_sentence() -> None:
    ran = run_pytest(str(HERE / "test_custody_paths.py"))

    assert ran.returncode == 0, ran.stdout[-4000:]
    assert "set them to a broker's gateway" in ran.stdout
    assert "passed" not in ran.stdout


pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]
