"""Deadlines of consents: consents that do not come are reminded, and lapse (R17)."""

from datetime import timedelta

from services.database.unit_of_work import Actor, Database
from services.domain.applications import joint
from services.runtime.periodic import Periodic

ACTOR = Actor("system", "consents")
EVERY = timedelta(minutes=1)


def consent_deadlines(database: Database) -> Periodic:
    """Check the deadlines every minute; several processes that do so write each reminder once."""

    async def check() -> None:
        await database.run(ACTOR, joint.check_deadlines)

    return Periodic("consents", EVERY, check)
