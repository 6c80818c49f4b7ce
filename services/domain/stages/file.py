"""Read ``review-stages.json``; report each problem with its line and key."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.database.tables.people import POSTS
from services.domain.stages.schema import LIMITS, Question, Stage, StageFile, duration
from services.runtime import json_lines
from services.runtime.errors import Fatal
from services.runtime.json_lines import KeyPath, Problem
from services.runtime.translations import Message

NAME = "review-stages.json"
CUSTODIAN = "custodian"  # the duty of the receipt, which is not a duty in the case
# The stages that the policy has rules for: their phase, their rule of who decides, their outcomes.
POLICY: dict[str, tuple[str, str | None, tuple[str, ...]]] = {
    "preliminary": ("approval", "department", ("approved", "returned", "rejected")),
    "credentials": ("approval", None, ("approved", "returned", "rejected")),
    "security": ("approval", None, ("approved", "returned", "rejected")),
    "security-signature": ("approval", "sign-off", ("signed", "refused")),
    "management": ("approval", "management", ("approved", "rejected")),
    "storage-release": ("retrieval", None, ("approved", "returned")),
    "partial-footage": ("retrieval", None, ("approved", "rejected")),
    "receipt": ("custody", "custodian", ("accepted", "declined")),
    "return-inspection": ("return", "return-office", ("in-order", "discrepancy")),
    "extension": ("matter", None, ("approved", "rejected")),
    "custody-receipt": ("matter", "counterpart", ("accepted", "declined")),
    "work-order-verification": ("matter", "verifier", ("verified", "again")),
    "supervision": ("matter", "supervision", ("inspected", "found")),
    "inspection-signature": ("matter", "supervision", ("signed", "refused")),
    "recall": ("matter", "sign-off", ("signed", "refused")),
    "urgent-release": ("matter", None, ("approved", "rejected")),
    "problem": ("matter", None, ("unfounded", "explained", "replace", "recall", "breach")),
    "violation-security": ("matter", None, ("upheld", "unfounded")),
    "violation-legal": ("matter", None, ("upheld", "unfounded")),
    "violation-management": ("matter", "management", ("upheld", "unfounded")),
    "violation-appeal": ("matter", "management", ("approved", "rejected")),
    "legal-sanction": ("matter", None, ("approved", "rejected")),
    "referral": ("matter", None, ("approved", "rejected")),
    "legal": ("matter", None, ("approved", "rejected")),
    "redaction-check": ("matter", None, ("approved", "again")),
    "disposal": ("matter", None, ("approved", "rejected")),
    "disposal-confirm": ("matter", "sign-off", ("approved", "rejected")),
}
LATER = ("credentials",)  # of the approval, added after the first release
OWN_RULES = ("custodian", "counterpart")  # of stages that ask one named person
RETURNED_BY = {"usePeriodDays": "security", "wayOfUse": "security", "dueAt": "receipt"}
DECIDING_POSTS = tuple(post for post in POSTS if post not in ("member", "administrator", "supervisor"))
PATTERNS = {
    "zh": "has no Chinese",
    "en": "has to be English",
    "": "is made of small letters, digits and hyphens",
}


def read(path: Path) -> StageFile:
    """Read the file; Fatal with every line to correct."""
    content, problems = check(path)
    if content is None or problems:
        raise Fatal(
            Message(
                "could not read the review stages | {file} | {problems} | correct the file; docs/designers.md "
                "describes each key",
                file=str(path),
                problems="; ".join(map(str, problems)),
            )
        )
    return content


def check(file_path: Path) -> tuple[StageFile | None, list[Problem]]:
    """Parse the file; return its content, None if malformed, and its problems."""
    return json_lines.read(
        file_path, StageFile, patterns=PATTERNS, contradictions=_contradictions, prepared=_with_codes
    )


def _with_codes(content: Any) -> Any:
    """Add each stage's key to its body as its code."""
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, dict):
        return content
    coded = {code: {"code": code, **body} if isinstance(body, dict) else body for code, body in stages.items()}
    return {**content, "stages": coded}


