"""From variables to commands and back: names, types, defaults, and refusals that name the variable."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from services.runtime.errors import Fatal
from services.runtime.jobs.commands import build_command, camel, result_variables, variables_to_fetch


@dataclass(frozen=True)
class HandOver:
    application_id: str
    job_key: int
    process_instance_key: int
    element_instance_key: int
    element_id: str
    use_period_days: int
    way_of_use: Literal["view", "download"] = "view"
    item_ids: tuple[str, ...] = ()
    hand_over_id: str | None = None
    due_at: datetime | None = None
    grace_period: timedelta = field(default_factory=timedelta)
    share: float = 1.0
    confirmed: bool = False


def job(**variables: Any) -> SimpleNamespace:
    return SimpleNamespace(
        key=1,
        type="hand-over",
        element_id="Task_HandOver",
        element_instance_key=3,
        process_instance_key=2,
        variables=variables,
    )


def test_the_fields_are_the_variables_to_fetch_save_what_the_job_itself_has() -> None:
    assert variables_to_fetch(HandOver) == (
        "applicationId",
        "usePeriodDays",
        "wayOfUse",
        "itemIds",
        "handOverId",
        "dueAt",
        "gracePeriod",
        "share",
        "confirmed",
    )
    assert camel("sha256_of_copy_2") == "sha256OfCopy2"


def test_values_are_read_by_the_types_of_the_fields() -> None:
    command = build_command(
        HandOver,
        job(
            applicationId="A1",
            usePeriodDays=30.0,
            itemIds=["I1", "I2"],
            dueAt="2026-01-02T03:04:05Z",
            gracePeriod="P3D",
            share=1,
            confirmed=True,
            wayOfUse="download",
        ),
    )

    assert command == HandOver(
        "A1",
        1,
        2,
        3,
        "Task_HandOver",
        30,
        "download",
        ("I1", "I2"),
        None,
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        timedelta(days=3),
        1.0,
        True,
    )
    assert isinstance(command.use_period_days, int)


def test_what_is_missing_or_null_takes_its_default() -> None:
    command = build_command(HandOver, job(applicationId="A1", usePeriodDays=1, wayOfUse=None))

    assert (command.way_of_use, command.item_ids, command.hand_over_id) == ("view", (), None)


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"usePeriodDays": 1}, "applicationId is not given"),
        ({"applicationId": None, "usePeriodDays": 1}, "applicationId is not given"),
        ({"applicationId": "A1", "usePeriodDays": "thirty-secret"}, "usePeriodDays is not what hand-over expects"),
        ({"applicationId": "A1", "usePeriodDays": "30"}, "usePeriodDays is not what hand-over expects"),
        ({"applicationId": "A1", "usePeriodDays": True}, "usePeriodDays is not what hand-over expects"),
        ({"applicationId": "A1", "usePeriodDays": 1.5}, "usePeriodDays is not what hand-over expects"),
        ({"applicationId": "A1", "usePeriodDays": 1, "wayOfUse": "secret"}, "wayOfUse is not what hand-over expects"),
        ({"applicationId": "A1", "usePeriodDays": 1, "confirmed": 1}, "confirmed is not what hand-over expects"),
        ({"applicationId": 7, "usePeriodDays": 1}, "applicationId is not what hand-over expects"),
    ],
)
def test_a_wrong_variable_is_named_and_its_value_is_not(variables: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Fatal) as refused:
        build_command(HandOver, job(**variables))

    assert complaint in str(refused.value)
    assert "secret" not in str(refused.value)
    assert len(str(refused.value).split(" | ")) == 4


def test_a_result_becomes_flat_variables() -> None:
    @dataclass(frozen=True)
    class HandedOver:
        hand_over_id: str
        due_at: datetime
        grace_period: timedelta
        item_ids: tuple[str, ...]

    result = HandedOver("H1", datetime(2026, 1, 2, tzinfo=UTC), timedelta(days=3), ("I1",))

    assert result_variables(result) == {
        "handOverId": "H1",
        "dueAt": "2026-01-02T00:00:00Z",
        "gracePeriod": "P3D",
        "itemIds": ["I1"],
    }
    assert result_variables(None) == {}


def test_an_answer_that_is_no_dataclass_is_a_defect_of_the_worker() -> None:
    with pytest.raises(Fatal, match="a handler answers with a dataclass or None"):
        result_variables({"handOverId": "H1"})
