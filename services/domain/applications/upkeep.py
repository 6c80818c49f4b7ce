"""What the books do by the passing of time alone: consents that do not come are reminded, and lapse (R17)."""

from datetime import timedelta

from services.database.unit_of_work import Actor, Database
from services.domain.applications import joint
from services.runtime.periodic import Periodic

ACTOR = Actor("system", "consents")
EVERY = timedelta(minutes=1)


def upkeep(database: Database) -> Periodic:
    """Tend the books every minute.

    Several processes that do so disturb each other as little as several relays: what is done is done once.
    """

    async def tend() -> None:
        await database.run(ACTOR, joint.tend)

    return Periodic("consents", EVERY, tend)
