"""docs/designers.md, followed: the blocks of the guide are what this test writes into a copy of the models and runs.

``FOOTAGE_DESK_TEST_PICTURES=docs/guide pytest tests/process/test_designers_guide.py`` makes the guide's pictures again.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import guide_pages
import pytest
import tools
from bpmn_makers import diagram, end, job, start
from case_people import OpenDesk, People
from modeler import Drawing
from pyzeebe import ZeebeClient, create_insecure_channel

from services.app.container import MODELS
from services.database.tables.documents import Document
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.demo.organisation import demo_id
from services.designers import model_diff, own_workers
from services.designers.lint import check as lint_check
from services.designers.lint.findings import Level
from services.designers.policy_check import listing
from services.designers.policy_check.check import check
from services.domain.access import parts
from services.domain.access import queries as access_queries
from services.domain.accounts import posts
from services.domain.accounts.posts import PostRequest
from services.domain.cases import inbox as case_inbox
from services.domain.change_requests import service as change_requests
from services.domain.notifications import texts
from services.domain.stages import file as stage_file
from services.domain.stages.catalogue import STAGES, Stage
from services.engine.clock import SystemClock
from services.engine.server import EngineServer
from services.runtime.errors import Refused
from services.runtime.jobs.worker import discover
from services.runtime.labels import word
from services.runtime.places import ROOT

DOCS = ROOT / "docs"
GUIDE, CHINESE = ((DOCS / name).read_text(encoding="utf-8") for name in ("designers.md", "designers.zh.md"))
LANGUAGES = ("zh", "en")
PICTURES = os.environ.get("FOOTAGE_DESK_TEST_PICTURES")
COMMAND = Path(sys.executable).with_name("footage-desk")


def block(kind: str) -> str:
    """The one fenced block of the guide with this heading."""
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    return str(found)


def run(heading: str, folder: Path, **variables: str) -> str:
    """Type the commands of a block of the guide, in ``folder``; what they said."""
    said = ""
    for line in block(f"console {heading}" if heading else "console").splitlines():
        words = line.split()
        named = dict(word.split("=", 1) for word in words if "=" in word)
        command = [str(COMMAND) if word == "footage-desk" else word for word in words if "=" not in word]
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **named, **variables}, capture_output=True, text=True, check=False
        )
        said += done.stdout + done.stderr
        assert done.returncode == 0, said
    return said


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A checkout's folder with the models, as the guide finds it; afterwards the process works by the shipped ones."""
    folder = tmp_path / "checkout"
    shutil.copytree(MODELS, folder / "bpmn")
    yield folder
    STAGES.use(MODELS)


def add_stage(models: Path) -> None:
    """Step 2: what the guide shows of the file goes into it, the stage before ``security``."""
    path = models / stage_file.NAME
    content: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    for part, new in json.loads(block("json stages")).items():
        there = list(content[part].items())
        at = [name for name, _ in there].index("security") if part == "stages" else len(there)
        content[part] = dict([*there[:at], *new.items(), *there[at:]])
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf-8")


def draw_review(models: Path) -> None:
    """Step 3: the five acts of the guide."""
    template = json.loads((models / ".camunda/element-templates/review.json").read_text(encoding="utf-8"))
    elements = re.sub('(modelerTemplateVersion=)"[0-9]+"', rf'\1"{template["version"]}"', block("xml elements"))
    drawing = Drawing(models / "video-retrieval.bpmn", "Phase_Approval")
    drawing.make_room(after=975, by=240)
    drawing.put(elements)
    drawing.place("Call_InterpreterDecides", 985, 260, 100, 80)
    drawing.place("Gateway_Interpretable", 1130, 275, 50, 50)
    drawing.label("Gateway_Interpretable", 1089, 259, 55, 14)
    drawing.place("Event_InterpreterReturned", 1137, 152, 36, 36)
    drawing.label("Event_InterpreterReturned", 1127, 134, 55, 14)
    drawing.turn("Flow_DepartmentApproved", "Call_InterpreterDecides", instead="Flow_Interpretable")
    drawing.draw("Flow_DepartmentApproved", (940, 300), (985, 300))
    drawing.draw("Flow_InterpreterDecided", (1085, 300), (1130, 300))
    drawing.draw("Flow_Interpretable", (1180, 300), (1225, 300))
    drawing.draw("Flow_NotInterpretable", (1155, 275), (1155, 188))
    drawing.save()


