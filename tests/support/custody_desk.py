"""A desk for tests of custody: books, folder vaults, a folder recorder with footage, and a case up to any step.

What the approvals write (reviews, decisions, the filed form) is put into the books directly: those have tests of their
own.
"""

import asyncio
import hashlib
import itertools
import shutil
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch
from urllib.parse import quote

from by_hand import anything_goes
from cheap_passwords import CHEAP
from footage_formats import boxed, shoot
from footage_maker import NAME
from footage_maker import Camera as FilmedCamera
from new_database import lay_out
from snapshots import copy_stage

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application, Item, Revision
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.custody import HandOver
from services.database.tables.people import Department, Person, Post
from services.database.tables.returns import Return
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import opening
from services.domain.custody import copies, hand_overs, returns, suspensions, use_period
from services.domain.custody.returns import AttestedFate
from services.domain.documents import service as document_service
from services.domain.retrieval import attempts, masters, preservations
from services.domain.reviews import scopes
from services.domain.wiring import open_database
from services.recorders.job_places import JobPlaces
from services.recorders.registry import open_recorder
from services.runtime.clock import FixedClock
from services.runtime.errors import Outcome
from services.runtime.rules import Rules
from services.runtime.settings.stores import FolderStore
from services.runtime.spans import Span
from services.vault.keys.signer import Signer, trusted_signers
from services.vault.keys.signing_key import ensure_signing_key
from services.vault.keys.vault_keys import LoanKeys, ensure_keys
from services.vault.labels import label_key, read_label
from services.vault.store.opening import open_store
from services.workers import back_up_footage, encrypt_copy, hand_over, inspect_return, retrieve_footage
from services.workers.discards import Discarder
from services.workers.vault_locks import LockKeeper

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
FILMED = Span(NOON - timedelta(hours=3), NOON - timedelta(hours=3) + timedelta(seconds=24))
PASSWORD = "a password that is long"
HASH = CHEAP.hash(PASSWORD)
CLERK = Actor("system", "test")


def film(root: Path) -> Path:
    """A recorder's folder: gate is whole, yard has a gap from second 8 to 16, dark is there and empty, old has other
    parameter sets."""
    FilmedCamera(root, "gate").record(FILMED.start, 24)
    yard = FilmedCamera(root, "yard", tint=7)
    yard.record(FILMED.start, 8)
    yard.record(FILMED.start + timedelta(seconds=16), 8)
    FilmedCamera(root, "hall", tint=11, size=(176, 112)).record(FILMED.start, 24)
    (root / "dark").mkdir()
    return root


def film_with_sound(root: Path) -> Path:
    """A recorder's folder: gate and yard have G.711, as most cameras in China, and yard a gap from second 8 to 16;
    hall has AAC up to second 12 and G.711 then, dark AAC."""
    recorded = [("gate", 0, 24, "pcm_alaw"), ("yard", 0, 8, "pcm_mulaw"), ("yard", 16, 8, "pcm_mulaw")]
    recorded += [("hall", 0, 12, "aac"), ("hall", 12, 12, "pcm_alaw"), ("dark", 0, 24, "aac")]
    for tint, (channel, start, seconds, sound) in enumerate(recorded):
        begins = (FILMED.start + timedelta(seconds=start)).strftime(NAME)
        path = root / channel / f"{begins}.{'mp4' if sound == 'aac' else 'mov'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(boxed(shoot("h264", sound, seconds, tint=tint), "fmp4" if sound == "aac" else "mov"))
    return root


