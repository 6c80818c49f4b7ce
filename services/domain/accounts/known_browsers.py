"""Tokens for browsers in which a person has logged in before.

A stranger's wrong passwords delay nobody there. The token proves nothing else: it opens no session.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.runtime.errors import Fatal

LIFETIME = timedelta(days=180)
MAX_PEOPLE = 6  # who share one browser, as guards of one desk do
_PURPOSE = "known browser"


def issue(uow: UnitOfWork, person: Person) -> str | None:
    """Return a token for the browser; a new password ends it. None without a key: that keeps nobody out."""
    content = [person.id, uow.real_now.timestamp() + LIFETIME.total_seconds(), _password_version(person)]
    try:
        return uow.secrets.encrypt(json.dumps(content), _PURPOSE)
    except Fatal:
        return None


def find(uow: UnitOfWork, person: Person, tokens: Sequence[str]) -> str | None:
    """Return the token among these that is valid for the person."""
    return next((token for token in tokens[:MAX_PEOPLE] if _is_valid(uow, person, token)), None)


def _is_valid(uow: UnitOfWork, person: Person, token: str) -> bool:
    try:
        person_id, ends, version = json.loads(uow.secrets.decrypt(token, _PURPOSE))
    except (Fatal, ValueError, TypeError):
        return False  # of another key, or typed by hand
    return bool(
        person_id == person.id
        and version == _password_version(person)
        and datetime.fromtimestamp(ends, UTC) > uow.real_now
    )


def _password_version(person: Person) -> str:
    return person.password_set_at.isoformat() if person.password_set_at is not None else ""
