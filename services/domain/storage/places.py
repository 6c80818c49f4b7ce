"""Where vault and replica stand: both are told, and a replica at the vault's site is none (R15)."""

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.tables.sites import STORES, Site, StoragePlace
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.storage import rights
from services.domain.storage.schemas import PlacesBody, PlacesView
from services.runtime.errors import Fatal, NotFound, Refused
from services.runtime.translations import Message


def set_places(uow: UnitOfWork, body: PlacesBody) -> None:
    """Tell at which sites vault and replica stand; what is wrong about it is shown, and the backup refuses it."""
    rights.require_change(uow)
    told = _load(uow)
    for store, site_id in (("vault", body.vault), ("replica", body.replica)):
        row = told.get(store)
        if site_id is None:
            if row is not None:
                raise Refused(
                    "place-told",
                    "Where a store stands cannot be left out once it is entered: choose its site.",
                    field=store,
                )
            continue
        site = uow.session.get(Site, site_id)
        if site is None or site.closed_at is not None:
            raise NotFound(Message("site"), site_id)
        if row is None:
            row = StoragePlace(store=store, site_id=site_id, set_by=uow.actor.id, set_at=uow.now)
            uow.session.add(row)
        elif row.site_id == site_id:
            continue
        row.site_id, row.set_by, row.set_at = site_id, uow.actor.id, uow.now
        audit_trail.record(uow, "storage-place-set", "site", site_id, store=store)
    uow.session.flush()


def read(uow: UnitOfWork) -> PlacesView:
    """Read where the stores stand, for those who read the registers."""
    rights.require_read(uow)
    told, problem = _load(uow), find_problem(uow)
    return PlacesView(
        **{store: told[store].site_id if store in told else None for store in STORES},
        **{f"{store}_name": told[store].site.name if store in told else None for store in STORES},
        problem_zh=problem.zh if problem else None,
        problem_en=problem.en if problem else None,
        missing=[store for store in STORES if store not in told],
    )


def find_problem(uow: UnitOfWork) -> Message | None:
    """Return what is wrong about where vault and replica stand; None where nothing is, or too little is told."""
    told = _load(uow)
    if not set(STORES) <= set(told):
        return None
    vault, replica = told["vault"].site, told["replica"].site
    if vault.id == replica.id or _spelled(vault.address) == _spelled(replica.address):
        return Message(
            "Vault and replica stand at the same place ({vault}, {replica}): a fire there would destroy both. Move the "
            "replica and enter its site, or write the two addresses apart.",
            vault=vault.name,
            replica=replica.name,
        )
    return None


def list_missing(uow: UnitOfWork) -> list[str]:
    """List the stores of which nobody has told where they stand."""
    told = _load(uow)
    return [store for store in STORES if store not in told]


def require_apart(uow: UnitOfWork) -> None:
    """Raise Fatal where the replica stands at the vault's place, as the organisation itself has told (R15)."""
    problem = find_problem(uow)
    if problem is not None:
        raise Fatal(
            f"could not back up footage | the replica of a master | {problem.en} | then raise the retries and resolve "
            "the incident",
            runbook="incidents-pending#the-replica-stands-beside-the-vault",
        )


def _load(uow: UnitOfWork) -> dict[str, StoragePlace]:
    query = select(StoragePlace).options(joinedload(StoragePlace.site))
    return {row.store: row for row in uow.session.scalars(query)}


def _spelled(address: str) -> str:
    """Return an address without spaces, marks and case, as two people spell it alike."""
    return "".join(letter for letter in address.casefold() if letter.isalnum())
