"""The files that were deployed are kept, and each case with the version of the model that it runs on (R2)."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from review_desk import ReviewDesk

from services.app import deployments
from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.deployed_models import DeployedProcess, ModelFile
from services.database.tables.process_steps import ProcessStep
from services.domain.applications import opening
from services.domain.process import deployed_models, steps
from services.domain.process.deployed_models import ProcessVersion
from services.domain.process.steps import JobReference
from services.runtime.engine_client import DeployedProcess as Deployed
from services.runtime.engine_client import Deployment

pytestmark = pytest.mark.requirement("R2", verb="recorded")
FIRST, SECOND = ProcessVersion("video-retrieval", 1, 100), ProcessVersion("video-retrieval", 2, 200)
MODEL = "video-retrieval.bpmn"


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def deploy(desk: ReviewDesk, process: ProcessVersion, content: bytes) -> None:
    deployed = Deployed(process.process_id, process.version, process.definition_key, MODEL)
    deployment = Deployment(1, {process.process_id: process.version}, [deployed])
    desk.run(deployments.keep, {MODEL: content, "classification.dmn": b"table"}, deployment)


def case_on(desk: ReviewDesk, process: ProcessVersion, instance: int = 1000) -> str:
    case = desk.submitted()
    desk.run(opening.open_case, case, instance, process)
    return case


def shown(desk: ReviewDesk, case: str) -> tuple[Any, ...]:
    row = desk.the(Application, id=case)
    return (row.process_id, row.process_version, row.process_definition_key, row.model_sha256)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.both_databases
def test_the_engine_keeps_the_newest_version_of_each_process(desk: ReviewDesk) -> None:
    deploy(desk, FIRST, b"one")
    desk.clock.turn(timedelta(days=1))
    deploy(desk, ProcessVersion("violation", 1, 101), b"a violation")
    deploy(desk, SECOND, b"two")

    assert sorted(desk.run(deployed_models.list_newest).values()) == [b"a violation", b"two"]


@pytest.mark.both_databases
def test_a_case_keeps_the_model_that_it_began_on(desk: ReviewDesk) -> None:
    deploy(desk, FIRST, b"one")
    case = case_on(desk, FIRST)
    deploy(desk, SECOND, b"two")
    deploy(desk, SECOND, b"two")

    assert shown(desk, case) == ("video-retrieval", 1, 100, digest(b"one"))
    assert shown(desk, case_on(desk, SECOND, 2000)) == ("video-retrieval", 2, 200, digest(b"two"))
    assert {file.sha256: file.content for file in desk.all(ModelFile)} == {
        digest(content): content for content in (b"one", b"two", b"table")
    }
    entries = [json.loads(event.entry)["detail"] for event in desk.all(AuditEvent, action="case-opened")]
    assert [entry["process_version"] for entry in entries] == [1, 2]


def test_a_case_that_begins_before_its_deployment_is_on_record_is_completed(desk: ReviewDesk) -> None:
    case = case_on(desk, FIRST)
    other = case_on(desk, SECOND, 2000)
    assert shown(desk, case) == ("video-retrieval", 1, 100, None)

    deploy(desk, FIRST, b"one")

    assert shown(desk, case)[-1] == digest(b"one")
    assert shown(desk, other)[-1] is None


def test_a_version_that_nobody_deployed_on_record_has_no_digest(desk: ReviewDesk) -> None:
    """Keys begin anew with an engine that was made anew: the number alone is no proof."""
    deploy(desk, FIRST, b"one")
    for other in (replace(FIRST, process_id="hostile"), replace(FIRST, version=2)):
        assert shown(desk, case_on(desk, other, 3000))[-1] is None


def test_the_next_job_tells_the_version_of_an_older_case_and_of_one_that_was_moved(desk: ReviewDesk) -> None:
    deploy(desk, FIRST, b"one")
    deploy(desk, SECOND, b"two")
    case = desk.submitted()
    desk.run(opening.open_case, case, 1000)
    assert shown(desk, case) == (None, None, None, None)
    job = JobReference(10, "video-retrieval", 1000, "Task_FileApplication", case, version=FIRST)

    desk.run(steps.start, replace(job, element_instance_key=11, process_instance_key=4711, version=SECOND))
    assert shown(desk, case) == (None, None, None, None)
    desk.run(steps.start, job)
    assert shown(desk, case) == ("video-retrieval", 1, 100, digest(b"one"))
    desk.run(steps.start, replace(job, element_instance_key=12, version=SECOND))

    assert shown(desk, case) == ("video-retrieval", 2, 200, digest(b"two"))
    versions = {row.element_instance_key: row.process_version for row in desk.all(ProcessStep)}
    assert versions == {10: 1, 11: 2, 12: 2}
    assert {row.version for row in desk.all(DeployedProcess)} == {1, 2}
