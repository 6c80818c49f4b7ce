"""From a setting to a store."""

from services.runtime.clock import Clock
from services.runtime.settings import stores as places
from services.vault.store.folder import FolderStore
from services.vault.store.protocol import Store


def open_store(place: places.StorePlace, clock: Clock | None = None, *, answer_seconds: float | None = None) -> Store:
    """The store at a place (`Settings.store_place`, `Settings.replica_place`); call `ensure` before its first use.

    ``clock`` is for the folder's retention, the machine's own unless given; an S3 server uses its own.
    ``answer_seconds``: how long one answer of a server may take, unless its usual half a minute.
    """
    if isinstance(place, places.FolderStore):
        return FolderStore(place.path, place.prefix, clock)
    from services.vault.store.s3 import S3Store  # noqa: PLC0415 - its client is slow to load, and a folder needs none

    return S3Store(place) if answer_seconds is None else S3Store(place, read_seconds=answer_seconds)
