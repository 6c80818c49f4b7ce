"""Make the packages that the portal was asked for, one at a time, and delete those whose time is over.

It runs beside the jobs of the process that issues copies, which has the vault's key, the seal key and the loan keys.
The log key stays with the portal: what it signs anyway, a head of the trail that covers the case, is waited for. The
portal's key is not needed either, since the vault's key opens attachments. The ZIP is encrypted on its way into the
store, under a key of its own that is destroyed when its time is over; none of it is on a disk or in clear.
"""

import asyncio
import hashlib
import io
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, cast

import anyio

from services.database.leases import Lease
from services.database.tables.evidence_packages import PackageAttempt
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.audit import checkpoints
from services.domain.packages import making
from services.domain.packages.making import Order
from services.domain.retrieval import making_attempts
from services.evidence import package
from services.evidence.archive import Chunks, StreamWriter
from services.evidence.package import How, Prepared
from services.runtime.errors import Fatal, Retryable
from services.runtime.logs import get_logger
from services.runtime.periodic import Beat, run_each
from services.runtime.threads import run_in_own_thread, run_in_thread
from services.vault.age import AgeError, Unwrapper
from services.vault.keys.signer import Signer
from services.vault.keys.vault_keys import KeyGone, LoanKeys, VaultKeys
from services.vault.sealing import open_sealed
from services.vault.store.breaker import Breaker, shuffled
from services.vault.store.protocol import Location, Store, Target, discard
from services.vault.store.upload import Uploaded, upload
from services.verifier.examination import examine_opened
from services.verifier.invalid import Invalid
from services.verifier.notes import VerifierKey, keys_of, open_checkpoint

log = get_logger(__name__)

ACTOR = Actor("system", "package")
LEASE, LENGTH = "packages", timedelta(minutes=2)
REPORT_EVERY = 2.0  # seconds between two notes of how far a run has come
LOOKS_EVERY = 0.5  # seconds between two looks for a signed head
WAITS_AT_MOST = 600.0  # seconds, of which the portal signs every minute
AT_ONCE = 50
BLOCKS = 8  # that wait for the store, of one MiB at most


class _NotWanted(Exception):
    """Nobody may have it any more, or another run has taken over."""


