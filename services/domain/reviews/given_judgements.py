"""A judgement as it is given with a decision; ``judgements`` checks it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class GivenSanction:
    """One sanction of one person; ``person_id`` may be left out where one person alone is accused."""

    kind: str
    person_id: str | None = None
    amount: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class GivenReplacement:
    """An item that is wrong, and what is retrieved instead; what is left out stays as it was granted."""

    item_id: str
    camera_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Judgement:
    """What is given with the decision.

    ``authority`` belongs to the decision to refer, ``replacements`` to the answer to a problem, the rest to the
    violation.
    """

    severity: str | None = None
    sanctions: Sequence[GivenSanction] = ()
    loss: bool | None = None
    loss_amount: str | None = None
    referral: bool | None = None
    authority: str | None = None
    replacements: Sequence[GivenReplacement] = ()
