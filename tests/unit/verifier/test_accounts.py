"""Which events of accounts belong to a package."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.verifier.accounts import Signatures, is_before, is_listed, person_of

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


@pytest.mark.parametrize(
    ("action", "subject", "statement", "expected"),
    [
        ("absence-added", "head", {"standsInFor": "head"}, True),  # by it somebody else signed
        ("absence-added", "head", {"standsInFor": "head", "represented": ["head", "head2"]}, True),
        ("absence-added", "head2", {"standsInFor": "head", "represented": ["head", "head2"]}, True),
        ("absence-added", "head2", {"represented": ["head2"]}, True),  # a consent and a confirmation
        ("absence-added", "head2", {"standsInFor": "head"}, False),  # as older releases wrote it
        ("absence-added", "head", {"standsInFor": None, "represented": []}, False),
        ("absence-ended", "deputy", {}, True),
        ("password-reset", "head", {"standsInFor": "head"}, False),  # the head did not sign
        ("department-changed", "works", {}, True),
        ("rule-changed", "review_limit", {}, True),
    ],
)
def test_what_a_signature_counted_by_belongs_to_it(
    action: str, subject: str, statement: dict[str, Any], *, expected: bool
) -> None:
    signatures = Signatures()
    signatures.add({"person": "deputy", "signedAt": SIGNED.isoformat()}, statement)
    kind = "person" if subject in ("head", "head2", "deputy") else "thing"
    event = {"action": action, "application": None, "subject": {"kind": kind, "id": subject}, "detail": {}}

    assert is_listed(event)
    assert signatures.concerns(event, SIGNED - timedelta(days=1)) is expected
    assert not signatures.concerns(event, SIGNED - timedelta(days=31))
    assert not is_listed({**event, "application": "c"})
