"""The marker ``requirement`` of a test: which requirements it shows, by which verb, and whether it is refused.

@pytest.mark.requirement("R41", "R57", refuses=True)    the wrong thing is tried, and the product refuses it
@pytest.mark.requirement("R41")                         shown by the verb that docs/policy.md gives it
@pytest.mark.requirement("R52", verb="recorded")        shown by less: what was done is on record
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.designers.policy_coverage.policy_page import PAGE, Row, Verb


class WrongMark(ValueError):
    """A marker says what it cannot; the message says what to write."""


@dataclass(frozen=True)
class Mark:
    """One requirement that a test shows, and how."""

    number: str
    verb: Verb
    refuses: bool

    def says_more_than(self, other: "Mark") -> bool:
        """Return whether this one refuses where the other does not, or has the stronger verb."""
        return self.verb.is_stronger_than(other.verb) or (self.verb == other.verb and self.refuses > other.refuses)


def read_mark(numbers: Sequence[object], options: Mapping[str, object], rows: Mapping[str, Row]) -> list[Mark]:
    """Read the arguments of one marker against the rows of the policy's page; raises WrongMark."""
    unknown = sorted(set(options) - {"verb", "refuses"})
    if unknown:
        raise WrongMark(f"it has no {unknown[0]}: beside numbers it takes verb and refuses")
    if not numbers:
        raise WrongMark('it names no requirement: write its number, such as "R41"')
    if options.get("refuses", True) is not True:
        raise WrongMark("refuses is True, or it is left out")
    verb = options.get("verb")
    if verb is not None and verb not in list(Verb):
        raise WrongMark(f"its verb is {verb!r}; write one of: {', '.join(Verb)}")
    return [_mark(number, None if verb is None else Verb(str(verb)), "refuses" in options, rows) for number in numbers]


def _mark(number: object, verb: Verb | None, refuses: bool, rows: Mapping[str, Row]) -> Mark:
    row = rows.get(number) if isinstance(number, str) else None
    if row is None:
        raise WrongMark(f"{number!r} is no requirement of {PAGE}")
    shown = verb or row.verb
    if shown.is_stronger_than(row.verb):
        raise WrongMark(f"{row.number} is {row.verb} in {PAGE}: a test does not show that it is {shown}")
    if refuses and shown != Verb.ENFORCED:
        raise WrongMark(f"{row.number} is {shown} here: refuses=True is for what is {Verb.ENFORCED}")
    return Mark(row.number, shown, refuses)
