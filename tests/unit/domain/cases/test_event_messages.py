"""Every action that a case's time line may show has words in both languages."""

import ast
from collections.abc import Iterator

import pytest

from services.domain.cases.event_messages import EVENT_MESSAGES, describe
from services.domain.custody import holder_entries
from services.domain.custody.integrity import DAMAGED, INTACT, UNFINISHED
from services.domain.documents.service import SERIES
from services.domain.stages.catalogue import STAGES
from services.domain.supervision.trail_messages import TRAIL_MESSAGES
from services.runtime.places import ROOT

SERVICES = ROOT / "services"
# Written with a part that is filled in: what it may be.
FILLED = {
    "{kind}-written": (
        *("application-form-written", "hand-over-receipt-written"),
        *(f"{kind}-written" for kind in SERIES if kind not in ("application", "confidentiality-agreement")),
    ),
    "{check}-checked": ("preliminary-review-checked", "security-review-checked"),
    "receipt-{outcome}": ("receipt-accepted", "receipt-declined"),
    "consent-{answer}": ("consent-consented", "consent-refused"),
}
HANDED_ON = {
    "granted.record": 3,
    "record": 3,
    "_mark_discarded": 2,
}  # a function of a module that records the action it is given: which argument


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (one.value if isinstance(one, ast.Constant) else f"{{{ast.unparse(one.value)}}}" for one in node.values)
        return "".join(str(part) for part in parts)
    return None


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(SERVICES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node


def actions_of_cases() -> set[str]:
    """Every action that is recorded with an application, except readings."""
    found: set[str] = set()
    for name, call in _calls():
        if name in ("audit_trail.record", "trail.record") and any(
            keyword.arg == "application_id" for keyword in call.keywords
        ):
            action = _text(call.args[1])
            found |= set(FILLED.get(action or "", (action,) if action else ()))
        elif name in HANDED_ON and len(call.args) > HANDED_ON[name]:
            found.add(_text(call.args[HANDED_ON[name]]) or "")
        elif name in ("custody_log.append", "log.append"):
            event = _text(call.args[2])  # a name: what the custodian writes
            found |= {f"custody-{one}" for one in ((event,) if event else holder_entries.EVENTS)}
    return {one for one in found if one and "{" not in one and not one.endswith("-read")}


def test_every_action_of_a_case_has_words() -> None:
    found = actions_of_cases()

    assert {"review-decided", "suspension-opened", "master-discarded", "custody-returned"} <= found
    assert sorted(found - EVENT_MESSAGES.keys()) == []


def test_every_other_action_of_the_trail_has_words_too() -> None:
    found = {
        action
        for name, call in _calls()
        if name in ("audit_trail.record", "trail.record")
        for action in (_text(call.args[1]),)
        if action and "{" not in action
    }

    assert {"logged-in", "register-read", "rule-changed"} <= found
    assert sorted(found - EVENT_MESSAGES.keys() - TRAIL_MESSAGES.keys()) == []
    assert not EVENT_MESSAGES.keys() & TRAIL_MESSAGES.keys()


def test_every_sentence_is_told_in_both_languages() -> None:
    for sentence in (*EVENT_MESSAGES.values(), *TRAIL_MESSAGES.values()):
        assert not sentence.zh.isascii()
        assert sentence.en.isascii()


@pytest.mark.parametrize("stage", STAGES)
def test_a_decision_is_told_with_its_stage_and_outcome_in_words(stage: str) -> None:
    for outcome in STAGES[stage].outcomes:
        for language in ("zh", "en"):
            told = describe(language, "review-decided", {"stage": stage, "outcome": outcome}, "Asia/Shanghai")
            assert stage not in told or language == "en"
            assert outcome not in told or language == "en"
            assert "{" not in told


def test_a_missing_detail_leaves_no_brace() -> None:
    assert describe("en", "application-submitted", {}, "UTC") == "Application  submitted"
    assert describe("en", "never-heard-of", {}, "UTC") == "never-heard-of"


@pytest.mark.parametrize("outcome", [INTACT, DAMAGED, UNFINISHED])
def test_a_check_of_integrity_is_told_without_a_code(outcome: str) -> None:
    assert outcome not in describe("zh", "integrity-checked", {"outcome": outcome}, "UTC")
    assert describe("en", "integrity-checked", {"outcome": outcome}, "UTC").startswith("Integrity check: ")
