"""Whole cases on a whole desk and their packages, for tests of packages and of what was done to them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from case_people import People
from demo_container import Places
from whole_desk import open_desk
from whole_footage import MADE_FOR, Footage

from services.app.evidence import sources_of
from services.database.tables.matters import Matter
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo.organisation import demo_id
from services.domain.attachments.receiver import Receiver
from services.domain.attachments.schemas import Description
from services.domain.audit import tree as audit_tree
from services.domain.audit.checkpoint_publisher import CheckpointPublisher
from services.evidence import package
from services.evidence.package import How, Sources
from services.runtime.threads import run_in_thread
from services.vault.keys.log_key import FOLDER, LogKey, ensure_log_key
from services.vault.keys.signer import Signer
from services.vault.keys.vault_keys import recipients_in
from services.verifier.notes import read_checkpoint

CAMERAS = ("cam1", "gate")


@dataclass(frozen=True)
class Made:
    """Packages: of one case in every way, of another one in clear, and what an insider there could use.

    ``earlier`` is a checkpoint that the log key signed while the case went on, with the proofs for it.
    """

    clear: Path
    sealed: Path
    hash: Path
    other: Path
    fingerprints: dict[str, str]
    seal: Signer
    log_key: LogKey
    earlier: str
    earlier_proofs: dict[int, dict[str, object]]


async def made_in(folder: Path, footage: Footage, database: Path) -> Made:
    """Bring two cases to the archive in one installation, with checkpoints signed on the way, and package them."""
    async with open_desk(People, Places(folder, footage, database=database), moment=MADE_FOR) as desk:
        ensure_log_key(desk.settings.keys / FOLDER)
        _ = desk.container.signer
        sources = sources_of(desk.container)
        first = await lend(desk, sources, CAMERAS)
        earlier = await sign(desk, sources)
        await desk.returned(first)
        second = await lend(desk, sources, ("cam1",))
        await desk.returned(second)
        await anchor(desk, sources)
        numbers = [str(desk.application(case).number) for case in (first, second)]

        async def make(number: str, how: How, name: str) -> Path:
            return (await run_in_thread(package.make, sources, number, folder / name, how)).path

        made = await run_in_thread(package.make, sources, numbers[0], folder / "clear.zip", "clear")
        return Made(
            clear=made.path,
            sealed=await make(numbers[0], "sealed", "sealed.zip"),
            hash=await make(numbers[0], "hash", "hash.zip"),
            other=await make(numbers[1], "clear", "other.zip"),
            fingerprints=made.fingerprints,
            seal=sources.signer,
            log_key=sources.log_key,
            earlier=earlier,
            earlier_proofs=desk.look(proofs_for, earlier),
        )


async def lend(desk: People, sources: Sources, cameras: Sequence[str]) -> str:
    """A case up to the open loan, with a checkpoint before each of its first decisions; its id."""
    case = await desk.apply(*cameras, important_information=True)
    for stage in ("preliminary", "security", "security-signature"):
        await sign(desk, sources)
        await desk.decide(case, stage)
    await desk.accept(case)
    return case


async def sign(desk: People, sources: Sources) -> str:
    """A checkpoint of the trail as it stands."""
    row = await _head(desk, sources).sign()
    assert row is not None
    return str(row.note)


async def anchor(desk: People, sources: Sources) -> None:
    """Sign, and put the checkpoint under the store's lock."""
    await sign(desk, sources)
    await _head(desk, sources).anchor()


def _head(desk: People, sources: Sources) -> CheckpointPublisher:
    hour = timedelta(hours=1)
    return CheckpointPublisher(desk.database, sources.log_key, sources.store, every=hour, anchor_every=hour)


def proofs_for(uow: UnitOfWork, note: str) -> dict[int, dict[str, object]]:
    """Inclusion of every event that the checkpoint covers, by the event's index."""
    size = read_checkpoint(note).size
    return {index: audit_tree.inclusion(uow, index, size) for index in range(size)}


async def attach(desk: People, by: str, subject_id: str, kind: str, picture: bytes) -> None:
    """Add a picture to a matter or a work order; to the draft of an application where it is neither."""
    kinds = {"matter": Matter, "work-order": WorkOrder}
    subject = next((name for name, table in kinds.items() if desk.rows(table, id=subject_id)), "application")
    receiver = Receiver(desk.database, desk.container.store, lambda: recipients_in(desk.settings.keys / "vault"))

    async def chunks() -> AsyncIterator[bytes]:
        yield picture

    described = Description(kind=kind, name=f"{kind}.png")  # type: ignore[arg-type]  # one of the kinds
    person = Actor("person", demo_id(by))
    await receiver.receive(person, subject, subject_id, chunks=chunks(), described=lambda: described)  # type: ignore[arg-type]
