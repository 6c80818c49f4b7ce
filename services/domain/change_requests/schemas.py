"""The typed views of open requests and held signatures, the same for page and API."""

from datetime import datetime

from services.web.schemas import Answer, Body, Line


class ObjectionBody(Body):
    """Why somebody objects; an objection to models has to say so."""

    reason: Line | None = None


class AccountResetAnswer(Answer):
    """What was done to the person's account in the last 30 days; ``action`` is that of the audit trail."""

    at: datetime
    action: str
    what_zh: str
    what_en: str


class ChangeRequestAnswer(Answer):
    """An open request. ``what`` says in words what would be done; the last four say what the reader may do.

    ``only_confirmed``: no time takes the second person's place, so ``effective_at`` does not count.
    ``page``: where to read all that would be done, if the sentence does not say it.
    ``objects``: whether what ``may_object`` allows is an objection, or else a withdrawal.
    """

    id: str
    kind: str
    what_zh: str
    what_en: str
    page: str | None
    person_id: str | None
    person: str | None
    resets: list[AccountResetAnswer]
    requested_by: str
    requested_at: datetime
    effective_at: datetime
    confirmed_by: str | None
    confirmed_at: datetime | None
    lapses_at: datetime
    only_confirmed: bool
    may_confirm: bool
    may_object: bool
    objects: bool
    may_carry_out: bool


class SignatureHoldAnswer(Answer):
    """Somebody who signs nothing up to ``until``, unless the reader, who may, confirms it.

    ``reason`` is the audit action of the reset, or ``post-assigned``.
    """

    id: str
    person_id: str
    person: str
    reason: str
    since: datetime
    until: datetime


class OpenRequestsAnswer(Answer):
    requests: list[ChangeRequestAnswer]
    holds: list[SignatureHoldAnswer]
