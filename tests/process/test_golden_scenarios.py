"""What a real broker did is what the engine does: every golden scenario, compared in full."""

from pathlib import Path

import pytest
from golden_scenario import Scenario

GOLDEN = Path(__file__).parent / "golden"

FOLDERS = sorted(path.parent.name for path in GOLDEN.glob("*/scenario.json"))


@pytest.mark.parametrize("name", FOLDERS)
def test_the_engine_does_what_the_broker_did(name: str) -> None:
    scenario = Scenario(GOLDEN / name)

    outcome = scenario.run()

    assert outcome["steps"] == scenario.golden["steps"]
    assert outcome["instances"] == scenario.golden["instances"]
    assert outcome.get("startTimers", []) == scenario.golden.get("startTimers", [])


@pytest.mark.parametrize("name", [n for n in FOLDERS if n.startswith(("full_", "mi_", "call_", "comp_"))])
def test_nothing_is_lost_when_the_engine_is_started_anew_before_every_step(name: str, tmp_path: Path) -> None:
    scenario = Scenario(GOLDEN / name, tmp_path)

    outcome = scenario.run()

    assert outcome["steps"] == scenario.golden["steps"]
    assert outcome["instances"] == scenario.golden["instances"]


def test_no_scenario_is_left_out() -> None:
    assert len(FOLDERS) == 88
