"""What readiness says of the stores: which one does not answer, is gone or cannot be used."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from services.runtime.errors import Fatal, Retryable
from services.runtime.health import Health
from services.runtime.logs import get_logger
from services.runtime.periodic import Periodic
from services.runtime.threads import run_in_thread
from services.vault.store.protocol import Store

log = get_logger(__name__)

EVERY = timedelta(minutes=1)


def watch_of(stores: Mapping[str, Store], health: Health) -> Periodic:
    """Return the task that asks the stores, by name."""
    return Periodic("stores", EVERY, partial(watch_stores, stores, health))


async def watch_stores(stores: Mapping[str, Store], health: Health) -> None:
    """Ask each store, and say in readiness which one does not answer, is gone or cannot be used."""
    for name, store in stores.items():
        part = f"store {name}"
        if (cause := await _fault_of(store)) is not None:
            if part not in health.away:
                log.warning("a store is away or cannot be used", store=name, cause=cause)
            health.away[part] = cause
        elif health.away.pop(part, None) is not None:
            log.info("a store answers again", store=name)


async def _fault_of(store: Store) -> str | None:
    try:
        gone = await run_in_thread(store.missing)
    except (Retryable, Fatal) as error:
        return str(error)
    return f"{', '.join(gone)} is gone. {store.describe()}" if gone else None
