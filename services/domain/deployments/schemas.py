"""The typed views of sets of models and of versions in the engine."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from services.web.schemas import Answer, Body, Line


class AskBody(Body):
    """Why the models are deployed, and why all the same where the check did not find them clean."""

    reason: Annotated[Line, Field(min_length=4)]
    unchecked: Line | None = None


class SetLine(Answer):
    """One uploaded set. ``state``: checking, checked, requested, objected, approved, deployed, failed."""

    id: str
    digest: str
    state: str
    verdict: str | None
    uploaded_by: str
    uploaded_at: datetime


class FileLine(Answer):
    """A file of a set: ``change`` is new, changed or None; ``sets_rules``: the check itself depends on it."""

    name: str
    sha256: str
    change: str | None
    sets_rules: bool


class SetView(SetLine):
    """A set with all that a second person reads. ``result`` is what the check found, None while it is under way.

    ``outdated``: other models were deployed since it was uploaded.
    """

    files: list[FileLine]
    result: dict[str, Any] | None
    outdated: bool
    reason: str | None
    unchecked: str | None
    requested_by: str | None
    requested_at: datetime | None
    confirmed_by: str | None
    objected_by: str | None
    objection_reason: str | None
    deployed_at: datetime | None
    failure: str | None
    may_ask: bool


class VersionLine(Answer):
    """A version on no record whose jobs are refused; ``key`` is what footage-desk models accept takes."""

    key: str
    process_id: str
    version: int
    first_seen_at: datetime
    last_seen_at: datetime


class ModelsOverview(Answer):
    """What is in use since when, the sets of late, and the versions on no record."""

    deployed_at: datetime | None
    digest: str | None
    result: str | None
    from_portal: bool
    sets: list[SetLine]
    unrecorded: list[VersionLine]
