"""docs/tasklist/review.bpmn, the review that stands in Camunda's Tasklist as well: what can be shown of it here.

The embedded engine has no Tasklist and refuses Camunda user tasks. It does run the same element as a job, which stands
for Tasklist here: whoever completes it has completed the task.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from case_people import OpenDesk, People
from engine_harness import EngineHarness
from pyzeebe.proto import gateway_pb2 as pb

from services.app.container import MODELS
from services.database.tables.reviews import Decision, Review
from services.domain.stages.catalogue import STAGES
from services.engine.errors import Rejection
from services.runtime.places import ROOT

pytestmark = pytest.mark.slow

VARIANT = ROOT / "docs" / "tasklist" / "review.bpmn"
USER_TASK = "        <zeebe:userTask />\n"
TASKLIST = "io.camunda.zeebe:userTask"
COMMAND = Path(sys.executable).with_name("footage-desk")


@pytest.fixture
def swapped(tmp_path: Path) -> Path:
    """A site's own models with the variant in the place of review.bpmn, as docs/camunda.md says."""
    folder = tmp_path / "my-models"
    shutil.copytree(MODELS, folder)
    shutil.copy(VARIANT, folder / "review.bpmn")
    return folder


def test_the_swapped_models_are_formatted_and_lint_advises_of_the_engine_that_refuses_them(swapped: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([COMMAND, "bpmn", *words, swapped], capture_output=True, text=True, check=False)

    formatted, linted = run("format", "--check"), run("lint")

    assert formatted.returncode == 0, formatted.stdout + formatted.stderr
    assert linted.returncode == 2, linted.stdout + linted.stderr
    [line] = linted.stderr.splitlines()
    assert "Task_AwaitDecision: A Camunda cluster runs this, the embedded engine refuses it" in line


def test_the_embedded_engine_refuses_it_with_a_sentence() -> None:
    with pytest.raises(Rejection, match=r"Task_AwaitDecision.*Camunda user tasks need REST"):
        EngineHarness().deploy(VARIANT.read_bytes())


@pytest.mark.requirement("R22", "R24", refuses=True)
async def test_the_portal_decides_and_who_completes_the_task_in_tasklist_does_not(
    swapped: Path, a_desk: OpenDesk
) -> None:
    model = swapped / "review.bpmn"
    text = model.read_text(encoding="utf-8")
    assert text.count(USER_TASK) == 1
    model.write_text(text.replace(USER_TASK, ""), encoding="utf-8")
    try:
        async with a_desk(models_dir=swapped) as desk:
            case = await desk.apply("cam1")
            review = await desk.review(case, "preliminary")
            task = await _in_tasklist(desk)
            assert "preliminary" in task.customHeaders  # the group
            assert f"https://footage.example/reviews/{review.id}" in task.variables

            await desk.gateway.CompleteJob(pb.CompleteJobRequest(jobKey=task.key, variables="{}"))
            again = await _in_tasklist(desk)
            assert again.key != task.key
            assert desk.rows(Decision) == []

            await desk.decide(case, "preliminary")
            await desk.reach(case, "security")
            await desk.decide(case, "security", "rejected")
            await desk.closed(case, "rejected")
            assert [one.stage for one in desk.rows(Review)] == ["preliminary", "security"]
            assert not desk.trace.running
    finally:
        STAGES.use(MODELS)


async def _in_tasklist(desk: People) -> pb.ActivatedJob:
    """What Tasklist would show; it is waited for."""
    request = pb.ActivateJobsRequest(
        type=TASKLIST, worker="tasklist", timeout=60_000, maxJobsToActivate=9, requestTimeout=15_000
    )
    (task,) = [job async for answer in desk.gateway.ActivateJobs(request) for job in answer.jobs]
    return task