@dataclass
class Reached:
    """How far a run has come, in bytes; footage is read twice to be written, and once more to be checked."""

    phase: str = "preparing"
    done: int = 0
    total: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def count(self, chunks: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        """Pass the chunks on and add them; raises _NotWanted once the run is to end."""
        for chunk in chunks:
            if self.stopped.is_set():
                raise _NotWanted
            self.done += len(chunk)
            yield chunk


@dataclass(frozen=True)
class PortalMaterial:
    """What the process that issues copies makes a package from: it has not the log key, and waits for a signed head."""

    database: Database
    store: Store
    signer: Signer
    log_keys: tuple[VerifierKey, ...]
    unwrapper: Callable[[], Unwrapper]
    reached: Reached

    @property
    def attachment_unwrapper(self) -> Callable[[], Unwrapper]:
        return self.unwrapper

    def signed_head(self, application_id: str, actor: Actor) -> str:
        """Wait until the portal has signed a head that covers all events of the case; Retryable where it does not."""
        waited = 0.0
        while (note := self.database.read_now(actor, _covering, application_id)) is None:
            if self.reached.stopped.wait(LOOKS_EVERY):
                raise _NotWanted
            waited += LOOKS_EVERY
            if waited >= WAITS_AT_MOST:
                raise Retryable(
                    "no package was made | the audit trail | no portal has signed its head for ten minutes | see to it "
                    "that a portal runs; the package is made then",
                    runbook=checkpoints.RUNBOOK_LATE,
                )
        try:
            open_checkpoint(note, self.log_keys)
        except Invalid as error:
            raise Fatal(
                "no package was made | the audit trail | its head was signed by another key than those that the portal "
                "named when it was asked | ask for the package again"
            ) from error
        return note


class PackageMaker:
    """Makes what waits, one after another; one process of all does it at a time."""

    def __init__(
        self,
        database: Database,
        store: Store,
        loan_keys: LoanKeys,
        vault_keys: Callable[[], VaultKeys],
        signer: Callable[[], Signer],
        *,
        lease: Lease | None = None,
    ) -> None:
        self._database = database
        self._store = store
        self._loan_keys = loan_keys
        self._vault_keys = vault_keys
        self._signer = signer
        self.lease = lease or Lease(database, LEASE, LENGTH)

    async def run(self) -> bool:
        """Make one package; return whether more may wait.

        Raises the first fault after all else was done: a Retryable where a part is away, or a defect.
        """
        if not await self.lease.hold():
            return False
        breaker = Breaker()
        more = any(await run_each(LEASE, [partial(step, breaker) for step in (self._discard_due, self._make_next)]))
        if not more:  # else the next one is made first: a run that fails is followed by a pause
            breaker.raise_first()
        return more

    async def _make_next(self, breaker: Breaker) -> bool:
        order = await self._database.run(ACTOR, making.begin)
        steps = [partial(self._sweep, breaker)]
        if order is not None:
            steps.append(partial(self._make, order, breaker))
        await run_each(LEASE, steps)
        return order is not None

    async def _make(self, order: Order, breaker: Breaker) -> None:
        reached = Reached()
        working = asyncio.create_task(self._write(order, reached))
        try:
            await self._watch(order, reached, working)
            finished = await working
        except _NotWanted:
            finished = False
            await self._give_up(order, "it was wanted no more")
        except (Fatal, AgeError) as error:
            log.error("a package cannot be made", package=order.package_id, cause=str(error))  # noqa: TRY400  # says all
            await self._database.run(ACTOR, making.fail, order.attempt_id, str(error))
            await self._sweep(breaker)
            return
        except Exception as error:
            away = isinstance(error, Retryable) and error.away is not None
            await self._give_up(order, making_attempts.AWAY if away else making_attempts.FAILED)
            await self._database.run(ACTOR, making.fail_after_runs, order.attempt_id, making_attempts.cause_of(error))
            raise
        finally:
            reached.stopped.set()
            working.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.gather(working, return_exceptions=True)
        if not finished:
            await self._sweep(breaker)

    async def _watch(self, order: Order, reached: Reached, working: "asyncio.Task[bool]") -> None:
        """Note how far it has come until it ends; raises _NotWanted where it is wanted no more."""
        beat = Beat(self.lease.name)
        while not (await asyncio.wait({working}, timeout=REPORT_EVERY))[0]:
            now = (reached.phase, reached.done, reached.total)
            beat(*now)
            wanted = await self._database.run(ACTOR, making.record_progress, order.attempt_id, *now)
            if not await self.lease.hold() or not wanted:
                raise _NotWanted

    async def _write(self, order: Order, reached: Reached) -> bool:
        """Prepare, store and check the package, then record it; False where it is wanted no more."""
        how = cast("How", order.footage)
        material = PortalMaterial(
            self._database,
            self._store,
            await run_in_thread(self._signer),
            tuple(keys_of("".join(f"{key}\n" for key in order.log_keys))),
            lambda: self._vault_keys().unwrapper(),
            reached,
        )
        prepared = await run_in_own_thread(partial(package.prepare, material, order.number, how, ACTOR))
        sizes = [one.sealed.plain_size if how == "clear" else one.sealed.size for one in prepared.case.masters]
        reached.total = 3 * sum(sizes if how != "hash" else ()) + 3 * sum(map(len, prepared.members.values()))
        reached.phase = "writing"
        produced = _Produced(partial(_produce, material, prepared, how))
        recipient = await run_in_thread(self._loan_keys.create, order.attempt_id)
        target = Target(
            self._store, order.bucket, order.key, metadata={"package": order.package_id, "footage": order.footage}
        )
        stored = await upload(produced, produced.conclude, target, recipients=[recipient], on_bytes=lambda _: None)
        prepared.members.clear()  # the check reads attachments again: both would be held at once
        reached.phase = "checking"
        await run_in_own_thread(partial(self._check, order, stored, reached))
        sealed = _sealed(order, stored)
        facts = {"manifestSha256": stored.verdict, "fingerprints": package.fingerprints(material)}
        return await self._database.run(ACTOR, _finish, order, prepared, sealed, facts)

    def _check(self, order: Order, stored: Uploaded[str], reached: Reached) -> None:
        """Read back what lies in the store, and check it as a reader of the package would; raises Fatal."""
        location = Location(order.bucket, order.key, stored.version_id, stored.size)
        try:
            reader = open_sealed(self._store, location, self._loan_keys.unwrapper(order.attempt_id))
        except KeyGone as error:
            raise _NotWanted from error

        def opened() -> io.RawIOBase:
            if reached.stopped.is_set():
                raise _NotWanted
            return _Counted(reader.clone(), reached)

        package.require_sound(examine_opened(f"{order.number}.zip", opened), order.number)

    async def _give_up(self, order: Order, because: str) -> None:
        with anyio.CancelScope(shield=True):
            await self._database.run(ACTOR, making.give_up, order.attempt_id, because)

    async def _sweep(self, breaker: Breaker) -> None:
        """Remove what runs have left that were given up: parts, object and key, by their exact names."""
        after = ""
        while left := await self._database.read(ACTOR, making_attempts.list_unswept, PackageAttempt, AT_ONCE, after):
            after = left[-1][0]
            for attempt_id, bucket, key in shuffled(left):
                if await breaker.is_done(run_in_thread(self._remove, attempt_id, bucket, key), key):
                    await self._database.run(ACTOR, making_attempts.mark_swept, PackageAttempt, [attempt_id])

    def _remove(self, key_id: str, bucket: str, key: str) -> None:
        """The key goes first: what is left then opens no more."""
        self._loan_keys.destroy(key_id)
        discard(self._store, bucket, key)

    async def _discard_due(self, breaker: Breaker) -> None:
        after = ""
        while due := await self._database.read(ACTOR, making.list_due, AT_ONCE, after):
            after = due[-1][0]
            for package_id, key_id, bucket, key in shuffled(due):
                await self._database.run(ACTOR, making.begin_discard, package_id)
                if await breaker.is_done(run_in_thread(self._remove, key_id, bucket, key), key):
                    await self._database.run(ACTOR, making.mark_discarded, package_id)


class _Stopped(Exception):
    """Raised where a package is written that nobody reads any more."""


class _Produced:
    """The bytes of a package as a stream that the store reads; they are made in a thread of their own."""

    def __init__(self, produce: Callable[[Callable[[bytes | memoryview], object]], str]) -> None:
        """``produce`` writes all bytes with the function that it is given, and returns the manifest's SHA-256."""
        self._produce = produce
        self._blocks: queue.Queue[bytes | memoryview | None] = queue.Queue(BLOCKS)
        self._stopped = threading.Event()
        self._digest = hashlib.sha256()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._result = ""

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def read(self) -> memoryview:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True, name="package")
            self._thread.start()
        while not self._stopped.is_set():
            try:
                block = self._blocks.get(timeout=LOOKS_EVERY)
            except queue.Empty:
                continue
            if block is not None:
                self._digest.update(block)
                return memoryview(block)
            if self._error is not None:
                raise self._error
            break
        return memoryview(b"")

    def stop(self) -> None:
        self._stopped.set()

    async def conclude(self) -> str:
        """Return the manifest's SHA-256, once all was read; raises what has failed."""
        if self._error is not None:
            raise self._error
        return self._result

    def _work(self) -> None:
        try:
            self._result = self._produce(self._put)
        except _Stopped:
            return
        except BaseException as error:  # noqa: BLE001  # raised to whoever reads
            self._error = error
        with suppress(_Stopped):
            self._put(None)

    def _put(self, block: bytes | memoryview | None) -> None:
        if block is not None and not block:
            return
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._blocks.put(block, timeout=LOOKS_EVERY)
                return
        raise _Stopped