def _contradictions(file: StageFile) -> Iterator[tuple[KeyPath, str]]:
    """Yield the problems that the types do not show."""
    for code in file.posts:
        if code in POSTS:
            yield ("posts", code), "this post is built in already: leave it out here"
    for code, (phase, rule, outcomes) in POLICY.items():
        stage = file.stages.get(code)
        if stage is None and (phase == "matter" or code in LATER):
            continue  # the file is older than matters: what needs the stage is refused with a sentence
        if stage is None or stage.retired:
            yield ("stages", code), "the policy's rules are written about this stage: it has to be there"
            continue
        if stage.phase != phase:
            yield ("stages", code, "phase"), f"the policy has it in the phase {phase}"
        if rule is not None and stage.candidates != rule:
            yield ("stages", code, "candidates"), f"the policy says who decides it: {rule}"
        if stage.outcomes != outcomes:
            yield ("stages", code, "outcomes"), f"the product acts on these, in this order: {', '.join(outcomes)}"
    for code, stage in file.stages.items():
        for path, sentence in _check_stage(file, stage):
            yield ("stages", code, *path), sentence


def _check_stage(file: StageFile, stage: Stage) -> Iterator[tuple[KeyPath, str]]:
    if stage.duty not in file.duties and not (stage.duty == CUSTODIAN and stage.candidates in OWN_RULES):
        yield ("duty",), f"{stage.duty} is not among the duties: add it there, with its words"
    if not _is_limit(stage.limit_of):
        yield ("limit",), f"is {', '.join(LIMITS)} or a duration such as PT8H"
    if stage.limit_counts == "working-time" and (stage.limit_of == "take-up" or stage.code == "receipt"):
        yield ("limitCounts",), "the time to accept copies is calendar time, as use periods are: leave it out"
    for index, sanction in enumerate(stage.sanctions):
        if sanction not in file.sanctions:
            yield ("sanctions", index), f"{sanction} is not among the sanctions: add it there, with its words"
    yield from _check_outcomes(file, stage)
    yield from _check_candidates(file, stage)
    yield from _check_questions(stage)
    if stage.accepts_lost_per_mille and stage.code != "partial-footage":
        yield ("acceptsLostPerMille",), "only the stage partial-footage accepts that pictures lack"
    for index, name in enumerate(stage.returns):
        if RETURNED_BY.get(name, stage.code) != stage.code:
            yield ("returns", index), f"{name} is returned by the stage {RETURNED_BY[name]} alone"


def _check_questions(stage: Stage) -> Iterator[tuple[KeyPath, str]]:
    """Each question of a stage has a code of its own: the answers are recorded by them."""
    asked: set[str] = set()
    lists: list[tuple[KeyPath, Sequence[Question]]] = [(("questions",), stage.questions)]
    lists += [(("instead", kind, "questions"), one.questions) for kind, one in stage.instead.items()]
    for path, questions in lists:
        for index, question in enumerate(questions):
            if question.code in asked:
                yield (*path, index, "code"), f"{question.code} is asked already"
            asked.add(question.code)
    for kind in stage.instead:
        if kind not in stage.about:
            yield ("instead", kind), f"the stage is not asked about {kind}: add it to about, or leave this out"


def _check_outcomes(file: StageFile, stage: Stage) -> Iterator[tuple[KeyPath, str]]:
    for index, outcome in enumerate(stage.outcomes):
        if outcome not in file.outcomes:
            yield ("outcomes", index), f"{outcome} is not among the outcomes: add it there, with its words"
        if outcome in stage.outcomes[:index]:
            yield ("outcomes", index), f"{outcome} is there already"
        if outcome == "returned" and stage.needs_hand_over:
            yield ("outcomes", index), "a form is sent back before copies are handed over, not after"
    for index, outcome in enumerate(stage.reason_for):
        if outcome not in stage.outcomes:
            yield ("reasonFor", index), f"{outcome} is no outcome of this stage"


def _check_candidates(file: StageFile, stage: Stage) -> Iterator[tuple[KeyPath, str]]:
    for index, group in enumerate(stage.groups):
        for number, post in enumerate(group.posts):
            if post not in DECIDING_POSTS and post not in file.posts:
                known = ", ".join((*DECIDING_POSTS, *file.posts))
                yield ("candidates", index, "posts", number), f"{post} is no post that may decide: there are {known}"
    if isinstance(stage.candidates, str):
        owners = [code for code, (_, rule, _) in POLICY.items() if rule == stage.candidates]
        if stage.code not in owners:
            yield ("candidates",), f"this rule is the stage {' and '.join(owners)}'s: list groups of posts here"


def _is_limit(text: str) -> bool:
    try:
        return text in LIMITS or duration(text) > timedelta()
    except ValueError:
        return False
