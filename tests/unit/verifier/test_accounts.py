"""Which events of accounts belong to a package."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.runtime.places import ROOT
from services.verifier.accounts import ABSENCES, ACTIONS, ORGANISATION, Signatures, is_before, is_listed, person_of

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


# Recorded about a person without a case, and no event of the list.
LEFT_OUT = {
    # nothing came of it: the lock that follows is named
    *("code-refused", "login-delayed", "login-refused", "signature-refused"),
    # the account is used, and stays as it is
    *("logged-in", "logged-out", "session-ended", "sessions-ended"),
    # what comes of it is named
    *("passkey-enrolment-started", "second-factor-enrolment-started"),
    "passkey-renamed",  # by its owner; the key stays the same
    *("refusals-read", "test-notice"),  # of what a person reads and is sent
}


def recorded_about_people() -> Iterator[str]:
    for path in sorted((ROOT / "services" / "domain").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != "audit_trail.record":
                continue
            action, kind = (one.value if isinstance(one, ast.Constant) else None for one in node.args[1:3])
            of_case = any(keyword.arg == "application_id" for keyword in node.keywords)
            if kind in ("person", "passkey") and isinstance(action, str) and not of_case:
                yield action


def test_each_event_of_an_account_is_named_or_left_out_for_a_reason() -> None:
    found = set(recorded_about_people())

    assert {"leaving-begun", "password-reset", "passkey-cloned"} <= found
    assert sorted(found - ACTIONS - ABSENCES) == sorted(LEFT_OUT)


def test_both_verifiers_have_the_same_list() -> None:
    source = (ROOT / "services/verifier/page/source/accounts.js").read_text(encoding="utf-8")
    listed = {
        name: set(re.findall(r'"([a-z-]+)"', members))
        for name, members in re.findall(r"^const (\w+) = new Set\(\[(.*?)\]\);", source, re.MULTILINE | re.DOTALL)
    }

    assert listed == {"ACTIONS": ACTIONS, "ABSENCES": ABSENCES, "ORGANISATION": ORGANISATION}


@pytest.mark.parametrize("action", ["leaving-begun", "leaving-ended", "directory-linked"])
def test_who_was_leaving_when_they_signed_is_told(action: str) -> None:
    signatures = Signatures()
    signatures.add({"person": "keeper", "signedAt": SIGNED.isoformat()}, {})
    event = {"action": action, "application": None, "subject": {"kind": "person", "id": "keeper"}, "detail": {}}

    assert is_listed(event)
    assert signatures.concerns(event, SIGNED - timedelta(days=1))
