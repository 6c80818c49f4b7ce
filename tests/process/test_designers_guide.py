"""docs/designers.md, followed: the blocks of the guide are what this test writes into a copy of the models and runs."""

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
from services.designers import own_workers
from services.domain.access import policy as access_policy
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
from services.runtime.labels import word
from services.runtime.places import ROOT

GUIDE = (ROOT / "docs" / "designers.md").read_text(encoding="utf-8")
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
    drawing.make_room(after=800, by=240)
    drawing.put(elements)
    drawing.place("Call_InterpreterDecides", 810, 260, 100, 80)
    drawing.place("Gateway_Interpretable", 955, 275, 50, 50)
    drawing.place("Event_InterpreterReturned", 962, 152, 36, 36)
    drawing.turn("Flow_DepartmentApproved", "Call_InterpreterDecides", instead="Flow_Interpretable")
    drawing.draw("Flow_DepartmentApproved", (765, 300), (810, 300))
    drawing.draw("Flow_InterpreterDecided", (910, 300), (955, 300))
    drawing.draw("Flow_Interpretable", (1005, 300), (1050, 300))
    drawing.draw("Flow_NotInterpretable", (980, 275), (980, 188))
    drawing.save()


@pytest.fixture
def changed(place: Path) -> Path:
    """The models after steps 1 to 4."""
    run("", place)
    models = place / "my-models"
    add_stage(models)
    assert "review.json was written" in run("templates", place)
    draw_review(models)
    assert "Clean on every profile." in run("check", place)
    return models


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
    drawing.make_room(after=800, by=240)
    drawing.put(block("xml own"))
    drawing.place("Task_CheckTranslation", 810, 260, 100, 80)
    drawing.place("Gateway_Translated", 955, 275, 50, 50)
    drawing.place("Event_NotTranslated", 962, 152, 36, 36)
    drawing.turn("Flow_DepartmentApproved", "Task_CheckTranslation", instead="Flow_Translated")
    drawing.draw("Flow_DepartmentApproved", (765, 300), (810, 300))
    drawing.draw("Flow_TranslationChecked", (910, 300), (955, 300))
    drawing.draw("Flow_Translated", (1005, 300), (1050, 300))
    drawing.draw("Flow_NotTranslated", (980, 275), (980, 188))
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
        refusal = access_policy.duty_refusal(access_queries.load_directory(uow), facts, "security", demo_id("chenjing"))
        return refusal.en if refusal else ""

    assert desk.look(refused) == "You are the interpreter of this case: another person has to do this."


@pytest.mark.tool("chromium")
def test_the_pictures_of_the_changed_models_are_drawn(changed: Path) -> None:
    run("picture", changed.parent, **tools.chromium_environment(), CHROMIUM=str(tools.chromium()))
    drawn = (changed / "process-approval.svg").read_text(encoding="utf-8")

    assert "翻译审核" in drawn


def test_the_guide_names_every_key_of_a_stage() -> None:
    table = GUIDE.partition("## `review-stages.json`")[2]
    named = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall("`([A-Za-z]+)`", row)
    }
    keys = {field.alias or name for name, field in Stage.model_fields.items()} - {"code"}

    assert keys <= named


def test_the_guide_tries_it_as_one_starts_a_demo() -> None:
    assert block("console try").split()[1:] == ["footage-desk", "run", "--demo"]
