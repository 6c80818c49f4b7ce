"""Whether the database answers and can be written to, asked by a connection of its own."""

import threading

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from services.database.engine import READING, connect
from services.runtime.settings.database import DatabaseSettings
from services.runtime.threads import run_in_own_thread


class Readiness:
    """Never waits for the pool, whose connections may all be in use, and keeps at most one thread waiting."""

    def __init__(self, url: str, settings: DatabaseSettings) -> None:
        self._url = url
        self._settings = settings.model_copy(update={"pool_size": 1})
        self._engine: Engine | None = None  # made by the first check: a command asks for none
        self._asking = threading.Lock()

    async def check(self) -> str | None:
        """Return None, or a sentence that says what is wrong."""
        return await run_in_own_thread(self._ask, abandon=True)

    def _ask(self) -> str | None:
        if not self._asking.acquire(blocking=False):
            return "the database has not answered the check before this one"
        try:
            if self._engine is None:
                self._engine = connect(self._url, self._settings)
            return _ask(self._engine)
        except SQLAlchemyError as error:
            return f"the database does not answer ({type(error).__name__})"
        finally:
            self._asking.release()

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()


def _ask(engine: Engine) -> str | None:
    if engine.dialect.name == "sqlite":
        # In a transaction that writes it would wait for other writers.
        with engine.connect().execution_options(**{READING: True}) as connection:
            connection.exec_driver_sql("SELECT 1")
        return None
    with engine.connect() as connection:
        if connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "off":
            return None
        connection.invalidate()  # the next check asks the server that has taken over, if one has
    return "the database takes no changes: it is a standby, or was made read-only"
