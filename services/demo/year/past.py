"""Act in the past: the register's own acts, each at its moment, by the demo's people with their passwords."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo.organisation import demo_id
from services.demo.year.fill import MEMBER
from services.domain.accounts.signatures.given import Proof

MEMBER_PASSWORD = "demo-member"  # noqa: S105 - of everybody in the year's departments, and published
P = ParamSpec("P")
R = TypeVar("R")


class PastClock:
    """A clock that is set to moments of the past; what is made under it says DEMO."""

    turned = True

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment

    def set(self, moment: datetime) -> None:
        self._moment = moment

    def advance(self, by: timedelta) -> None:
        self._moment += by


@dataclass
class Past:
    """The register at the moment of ``clock``; each act takes it a minute further."""

    database: Database
    clock: PastClock
    keys: int = 5_000_000_000_000  # of jobs and instances that no engine has

    def act(self, by: str | None, act: Callable[Concatenate[UnitOfWork, P], R], *given: P.args, **named: P.kwargs) -> R:
        """Run an act by the person with this login or, of the year's departments, this id; or by the system."""
        person = by if by is None or by.startswith(MEMBER) else demo_id(by)
        actor = Actor("person", person) if person is not None else Actor("worker", "demo")
        found: Any = self.database.run_now(actor, act, *given, **named)
        self.clock.advance(timedelta(minutes=1))
        result: R = found
        return result

    def key(self) -> int:
        """Return the key of a job or an instance."""
        self.keys += 1
        return self.keys


def proof(login: str, form_sha256: str = "") -> Proof:
    """Return what a person of the demo signs with."""
    return Proof(form_sha256, f"demo-{login}")
