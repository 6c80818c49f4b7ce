"""What becomes of damaged footage, as docs/recorders.md says: what lacks more than is allowed is never complete."""

import pytest
from damage import CONTAINERS, DAMAGES, DOCUMENT, WHOLE, Damage, judged, row


@pytest.mark.slow
@pytest.mark.requirement("R32", refuses=True)
@pytest.mark.requirement("R35")
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.en.replace(" ", "-"))
def test_damage_has_the_verdict_that_the_table_tells(damage: Damage) -> None:
    verdicts = {judged(damage, container) for container in CONTAINERS}
    assert "complete" not in verdicts or damage.allowed or damage.en.startswith(WHOLE)
    assert row(damage) in DOCUMENT.read_text(encoding="utf-8").splitlines(), "make recorder-docs writes it anew"
