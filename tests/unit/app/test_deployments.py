"""Models are deployed on record: examined first, with the digest of each file in the audit trail."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from edited_models import Model
from structlog.testing import capture_logs

from services.app import deployments, model_examination, server
from services.app.deployments import Examined
from services.app.model_examination import NotClean
from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import Actor, Database
from services.designers.policy_check import report
from services.designers.policy_check.report import PartOfReport, Report, Verdict
from services.engine.processing.deployments import Resource
from services.runtime.engine_client import DeployedProcess, Deployment
from services.runtime.places import BPMN

CLERK = Actor("system", "test")
EARLIER = Path(__file__).parents[2] / "data" / "earlier-models"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the models with an element that has another name."""
    folder = tmp_path / "models"
    shutil.copytree(BPMN, folder)
    path = folder / "video-retrieval.bpmn"
    path.write_text(path.read_text(encoding="utf-8").replace("安全保卫意见？", "安全保卫部意见？"), encoding="utf-8")
    return folder


def _report(result: str = report.HOLDS, **changes: Any) -> Report:
    verdict = Verdict("sign-off-first", ("R25",), "先签字", "Signed first", result)
    part = PartOfReport("", states=7, moves=9, is_complete=True)
    values: dict[str, Any] = {"verdicts": (verdict,), "unseen": (), "notes": (), "parts": (part,)}
    return Report(**{**values, **changes})


def _finds(monkeypatch: pytest.MonkeyPatch, found: Report) -> list[Path]:
    """Have the policy check find this; the folders that it was asked for."""
    asked: list[Path] = []

    def check(folder: Path, _workers: Sequence[object], **_options: object) -> Report:
        asked.append(folder)
        return found

    monkeypatch.setattr(model_examination, "check", check)
    return asked


def test_the_digests_of_the_code_are_those_of_the_shipped_models() -> None:
    newest, *earlier = json.loads(deployments.SHIPPED.read_text(encoding="utf-8"))
    assert newest == deployments.digests(), (
        f"check the models (footage-desk policy check), then write them first into {deployments.SHIPPED.name}: "
        f"{json.dumps(deployments.digests(), indent=2)}"
    )
    assert deployments.digests(EARLIER) in earlier


def test_the_shipped_models_are_not_checked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = _finds(monkeypatch, _report(report.BROKEN))
    shutil.copytree(BPMN, tmp_path / "copy")
    assert model_examination.examine(None).result == "shipped"
    assert model_examination.examine(tmp_path / "copy").result == "shipped"
    assert model_examination.examine(EARLIER).result == "shipped"
    assert asked == []


