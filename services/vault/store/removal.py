"""A removal that the store refuses holds up neither those behind it nor the start of a process."""

from collections.abc import Awaitable

from services.runtime.errors import Fatal
from services.runtime.logs import get_logger
from services.vault.store.protocol import StoreLocked

log = get_logger(__name__)


async def is_removed(removal: Awaitable[object], key: str) -> bool:
    """Wait for a removal; False where the store refuses it, which is logged and tried again.

    Raises Retryable where a store is away.
    """
    try:
        await removal
    except (Fatal, StoreLocked) as error:
        log.error("an object could not be removed and is tried again", key=key, cause=str(error))  # noqa: TRY400  # says all
        return False
    return True