SILENCE = """
<bpmn:boundaryEvent id="Event_DepartmentSilent" name="三天未答复" attachedToRef="Call_DepartmentDecides">
  <bpmn:documentation>No answer for three days.
Requirements: R22</bpmn:documentation>
  <bpmn:outgoing>Flow_DepartmentSilent</bpmn:outgoing>
  <bpmn:timerEventDefinition id="Timer_DepartmentSilent">
    <bpmn:timeDuration xsi:type="bpmn:tFormalExpression">P3D</bpmn:timeDuration>
  </bpmn:timerEventDefinition>
</bpmn:boundaryEvent>
<bpmn:sequenceFlow id="Flow_DepartmentSilent" sourceRef="Event_DepartmentSilent" targetRef="Call_InterpreterDecides" />
"""


def draw_silence(models: Path) -> None:
    """Step 4, the edit that breaks a rule: the department's silence is taken for its approval."""
    drawing = Drawing(models / "video-retrieval.bpmn", "Phase_Approval")
    drawing.put(SILENCE)
    drawing.place("Event_DepartmentSilent", 712, 322, 36, 36)
    drawing.label("Event_DepartmentSilent", 652, 346, 55, 14)
    drawing.draw("Flow_DepartmentSilent", (730, 358), (730, 380), (1035, 380), (1035, 340))
    drawing.enter("Call_InterpreterDecides", "Flow_DepartmentSilent")
    drawing.save()


def is_the_picture(name: str, drawn: Path) -> None:
    """The picture of the guide is what was drawn; it is made again where the run asks for pictures."""
    kept = DOCS / "guide" / name
    if PICTURES:
        shutil.copyfile(drawn, Path(PICTURES) / name)
    assert kept.read_text(encoding="utf-8") == drawn.read_text(encoding="utf-8"), f"{name}: {__doc__}"


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout's folder after steps 1 to 4, which are followed once; the tests work with copies of it."""
    folder = tmp_path_factory.mktemp("followed") / "checkout"
    shutil.copytree(MODELS, folder / "bpmn")
    run("", folder)
    models = folder / "my-models"
    add_stage(models)
    assert "review.json was written" in run("templates", folder)
    draw_review(models)
    assert "Clean on every profile." in run("check", folder)
    return folder


@pytest.fixture
def changed(followed: Path, tmp_path: Path) -> Iterator[Path]:
    """The models after steps 1 to 4; afterwards the process works by the shipped ones."""
    folder = Path(shutil.copytree(followed, tmp_path / "checkout"))
    yield folder / "my-models"
    STAGES.use(MODELS)


@pytest.mark.slow
@pytest.mark.tool("chromium")
async def test_an_interpreters_review_is_added_without_code(changed: Path, a_desk: OpenDesk) -> None:
    async with a_desk(models_dir=changed) as desk:
        deployed = await asyncio.to_thread(
            run,
            "deploy",
            changed.parent,
            ZEEBE_ADDRESS=desk.addresses.engine,
            FOOTAGE_DESK_DATA_DIR=str(desk.settings.data_dir),
        )
        assert "video-retrieval version 1" in deployed  # what runs is what was drawn, so there is no newer version
        review = await _reached(desk)
        assert desk.candidates(review) == ["yangfan"]  # nobody is an interpreter yet
        post = PostRequest("interpreter", demo_id("administration"))
        with pytest.raises(Refused, match="second person"):
            await desk.as_person("luoxin", posts.assign, demo_id("chenjing"), post)
        [request] = await desk.as_person("zhaoqiang", change_requests.list_visible)
        await desk.as_person("zhaoqiang", change_requests.confirm, request.id)
        await desk.as_person("luoxin", posts.assign, demo_id("chenjing"), post)
        assert desk.candidates(review) == ["chenjing"]
        await asyncio.to_thread(_follow_the_pages, desk)

        [line] = (await desk.as_person("chenjing", case_inbox.read_waiting)).lines
        assert line.id == review.id
        view = await desk.as_person("chenjing", case_inbox.get_review, review.id)
        assert [question.code for question in view.questions] == ["translatable"]
        await desk.decide(review.application_id, "interpreting", "returned", answers={"translatable": False})
        await desk.correct(review.application_id, "cam1", purpose="核对出入库人员的谈话内容，附翻译说明")

        assert (await desk.reach(review.application_id, "interpreting")).round == 1
        await desk.decide(review.application_id, "interpreting")
        _holds_like_every_other_review(desk, review.application_id)
        await desk.accept(review.application_id)
        form = next(one for one in desk.rows(Document) if one.kind == "application-form")
        assert "interpreting" in json.dumps(form.content)
        await desk.returned(review.application_id)

    stages = [(one.round, one.stage) for one in sorted(desk.rows(Decision), key=lambda one: one.decided_at)]
    assert stages[:5] == [
        (0, "preliminary"),
        (0, "interpreting"),
        (1, "preliminary"),
        (1, "interpreting"),
        (1, "security"),
    ]


