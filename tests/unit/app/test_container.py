"""What a process that is one of several opens: the stores and keys that its parts ask for, and no other."""

from pathlib import Path
from unittest.mock import Mock

import pytest

from services.app import server
from services.app.container import Container, open_container
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.jobs.parking import Parking
from services.runtime.jobs.worker import discover
from services.runtime.settings import Settings


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return open_container(Settings.load(data_dir=tmp_path), apart=True)


def opened(container: Container) -> set[str]:
    folder = container.settings.data_dir
    keys = folder / "keys"
    places = {"store": folder / "store", "replica": folder / "replica", "vault": keys / "vault", "seal": keys / "seal"}
    return {name for name, place in places.items() if place.exists()}


@pytest.mark.parametrize(
    ("job_type", "asked_for"),
    [
        ("open-case", set()),
        ("inspect-return", {"store"}),
        ("back-up-footage", {"store", "replica"}),
        ("retrieve-footage", {"store", "vault", "seal"}),
        ("re-archive", {"store", "replica", "seal"}),
    ],
)
def test_a_worker_opens_the_stores_and_keys_that_it_asks_for(
    container: Container, job_type: str, asked_for: set[str]
) -> None:
    given = container.for_workers(server.roles_for([job_type]).workers)

    assert opened(container) == asked_for
    assert {"database", "loan_keys"} <= set(given)


def test_the_portal_opens_neither_the_replica_nor_the_vaults_keys(container: Container) -> None:
    _ = container.for_portal

    assert opened(container) == {"store"}


def test_everything_in_one_process_opens_stores_and_keys_before_it_starts(tmp_path: Path) -> None:
    container = open_container(Settings.load(data_dir=tmp_path))

    assert opened(container) == {"store", "replica", "vault", "seal"}


def test_who_holds_the_loan_keys_of_what_it_uploads_sweeps_for_all() -> None:
    assert [one.job_type for one in discover() if server.roles_for([one.job_type]).sweeper] == [
        "encrypt-copy",
        "grant-emergency-view",
    ]


@pytest.mark.parametrize(
    ("job_type", "tasks"),
    [
        ("preserve-footage", {"preservations", "returned-recorders"}),
        (
            "encrypt-copy",
            {"locks", "discards", "disposals", "redactions", "detections", "packages", "store-health", "sweeper"},
        ),
        (  # it has no seal key, without which no package is made
            "grant-emergency-view",
            {"locks", "discards", "disposals", "redactions", "detections", "store-health", "sweeper"},
        ),
        ("retrieve-footage", {"returned-recorders"}),
        ("open-case", set()),
    ],
)
def test_who_asks_recorders_follows_them_and_tries_again_what_could_not_be_preserved(
    container: Container, job_type: str, tasks: set[str]
) -> None:
    client = Mock(spec=PyzeebeEngineClient)

    found = server._periodic_tasks(container, server.roles_for([job_type]), client, None, Mock(spec=Parking))

    assert {task.name for task in found} == tasks
