"""A hostile engine before a register with a case at every stage: any job, any order, any variables, repeated."""

import asyncio
import itertools
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import memory_vault
from engine_oracle import Snapshot, read_snapshot, violations
from memory_vault import MemoryLoanKeys, MemoryStore
from review_desk import FORM, NOON, PASSWORD, ReviewDesk
from sqlalchemy import event

from services.database.tables.cameras import Camera
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import forms
from services.domain.applications import service as application_service
from services.domain.custody import hand_overs, returns
from services.domain.stages.catalogue import STAGES
from services.recorders.job_places import JobPlaces
from services.runtime.errors import Fatal, NotPermitted, Outcome, Refused, Retryable
from services.runtime.jobs.commands import build_command
from services.runtime.jobs.worker import Worker, discover
from services.runtime.rules import Rules
from services.vault.keys.signer import Signer
from services.vault.keys.signing_key import ensure_signing_key
from services.vault.keys.vault_keys import ensure_keys
from services.workers import document_filing, encrypt_copy, retrieve

OLD = timedelta(days=9)  # how much older the cases are whose times are over
RUBBISH: tuple[Any, ...] = (
    "",
    "nothing",
    "'; drop table cases; --",
    "../../etc/passwd",
    "案" * 40,
    None,
    True,
    -1,
    3.5,
    [],
)
PEOPLE_ACT = 0.5  # before a job, as probable as this
ASKED = (
    *("preliminary asked twice", "release asked twice", "release asked twice"),
    *("signed, security asked beforehand", "signed, incomplete"),
)
GIVEN_BACK = ("returned to Security", "inspected", "in order", "disputed", "archived", "overdue and archived")
# What opens, moves or deletes footage, or ends a case.
GRAVE = (
    *("release-preservation", "release-preservation", "re-archive", "open-violation", "hand-over", "resume-access"),
    *("preserve-footage", "file-application", "retrieve-footage", "encrypt-copy", "expire-application"),
)
# What may follow an answer.
ANSWERED = (
    *("retrieve-footage", "retrieve-footage", "security-review", "preliminary-review", "open-review"),
    *("file-application", "preserve-footage", "release-preservation"),
)
POOLS: dict[str, tuple[Any, ...]] = {
    "stage": (
        *("preliminary", "security", "security-signature", "management"),
        *("storage-release", "partial-footage", "receipt", "return-inspection"),
        *("violation-security", "legal-sanction", "referral", "violation-appeal", "redaction-check"),
        *("disposal", "disposal-confirm", "legal"),
    ),
    "closedAs": ("refused", "moot", "handled"),
    "severity": ("minor", "moderate", "severe"),
    "decidingStage": ("violation-security", "violation-legal", "violation-management"),
    "suspendPerson": (True, False),
    "referralAsked": (True, False),
    "closingOutcome": ("rejected", "expired", "unavailable", "not-taken-up", "withdrawn"),
    "violationKind": ("overdue", "loss"),
    "decision": ("in-order", "discrepancy", "approved"),
    "decidedBy": ("management", "management-other", "none"),
    "importance": ("ordinary", "important"),
    "managementNeeded": (True, False),
    "secondPerson": (True, False),
    "backupNeeded": (True, False),
    "maxUseDays": (1, 15, 30, 10_000),
    "usePeriodDays": (1, 15, 10_000),
    "round": (0, 1, 2, 99),
    "dueAt": (None, "2031-03-01T00:00:00Z", "2031-03-18T12:00:00Z", "2099-12-31T00:00:00Z"),
    "gracePeriod": (None, "P3D", "P3650D"),
}


@dataclass(frozen=True)
class Job:
    """What the engine hands out; pyzeebe's ``Job`` has these."""

    key: int
    type: str
    variables: dict[str, Any]
    element_id: str = "Task_Hostile"
    element_instance_key: int = 1
    process_instance_key: int = 4711
    bpmn_process_id: str = "hostile"
    process_definition_version: int = 1
    process_definition_key: int = 1


