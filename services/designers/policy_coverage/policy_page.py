"""The requirements as docs/policy.md lists them: where, in which words, and what the product does about each."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PAGE = Path("docs") / "policy.md"
_NUMBER = re.compile(r"R\d+")


class Verb(StrEnum):
    """What the product does about a requirement, the strongest first."""

    ENFORCED = "enforced"
    RECORDED = "recorded"
    ATTESTED = "attested"

    def is_stronger_than(self, other: "Verb") -> bool:
        """Return whether this one says more than the other."""
        return list(Verb).index(self) < list(Verb).index(other)


class State(StrEnum):
    """How much of a requirement is there."""

    WHOLE = "whole"
    PARTLY = "partly"
    NOT_YET = "not yet"


class WrongPage(ValueError):
    """A row of the page cannot be read; the message says which, and what to write."""


@dataclass(frozen=True)
class Row:
    """One requirement of the page; ``lacks`` says in a few words what is missing of one that is partly there."""

    number: str
    where: str
    phrase: str
    verb: Verb
    state: State
    lacks: str
    meaning: str = ""  # in English


def read_policy(root: Path) -> dict[str, Row]:
    """Read the rows of docs/policy.md below ``root`` by their numbers, in order.

    Raises:
        FileNotFoundError: the page is not there.
        WrongPage: a row has no verb or no state.
    """
    rows = {}
    for line in (root / PAGE).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and _NUMBER.fullmatch(cells[0]):
            if cells[0] in rows:
                raise WrongPage(f"{PAGE}: {cells[0]} has two rows; leave one")
            rows[cells[0]] = _row(cells)
    return rows


def _row(cells: list[str]) -> Row:
    number, verb = cells[0], cells[-2]
    state, _, lacks = (part.strip() for part in cells[-1].partition(":"))
    if verb not in list(Verb):
        raise WrongPage(f"{PAGE}: the verb of {number} is {verb!r}; write one of: {', '.join(Verb)}")
    if state not in list(State):
        raise WrongPage(f"{PAGE}: the state of {number} is {state!r}; write one of: {', '.join(State)}")
    if (state == State.PARTLY) != bool(lacks):
        raise WrongPage(f"{PAGE}: {number} is {cells[-1]!r}; write behind 'partly:', and there alone, what lacks")
    meaning = cells[3].replace("**", "") if len(cells) > 5 else ""
    return Row(number, cells[1], cells[2], Verb(verb), State(state), lacks, meaning)
