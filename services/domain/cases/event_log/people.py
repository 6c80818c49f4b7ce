"""The people of an event log: by codes that are stable in one export and of no use in another, or by name."""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from services.domain.cases.event_log.shapes import PERSON, LogObject

SALT_BYTES = 32
CODE_DIGITS = 12


@dataclass(frozen=True)
class Known:
    """A person as the register knows them."""

    id: str
    name: str
    department: str


@dataclass
class PeopleOfLog:
    """Makes the objects of people. The salt is kept nowhere: two exports cannot be joined by their codes."""

    named: bool = False
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(SALT_BYTES), repr=False)

    def code(self, person_id: str) -> str:
        """Return the id of the person's object, the same each time."""
        digest = hmac.new(self.salt, person_id.encode(), hashlib.sha256).hexdigest()
        return f"person-{digest[:CODE_DIGITS]}"

    def objects(self, people: Iterable[Known], ids: Collection[str], since: datetime) -> list[LogObject]:
        """Return the objects of those of the people who have one of the ids."""
        return [
            LogObject(
                self.code(person.id),
                PERSON,
                since,
                {"department": person.department, **({"name": person.name} if self.named else {})},
            )
            for person in people
            if person.id in ids
        ]