class _CountedWriter(StreamWriter):
    """Counts what is read for the package, of each member twice."""

    def __init__(self, write: Callable[[bytes | memoryview], object], reached: Reached) -> None:
        super().__init__(write)
        self._reached = reached

    def stream(self, name: str, size: int, chunks: Chunks) -> str:
        return super().stream(name, size, lambda: self._reached.count(chunks()))


class _Counted(io.RawIOBase):
    """A reader whose bytes are counted."""

    def __init__(self, reader: io.RawIOBase, reached: Reached) -> None:
        super().__init__()
        self._reader, self._reached = reader, reached

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._reader.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int | None:
        if self._reached.stopped.is_set():
            raise _NotWanted
        count = self._reader.readinto(buffer)
        self._reached.done += count or 0
        return count


def _produce(
    material: PortalMaterial, prepared: Prepared, how: How, put: Callable[[bytes | memoryview], object]
) -> str:
    writer = _CountedWriter(put, material.reached)
    sha256 = package.write(writer, material, prepared, how)
    writer.finish()
    return sha256


def _covering(uow: UnitOfWork, application_id: str) -> str | None:
    row = checkpoints.covering(uow, application_id)
    return None if row is None else row.note


def _finish(uow: UnitOfWork, order: Order, prepared: Prepared, sealed: dict[str, Any], facts: dict[str, Any]) -> bool:
    if not making.finish(uow, order.attempt_id, sealed, facts):
        return False
    digests = (str(facts["manifestSha256"]), str(sealed["sha256Plain"]))
    asked = {"package": order.package_id, "asked_by": order.asked_by}
    package.record_made(uow, prepared, *digests, order.footage, asked=asked)
    return True


def _sealed(order: Order, stored: Uploaded[str]) -> dict[str, Any]:
    return {
        "bucket": order.bucket,
        "key": order.key,
        "versionId": stored.version_id,
        "size": stored.size,
        "plainSize": stored.plain_size,
        "sha256Plain": stored.sha256_plain,
        "sha256Cipher": stored.sha256_cipher,
    }