def _follow_the_pages(desk: People) -> None:
    stage = json.loads(block("json stages"))["stages"]["interpreting"]
    pictures = Path(PICTURES) if PICTURES else None
    guide_pages.follow(
        desk.container, "chenjing", stage=stage["zh"], question=stage["questions"][0]["zh"], pictures=pictures
    )


async def _reached(desk: People) -> Review:
    case = await desk.apply("cam1")
    review = await desk.reach(case, "interpreting")
    assert (review.due_at - review.opened_at).total_seconds() == 8 * 3600
    return review


@pytest.fixture
def with_worker(place: Path) -> Path:
    """The models with the guide's worker of one's own: declared, drawn, checked."""
    run("", place)
    models = place / "my-models"
    (models / own_workers.NAME).write_text(block("json workers"), encoding="utf-8")
    assert "check-translation.json was written" in run("templates", place)
    drawing = Drawing(models / "video-retrieval.bpmn", "Phase_Approval")
    drawing.make_room(after=975, by=240)
    drawing.put(block("xml own"))
    drawing.place("Task_CheckTranslation", 985, 260, 100, 80)
    drawing.place("Gateway_Translated", 1130, 275, 50, 50)
    drawing.place("Event_NotTranslated", 1137, 152, 36, 36)
    drawing.turn("Flow_DepartmentApproved", "Task_CheckTranslation", instead="Flow_Translated")
    drawing.draw("Flow_DepartmentApproved", (940, 300), (985, 300))
    drawing.draw("Flow_TranslationChecked", (1085, 300), (1130, 300))
    drawing.draw("Flow_Translated", (1180, 300), (1225, 300))
    drawing.draw("Flow_NotTranslated", (1155, 275), (1155, 188))
    drawing.save()
    assert "Clean on every profile." in run("check", place)
    return models


@asynccontextmanager
async def own_worker(address: str, folder: Path) -> AsyncIterator[None]:
    """The guide's program in a process of its own, on pyzeebe alone."""
    program = folder / "check_translation.py"
    program.write_text(block("python worker"), encoding="utf-8")
    worker = await asyncio.create_subprocess_exec(
        sys.executable, program, cwd=folder, env={**os.environ, "ZEEBE_ADDRESS": address}
    )
    try:
        yield
    finally:
        worker.kill()
        await worker.wait()


@pytest.mark.slow
async def test_a_case_goes_through_a_worker_of_ones_own(with_worker: Path, a_desk: OpenDesk) -> None:
    async with a_desk(models_dir=with_worker) as desk:
        folder = with_worker.parent
        data = str(desk.settings.data_dir)
        deployed = await asyncio.to_thread(
            run, "deploy", folder, ZEEBE_ADDRESS=desk.addresses.engine, FOOTAGE_DESK_DATA_DIR=data
        )
        assert "video-retrieval version 1" in deployed
        async with own_worker(desk.addresses.engine, folder):
            case = await desk.apply("cam1")
            await desk.decide(case, "preliminary")

            assert (await desk.reach(case, "security")).round == 0


OWN = diagram(start() + job("check", job_type="check-translation") + end(), "s>check check>e", process_id="own")


async def answer_of(address: str, folder: Path) -> object:
    client = ZeebeClient(create_insecure_channel(address))
    (folder / "own.bpmn").write_bytes(OWN)
    async with own_worker(address, folder):
        await client.deploy_resource(folder / "own.bpmn")
        done = await client.run_process_with_result("own", {"applicationId": "A1"}, timeout=60_000)
    return done.variables["translation"]


@pytest.mark.parametrize("address", ["unix:{folder}/gateway.socket", "127.0.0.1:0"], ids=["socket", "port"])
async def test_the_worker_reaches_an_engine_by_its_address(address: str, tmp_path: Path) -> None:
    folder = tmp_path / "var" / "engine"
    # on a port of this machine an engine whose clock is controlled asks for no token, as a cluster without OAuth
    engine = EngineServer(folder, SystemClock(), address.format(folder=folder), controlled_clock=True)
    try:
        assert await answer_of(await engine.start(), tmp_path) == "there"
    finally:
        await engine.stop()


@pytest.mark.zeebe
@pytest.mark.skipif("ZEEBE_ADDRESS" not in os.environ, reason="ZEEBE_ADDRESS is not set")
async def test_the_worker_reaches_a_cluster(tmp_path: Path) -> None:
    assert await answer_of(os.environ["ZEEBE_ADDRESS"], tmp_path) == "there"


