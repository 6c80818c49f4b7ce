"""The page of a case draws the model that the case runs on, follows what it calls, and says what it cannot see (R2)."""

import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from called_models import FILES, INTERPRETATION, MAIN, REVIEW, TRANSCRIPTION
from inspected_engine import InspectedEngine
from portal_client import MODELS, Portal
from review_desk import ReviewDesk
from statements import statements

from services.app import deployments
from services.database.tables.applications import Application
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import BRANCH_ENDED, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import opening
from services.domain.cases import engine_timeline, stage_times
from services.domain.cases import rows as case_rows
from services.domain.cases.schemas.timeline import Timeline
from services.domain.process import engine_models, steps
from services.domain.process.deployed_models import ProcessVersion
from services.domain.process.model_library import ModelLibrary
from services.domain.process.steps import JobReference
from services.domain.reviews import tasks
from services.runtime.engine_client import DeployedProcess, Deployment
from services.runtime.errors import NotFound
from services.runtime.places import BPMN

pytestmark = pytest.mark.requirement("R2", verb="recorded")
NAME = "video-retrieval.bpmn"
NEWEST = (BPMN / NAME).read_bytes()
ID = re.compile(rb"\b(Call|Task|Phase|Gateway|Event|Flow|Catch|Message)_(\w+)")
OLD = ID.sub(rb"\1_old_\2", NEWEST)
FIRST, SECOND = ProcessVersion("video-retrieval", 1, 100), ProcessVersion("video-retrieval", 2, 200)
INSTANCE, ASKED, CALLED = 1000, 1001, 3000


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    deploy(desk, {NAME: OLD}, FIRST)
    deploy(desk, {NAME: NEWEST}, SECOND)
    yield desk
    desk.close()


def deploy(desk: ReviewDesk, files: dict[str, bytes], *processes: ProcessVersion) -> None:
    deployed = [
        DeployedProcess(one.process_id, one.version, one.definition_key, f"{one.process_id}.bpmn") for one in processes
    ]
    desk.run(deployments.keep, files, Deployment(1, {}, deployed))


def case_on(desk: ReviewDesk, process: ProcessVersion | None, instance: int = INSTANCE) -> str:
    """A case that waits for its department, on this version of the process."""
    case = desk.submitted()
    desk.run(opening.open_case, case, instance, process)
    review_id = desk.opened(case, "preliminary")
    desk.run(lambda uow: setattr(uow.session.get_one(Review, review_id), "process_instance_key", instance + 1))
    return case


def shown(desk: ReviewDesk, case: str, process_id: str | None = None, library: ModelLibrary | None = None) -> Timeline:
    def read(uow: UnitOfWork) -> Timeline:
        return engine_timeline.timeline_of(
            case_rows.of_case(uow, case), library or ModelLibrary(MODELS), None, process_id
        )[0]

    return desk.run(read, by="drafter")


def here(found: Timeline) -> dict[str, str]:
    return {marker.element_id: marker.kind for marker in found.here}


@pytest.mark.both_databases
def test_each_case_is_drawn_on_its_own_version(desk: ReviewDesk) -> None:
    first, second = case_on(desk, FIRST), case_on(desk, SECOND, 2000)

    old, new = shown(desk, first), shown(desk, second)

    assert (old.process_version, old.model_source, new.process_version, new.model_source) == (1, "own", 2, "own")
    assert (here(old), here(new)) == ({"Call_old_DepartmentDecides": "waiting"}, {"Call_DepartmentDecides": "waiting"})
    assert old.model_sha256 != new.model_sha256 == MODELS["video-retrieval"].sha256
    [wait] = old.awaits
    assert (wait.kind, wait.element_id, wait.due_at) == (
        "review",
        "Call_old_DepartmentDecides",
        desk.the(Review, application_id=first).due_at,
    )


@pytest.mark.parametrize(
    ("process", "source", "sentence"),
    [
        (None, "not-recorded", "没有记录本案使用哪一版流程"),
        (ProcessVersion("video-retrieval", 7, 700), "not-kept", "本案使用第 7 版流程，此处没有保存该版模型"),
    ],
)
async def test_a_version_that_is_not_kept_is_said_and_the_newest_drawn(
    desk: ReviewDesk, process: ProcessVersion | None, source: str, sentence: str
) -> None:
    case = case_on(desk, process)
    found = shown(desk, case)
    assert (found.model_source, found.model_sha256) == (source, MODELS["video-retrieval"].sha256)
    async with Portal(desk) as portal:
        page = (await (await portal.signed_in("drafter")).get(f"/cases/{case}")).text
    assert sentence in page


