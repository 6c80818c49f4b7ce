"""Read ``review-stages.json``; report each problem with its line and key."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from services.database.tables.people import POSTS
from services.domain.stages.schema import LIMITS, Stage, StageFile, duration
from services.runtime.errors import Fatal

NAME = "review-stages.json"
CUSTODIAN = "custodian"  # the duty of the receipt, which is not a duty in the case
# The stages that the policy has rules for: their phase, their rule of who decides, their outcomes.
POLICY: dict[str, tuple[str, str | None, tuple[str, ...]]] = {
    "preliminary": ("approval", "department", ("approved", "returned", "rejected")),
    "security": ("approval", None, ("approved", "returned", "rejected")),
    "security-signature": ("approval", "sign-off", ("signed", "refused")),
    "management": ("approval", "management", ("approved", "rejected")),
    "storage-release": ("retrieval", None, ("approved", "returned")),
    "partial-footage": ("retrieval", None, ("approved", "rejected")),
    "receipt": ("custody", "custodian", ("accepted", "declined")),
    "return-inspection": ("return", "return-office", ("in-order", "discrepancy")),
}
RETURNED_BY = {"usePeriodDays": "security", "wayOfUse": "security", "dueAt": "receipt"}
DECIDING_POSTS = tuple(post for post in POSTS if post not in ("member", "administrator", "supervisor"))
PYDANTIC_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is no key that is known here",
    "bool_type": "is true or false",
    "string_type": "is a text",
    "model_type": "is an object in braces",
    "dict_type": "is an object in braces",
    "tuple_type": "is a list in brackets",
}
PATTERNS = {"zh": "has no Chinese", "en": "has to be English"}

KeyPath = tuple[str | int, ...]
_parts = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


@dataclass(frozen=True)
class Problem:
    """One problem, with its line (from 1) and its key."""

    line: int
    key: str
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.key}: {self.sentence}" if self.key else f"line {self.line}: {self.sentence}"


def read(path: Path) -> StageFile:
    """Read the file; Fatal with every line to correct."""
    content, problems = check(path)
    if content is None or problems:
        raise Fatal(
            f"could not read the review stages | {path} | {'; '.join(map(str, problems))} | "
            "correct the file; docs/designers.md describes each key"
        )
    return content


def check(file_path: Path) -> tuple[StageFile | None, list[Problem]]:
    """Parse the file; return its content, None if malformed, and its problems."""
    try:
        text = file_path.read_text(encoding="utf-8")
        content = json.loads(text, object_pairs_hook=_reject_duplicates)
    except OSError as error:
        return None, [Problem(1, "", f"the file cannot be read: {error.strerror}")]
    except json.JSONDecodeError as error:
        return None, [Problem(error.lineno, "", f"no JSON: {error.msg}")]
    except (UnicodeDecodeError, _DuplicateKey) as error:
        return None, [Problem(1, "", f"{error}" if isinstance(error, _DuplicateKey) else "the file is not UTF-8")]
    lines = line_positions(text)
    try:
        file = StageFile.model_validate_json(json.dumps(_with_codes(content)), strict=True)
    except ValidationError as error:
        return None, [_problem(lines, tuple(fault["loc"]), _message(fault)) for fault in error.errors()]
    return file, [_problem(lines, path, sentence) for path, sentence in _contradictions(file)]


def line_positions(text: str) -> dict[KeyPath, int]:
    """Map each key and list entry of a valid JSON text to its first line."""
    lines: dict[KeyPath, int] = {(): 1}
    at: list[str | int | None] = []
    expects_key = False
    for match in _parts.finditer(text):
        part, line = match[0], text.count("\n", 0, match.start()) + 1
        if part in "]}":
            at.pop()
            expects_key = False
        elif part == ",":
            expects_key = at[-1] is None or isinstance(at[-1], str)
            if isinstance(at[-1], int):
                at[-1] += 1
        elif part == ":":
            expects_key = False
        elif expects_key:
            at[-1] = json.loads(part)
            lines[_current_path(at)] = line
        else:
            lines.setdefault(_current_path(at), line)
            if part in "[{":
                at.append(0 if part == "[" else None)
                expects_key = part == "{"
    return lines


class _DuplicateKey(ValueError):
    pass


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _DuplicateKey(f"the key {twice[0]} is twice in one object: keep one of them")
    return dict(pairs)


def _current_path(at: list[str | int | None]) -> KeyPath:
    return tuple(part for part in at if part is not None)


def _with_codes(content: Any) -> Any:
    """Add each stage's key to its body as its code."""
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, dict):
        return content
    coded = {code: {"code": code, **body} if isinstance(body, dict) else body for code, body in stages.items()}
    return {**content, "stages": coded}


def _message(error: ErrorDetails) -> str:
    if error["type"] == "string_pattern_mismatch":
        return PATTERNS.get(str(error["loc"][-1]), "is made of small letters, digits and hyphens")
    return PYDANTIC_MESSAGES.get(error["type"], error["msg"][:1].lower() + error["msg"][1:])


def _problem(lines: dict[KeyPath, int], path: KeyPath, sentence: str) -> Problem:
    """Locate a problem; a missing key has the line of its object.

    The key leaves out names that only pydantic knows.
    """
    known: KeyPath = ()
    key: list[str] = []
    for part in path:
        if (*known, part) in lines:
            known = (*known, part)
            key.append(str(part))
        elif part not in ("rule", "groups", "[key]"):
            key.append(str(part))
    return Problem(lines[known], ".".join(key), sentence)


def _contradictions(file: StageFile) -> Iterator[tuple[KeyPath, str]]:
    """Yield the problems that the types do not show."""
    for code in file.posts:
        if code in POSTS:
            yield ("posts", code), "this post is built in already: leave it out here"
    for code, (phase, rule, outcomes) in POLICY.items():
        stage = file.stages.get(code)
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
    if stage.duty not in file.duties and not (stage.duty == CUSTODIAN and stage.code == "receipt"):
        yield ("duty",), f"{stage.duty} is not among the duties: add it there, with its words"
    if not _is_limit(stage.limit_of):
        yield ("limit",), f"is {', '.join(LIMITS)} or a duration such as PT8H"
    if stage.limit_counts == "working-time" and (stage.limit_of == "take-up" or stage.code == "receipt"):
        yield ("limitCounts",), "the time to accept copies is calendar time, as use periods are: leave it out"
    yield from _check_outcomes(file, stage)
    yield from _check_candidates(file, stage)
    codes = [question.code for question in stage.questions]
    for index, code in enumerate(codes):
        if code in codes[:index]:
            yield ("questions", index, "code"), f"{code} is asked already"
    if stage.accepts_lost_per_mille and stage.code != "partial-footage":
        yield ("acceptsLostPerMille",), "only the stage partial-footage accepts that pictures lack"
    for index, name in enumerate(stage.returns):
        if RETURNED_BY.get(name, stage.code) != stage.code:
            yield ("returns", index), f"{name} is returned by the stage {RETURNED_BY[name]} alone"


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
    for code, (_, rule, _) in POLICY.items():
        if stage.candidates == rule and stage.code != code:
            yield ("candidates",), f"this rule is the stage {code}'s: list groups of posts here"


def _is_limit(text: str) -> bool:
    try:
        return text in LIMITS or duration(text) > timedelta()
    except ValueError:
        return False
