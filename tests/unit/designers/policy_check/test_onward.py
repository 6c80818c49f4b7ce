"""A case that runs may go on in other models only where every rule holds from where it stands."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from edited_models import Model

from services.designers.policy_check import check, onward
from services.designers.policy_check.onward import OlderModels, Onward, Verdict
from services.designers.policy_check.past import Decided, Deployed, Event, JobEnded, Migrated, Received, Record
from services.designers.policy_check.version_mapping import Difference
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

MAIN = "video-retrieval"
_MARKS = {"importantInformation": False, "sensitiveEvent": False, "highImpact": False}


def _job(element: str, process: str = MAIN, item: str | None = None) -> JobEnded:
    return JobEnded(process, element, item)


_OPENED = _job("Task_OpenReview", "review")
# A case of one item up to the question to its custodian, as the database has it.
TO_RECEIPT: list[Event] = [
    _job("Task_OpenCase"),
    _job("Task_PreliminaryReview"),
    _job("Task_PreserveFootage"),
    _OPENED,
    Decided("preliminary", "approved"),
    _job("Task_SecurityReview"),
    _OPENED,
    Decided("security", "approved", _MARKS),
    _OPENED,
    Decided("security-signature", "signed", _MARKS),
    _job("Task_FileApplication"),
    _job("Task_NotifyStorage"),
    _OPENED,
    Decided("storage-release", "approved"),
    _job("Task_RetrieveFootage", item="item-1"),
    _job("Task_EncryptCopy", item="item-1"),
    _job("Task_HandOver"),
    _OPENED,
]


def _task(identity: str, job_type: str) -> str:
    definition = f'<bpmn:extensionElements><zeebe:taskDefinition type="{job_type}" /></bpmn:extensionElements>'
    return f'<bpmn:serviceTask id="{identity}" name="关门">{definition}</bpmn:serviceTask>'


def _before(model: Model, element: str, identity: str, job_type: str) -> None:
    """Draw a step on the way to an element."""
    flow = next(f for f in model.root.iter() if f.get("targetRef") == element)
    model.insert(flow.get("id"), _task(identity, job_type), f"Flow_{identity}")


@pytest.fixture
def edit(tmp_path: Path) -> Callable[[Callable[[Model], None]], Path]:
    """Make a copy of the models with an edit."""

    def make(change: Callable[[Model], None]) -> Path:
        folder = tmp_path / f"models-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(BPMN, folder)
        model = Model(folder)
        change(model)
        model.save()
        return folder

    return make


def _older(folder: Path) -> OlderModels:
    files = check.read(folder)
    return OlderModels(files.resources, files.stage_file.stages)


def _checked(folder: Path, events: list[Event], *older: Path, on: int = 0) -> Verdict:
    before = [_older(one) for one in older or (BPMN,)]
    return Onward(folder, before, discover(), items=1, seconds=60).check(Record(0, events), MAIN, on)


@pytest.mark.requirement("R2")
def test_a_step_that_comes_later_is_no_hindrance_and_one_that_a_rule_wanted_before_is(
    edit: Callable[[Callable[[Model], None]], Path],
) -> None:
    folder = edit(lambda model: _before(model, "Task_InspectReturn", "Task_Gate", "close-the-gate"))
    assert _checked(folder, TO_RECEIPT).result == onward.ALLOWED

    rules = folder / "policy-rules.yaml"
    text = rules.read_text(encoding="utf-8") + (
        "\n  - id: gate-first\n    requirements: R38\n    zh: 先关门再移交\n    en: The gate is closed before the use"
        "\n    never: stage receipt accepted\n    before: job close-the-gate done\n"
    )
    rules.write_text(text, encoding="utf-8")
    verdict = _checked(folder, TO_RECEIPT)

    assert (verdict.result, verdict.rule) == (onward.BROKEN, "gate-first")
    assert "The gate is closed before the use" in verdict.why[1]
    assert verdict.steps[-1].en.startswith("custodian accepts") or "accepted" in verdict.steps[-1].en


@pytest.mark.requirement("R2")
def test_where_it_stands_has_to_be_there_by_its_id_or_by_what_it_does(
    edit: Callable[[Callable[[Model], None]], Path],
) -> None:
    def other_id(folder: Path) -> Path:
        path = folder / "video-retrieval.bpmn"
        text = path.read_text(encoding="utf-8").replace("Call_CustodianAccepts", "Call_TakesThem")
        path.write_text(text, encoding="utf-8")
        return folder

    named_anew = Onward(other_id(edit(lambda model: None)), [_older(BPMN)], discover(), items=1, seconds=60)
    assert named_anew.mapping(MAIN, 0)["Call_CustodianAccepts"] == "Call_TakesThem"
    assert named_anew.check(Record(0, TO_RECEIPT), MAIN, 0).is_allowed

    gone = _checked(edit(lambda model: model.remove("Call_CustodianAccepts")), TO_RECEIPT)
    assert gone.result == onward.UNMAPPED
    assert "Call_CustodianAccepts" in gone.why[1]


def test_a_past_that_the_models_do_not_lead_through_decides_nothing() -> None:
    impossible: list[Event] = [*TO_RECEIPT[:4], Decided("management", "approved")]
    verdict = _checked(BPMN, impossible)
    assert verdict.result == onward.UNDECIDED
    assert "the decision approved of management" in verdict.why[1]


def test_a_case_that_was_moved_before_is_followed_through_both_versions(
    edit: Callable[[Callable[[Model], None]], Path],
) -> None:
    second = edit(lambda model: _before(model, "Task_HandOver", "Task_Gate", "close-the-gate"))
    third = edit(lambda model: _before(model, "Task_InspectReturn", "Task_Gate", "close-the-gate"))
    moved: list[Event] = [
        *TO_RECEIPT[:13],
        Deployed(1),
        Migrated(Difference({}, ())),
        *TO_RECEIPT[13:16],
        _job("Task_Gate"),
        *TO_RECEIPT[16:],
        Decided("receipt", "accepted", optional=True),
        Received("copy-returned", optional=True),
    ]
    assert _checked(third, moved, BPMN, second, on=1).is_allowed