def test_the_model_of_an_older_version_is_read_once(desk: ReviewDesk) -> None:
    library, counts = ModelLibrary(MODELS), []
    first, second = case_on(desk, FIRST), case_on(desk, SECOND, 2000)
    for case in (second, first, first):
        with statements(desk.database.engine) as sent:
            shown(desk, case, library=library)
        counts.append(len(sent))
    assert counts[1] == counts[0] + 1
    assert counts[2] == counts[0]


async def test_the_page_draws_the_file_of_the_case(desk: ReviewDesk) -> None:
    case = case_on(desk, FIRST)
    desk.run(deployments.keep, {"review-stages.json": b"{}"}, Deployment(1, {}))
    async with Portal(desk) as portal:
        drafter = await portal.signed_in("drafter")
        stages = hashlib.sha256(b"{}").hexdigest()
        no_model = await drafter.get(f"/api/models/video-retrieval?sha256={stages}")
        page = (await drafter.get(f"/cases/{case}")).text
        [address] = re.findall(r'data-model="([^"]+)"', page)
        drawn = await drafter.get(address.replace("&amp;", "&"))
        unknown = await drafter.get(f"/api/models/video-retrieval?sha256={'0' * 64}")
        wrong = await drafter.get(f"/api/models/review?sha256={MODELS['video-retrieval'].sha256}")
    assert "第 1 版" in page
    assert 'data-element="Call_old_DepartmentDecides"' in page
    assert "在此看不到" in page  # without the engine
    assert 'id="Call_old_DepartmentDecides"' in drawn.text
    assert [answer.status_code for answer in (unknown, wrong, no_model)] == [404, 404, 404]


def test_the_times_of_stages_are_those_of_each_version(desk: ReviewDesk) -> None:
    case = case_on(desk, FIRST)
    job = JobReference(10, "video-retrieval", INSTANCE, "Task_old_PreserveFootage", case, version=FIRST)
    desk.run(steps.start, job)
    desk.clock.turn(timedelta(hours=1))
    desk.run(steps.end, job, steps.COMPLETED)

    def times(uow: Any) -> dict[str, float]:
        lines = stage_times.list_stage_times(uow, MODELS, uow.now - timedelta(days=9), uow.now)
        return {line.stage: line.longest for line in lines}

    assert desk.run(times, by="reviewer")["preservation"] == 3600


def called(desk: ReviewDesk) -> str:
    """A case whose process calls another, which calls a third and a review."""
    versions = {"video-retrieval": SECOND, "interpretation": ProcessVersion("interpretation", 1, 300)}
    versions["video-retrieval"] = ProcessVersion("video-retrieval", 3, 301)
    versions["transcription"] = ProcessVersion("transcription", 1, 302)
    deploy(desk, FILES, *versions.values())
    case = case_on(desk, versions["video-retrieval"])
    for key, process, element in ((20, "interpretation", "fork"), (21, "transcription", "Task_Transcribe")):
        reference = JobReference(key, process, CALLED + key, element, case, version=versions[process])
        desk.run(steps.start, reference)
    return case


def test_called_processes_of_the_designers_are_followed(desk: ReviewDesk) -> None:
    case = called(desk)

    main, inner, innermost = (shown(desk, case, process) for process in (None, "interpretation", "transcription"))

    assert here(main) == {"Call_Own": "waiting"}
    assert [(one.process_id, one.here) for one in main.called] == [("interpretation", True), ("transcription", True)]
    assert [marker.called for marker in main.here] == ["interpretation"]
    assert {element: kind for element, kind in here(inner).items() if element != "fork"} == {
        "Call_Transcribe": "working",
        "Call_Ask": "waiting",
    }
    assert {marker.called for marker in inner.here} == {None, "transcription"}
    assert here(innermost) == {"Task_Transcribe": "working"}
    assert (innermost.process_version, innermost.model_source) == (1, "own")
    with pytest.raises(NotFound):
        shown(desk, case, "hostile")


