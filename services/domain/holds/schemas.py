"""The typed views of holds, the same for page and API, and the bodies of what is sent."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from services.web.schemas import Answer, Body, Identifier, Moment, no_control

Cause = Literal["violation", "dispute", "referral", "authority", "appeal", "manual"]
Because = Annotated[str, Field(min_length=4, max_length=1000), AfterValidator(no_control)]


class HoldBody(Body):
    """What is to be held, by the number of its case, and why.

    Without ``ownerId`` whoever places the hold owns it; without ``reviewAt`` it is reviewed after the longest time
    that the rules allow.
    """

    number: Identifier
    cause: Cause
    reason: Because
    owner_id: Identifier | None = None
    review_at: Moment | None = None


class ReviewBody(Body):
    """The hold is still needed, by its present owner or by another one."""

    owner_id: Identifier | None = None


class LiftBody(Body):
    """Why the hold is no longer needed: Legal, then the head of Security, decide about it."""

    because: Because


class HoldAnswer(Answer):
    """A hold that was placed. ``inStores``: the stores know of it; the last two say what the reader may do.

    ``matterId`` is the matter that has led to it, null of a hold of an older release; ``confirmed``: Legal has decided
    for it, or nobody has to. ``liftMatterId`` is the matter that asks to lift it, or has led to that. ``liftedBecause``
    is why it was lifted, or while ``liftedAt`` is empty why somebody asks for that.
    """

    id: str
    application_id: str
    number: str
    cause: str
    reason: str
    placed_by: str
    placed_at: datetime
    owner: str
    review_at: datetime
    review_overdue: bool
    document: str | None
    in_stores: bool
    matter_id: str | None
    confirmed: bool
    lift_matter_id: str | None
    lift_asked_by: str | None
    lift_asked_at: datetime | None
    lifted_because: str | None
    lifted_at: datetime | None
    lifted_by: str | None
    may_review: bool
    may_ask_lift: bool


class HoldsAnswer(Answer):
    """A page of holds, and whether the reader may place others.

    ``next`` and ``previous`` are the ``place`` of the pages around it; empty where there is none.
    """

    may_place: bool
    holds: list[HoldAnswer]
    next: str
    previous: str
