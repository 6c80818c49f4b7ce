"""What the workers tell Prometheus of the footage that they move, and of what they could not."""

from dataclasses import replace

import pytest
from custody_desk import Desk

from services.database.tables.cameras import Recorder
from services.runtime import metrics
from services.workers import preserve_footage


class Counts:
    """How much each series has grown since this was made."""

    def __init__(self) -> None:
        self._before = {key: self._now(*key) for key in self._series()}

    def grown(self) -> dict[str, float]:
        return {
            " ".join([name, *dict(labels).values()]): self._now(name, labels) - before
            for (name, labels), before in self._before.items()
            if self._now(name, labels) != before
        }

    @staticmethod
    def _series() -> list[tuple[str, tuple[tuple[str, str], ...]]]:
        outcomes = [("footage_desk_preservations_total", one) for one in ("preserved", "failed")]
        outcomes += [("footage_desk_sealings_total", one) for one in ("complete", "partial", "missing", "failed")]
        return [(name, (("outcome", one),)) for name, one in outcomes] + [
            (name, ()) for name in ("footage_desk_transferred_bytes_total", "footage_desk_sealed_bytes_total")
        ]

    @staticmethod
    def _now(name: str, labels: tuple[tuple[str, str], ...]) -> float:
        return metrics.REGISTRY.get_sample_value(name, dict(labels)) or 0.0


@pytest.fixture
def always(desk: Desk) -> Desk:
    desk.database.rules = replace(desk.database.rules, preserve="always")
    return desk


async def test_what_is_preserved_is_counted_with_its_bytes(always: Desk) -> None:
    counts = Counts()

    await always.work(preserve_footage, application_id=always.case("gate").id, job_key=5)

    grown = counts.grown()
    moved, sealed = grown.pop("footage_desk_transferred_bytes_total"), grown.pop("footage_desk_sealed_bytes_total")
    assert moved == sealed > 0
    assert grown == {"footage_desk_preservations_total preserved": 1, "footage_desk_sealings_total complete": 1}


@pytest.mark.slow
async def test_what_could_not_be_preserved_is_counted_and_its_recorder_told(always: Desk) -> None:
    case, counts = always.case("gate"), Counts()
    always.recordings.rename(always.recordings.with_name("away"))

    await always.work(preserve_footage, application_id=case.id, job_key=5)

    assert counts.grown() == {"footage_desk_preservations_total failed": 1}
    [recorder] = always.rows(Recorder)
    assert recorder.last_error is not None
    assert recorder.last_error["code"] == "recorder-missing"