class Running(InspectedEngine):
    """An engine in which the case's own process stands in what it has called."""

    def __init__(self, desk: ReviewDesk) -> None:
        super().__init__()
        self.case = desk.submitted()
        processes = self.core.deploy(MAIN, INTERPRETATION, TRANSCRIPTION, REVIEW).processes
        self.instance = self.core.create("video-retrieval", applicationId=self.case)
        main = next(one for one in processes if one.bpmn_process_id == "video-retrieval")
        version = ProcessVersion("video-retrieval", main.version, main.key)
        desk.run(opening.open_case, self.case, self.instance.key, version)


async def test_the_engine_tells_what_nobody_does_and_what_the_case_waits_for(desk: ReviewDesk) -> None:
    engine = Running(desk)
    await engine_models.keep_models(desk.database, engine)
    engine.asked_for = {"open-review"}
    async with Portal(desk, engine=engine) as portal:
        drafter = await portal.signed_in("drafter")
        main = (await drafter.get(f"/api/cases/{engine.case}/timeline")).json()
        page = (await drafter.get(f"/cases/{engine.case}")).text
        inner = (await drafter.get(f"/api/cases/{engine.case}/timeline?process=interpretation")).json()
        engine.asked_for = {"open-review", "own-transcribe"}
        served = (await drafter.get(f"/api/cases/{engine.case}/timeline")).json()

    assert (main["fromEngine"], main["modelSource"], main["inTransit"]) == (True, "own", False)
    assert {(one["kind"], one["elementId"], one["name"]) for one in main["awaits"]} == {
        ("unserved", "Task_Transcribe", "own-transcribe"),
        ("timer", "Timer_Own", ""),
        ("signal", "Wait_Clear", "all-clear"),
    }
    assert [one["zh"] for one in main["awaits"]] == ["转写录音", "三天已到", "等待解除"]
    assert next(one["dueAt"] for one in main["awaits"] if one["kind"] == "timer")
    assert [(one["elementId"], one["kind"], one["called"]) for one in main["markers"] if one["kind"] != "passed"] == [
        ("Call_Own", "unserved", "interpretation")
    ]
    assert {(one["elementId"], one["kind"]) for one in inner["markers"] if one["kind"] != "passed"} == {
        ("Call_Transcribe", "unserved"),
        ("Wait_Clear", "event"),
        ("Call_Ask", "working"),
    }
    assert [(one["processId"], one["here"]) for one in main["called"]] == [
        ("interpretation", True),
        ("transcription", True),
    ]
    assert (inner["modelSource"], inner["processVersion"]) == ("own", 1)
    assert "作业 own-transcribe 没有处理进程接手" in page
    assert "在此看不到" not in page
    assert "unserved" not in {one["kind"] for one in served["awaits"]}
    assert {one["kind"] for one in served["markers"]} == {"event"}


async def test_a_case_of_which_nothing_is_known_to_be_in_progress_is_told_so(desk: ReviewDesk) -> None:
    """As on a cluster, where a timer, a signal or a job that no worker takes cannot be seen."""
    case = case_on(desk, SECOND)
    review = desk.the(Review, application_id=case)
    desk.run(lambda uow: tasks.close(uow, uow.session.get_one(Review, review.id), BRANCH_ENDED))
    async with Portal(desk) as portal:
        page = (await (await portal.signed_in("drafter")).get(f"/cases/{case}")).text
    assert "目前没有已知正在进行的作业、审核或消息" in page


async def test_a_case_whose_process_is_gone_is_said(desk: ReviewDesk) -> None:
    engine = Running(desk)
    gone = case_on(desk, SECOND, 4711)
    async with Portal(desk, engine=engine) as portal:
        page = (await (await portal.signed_in("drafter")).get(f"/cases/{gone}")).text
    assert "流程引擎中没有本案的流程" in page


async def test_the_version_of_an_older_case_is_read_from_the_engine(desk: ReviewDesk) -> None:
    engine = Running(desk)

    def forget(uow: Any) -> None:
        row = uow.session.get_one(Application, engine.case)
        row.process_id = row.process_version = row.process_definition_key = row.model_sha256 = None

    desk.run(forget)
    await engine_models.keep_models(desk.database, engine)
    found = shown(desk, engine.case)
    assert (found.process_version, found.model_source) == (1, "own")
    assert desk.all(ProcessStep) == []