@dataclass
class HostileDesk(ReviewDesk):
    """An organisation with cases at every stage; ``root`` is an empty folder."""

    root: Path = field(kw_only=True)

    def __post_init__(self) -> None:
        self.rules = Rules(max_use_days=30, preserve="always")
        super().__post_init__()
        event.listen(self.database.engine, "connect", _hurry)
        self.database.engine.dispose()
        self.store, self.replica_store, self.loan_keys = MemoryStore(), MemoryStore(), MemoryLoanKeys()
        self.workers = {worker.job_type: worker for worker in discover()}
        self.worker = {
            "database": self.database,
            "store": self.store,
            "replica_store": self.replica_store,
            "loan_keys": self.loan_keys,
            "vault_keys": ensure_keys(self.root / "keys"),
            "signer": Signer(ensure_signing_key(self.root / "seal", "本单位", datetime.now(UTC))),
            "recorders": memory_vault.open_recorder,
            "places": JobPlaces(9),
        }
        self.cases: dict[str, str] = {}  # by what they are
        self.run(_cameras)

    async def handle(self, job: Job) -> Any:
        """Hand a job to its worker, as the runner does."""
        worker: Worker = self.workers[job.type]
        return await worker.handle(build_command(worker.command, job), **worker.bind(self.worker))

    async def work(self, job_type: str, **variables: Any) -> Any:
        return await self.handle(Job(next(self.keys), job_type, variables))

    async def build(self) -> None:
        """Bring a case to every stage: first those whose times are over afterwards."""
        for name in ("overdue", "overdue and lost", "overdue and archived"):
            await self._lend(name, requested_use_days=1)
        await self._offer("offer over")
        self._back("correction over")
        self.clock.turn(OLD)
        self.cases["submitted"] = self.submitted()
        self._approve("approved by the department", "preliminary")
        self._approve("signed")
        self._approve("sensitive, signed", items=(replace(FORM.items[0], camera_id="guarded"),))
        self._approve("concerns Security, signed", signer="office-head", subject_ids=("reviewer2",))
        self._reject("rejected")
        self._back("returned")
        self.cases["preserved and withdrawn"] = self.submitted()
        await self._preserve("preserved and withdrawn")
        self._withdraw("preserved and withdrawn")
        self._approve("filed")
        await self._file("filed")
        await self._release("released")
        await self._retrieve("retrieved")
        await self._retrieve("partial", items=(replace(FORM.items[0], camera_id="half"),))
        refused = await self._retrieve("partial, refused", items=(replace(FORM.items[0], camera_id="half"),))
        self.decide(self.opened(refused, "partial-footage"), "reviewer", "rejected")
        await self._retrieve("missing", items=(replace(FORM.items[0], camera_id="dark"),))
        await self._copy("copied")
        self.cases["copied and withdrawn"] = await self._copy("copied and withdrawn")
        self.classed(self.cases["copied and withdrawn"], withdrawn_at=self.clock.now())
        await self._offer("offered")
        await self._offer("declined")
        hand_over = self._hand_over("declined")
        self.run(hand_overs.decline, hand_over.id, reason="no", proof=self._proof("declined"), by="keeper")
        for name in (
            "in use",
            "moved",
            "lost",
            "returned to Security",
            "inspected",
            "in order",
            "disputed",
            "archived",
        ):
            await self._lend(name)
        self._suspended_and_moved()
        for name in ("lost", "overdue and lost"):
            lost = self._hand_over(name).id
            self.run(hand_overs.report_loss, lost, kind="lost", what_happened="train", by="keeper")
        for name in GIVEN_BACK:
            await self._give_back(name)
        for name in ("archived", "overdue and archived"):
            await self.work("re-archive", **self.ids(name), decision="in-order")
        self._asked_twice()
        self._reject("closed")
        await self.work("release-preservation", applicationId=self.cases["closed"], closingOutcome="rejected")

    def ids(self, name: str) -> dict[str, str]:
        return {"applicationId": self.cases[name], "handOverId": self._hand_over(name).id}

    def _hand_over(self, name: str) -> HandOver:
        return self.the(HandOver, application_id=self.cases[name])

    def _approve(self, name: str, *stages: str, signer: str = "security-head", **changes: Any) -> str:
        self.cases[name] = application_id = self.submitted(**changes)
        by = {"preliminary": "head", "security": "reviewer", "security-signature": signer}
        for stage in stages or tuple(by):
            self.decide(self.opened(application_id, stage), by[stage])
        return application_id

    def _reject(self, name: str) -> None:
        self.cases[name] = application_id = self.submitted()
        self.decide(self.opened(application_id, "preliminary"), "head", "rejected")

    def _back(self, name: str) -> None:
        self.cases[name] = application_id = self.submitted()
        self.decide(self.opened(application_id, "preliminary"), "head", "returned")

    def _withdraw(self, name: str) -> None:
        self.run(application_service.withdraw, self.cases[name], "no", by="drafter")

    async def _preserve(self, name: str) -> None:
        await self.work("preserve-footage", applicationId=self.cases[name])

    async def _file(self, name: str) -> None:
        claimed = {"importance": "ordinary", "managementNeeded": False, "secondPerson": False, "backupNeeded": False}
        await self.work("file-application", applicationId=self.cases[name], maxUseDays=30, **claimed)

    async def _release(self, name: str, **changes: Any) -> str:
        application_id = self._approve(name, **changes)
        await self._preserve(name)
        await self._file(name)
        self.decide(self.opened(application_id, "storage-release"), "operator")
        return application_id

    async def _retrieve(self, name: str, **changes: Any) -> str:
        application_id = await self._release(name, **changes)
        for item_id in self.run(application_service.item_ids, application_id):
            with suppress(Outcome):
                await self.work("retrieve-footage", applicationId=application_id, itemId=item_id)
        return application_id

    async def _copy(self, name: str, **changes: Any) -> str:
        application_id = await self._retrieve(name, **changes)
        for item_id in self.run(application_service.item_ids, application_id):
            await self.work("encrypt-copy", applicationId=application_id, itemId=item_id)
        return application_id

    async def _offer(self, name: str, **changes: Any) -> str:
        application_id = await self._copy(name, **changes)
        await self.work("hand-over", applicationId=application_id, usePeriodDays=1)
        await self.work("open-review", stage="receipt", **self.ids(name))
        return application_id

    def _proof(self, name: str) -> Proof:
        def read(uow: UnitOfWork) -> str:
            revision = forms.current_revision(uow, self.cases[name])
            assert revision is not None
            return revision.sha256

        return Proof(self.run(read), PASSWORD)

    async def _lend(self, name: str, **changes: Any) -> None:
        await self._offer(name, **changes)
        accepted = {"conditions_version": self.rules.policy_version, "proof": self._proof(name)}
        self.run(hand_overs.accept, self._hand_over(name).id, **accepted, by="keeper")

    def _asked_twice(self) -> None:
        """Questions that the engine has asked twice or beforehand, and a form that is incomplete by now."""
        self.cases["preliminary asked twice"] = application_id = self.submitted()
        for stage in ("preliminary", "preliminary", "security"):
            self.opened(application_id, stage)
        application_id = self._approve("release asked twice")
        self.filed(application_id)
        for _ in range(2):
            self.opened(application_id, "storage-release")
        application_id = self._approve("signed, security asked beforehand")
        self.opened(application_id, "security")
        self.classed(self._approve("signed, incomplete"), place_of_use="")
        self.cases["submitted, incomplete"] = self.submitted()
        self.classed(self.cases["submitted, incomplete"], place_of_use="")

    def answer(self, chance: random.Random, case_id: str) -> bool:
        """Let somebody who may decide it answer an open question of the case as they like; whether it counted."""
        open_reviews = sorted(review.id for review in self.all(Review, application_id=case_id, closed_at=None))
        if not open_reviews:
            return False
        review_id = chance.choice(open_reviews)
        people = self.candidates(review_id)
        outcome = chance.choice(STAGES[self.the(Review, id=review_id).stage].outcomes)
        if not people:
            return False
        try:
            self.decide(review_id, chance.choice(people), outcome)
        except Refused:
            return False
        return True

    def _suspended_and_moved(self) -> None:
        """Access was suspended at an old date, and the use period was changed since."""
        hand_over_id, until = self._hand_over("moved").id, self.clock.now() + timedelta(days=5)

        def act(uow: UnitOfWork) -> None:
            hand_over = uow.session.get_one(HandOver, hand_over_id)
            hand_over.due_at = uow.now
            uow.session.flush()
            hand_overs.suspend(uow, hand_over.application_id, hand_over_id)
            hand_over.due_at = until

        self.run(act)

    async def _give_back(self, name: str) -> None:
        hand_over_id = self._hand_over(name).id
        given = {"return_to": "security", "fates": [], "no_other_copies": True, "proof": Proof(password=PASSWORD)}
        self.run(returns.return_copies, hand_over_id, **given, by="keeper")
        if name != "returned to Security":
            await self.work("inspect-return", **self.ids(name))
        if name in GIVEN_BACK[2:]:
            review_id = self.opened(self.cases[name], "return-inspection", hand_over_id=hand_over_id)
            self.decide(review_id, "inspector", "discrepancy" if name == "disputed" else "in-order")


