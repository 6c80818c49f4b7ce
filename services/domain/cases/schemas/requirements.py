"""Which requirement of the policy was met in a case: where, by whom, when."""

from datetime import datetime
from typing import Literal

from services.domain.supervision.audit_schemas import BreachLine
from services.web.schemas import Answer


class RequirementMet(Answer):
    """One time at which it was met.

    ``how``: an element of the process (``step``, ``review``, ``event``) with its name, or an entry of the custody log
    or a filed document with its code. ``person`` is None for what the product did by itself.
    """

    at: datetime
    how: Literal["step", "review", "event", "custody", "document"]
    model: str | None = None
    element: str | None = None
    zh: str | None = None
    en: str | None = None
    code: str | None = None
    person: str | None = None
    number: str | None = None


class RequirementAwaited(Answer):
    """An element that names the requirement, at which the case is now."""

    model: str
    element: str
    zh: str
    en: str
    since: datetime


class CaseRequirement(Answer):
    """One requirement in this case; ``broken`` is what broke it, for those who supervise."""

    number: str
    phrase: str
    meaning: str
    verb: Literal["enforced", "recorded", "attested"]
    met: list[RequirementMet]
    awaited: list[RequirementAwaited]
    broken: list[BreachLine]


class CaseRequirements(Answer):
    """The requirements that the case has met so far, and those that it has not come to; all are in their order."""

    id: str
    number: str | None
    met: list[CaseRequirement]
    other: list[CaseRequirement]
