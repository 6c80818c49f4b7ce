"""The coverage of the policy, live: what this release does about each requirement, and what broke it here (R62).

What the release does stands in ``policy_coverage.json``, since a portal that runs has no tests beside it: it is written
by ``footage-desk policy coverage --write``, and a test compares it with the page, the models and the tests. Elements
are read from the models in use, so that one that the organisation has taken out is shown as missing.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.process.model_library import ModelLibrary
from services.domain.supervision import breaches, readers
from services.domain.supervision.audit_schemas import CoveredElement, CoveredRequirement, PolicyCoverage
from services.runtime.errors import NotFound
from services.runtime.models import Model
from services.runtime.translations import Message

SHIPPED = Path(__file__).with_name("policy_coverage.json")
ACTION = "policy-coverage-read"


@cache
def shipped() -> list[dict[str, Any]]:
    """Read what this release does about each requirement, in their order."""
    requirements: list[dict[str, Any]] = json.loads(SHIPPED.read_bytes())
    return requirements


def read_coverage(uow: UnitOfWork, library: ModelLibrary) -> PolicyCoverage:
    """Read all requirements, with how many cases broke each; the reading is an event."""
    readers.require_reader(uow)
    audit_trail.record(uow, ACTION, "policy", "coverage")
    broken = breaches.count_cases(uow)
    requirements = [_covered(one, library, broken.get(one["number"], 0)) for one in shipped()]
    whole = dict.fromkeys(("enforced", "recorded", "attested"), 0)
    for requirement in requirements:
        whole[requirement.verb] += requirement.state == "whole"
    return PolicyCoverage(requirements=requirements, whole=whole)


def read_requirement(uow: UnitOfWork, library: ModelLibrary, number: str) -> CoveredRequirement:
    """Read one requirement; the reading is an event. NotFound for a number that is none."""
    readers.require_reader(uow)
    found = next((one for one in shipped() if one["number"] == number), None)
    if found is None:
        raise NotFound(Message("requirement"), number)
    audit_trail.record(uow, ACTION, "policy", number)
    return _covered(found, library, breaches.count_cases(uow).get(number, 0))


def _covered(one: Mapping[str, Any], library: ModelLibrary, broken: int) -> CoveredRequirement:
    return CoveredRequirement(
        number=one["number"],
        where=one["where"],
        phrase=one["phrase"],
        meaning=one["meaning"],
        verb=one["verb"],
        state=one["state"],
        lacks=one["lacks"],
        elements=_elements(one["number"], one["elements"], library.values()),
        refusing=one["refusing"],
        showing=one["showing"],
        broken=broken,
    )


def _elements(number: str, shipped_ones: Iterable[Mapping[str, str]], models: Iterable[Model]) -> list[CoveredElement]:
    """Return the elements that this release ships, and the organisation's own that name the requirement."""
    in_use = list(models)
    present = {(model.process_id, element.id): element for model in in_use for element in model.elements.values()}
    found, known = [], set()
    for one in shipped_ones:
        key = (one["process"], one["id"])
        known.add(key)
        # a table, or what is no step of a process, is in no library: it is what this release has
        missing = one["process"] != "" and key not in present
        found.append(
            CoveredElement(
                model=one["model"], id=one["id"], zh=one["zh"], en=one["en"], state="missing" if missing else "shipped"
            )
        )
    for key, element in present.items():
        if number in element.requirements and key not in known:
            found.append(CoveredElement(model=key[0], id=element.id, zh=element.zh, en=element.en, state="own"))
    return found
