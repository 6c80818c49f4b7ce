"""A store as the portal's account in compose has it: it puts and reads, and removes no object and no hold."""

from typing import Any, NoReturn

from services.vault.store.protocol import Store, StoreRefused


class PortalStore:
    """Refuses what ``deploy/compose/store/portal.json`` does not allow; everything else is the store's own."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def delete(self, bucket: str, key: str, version_id: str) -> NoReturn:
        raise StoreRefused(f"the store could not delete {bucket}/{key} {version_id} (AccessDenied).")

    def set_legal_hold(self, bucket: str, key: str, version_id: str, on: bool) -> NoReturn:
        raise StoreRefused(f"the store could not hold {bucket}/{key} {version_id}: {on} (AccessDenied).")
