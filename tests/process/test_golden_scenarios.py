"""What a real broker did is what the engine does: every golden scenario, compared in full.

The broker that was recorded was a snapshot of 8.6. `dmn_collect` has a second file, `released.json`, with the instance
that ends otherwise on released brokers: an index into null is null there, and was an error in the snapshot.
What `p1_…` to `p11_…` hold was recorded on the engine itself; a broker is compared with it by `make test-zeebe`.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from golden_scenario import Scenario

GOLDEN = Path(__file__).parent / "golden"

RELEASED = "released.json"
FOLDERS = sorted(path.parent.name for path in GOLDEN.glob("*/scenario.json"))


@pytest.mark.parametrize("name", FOLDERS)
def test_the_engine_does_what_the_broker_did(name: str) -> None:
    scenario = Scenario(GOLDEN / name)

    outcome = scenario.run()

    assert outcome["steps"] == scenario.golden["steps"]
    assert outcome["instances"] == scenario.golden["instances"] | _released(name)
    assert outcome.get("startTimers", []) == scenario.golden.get("startTimers", [])


@pytest.mark.parametrize("name", [n for n in FOLDERS if n.startswith(("full_", "mi_", "call_", "comp_"))])
def test_nothing_is_lost_when_the_engine_is_started_anew_before_every_step(name: str, tmp_path: Path) -> None:
    scenario = Scenario(GOLDEN / name, tmp_path)

    outcome = scenario.run()

    assert outcome["steps"] == scenario.golden["steps"]
    assert outcome["instances"] == scenario.golden["instances"]


def _released(name: str) -> dict[str, Any]:
    """Return the instances that end otherwise on released brokers."""
    file = GOLDEN / name / RELEASED
    return json.loads(file.read_text("utf-8"))["instances"] if file.exists() else {}


def test_no_scenario_is_left_out_and_one_alone_differs_from_its_recording() -> None:
    traps = [name for name in FOLDERS if re.match(r"p\d", name)]
    assert len(FOLDERS) - len(traps) == 88
    assert sorted(name.split("_")[0] for name in traps) == sorted(["p1", "p2", *(f"p{n}" for n in range(5, 12))])
    assert [path.parent.name for path in GOLDEN.glob(f"*/{RELEASED}")] == ["dmn_collect"]
