"""A case that runs may go on in other models only where every rule holds from where it stands."""

import shutil

import pytest
from edited_models import Model

from services.designers.policy_check import files as policy_files
from services.designers.policy_check import onward
from services.designers.policy_check.onward import OlderModels, Onward
from services.designers.policy_check.past import Decided, Event, JobEnded, Record
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


@pytest.fixture(scope="module")
def without_the_receipt(tmp_path_factory: pytest.TempPathFactory) -> Onward:
    """Models that ask the custodian no more, after those that are shipped."""
    folder = tmp_path_factory.mktemp("models") / "edited"
    shutil.copytree(BPMN, folder)
    model = Model(folder)
    model.remove("Call_CustodianAccepts")
    model.save()
    files = policy_files.read(BPMN)
    older = OlderModels(files.resources, files.stage_file.stages)
    return Onward(folder, [older], discover(), items=1, seconds=60)


@pytest.mark.requirement("R2", refuses=True)
def test_a_case_at_what_is_gone_has_no_place_in_the_new_models(without_the_receipt: Onward) -> None:
    verdict = without_the_receipt.check(Record(0, TO_RECEIPT), MAIN, 0)
    assert verdict.result == onward.UNMAPPED
    assert "has no place there: Custodian accepts" in verdict.why[1]
    assert not verdict.is_allowed


@pytest.mark.requirement("R2")
def test_a_past_that_the_models_do_not_lead_through_decides_nothing(without_the_receipt: Onward) -> None:
    impossible: list[Event] = [*TO_RECEIPT[:4], Decided("management", "approved")]
    verdict = without_the_receipt.check(Record(0, impossible), MAIN, 0)
    assert verdict.result == onward.UNDECIDED
    assert "the decision approved of management" in verdict.why[1]


@pytest.mark.requirement("R2")
def test_what_the_engine_says_is_elsewhere_is_not_decided(without_the_receipt: Onward) -> None:
    verdict = without_the_receipt.check(Record(0, TO_RECEIPT), MAIN, 0, frozenset({"Task_InspectReturn"}))
    assert verdict.result == onward.UNDECIDED
    assert "the engine has it at Task_InspectReturn" in verdict.why[1]


def test_what_may_not_have_come_yet_is_tried_both_ways(without_the_receipt: Onward) -> None:
    on_its_way: list[Event] = [*TO_RECEIPT, Decided("receipt", "accepted", optional=True)]
    positions = without_the_receipt._follower.follow(Record(0, on_its_way))
    stages = {tuple(review.stage for review in case.register.reviews) for case, _ in positions}
    assert stages == {("receipt",), ()}
