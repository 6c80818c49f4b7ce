"""Which events of accounts belong to a package."""

from datetime import UTC, datetime, timedelta

import pytest

from services.verifier.accounts import is_before, person_of

SIGNED = datetime(2031, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(("days", "expected"), [(0, True), (1, True), (30, True), (30.1, False), (-0.1, False)])
def test_an_event_belongs_to_the_thirty_days_before_a_signature(days: float, *, expected: bool) -> None:
    assert is_before(SIGNED - timedelta(days=days), [SIGNED]) is expected
    assert not is_before(SIGNED, [])


def test_an_event_is_of_the_person_whose_account_it_changes() -> None:
    event = {"action": "password-reset", "application": None, "subject": {"kind": "person", "id": "a"}, "detail": {}}
    assert person_of(event) == "a"
    key = {**event, "action": "passkey-ended", "subject": {"kind": "passkey", "id": "k"}, "detail": {"person": "b"}}
    assert person_of(key) == "b"
    assert person_of({**event, "action": "logged-in"}) is None
    assert person_of({**event, "application": "c"}) is None
