"""A pooler before PostgreSQL, such as PgBouncer: which limits do not hold behind it."""

from sqlalchemy import text

from services.database.engine import limits
from services.database.unit_of_work import UnitOfWork
from services.runtime.settings import variable
from services.runtime.settings.database import DatabaseSettings
from services.runtime.translations import Joined, Message, Text

SETTING = variable("database.pooler")
MILLISECONDS = text("SELECT name, setting::bigint FROM pg_settings WHERE name = ANY (:names) ORDER BY name DESC")


def why_unlimited(uow: UnitOfWork, settings: DatabaseSettings) -> Text | None:
    """Return a sentence where PostgreSQL ends nothing after what the settings say; else None.

    Behind a pooler the account has to have the limits; without one, a connection that has lost what it was opened with
    came through a pooler that drops it.
    """
    engine = uow.session.get_bind().engine
    if engine.dialect.name != "postgresql" or "options" in engine.url.query:
        return None
    asked = limits(settings)
    shown = {row.name: row.setting for row in uow.session.execute(MILLISECONDS, {"names": list(asked)})}
    lost = [
        name
        for name, milliseconds in shown.items()
        if (asked[name] and not milliseconds if settings.pooler else milliseconds != asked[name] * 1000)
    ]
    if not lost:
        return None
    give = Joined(
        " and ",
        (f"ALTER ROLE {engine.url.username} SET {name} = '{asked[name]}s'" for name in lost),
    )
    if settings.pooler:
        return Message(
            "nothing ends what hangs, since the account lacks {limits}: {statements}",
            limits=Joined(" and ", lost),
            statements=give,
        )
    return Message(
        "a pooler does not pass on {limits}: set {variable}=true, and {statements}; or give the address of PostgreSQL "
        "itself",
        limits=Joined(" and ", lost),
        variable=SETTING,
        statements=give,
    )
