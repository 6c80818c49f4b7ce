"""``footage-desk models``: the versions with their cases, and what is said where nothing can be moved."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from edited_models import Model
from fake_gateway import running_gateway
from review_desk import ReviewDesk
from typer.testing import CliRunner

from services.app import case_migration, case_moves, deployments, server
from services.app.deployments import Examined
from services.cli import main as cli_main
from services.database.tables.applications import Application
from services.designers.policy_check.onward import ALLOWED, UNDECIDED, Verdict
from services.designers.policy_check.past import Deployed, JobEnded, Record
from services.designers.policy_check.version_mapping import Difference
from services.domain.applications import opening
from services.domain.process import steps
from services.domain.process.deployed_models import ProcessVersion
from services.domain.process.steps import JobReference
from services.runtime.channel import open_channel
from services.runtime.engine_client import DeployedProcess, Deployment
from services.runtime.errors import Fatal
from services.runtime.migration import migrate
from services.runtime.places import BPMN
from services.runtime.settings import Settings

FIRST = ProcessVersion("video-retrieval", 1, 100)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReviewDesk]:
    url = f"sqlite:///{tmp_path / 'desk.sqlite3'}"
    monkeypatch.setenv("FOOTAGE_DESK_DATABASE_URL", url)
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("ZEEBE_ADDRESS", "127.0.0.1:9")  # no engine is asked
    (tmp_path / "var").mkdir()
    desk = ReviewDesk(url)
    contents = deployments.contents(BPMN)
    file = "video-retrieval.bpmn"
    deployed = Deployment(1, {"video-retrieval": 1}, [DeployedProcess("video-retrieval", 1, 100, file)])
    desk.run(deployments.keep, contents, deployed)
    desk.run(deployments.record, Examined(deployments.digests(BPMN), "shipped"), deployed, "test")
    yield desk
    desk.close()


def _models(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli_main.app, ["models", *map(str, arguments)])


def _at(desk: ReviewDesk, element: str, *, instance: int) -> str:
    """A case whose job at this element runs."""
    case = desk.submitted()
    desk.run(opening.open_case, case, instance, FIRST)
    desk.run(steps.start, JobReference(instance + 1, "video-retrieval", instance, element, case, version=FIRST))
    return case


def _edited(folder: Path) -> Path:
    """The models with another form at the filing, and a line that leads elsewhere there."""
    shutil.copytree(BPMN, folder)
    model = Model(folder)
    model.one("Task_FileApplication").set("name", "归档申请")
    model.save()
    return folder


class Walked:
    """What the policy check would say, without its walk."""

    def __init__(self, *_of: object, items: int, seconds: float) -> None:
        self._seconds = seconds
        assert items == 1

    def mapping(self, _process: str, _number: int) -> dict[str, str]:
        return {}

    def difference(self, _process: str, _number: int) -> Difference:
        return Difference({}, ())

    def check(self, record: Record, process: str, number: int, active: object) -> Verdict:
        assert active is None
        assert (record.first, process, number) == (0, "video-retrieval", 0)
        jobs = [event for event in record.events if not isinstance(event, Deployed)]
        assert jobs == [JobEnded("video-retrieval", "Task_OpenCase", optional=True)]
        return Verdict(UNDECIDED, ("未定", f"not decided in {self._seconds:g} seconds"))


class Allowed(Walked):
    def check(self, record: Record, process: str, number: int, active: object) -> Verdict:
        super().check(record, process, number, active)
        return Verdict(ALLOWED)


@pytest.mark.requirement("R2", verb="recorded")
def test_the_versions_are_listed_with_their_cases_and_where_these_stand(desk: ReviewDesk, tmp_path: Path) -> None:
    for number, element in enumerate(("Task_SecurityReview", "Task_FileApplication", "Task_InspectReturn")):
        _at(desk, element, instance=1000 * (number + 1))
    desk.run(opening.open_case, desk.submitted(), 9000)

    plain = _models("versions")
    compared = _models("versions", "--against", _edited(tmp_path / "edited"))
    in_json = _models("versions", "--json")

    assert plain.exit_code == 0, plain.output
    assert plain.output.splitlines()[0].startswith("video-retrieval version 1 (")
    assert plain.output.splitlines()[0].endswith("Z): 3 open cases")
    assert plain.output.splitlines()[1] == "version not known: 1 open case"
    assert "3 open cases, 1 before the changes, 1 at, 1 past them" in compared.output
    assert '"version": 1' in in_json.output


@pytest.mark.requirement("R2", refuses=True)
def test_without_a_reason_a_record_or_a_case_nothing_is_moved(
    desk: ReviewDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_migration, "Onward", Walked)
    folder = _edited(tmp_path / "edited")
    assert (_models("migrate", folder).exit_code, _models("migrate", tmp_path, "--dry-run").exit_code) == (2, 3)
    unrecorded = _models("migrate", folder, "--reason", "a better form")
    assert unrecorded.exit_code == 1
    assert "these models were not deployed on record" in " ".join(unrecorded.output.split())
    unknown = _models("migrate", folder, "--case", "SQ-1", "--dry-run")
    assert "no such case is open" in " ".join(unknown.output.split())

    case = _at(desk, "Task_OpenCase", instance=1000)
    desk.run(opening.open_case, desk.submitted(), 9000)
    undecided = _models("migrate", folder, "--dry-run", "--seconds", "7")
    assert undecided.exit_code == 1
    assert "is not moved: not decided in 7 seconds" in undecided.output
    assert "is not moved: the models that it began on are not on record" in undecided.output
    there = _models("migrate", BPMN, "--case", case, "--dry-run")
    assert (there.exit_code, "it runs on them already" in there.output) == (0, True)


@pytest.mark.requirement("R2")
def test_a_case_that_may_be_moved_is_moved_and_each_is_told(
    desk: ReviewDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _edited(tmp_path / "edited")
    digests = deployments.digests(folder)
    newer = Deployment(2, {"video-retrieval": 2}, [DeployedProcess("video-retrieval", 2, 200, "video-retrieval.bpmn")])
    desk.run(deployments.record, Examined(digests, "clean"), newer, "test")
    case = _at(desk, "Task_OpenCase", instance=1000)
    asked: list[tuple[int, int, dict[str, str]]] = []

    async def deploy(_client: object, _folder: Path) -> Deployment:
        return Deployment(2, {}, [DeployedProcess("video-retrieval", 2, 200, "video-retrieval.bpmn")])

    async def migrate_one(_channel: object, key: int, definition: int, ids: dict[str, str]) -> None:
        asked.append((key, definition, ids))

    monkeypatch.setattr(server, "deploy", deploy)
    monkeypatch.setattr(case_moves, "migrate", migrate_one)
    monkeypatch.setattr(case_migration, "Onward", Allowed)
    moved = _models("migrate", folder, "--reason", "a better form")
    again = _models("migrate", folder, "--reason", "a better form", "--lang", "zh")

    assert (moved.exit_code, again.exit_code) == (0, 0), moved.output
    assert "it was moved" in moved.output.splitlines()[0]
    assert "已在此版本上" in again.output.splitlines()[0]
    assert asked == [(1000, 200, {})]
    assert desk.the(Application, id=case).model_sha256 == digests["video-retrieval.bpmn"]
    assert "version 2" in _models("versions").output.splitlines()[0]


async def test_a_broker_without_the_command_is_named() -> None:
    async with running_gateway() as gateway:
        channel = open_channel(Settings.load(zeebe_address=gateway.address))
        with pytest.raises(Fatal, match="this broker has no command for it"):
            await migrate(channel, 1, 2, {"a": "a"})
        await channel.close()
