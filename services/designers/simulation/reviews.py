"""One open review of a simulated case, and who may decide it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from services.designers.simulation.profile import Profile
from services.domain.access import policy
from services.domain.access.parts import CaseFacts
from services.domain.stages.schema import Stage

CUSTODIAN = "custodian"  # the rule of the receipt, which is nobody's duty in the case
STORAGE_RELEASE = "storage-release"


@dataclass(eq=False)
class OpenReview:
    """``groups`` are those in charge, then each group of substitutes; ``ready`` when somebody turns to it.

    ``number`` counts the reviews of a stage in a case. ``needed`` is how many people sign it, ``signed`` who has.
    ``begun_asking``: the process waits for the answer.
    """

    id: str
    case: str
    stage: Stage
    groups: Sequence[Sequence[str]]
    opened: datetime
    ready: datetime
    number: int = 1
    needed: int = 1
    begun_asking: bool = False
    escalated: bool = False
    closed: bool = False
    taken: bool = False
    signed: list[str] = field(default_factory=list)

    def candidates(self, is_absent: Callable[[str], bool]) -> list[str]:
        """List who may take it now: the first group with enough people who are there, after the escalation all."""
        left = [[person for person in group if person not in self.signed] for group in self.groups]
        present = [[person for person in group if not is_absent(person)] for group in left]
        if self.escalated:
            return [person for group in present for person in group]
        found: list[str] = []
        for group in present:
            found += group
            if len(found) >= self.needed - len(self.signed):
                break
        return found

    @property
    def everybody(self) -> list[str]:
        return [person for group in self.groups for person in group]


@dataclass
class CaseDuties:
    """Who did what in a case; one person does one duty in it."""

    department: str
    drafter: str
    decided_by: str | None = None
    near: Mapping[str, Sequence[str]] = field(default_factory=dict)
    done: dict[str, set[str]] = field(default_factory=dict)


class Deciders:
    """Finds the people of a review by the product's own rules, as ``access.policy`` has them."""

    def __init__(self, profile: Profile) -> None:
        self._directory = profile.directory
        self._known: dict[tuple[object, ...], list[list[str]]] = {}

    @cached_property
    def _kinds(self) -> Mapping[str, str]:
        """A department of each kind, in which somebody whom a case involves may be."""
        return {department.kind: name for name, department in self._directory.departments.items()}

    def near(self, drafter: str, department: str, *kinds: str) -> Mapping[str, Sequence[str]]:
        """Return the departments of those near a case: its drafter, and a subject in a department of each kind."""
        subject = [self._kinds[kind] for kind in kinds if kind in self._kinds]
        return {drafter: [department], **({"subject": subject} if subject else {})}

    def groups(self, stage: Stage, duties: CaseDuties) -> list[list[str]]:
        """List who may decide: those in charge, then their substitutes; without those who did another duty."""
        if stage.candidates == CUSTODIAN:
            return [[duties.drafter]]
        barred = {duties.drafter} | {
            person for duty, people in duties.done.items() if duty != stage.duty for person in people
        }
        found = [[person for person in group if person not in barred] for group in self._pools(stage, duties)]
        return [group for group in found if group]

    def _pools(self, stage: Stage, duties: CaseDuties) -> list[list[str]]:
        near = tuple(sorted(department for own in duties.near.values() for department in own))
        key = (stage.code, duties.department, duties.decided_by, near)
        if key not in self._known:
            facts = CaseFacts("", duties.department, decided_by=duties.decided_by, near=duties.near)
            pools = policy.pools(self._directory, facts, stage)
            fit = set(self._directory.agreed) - self._directory.administrators
            self._known[key] = [[person for person in pool if person in fit] for pool in pools]
        return self._known[key]
