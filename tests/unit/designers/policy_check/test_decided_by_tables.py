"""A flow that tables alone decide is not taken because no row says so, and not because the world is too small."""

from services.designers.policy_check.decision_inputs import decided_by_tables
from services.engine.model.parse import parse_bpmn
from services.runtime.places import BPMN

[CASE] = parse_bpmn((BPMN / "video-retrieval.bpmn").read_bytes(), deployed=True)


def test_it_is_what_nothing_else_decides() -> None:
    decided = set(decided_by_tables(CASE, {}))

    assert {"Flow_ManagementNeeded", "Flow_ManagementNotNeeded", "Flow_BackupNotNeeded"} <= decided
    assert "Flow_SecurityApproved" not in decided


def test_what_a_worker_or_a_person_gives_too_is_the_worlds() -> None:
    assert "Flow_ManagementNotNeeded" not in set(decided_by_tables(CASE, {"managementNeeded"}))