@dataclass
class Desk:
    """``root`` is a folder for everything; ``footage`` a folder made by ``film``."""

    root: Path
    footage: Path
    rules: Rules = field(default_factory=lambda: Rules(max_use_days=30))
    database_url: str | None = None
    keys: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.clock = FixedClock(NOON)
        self.recordings = self.root / "recorder"
        copied = self.recordings.exists()
        if not copied:
            shutil.copytree(self.footage, self.recordings)
        self.database = open_database(
            self.database_url or f"sqlite:///{self.root / 'books.db'}", self.clock, self.rules
        )
        lay_out(self.database, None if copied else _organisation)
        self.store = open_store(FolderStore(self.root / "store", "t"), self.clock)
        self.replica_store = open_store(FolderStore(self.root / "replica", "r"), self.clock)
        self.store.ensure()
        self.replica_store.ensure()
        self.vault_keys = ensure_keys(self.root / "keys")
        self.loan_keys = LoanKeys(self.root / "loans")
        self.signer = Signer(ensure_signing_key(self.root / "seal", "本单位", datetime.now(UTC)))
        self.recorders = open_recorder
        self.change(Recorder, "recorder", configuration={"root": str(self.recordings)})

    @classmethod
    def at_stage(
        cls, stage: Literal["offer", "lend"], root: Path, footage: Path, *channels: str, **values: Any
    ) -> "Case":
        """The case of a desk that has come so far: led there once in a process, and copied to ``root``."""

        def lead(folder: Path) -> tuple[str, int]:
            desk = cls(folder, footage)
            case = desk.case(*channels, **values)
            act: Callable[[], Coroutine[Any, Any, str]] = getattr(case, stage)
            with ThreadPoolExecutor(1) as aside:  # a test's own loop may run in this thread
                aside.submit(asyncio.run, act()).result()
            desk.database.close()
            return case.id, next(desk.keys)

        key = (cls, stage, footage, channels, tuple(sorted(values.items())))
        case_id, next_key = copy_stage(key, root, lead)
        return Case(cls(root, footage, keys=itertools.count(next_key)), case_id)

    def do(self, act: Any, *arguments: Any, **named: Any) -> Any:
        """Call a book function as the test itself."""
        return self.database.run_now(CLERK, act, *arguments, **named)

    def as_person(self, person: str, act: Any, *arguments: Any, **named: Any) -> Any:
        return self.database.run_now(Actor("person", person), act, *arguments, **named)

    def row(self, kind: type, key: Any) -> Any:
        return self.do(lambda uow: uow.session.get(kind, key))

    def rows(self, kind: type) -> list[Any]:
        return list(self.do(lambda uow: uow.session.query(kind).all()))

    def change(self, kind: type, key: str, **values: Any) -> None:
        def act(uow: UnitOfWork) -> None:
            row = uow.session.get_one(kind, key)
            for name, value in values.items():
                setattr(row, name, value)

        self.do(act)

    def freeze(self) -> None:
        """Freeze the only hand-over, as a problem report does."""
        self.do(lambda uow: suspensions.open_once(uow, uow.session.query(HandOver).one(), suspensions.PROBLEM))

    def unfreeze(self) -> None:
        self.do(lambda uow: use_period.lift_freeze(uow, uow.session.query(HandOver).one()))

    def case(self, *channels: str, span: Span | None = None, **values: Any) -> "Case":
        """An application with an item for each channel, submitted."""
        case = Case(self)
        self.do(_application, case.id, channels, span or ASKED, values)
        return case

    def objects(self, bucket: str) -> list[str]:
        """The keys in a bucket of the primary store, labels left out."""
        return [key for key in self.store.list_keys(bucket) if not key.endswith(".label.json")]

    def everything(self) -> list[str]:
        """All keys of both stores, and all loan keys that still open something."""
        stores = (self.store, self.replica_store)
        buckets = ("quarantine", "masters", "copies", "replicas")
        kept = [f"{bucket}:{key}" for store in stores for bucket in buckets for key in store.list_keys(bucket)]
        return kept + [path.name for path in (self.root / "loans").glob("*.key")]

    def lend_on_paper(self, uow: UnitOfWork, case: "Case") -> str:
        """Master, record, copy and offer of the case's first item in the books alone; nothing lies in the vault."""
        for purpose in ("master", "copy"):
            attempt = attempts.start(uow, purpose, application_id=case.id, item_id=case.item(), job_key=1)
            sealed = {**SEALED, "bucket": attempt.bucket, "key": attempt.key}
            uow.session.flush()
            if purpose == "master":
                masters.create(uow, attempt.id, sealed, origin="recorder")
                number = document_service.next_number(uow, "retrieval-record")
                document_service.write(uow, "retrieval-record", number, {}, application_id=case.id, item_id=case.item())
            else:
                copies.create(uow, attempt.id, sealed)
            uow.session.flush()
        with anything_goes():
            offer = hand_overs.offer(uow, case.id)
        open_review(uow, case.id, "receipt", next(self.keys), offer.hand_over_id)
        return offer.hand_over_id

    def label_of(self, sealed: dict[str, Any]) -> dict[str, Any]:
        """The statement on a sealed object, whose signature holds and is this desk's."""
        label = read_label(b"".join(self.store.get(sealed["bucket"], label_key(sealed["key"]))))
        assert label.chain is not None
        assert trusted_signers(self.root / "seal").include(label.chain)
        return label.statement

    def remove_as_root(self, bucket: str, key: str) -> None:
        """Remove an object from the disk, whatever locks it."""
        shutil.rmtree(self._place(bucket, key))

    def _place(self, bucket: str, key: str) -> Path:
        return self.root / "store" / f"t-{bucket}" / "objects" / quote(key, safe="")

    def damage(self, bucket: str, key: str) -> None:
        """Flip a bit of an object on the disk."""
        path = self._place(bucket, key) / "data"
        path.chmod(0o600)
        body = bytearray(path.read_bytes())
        body[len(body) // 2] ^= 1
        path.write_bytes(body)

    @cached_property
    def worker(self) -> dict[str, Any]:
        """What the workers are given, by name."""
        return {
            "database": self.database,
            "store": self.store,
            "replica_store": self.replica_store,
            "vault_keys": self.vault_keys,
            "loan_keys": self.loan_keys,
            "signer": self.signer,
            "recorders": self.recorders,
            "places": JobPlaces(9),
        }

    def lock_keeper(self) -> LockKeeper:
        return LockKeeper(self.database, self.store, self.replica_store, lambda: self.signer)

    async def keep_locks(self) -> None:
        """Run the periodic task of the locks until it has nothing left to do."""
        keeper = self.lock_keeper()
        while await keeper.run():
            pass

    def discarder(self) -> Discarder:
        return Discarder(self.database, self.store, self.loan_keys)

    async def discard(self) -> None:
        """Run the periodic task that discards what closed cases have left, until it has nothing to do."""
        discarder = self.discarder()
        while await discarder.run():
            pass

    def locked_until(self, bucket: str) -> dict[str, datetime | None]:
        """Until when each object of a bucket is locked, by key; of the second store for replicas."""
        store = self.replica_store if bucket == "replicas" else self.store
        found = {key: store.stat(bucket, key) for key in store.list_keys(bucket)}
        return {key: facts.retain_until for key, facts in found.items() if facts is not None}

    async def work(self, module: Any, **variables: Any) -> Any:
        """Run a worker once with what it asks for by name."""
        import inspect  # noqa: PLC0415

        if "job_key" in module.Command.__dataclass_fields__:
            variables.setdefault("job_key", next(self.keys))
        needed = list(inspect.signature(module.handle).parameters)[1:]
        # cases are filed by hand, and what is preserved before that may be laid out afterwards
        with patch.object(preservations, "begin", lambda uow, _: uow.rules.preserve != "never"):
            return await module.handle(module.Command(**variables), **{name: self.worker[name] for name in needed})


SEALED = {
    "versionId": "v1",
    "size": 1,
    "plainSize": 5000,
    "sha256Plain": "a" * 64,
    "sha256Cipher": "b" * 64,
    "outcome": "complete",
    "coverage": {},
    "fragments": [],
}
ASKED = Span(FILMED.start + timedelta(seconds=2), FILMED.start + timedelta(seconds=20))


class Case:
    """One application of the desk; steps that other parts do are written by hand."""

    def __init__(self, desk: Desk, case_id: str | None = None) -> None:
        self.desk = desk
        self.id = case_id or f"case-{next(desk.keys)}"

    def item(self, position: int = 1) -> str:
        return f"{self.id}-item-{position}"

    @property
    def application(self) -> Application:
        return self.desk.row(Application, self.id)  # type: ignore[no-any-return]

    def approve(self, **values: Any) -> "Case":
        """File the form and release it: the retrieval stands on both."""
        granted = {"granted_way_of_use": "view", "granted_use_days": 10, "max_use_days": 30, "importance": "ordinary"}
        self.desk.change(Application, self.id, **{**granted, "backup_needed": False, **values})
        self.desk.do(_file, self.id)
        self.desk.do(_release, self.id, next(self.desk.keys))
        return self

    async def retrieve(self) -> "Case":
        """Retrieve every item; what cannot be is left out."""
        for item in self.items:
            with suppress(Outcome):
                await self.desk.work(retrieve_footage, application_id=self.id, item_id=item)
        return self

    async def back_up(self) -> "Case":
        for item in self.items:
            await self.desk.work(back_up_footage, application_id=self.id, item_id=item)
        return self

    async def encrypt(self) -> "Case":
        for item in self.items:
            await self.desk.work(encrypt_copy, application_id=self.id, item_id=item)
        return self

    async def offer(self) -> str:
        """Hand over as far as the offer; the hand-over's id. The receipt is open afterwards."""
        await self.approve().retrieve()
        await self.encrypt()
        return await self.offer_made_copies()

    async def offer_made_copies(self) -> str:
        if any(self.desk.row(Item, item).outcome != "complete" for item in self.items):
            self.decided("partial-footage", "approved")
        offer = await self.desk.work(hand_over, application_id=self.id, use_period_days=10)
        self.desk.do(open_review, self.id, "receipt", next(self.desk.keys), offer.hand_over_id)
        return str(offer.hand_over_id)

    async def lend(self, **values: Any) -> str:
        """As ``offer``, and the custodian has accepted."""
        hand_over_id = await self.offer()
        if values:
            self.desk.change(Application, self.id, **values)
        self.accept(hand_over_id)
        return hand_over_id

    def decided(self, stage: str, outcome: str) -> None:
        """A decision of the case, by hand."""
        self.desk.do(_decide, self.id, stage, outcome, next(self.desk.keys))

    async def inspect(self, hand_over_id: str, outcome: str = "in-order") -> None:
        """What is inspected of a return, and what the inspector says."""
        await self.desk.work(inspect_return, application_id=self.id, hand_over_id=hand_over_id)
        self.decided("return-inspection", outcome)

    def ready_to_end(self, outcome: str) -> None:
        """Write the reason for an end without a loan."""
        match outcome:
            case "rejected":
                self.decided("preliminary", "rejected")
            case "unavailable":
                self.decided("partial-footage", "rejected")
            case "not-taken-up":
                self.desk.clock.turn(self.desk.rules.take_up_period)
            case "withdrawn":
                self.desk.change(Application, self.id, withdrawn_at=self.desk.clock.now())
            case "expired":
                self.desk.change(Application, self.id, correction_until=self.desk.clock.now())
                self.desk.do(opening.expire, self.id, 1)

    def accept(self, hand_over_id: str, person: str = "custodian", **values: Any) -> HandOver:
        named = {"conditions_version": self.desk.rules.policy_version, "proof": self.proof(), **values}
        return self.desk.as_person(person, hand_overs.accept, hand_over_id, **named)  # type: ignore[no-any-return]

    def proof(self, password: str = PASSWORD) -> Proof:
        return Proof(forms_sha256(self.id), password)

    def give_back(self, hand_over_id: str, *fates: AttestedFate, **values: Any) -> Return:
        named = {
            "return_to": "security",
            "fates": fates,
            "no_other_copies": True,
            "proof": Proof(password=PASSWORD),
            **values,
        }
        return self.desk.as_person("custodian", returns.return_copies, hand_over_id, **named)  # type: ignore[no-any-return]

    @property
    def items(self) -> list[str]:
        return [item.id for item in self.desk.do(preservations.items_in_scope, self.id)]


def _organisation(uow: UnitOfWork) -> None:
    uow.session.add(Department(id="works", name_zh="生产部", name_en="Works", kind="business"))
    uow.session.flush()
    posts = {
        "drafter": "member",
        "custodian": "member",
        "stranger": "member",
        "operator": "storage-operator",
        "security": "security-reviewer",
        "supervisor": "supervisor",
    }
    for person in posts:
        uow.session.add(Person(id=person, login=person, name=person.title(), department_id="works", password_hash=HASH))
    uow.session.flush()
    for person, kind in posts.items():
        uow.session.add(Post(person_id=person, department_id="works", kind=kind, since=NOON - timedelta(days=9)))
        uow.session.add(
            Agreement(
                id=f"agreement-{person}",
                person_id=person,
                version=uow.rules.agreement_version,
                signed_at=NOON - timedelta(days=9),
                expires_at=NOON + timedelta(days=300),
            )
        )
    uow.session.add(Recorder(id="recorder", name="NVR 1", site="Plant", kind="folder", configuration={}, zone="UTC"))
    uow.session.flush()
    for channel in ("gate", "yard", "hall", "dark"):
        uow.session.add(
            Camera(
                id=f"camera-{channel}",
                recorder_id="recorder",
                channel=channel,
                name_zh=channel,
                name_en=channel,
                place_zh="厂区",
                place_en="Plant",
                retention_days=30,
                # Seen to overwrite: its oldest picture was an older one before.
                oldest_frame_at=datetime(2020, 1, 1, tzinfo=UTC),
                oldest_measured_at=datetime(2020, 1, 2, tzinfo=UTC),
            )
        )


def _application(uow: UnitOfWork, case_id: str, channels: tuple[str, ...], span: Span, values: dict[str, Any]) -> None:
    uow.session.add(
        Application(
            id=case_id,
            **{
                "number": f"SQ-2031-{case_id}",
                "policy_version": uow.rules.policy_version,
                "drafter_id": "drafter",
                "custodian_id": "custodian",
                "department_id": "works",
                "created_at": uow.now,
                "submitted_at": uow.now,
                "reason": "A pallet is missing.",
                "purpose": "See who moved it.",
                "purpose_category": "loss",
                "legal_basis": "contract",
                "way_of_use": "view",
                "place_of_use": "office",
                "requested_use_days": 10,
                **values,
            },
        )
    )
    uow.session.flush()
    for position, channel in enumerate(channels, 1):
        uow.session.add(
            Item(
                id=f"{case_id}-item-{position}",
                application_id=case_id,
                position=position,
                camera_id=f"camera-{channel}",
                zone="UTC",
                asked_start=span.start,
                asked_end=span.end,
            )
        )
    uow.session.add(
        Revision(
            application_id=case_id,
            round=0,
            submitted_by="drafter",
            submitted_at=uow.now,
            form={"case": case_id},
            sha256=forms_sha256(case_id),
        )
    )


def forms_sha256(case_id: str) -> str:
    return hashlib.sha256(case_id.encode()).hexdigest()


def _file(uow: UnitOfWork, case_id: str) -> None:
    document_service.write(uow, "application-form", f"SQ-2031-{case_id}", {"case": case_id}, application_id=case_id)


def open_review(uow: UnitOfWork, case_id: str, stage: str, job_key: int, hand_over_id: str | None = None) -> Review:
    """A review as open-review would open it."""
    review = Review(
        id=f"{stage}-{job_key}",
        application_id=case_id,
        stage=stage,
        round=0,
        hand_over_id=hand_over_id,
        job_key=job_key,
        process_instance_key=1,
        opened_at=uow.now,
        due_at=uow.now + timedelta(days=1),
    )
    uow.session.add(review)
    return review


def _release(uow: UnitOfWork, case_id: str, job_key: int) -> None:
    _decide(uow, case_id, "storage-release", "approved", job_key)


def _decide(uow: UnitOfWork, case_id: str, stage: str, outcome: str, job_key: int) -> None:
    review = open_review(uow, case_id, stage, job_key)
    review.closed_at, review.closed_because = uow.now, "decided"
    uow.session.flush()
    uow.session.add(
        Decision(
            review_id=review.id,
            application_id=case_id,
            stage=stage,
            round=0,
            outcome=outcome,
            decided_by="operator",
            decided_at=uow.now,
            answers={},
            variables={},
            form_sha256=forms_sha256(case_id),
            statement_sha256="0" * 64,
            signature={"statement": {"granted": scopes.granted(uow, uow.session.get_one(Application, case_id))}},
        )
    )


__all__ = ["ASKED", "FILMED", "NOON", "PASSWORD", "Case", "Desk", "film", "open_review"]