@pytest.mark.requirement("R2")
def test_changed_models_are_checked_and_the_result_is_kept(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    asked = _finds(monkeypatch, _report())
    examined = model_examination.examine(folder)
    assert asked == [folder]
    assert (examined.result, examined.rules, examined.states) == ("clean", 1, 7)
    assert examined.files != deployments.digests()


def test_the_check_knows_what_the_engine_has(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    given: list[tuple[str, bytes]] = []

    def check(_folder: Path, _workers: Sequence[object], *, deployed: Sequence[Resource], **_options: object) -> Report:
        given.extend((one.name, one.content) for one in deployed)
        return _report()

    monkeypatch.setattr(model_examination, "check", check)
    model_examination.examine(folder, deployed={"former.bpmn": b"<former />"})
    assert given == [("former.bpmn", b"<former />")]


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize(
    ("found", "code"),
    [
        (_report(report.BROKEN), 1),
        (_report(report.UNDECIDED), 2),
        (_report(report.NEVER_TRIED), 2),
        (_report(unseen=(("没有走到", "no walk came there"),)), 2),
        (_report(parts=(PartOfReport("", states=7, moves=9, is_complete=False),)), 2),
    ],
)
def test_what_was_not_found_to_keep_the_policy_is_refused(
    monkeypatch: pytest.MonkeyPatch, folder: Path, found: Report, code: int
) -> None:
    _finds(monkeypatch, found)
    with pytest.raises(NotClean) as refused:
        model_examination.examine(folder)
    assert (refused.value.exit_code, refused.value.report) == (code, found)


def test_models_that_do_not_fit_together_are_not_even_checked(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    asked = _finds(monkeypatch, _report())
    model = Model(folder)
    model.remove("Call_SecurityDecides")
    model.save()
    with pytest.raises(NotClean) as refused:
        model_examination.examine(folder)
    assert refused.value.findings
    assert (refused.value.exit_code, asked) == (1, [])


def test_without_a_check_a_reason_is_wanted(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    asked = _finds(monkeypatch, _report(report.BROKEN))
    for reason in ("", "   ", "because"):
        with pytest.raises(ValueError, match="in a few words why"):
            model_examination.examine(folder, unchecked=reason)
    examined = model_examination.examine(folder, unchecked=" the exercise of 4 March ")
    assert (examined.result, examined.reason, asked) == ("unchecked", "the exercise of 4 March", [])


@pytest.mark.requirement("R2", verb="recorded")
@pytest.mark.both_databases
def test_a_deployment_is_on_record_with_each_file(database: Database, folder: Path) -> None:
    examined = Examined(deployments.digests(folder), "unchecked", "the exercise of 4 March")
    assert database.read_now(CLERK, deployments.find_recorded, examined.files) is None

    database.run_now(CLERK, deployments.record, examined, Deployment(1, {"review": 2}), "li.na")

    assert database.read_now(CLERK, deployments.find_recorded, examined.files) == examined
    assert database.read_now(CLERK, deployments.find_recorded, deployments.digests()) is None
    [event] = database.read_now(CLERK, lambda uow: uow.session.query(AuditEvent).all())
    detail = json.loads(event.entry)["detail"]
    assert detail["files"] == examined.files
    assert (detail["by"], detail["reason"], detail["versions"]) == ("li.na", "the exercise of 4 March", {"review": 2})


class _Engine:
    """Gives a new version to what differs from what was deployed last, as every engine does."""

    def __init__(self) -> None:
        self.deployed: list[bytes] = []
        self.version = 0

    async def deploy(self, paths: Sequence[Path]) -> Deployment:
        self.take(b"".join(path.read_bytes() for path in paths))
        process = DeployedProcess("review", self.version, 2**60 + self.version, "review.bpmn")
        return Deployment(1, {"review": self.version}, [process])

    def take(self, content: bytes) -> None:
        self.version += self.deployed[-1:] != [content]
        self.deployed.append(content)


Start = Callable[[Path | None, bool], Any]


@pytest.fixture
def start(database: Database) -> tuple[Start, _Engine]:
    engine = _Engine()

    async def begin(folder: Path | None, demo: bool = False) -> None:
        settings = SimpleNamespace(models_dir=folder, demo=demo)
        await server._deploy_known(SimpleNamespace(settings=settings, database=database), engine)

    return begin, engine


def _recorded(database: Database) -> list[Mapping[str, Any]]:
    events = database.read_now(CLERK, lambda uow: uow.session.query(AuditEvent).all())
    return [json.loads(event.entry)["detail"] for event in events]


@pytest.mark.requirement("R2", refuses=True)
async def test_a_start_deploys_nothing_that_was_changed_and_not_deployed_on_record(
    start: tuple[Start, _Engine], database: Database, folder: Path
) -> None:
    begin, engine = start
    with capture_logs() as log:
        await begin(folder, False)
    assert (engine.deployed, _recorded(database)) == ([], [])
    assert "footage-desk deploy" in log[-1]["next"]

    database.run_now(
        CLERK, deployments.record, Examined(deployments.digests(folder), "clean"), Deployment(0, {}), "li.na"
    )
    await begin(folder, False)
    assert len(engine.deployed) == 1


async def test_the_shipped_models_are_on_record_from_the_first_start(
    start: tuple[Start, _Engine], database: Database
) -> None:
    begin, engine = start
    await begin(None, False)
    await begin(None, False)
    assert len(engine.deployed) == 2
    assert [(one["result"], one["versions"]) for one in _recorded(database)] == [("shipped", {"review": 1})]


@pytest.mark.requirement("R2", verb="recorded")
async def test_what_was_deployed_between_two_starts_is_replaced_and_told(
    start: tuple[Start, _Engine], database: Database
) -> None:
    begin, engine = start
    await begin(None, False)
    engine.take(b"by somebody who reaches the engine")
    with capture_logs() as log:
        await begin(None, False)
    assert [one["versions"] for one in _recorded(database)] == [{"review": 1}, {"review": 3}]
    assert [one["event"] for one in log if one["log_level"] == "warning"] == [
        "other models had been deployed past this record; they are replaced"
    ]


async def test_a_demo_tries_what_is_not_checked_and_says_so(
    start: tuple[Start, _Engine], database: Database, folder: Path
) -> None:
    begin, engine = start
    await begin(folder, True)
    assert len(engine.deployed) == 1
    assert [(one["result"], one["reason"]) for one in _recorded(database)] == [("unchecked", "tried in the demo")]
