"""The metrics: what Prometheus has to find before anything happened, and how busy a worker is."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fake_gateway import PATIENCE, FakeGateway

from services.runtime import metrics
from services.runtime.jobs.runner import JobRunner
from services.runtime.jobs.worker import describe
from services.runtime.settings import Settings


@dataclass(frozen=True)
class Seal:
    application_id: str


def said(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


async def test_a_worker_says_how_many_places_it_has_and_how_many_jobs_run(gateway: FakeGateway, channel: Any) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def handle(_command: Seal) -> None:
        begun.set()
        await release.wait()

    settings = Settings.load(
        zeebe_address=gateway.address,
        workers={"job_timeout": timedelta(seconds=30), "poll_seconds": 1, "concurrency": 3},
    )
    runner = JobRunner(settings, [describe("count-flight", handle)], {}, channel)
    job = {"type": "count-flight"}
    idle = said("footage_desk_jobs_in_flight", **job)
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(PATIENCE):
        await gateway.put("count-flight", 12, {"applicationId": "A1"})
        await begun.wait()
        busy = said("footage_desk_jobs_in_flight", **job)
        release.set()
        await gateway.call("CompleteJob")
        await runner.stop()
        await task

    assert (idle, busy, said("footage_desk_jobs_in_flight", **job)) == (0, 1, 0)
    assert said("footage_desk_job_capacity", **job) == 3


async def test_series_of_a_job_type_are_there_before_its_first_job(gateway: FakeGateway, channel: Any) -> None:
    async def handle(_command: Seal) -> None: ...

    JobRunner(Settings.load(zeebe_address=gateway.address), [describe("never-called", handle)], {}, channel)

    for action in metrics.JOB_ACTIONS:
        assert said("camunda_job_invocations_total", type="never-called", action=action) == 0
    assert said("footage_desk_job_leases_lost_total", type="never-called") == 0
    assert (said("footage_desk_last_successful_poll_timestamp_seconds", type="never-called") or 0) > 0


def test_a_channel_of_notices_is_there_before_its_first_notice() -> None:
    metrics.expect_notices("pigeon")

    assert said("footage_desk_notices_total", channel="pigeon", outcome="failed") == 0


def test_a_process_tells_of_its_memory_and_descriptors_and_of_python() -> None:
    exposed = metrics.exposition().decode()

    for name in ("process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total", "python_info"):
        assert f"\n{name}" in exposed
