"""What a real broker did is what the engine does: every golden scenario, compared in full."""

from pathlib import Path

import pytest
from golden_scenario import Scenario

from services.engine.errors import Rejection

GOLDEN = Path(__file__).parent / "golden"

# Deployments that the engine refuses with a sentence instead, and the words that sentence must hold.
REFUSED = {
    "comp_throw": "compensat",
}

FOLDERS = sorted(path.parent.name for path in GOLDEN.glob("*/scenario.json"))


def _covered() -> list[str]:
    return [name for name in FOLDERS if name not in REFUSED]


@pytest.mark.parametrize("name", _covered())
def test_the_engine_does_what_the_broker_did(name: str) -> None:
    scenario = Scenario(GOLDEN / name)

    outcome = scenario.run()

    assert outcome["steps"] == scenario.golden["steps"]
    assert outcome["instances"] == scenario.golden["instances"]
    assert outcome.get("startTimers", []) == scenario.golden.get("startTimers", [])


@pytest.mark.parametrize("name", [n for n in FOLDERS if n.startswith(("full_", "mi_", "call_"))])
def test_nothing_is_lost_when_the_engine_is_started_anew_before_every_step(name: str, tmp_path: Path) -> None:
    scenario = Scenario(GOLDEN / name, tmp_path)

    outcome = scenario.run()

    assert outcome["steps"] == scenario.golden["steps"]
    assert outcome["instances"] == scenario.golden["instances"]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_not_covered_is_refused_at_deployment_with_a_sentence(name: str) -> None:
    scenario = Scenario(GOLDEN / name)
    deployment = next(step for step in scenario.spec["steps"] if step["do"] == "deploy")

    with pytest.raises(Rejection, match=REFUSED[name]) as refusal:
        scenario.do_deploy(deployment)

    assert refusal.value.reason == "INVALID_ARGUMENT"


def test_no_scenario_is_left_out() -> None:
    assert len(FOLDERS) == 88
    assert set(REFUSED) <= set(FOLDERS)
