"""Health: alive is about this process alone, ready is about what it needs, and a busy worker is not a dead one."""

import asyncio

import anyio
import httpx
import pytest

from services.runtime.errors import Fatal
from services.runtime.health import HUNG_SECONDS, LOOP_LIMIT, Health, health_app, serve_health
from services.runtime.http import listen


class Stopwatch:
    """Real time's stand-in for the stamps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def health(watch: Stopwatch) -> Health:
    return Health(monotonic=watch)


def get(health: Health, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(health_app(health))
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_a_fresh_process_is_alive(health: Health) -> None:
    assert get(health, "/livez").status_code == 200


def test_a_loop_that_stands_still_is_not_alive(health: Health, watch: Stopwatch) -> None:
    watch.seconds = LOOP_LIMIT + 1

    answer = get(health, "/livez")

    assert answer.status_code == 503
    assert answer.json()["faults"] == ["the event loop has not turned for 16 s"]


def test_a_closed_channel_is_not_alive(health: Health) -> None:
    health.connected = lambda: False

    assert get(health, "/livez").status_code == 503


def test_a_pool_that_hangs_for_good_is_not_alive(health: Health) -> None:
    hung = [HUNG_SECONDS]
    health.hung_seconds = lambda: hung[0]
    assert get(health, "/livez").status_code == 200

    hung[0] += 1
    answer = get(health, "/livez")
    assert answer.status_code == 503
    assert answer.json()["faults"] == ["no connection to the database has become free for 601 s"]


def test_a_poller_that_went_silent_is_not_alive_unless_it_is_full(health: Health, watch: Stopwatch) -> None:
    poller = health.watch("seal-item", capacity=2, limit=80)
    watch.seconds = 81
    health.loop_stamp = 81

    assert health.faults() == ["nobody polls for seal-item"]
    poller.running = 2
    assert health.faults() == []
    poller.running = 1
    health.beat("seal-item")
    assert health.faults() == []


def test_what_is_not_ready_is_said_and_liveness_does_not_ask(health: Health) -> None:
    async def broken() -> str | None:
        raise ConnectionError("postgresql://desk:shh@db")

    async def fine() -> str | None:
        return None

    async def wanting() -> str | None:
        return "the migrations have not run"

    health.checks |= {"database": broken, "store": fine, "books": wanting}

    ready = get(health, "/readyz")

    assert ready.status_code == 503
    assert ready.json()["unready"] == {
        "database": "the check failed: ConnectionError",
        "books": "the migrations have not run",
    }
    assert get(health, "/livez").status_code == 200


def test_metrics_are_in_prometheus_format(health: Health) -> None:
    answer = get(health, "/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for name in (
        "camunda_job_invocations_total",
        "camunda_client_worker_job_activated_total",
        "footage_desk_transferred_bytes_total",
        'footage_desk_sealings_total{outcome="failed"}',
    ):
        assert f"\n{name}" in answer.text or f"# TYPE {name}" in answer.text


async def test_it_is_served_on_a_port_of_its_own_and_ends_when_told() -> None:
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = asyncio.create_task(serve_health(Health(), listener))
    async with asyncio.timeout(10), httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/livez")
        server.cancel()
        with pytest.raises(asyncio.CancelledError):
            await server

    assert answer.json() == {"alive": True, "faults": []}
    assert listener.fileno() == -1


def test_a_port_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(Fatal, match=rf"could not listen \| 127\.0\.0\.1:{port} \| .* \| free the port"):
            listen("127.0.0.1", port)


async def test_an_answer_that_is_under_way_is_finished_before_the_server_ends() -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def slow() -> str | None:
        asked.set()
        await release.wait()
        return None

    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    async with asyncio.timeout(10), httpx.AsyncClient() as client:
        async with anyio.create_task_group() as group:
            group.start_soon(serve_health, Health(checks={"slow": slow}), listener)
            answering = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/readyz"))
            await asked.wait()
            group.cancel_scope.cancel()
            asyncio.get_running_loop().call_soon(release.set)

        assert (await answering).json() == {"ready": True, "unready": {}}