def _hurry(connection: Any, _record: object) -> None:
    """What is lost when the machine dies may be lost here."""
    connection.execute("PRAGMA synchronous=OFF")


def _cameras(uow: UnitOfWork) -> None:
    camera = uow.session.get_one(Camera, "camera")
    values = {column.name: getattr(camera, column.name) for column in Camera.__table__.columns}
    for name in ("guarded", "half", "dark"):
        wanted = {"id": name, "channel": name, "camera_class": "sensitive" if name == "guarded" else "ordinary"}
        uow.session.add(Camera(**{**values, **wanted}))


@contextmanager
def plain_footage() -> Iterator[None]:
    """Let sealing and rendering cost nothing; what they do has tests of its own."""
    with (
        patch.object(retrieve, "seal", memory_vault.seal),
        patch.object(encrypt_copy, "issue", memory_vault.issue),
        patch.object(document_filing, "render_pdf", lambda *_: b"pdf"),
    ):
        yield


@dataclass
class HostileEngine:
    """Sends sequences of jobs against copies of one register; ``allowed`` counts what the register let happen."""

    desk: HostileDesk
    file: Path
    allowed: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    answered: int = 0
    _first: Snapshot | None = None  # every sequence begins with the same rows

    def __post_init__(self) -> None:
        desk = self.desk
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        desk.database.engine.dispose()
        self._kept = self.file.with_suffix(".kept")
        shutil.copyfile(self.file, self._kept)
        self._vault = dict(desk.store.objects), dict(desk.replica_store.objects)
        self._keys, self._now = set(desk.loan_keys.keys), desk.clock.now()
        self._known = self._ids()
        self._cases, self._types = sorted(self._known), sorted(desk.workers)
        self._asked = [desk.cases[name] for name in ASKED]

    def reset(self) -> None:
        desk = self.desk
        desk.database.engine.dispose()
        for suffix in ("-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(self._kept, self.file)
        desk.store.objects, desk.replica_store.objects = (dict(objects) for objects in self._vault)
        desk.loan_keys.keys, desk.loan_keys.gone = set(self._keys), set()
        desk.clock.turn(self._now - desk.clock.now())

    def variables(self, name: str) -> dict[str, Any]:
        """The ids of a case by what it is, as a job would name them."""
        if not name:
            return {}
        case_id = self.desk.cases[name]
        return {"applicationId": case_id, **{key: ids[-1] for key, ids in self._known[case_id].items() if ids}}

    def is_untouched(self) -> bool:
        """Whether no row and no object differs from the register at the beginning."""
        desk = self.desk
        vault = (desk.store.objects, desk.replica_store.objects) == self._vault and desk.loan_keys.keys == self._keys
        with closing(sqlite3.connect(self.file)) as now, closing(sqlite3.connect(self._kept)) as then:
            return vault and list(now.iterdump()) == list(then.iterdump())

    async def attack(self, seed: int, *, jobs: int = 6) -> list[str]:
        """Run one sequence of jobs; return what happened that the register did not allow."""
        chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
        self.reset()
        self.desk.clock.turn(chance.choice((timedelta(), timedelta(), timedelta(days=4), timedelta(days=40))))
        connection = sqlite3.connect(self.file)
        # every third sequence is about a case that people are asked about more than once
        asked = seed % 3 == 0
        near = (
            self._asked[seed // 3 % len(self._asked)] if asked else self._cases[(seed - seed // 3) % len(self._cases)]
        )
        sent = list[Job]()
        found: list[str] = []
        try:
            self._first = self._first or self._read(connection)
            before = replace(self._first, now=self.desk.clock.now())
            for _ in range(jobs):
                if chance.random() < PEOPLE_ACT and self.desk.answer(chance, near):
                    self.answered += 1
                    before = self._read(connection)
                job = (
                    chance.choice(sent)
                    if sent and chance.random() < 0.25
                    else self._job(chance, near, ANSWERED if asked else GRAVE)
                )
                sent.append(job)
                version = connection.execute("PRAGMA data_version").fetchone()
                refused = await self._send(job)
                changed = connection.execute("PRAGMA data_version").fetchone() != version
                if not changed and self._vault_of() == (before.vault, before.keys):
                    continue  # not a row and not an object is another one, and most jobs are refused
                after = self._read(connection)
                found += [f"seed {seed}: {job}: {sentence}" for sentence in violations(before, after, self._count)]
                if refused and (changed or after.vault != before.vault):
                    found.append(f"seed {seed}: {job}: it was refused, and something was written")
                before = after
        finally:
            connection.close()
        return found

    async def _send(self, job: Job) -> bool:
        """Whether the register refused it. Every other error is one that the runner knows."""
        try:
            await self.desk.handle(job)
        except NotPermitted:
            self.refused += 1
            return True
        except (Fatal, Retryable, Outcome, Refused):
            pass
        return False

    def _count(self, what: str) -> None:
        self.allowed[what] = self.allowed.get(what, 0) + 1

    def _read(self, connection: sqlite3.Connection) -> Snapshot:
        return read_snapshot(connection, self.desk.clock.now(), *self._vault_of())

    def _vault_of(self) -> tuple[frozenset[tuple[str, str]], frozenset[str]]:
        """The objects of both stores, and the loan keys."""
        desk = self.desk
        vault = {*desk.store.objects, *(("replicas of", key) for _, key in desk.replica_store.objects)}
        return frozenset(vault), frozenset(desk.loan_keys.keys)

    def _job(self, chance: random.Random, near: str, likely: tuple[str, ...]) -> Job:
        types = self._types if chance.random() < 0.3 else likely
        job_type = chance.choice(types)
        case_id = near if chance.random() < 0.85 else chance.choice(self._cases)
        variables = {name: self._value(name, case_id, chance) for name in self.desk.workers[job_type].variables}
        key = chance.choice((chance.randrange(1, 400), chance.randrange(10**6, 10**9)))
        return Job(key, job_type, variables, process_instance_key=chance.choice((1, 4711)))

    def _value(self, name: str, case_id: str, chance: random.Random) -> Any:
        if chance.random() < 0.03:
            return chance.choice(RUBBISH)
        if name in POOLS:
            return chance.choice(POOLS[name])
        if chance.random() < 0.1:
            case_id = chance.choice(self._cases)
        return case_id if name == "applicationId" else chance.choice(self._known[case_id].get(name) or ["nothing"])

    def _ids(self) -> dict[str, dict[str, list[str]]]:
        """The ids of what belongs to each case."""
        desk, known = self.desk, dict[str, dict[str, list[str]]]()
        for case_id in desk.cases.values():
            known[case_id] = {
                "itemId": desk.run(application_service.item_ids, case_id),
                "handOverId": [row.id for row in desk.all(HandOver, application_id=case_id)],
                "reviewId": [row.id for row in desk.all(Review, application_id=case_id)],
                "matterId": [row.id for row in desk.all(Matter, application_id=case_id)],
            }
        desk.database.engine.dispose()
        return known


def begin(root: Path) -> HostileEngine:
    """Build the register below ``root``; call it, and attack, inside ``plain_footage``."""
    file = root / "register.db"
    desk = HostileDesk(f"sqlite:///{file}", root=root, keys=itertools.count(1))
    asyncio.run(desk.build())
    return HostileEngine(desk, file)


__all__ = ["NOON", "HostileDesk", "HostileEngine", "Job", "begin", "plain_footage"]
