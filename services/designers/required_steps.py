"""The reviews and jobs that the policy requires of the models, with the requirements that each satisfies.

The numbers are those of docs/policy.md; the elements of the shipped models name the same ones in their documentation.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from services.runtime.models import Element

STAGES: Mapping[str, str] = {
    "preliminary": "R16 R17 R22 R23",
    "security": "R4 R24 R26 R49",
    "security-signature": "R25 R26",
    "management": "R26 R27",
    "storage-release": "R31 R32 R33 R34",
    "partial-footage": "R32 R35",
    "receipt": "R45 R46 R47 R59",
    "return-inspection": "R39",
}
JOBS: Mapping[str, str] = {
    "open-case": "R2 R16",
    "preserve-footage": "R6 R31 R52",
    "preliminary-review": "R4 R18 R19 R20 R21 R22",
    "security-review": "R3 R5 R7 R24 R59",
    "escalate-to-management": "R26",
    "release-preservation": "R5 R52",
    "expire-application": "R22",
    "file-application": "R16 R28 R29 R49 R50",
    "notify-storage": "R30",
    "retrieve-footage": "R6 R29 R33 R34 R35 R36",
    "back-up-footage": "R14 R15",
    "encrypt-copy": "R5 R36 R37 R54",
    "hand-over": "R35 R46 R50",
    "expire-offer": "R46",
    "remind-return": "R51",
    "suspend-access": "R50 R51 R55",
    "resume-access": "R50 R55",
    "open-violation": "R48 R51 R65 R66",
    "inspect-return": "R39",
    "re-archive": "R40 R57 R65",
    "open-review": "R22 R24 R25 R27 R59",
    "remind-reviewer": "R30",
    "escalate-review": "R30",
}


@dataclass(frozen=True)
class Step:
    """A review stage or a job type that is missing, with its requirements."""

    name: str
    requirements: str
    is_stage: bool


def unmet(elements: Iterable[Element]) -> Iterator[Step]:
    """Yield each required review and job that none of these elements is; their paths are not checked."""
    present = list(elements)
    stages, job_types = {element.stage for element in present}, {element.job_type for element in present}
    yield from (Step(code, text, is_stage=True) for code, text in STAGES.items() if code not in stages)
    yield from (Step(name, text, is_stage=False) for name, text in JOBS.items() if name not in job_types)