def test_the_guide_gives_the_worker_the_address_of_either() -> None:
    embedded, cluster = block("console embedded").split(), block("console cluster").split()

    assert embedded == ["ZEEBE_ADDRESS=unix:$(realpath", "var/engine/gateway.socket)", "python", "check_translation.py"]
    assert cluster == ["ZEEBE_ADDRESS=zeebe:26500", "python", "check_translation.py"]


def test_the_guide_names_every_key_of_a_worker() -> None:
    table = GUIDE.partition("### A worker of your own")[2].partition("\n## ")[0]
    named = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall("`([A-Za-z]+)`", row)
    }

    assert {field.alias or name for name, field in own_workers.OwnWorker.model_fields.items()} == named


def _holds_like_every_other_review(desk: People, case: str) -> None:
    """Words on pages and in notices, and one duty for one person."""
    assert (word("zh", "interpreting"), word("en", "interpreter")) == ("翻译审核", "interpreter")
    assert texts.get_text("decided:interpreting:approved").en == "Interpreter's review: approved."
    assert desk.notices("lina", "decided:interpreting:returned")

    def refused(uow: UnitOfWork) -> str:
        facts = access_queries.load_facts(uow, case)
        refusal = parts.duty_refusal(access_queries.load_directory(uow), facts, "security", demo_id("chenjing"))
        return refusal.en if refusal else ""

    assert desk.look(refused) == "You are the interpreter of this case: another person has to do this."


@pytest.mark.slow
@pytest.mark.tool("chromium")
def test_the_pictures_of_the_changed_models_are_drawn(changed: Path) -> None:
    run("picture", changed.parent, **tools.chromium_environment(), CHROMIUM=str(tools.chromium()))
    drawn = (changed / "process-approval.svg").read_text(encoding="utf-8")

    assert "翻译审核" in drawn


@pytest.mark.slow
def test_the_pictures_of_the_change_are_those_of_the_guide(changed: Path, tmp_path: Path) -> None:
    assert "翻译审核 (Call_InterpreterDecides)" in run("diff", changed.parent)
    changes = model_diff.diff(MODELS, changed)

    for language in LANGUAGES:
        [drawn] = model_diff.draw_changes(changes, MODELS, changed, tmp_path / language, language)
        is_the_picture(f"change.{language}.svg", drawn)


@pytest.mark.slow
@pytest.mark.requirement("R22")
def test_an_edit_that_breaks_a_rule_is_drawn_as_in_the_guide(changed: Path, tmp_path: Path) -> None:
    draw_silence(changed)
    assert [one.sentence("en") for one in lint_check.find(changed, discover()) if one.level is Level.ERROR] == []

    report = check(changed, discover(), items=1, until="department-first")

    [verdict] = [one for one in report.broken if one.rule == "department-first"]
    assert verdict.en == "No retrieval without the department's approval, or the check of credentials, in this round"
    options = " --items 1 --seconds 60 --paths my-paths"
    assert block("console paths").strip() == block("console policy").strip() + options
    for language in LANGUAGES:
        listing.write_paths(report, changed, tmp_path / language, language)
        is_the_picture(f"broken.{language}.svg", tmp_path / language / verdict.rule / "Phase_Approval.svg")


def test_the_guide_is_the_same_in_both_languages() -> None:
    blocks, headings, pictures = r"^```.*?^```$", r"^(#+) ", r"\]\((?:guide/)?([\w-]+)(?:\.zh|\.en)?\.(svg|png)\)"

    assert re.findall(blocks, GUIDE, re.MULTILINE | re.DOTALL) == re.findall(blocks, CHINESE, re.MULTILINE | re.DOTALL)
    assert _outside_blocks(headings, GUIDE) == _outside_blocks(headings, CHINESE)
    assert re.findall(pictures, GUIDE) == re.findall(pictures, CHINESE)
    assert _codes_of_rows(GUIDE) == _codes_of_rows(CHINESE)
    assert ("(designers.zh.md)" in GUIDE[:200], "(designers.md)" in CHINESE[:200]) == (True, True)


def _codes_of_rows(page: str) -> list[list[str]]:
    """The code in the first cell of each row of a table."""
    return [re.findall("`([^`]+)`", cell) for cell in re.findall(r"^\| (.*?) \|", page, re.MULTILINE)]


def _outside_blocks(pattern: str, page: str) -> list[str]:
    return re.findall(pattern, re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)


def test_the_guide_names_every_key_of_a_stage() -> None:
    table = GUIDE.partition("## `review-stages.json`")[2]
    named = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall("`([A-Za-z]+)`", row)
    }
    keys = {field.alias or name for name, field in Stage.model_fields.items()} - {"code"}

    assert keys <= named


def test_the_guide_tries_it_as_one_starts_a_demo() -> None:
    assert block("console try").split()[1:] == ["footage-desk", "run", "--demo"]
