"""A desk for tests of reviews: an organisation with a person for every post, and an application up to any stage."""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from by_hand import anything_goes
from cheap_passwords import CHEAP
from new_database import lay_out
from sqlalchemy import select

from services.database.engine import UNLIMITED
from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.custody import HandOver
from services.database.tables.people import Absence, Department, Person, Post
from services.database.tables.reviews import Review
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import forms
from services.domain.applications import service as application_service
from services.domain.applications.forms import Form, ItemAsked
from services.domain.documents import service as document_service
from services.domain.reviews import service as review_service
from services.domain.reviews import tasks as review_tasks
from services.domain.reviews.service import Decided
from services.domain.stages.catalogue import STAGES
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.errors import Fatal
from services.runtime.rules import Rules
from services.runtime.settings.database import DatabaseSettings

T = TypeVar("T")

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
REAL = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
PASSWORD = "a password that is long"
HASH = CHEAP.hash(PASSWORD)
CLERK = Actor("system", "test")
DEPARTMENTS = {
    "board": ("management", None),
    "works": ("business", "board"),
    "security": ("security", "board"),
    "storage": ("storage", "board"),
    "office": ("administration", "board"),
}
# person: (department, posts there)
STAFF = {
    "drafter": ("works", ("member",)),
    "keeper": ("works", ("member",)),
    "head": ("works", ("head",)),
    "deputy": ("works", ("deputy",)),
    "reviewer": ("security", ("security-reviewer",)),
    "reviewer2": ("security", ("security-reviewer",)),
    "security-head": ("security", ("head",)),
    "security-deputy": ("security", ("deputy",)),
    "inspector": ("security", ("return-inspector",)),
    "manager": ("board", ("manager",)),
    "manager2": ("board", ("manager",)),
    "board-head": ("board", ("head",)),
    "operator": ("storage", ("storage-operator",)),
    "operator2": ("storage", ("storage-operator",)),
    "office-head": ("office", ("head",)),
    "supervisor": ("office", ("supervisor",)),
    "admin": ("office", ("administrator",)),
}
FORM = Form(
    reason="三号门货物丢失，需要确认经过",
    purpose="核对出入库人员与时间的记录",
    purpose_category="security-incident",
    legal_basis="internal-management",
    way_of_use="download",
    way_of_use_because="须逐帧放大核对，在线查看不够。",
    place_of_use="安全保卫部办公室",
    requested_use_days=20,
    custodian_id="keeper",
    items=(ItemAsked("camera", NOON - timedelta(hours=2), NOON - timedelta(hours=1), "Asia/Shanghai"),),
)


class Box:
    """Seals for tests: what was sealed for another purpose does not open."""

    def encrypt(self, text: str, purpose: str) -> str:
        return f"{purpose}:{text[::-1]}"

    def decrypt(self, sealed: str, purpose: str) -> str:
        if not sealed.startswith(f"{purpose}:"):
            raise Fatal("it was encrypted for another purpose")
        return sealed.removeprefix(f"{purpose}:")[::-1]

    def digest(self, text: str, purpose: str) -> str:
        return hashlib.sha256(f"{purpose}:{text}".encode()).hexdigest()


@dataclass
class ReviewDesk:
    """``url`` is an empty database, or with ``laid_out`` one that a desk had before."""

    url: str
    rules: Rules = field(default_factory=lambda: Rules(max_use_days=30))
    keys: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    box: Box = field(default_factory=Box)
    laid_out: bool = False
    connections: DatabaseSettings = UNLIMITED

    def __post_init__(self) -> None:
        self.clock = FixedClock(NOON)
        self.real = FixedClock(REAL)
        self.database = open_database(
            self.url, self.clock, self.rules, secrets=self.box, real=self.real, connections=self.connections
        )
        if not self.laid_out:
            lay_out(self.database, _seed)

    def run(self, act: Callable[..., T], *args: Any, by: str | None = None, **named: Any) -> T:
        """``act(unit, …)`` by a person, or by the clerk."""
        return self.database.run_now(Actor("person", by) if by else CLERK, act, *args, **named)

    def all(self, table: type[T], **where: Any) -> list[T]:
        return self.run(lambda uow: list(uow.session.scalars(select(table).filter_by(**where))))

    def the(self, table: type[T], **where: Any) -> T:
        (row,) = self.all(table, **where)
        return row

    def submitted(self, by: str = "drafter", **changes: Any) -> str:
        """A submitted application's id; ``changes`` are of the form."""

        def act(uow: UnitOfWork) -> str:
            application = application_service.create_draft(uow, replace(FORM, **changes))
            return application_service.submit(uow, application.id).id

        return self.run(act, by=by)

    def opened(self, application_id: str, stage: str, **named: Any) -> str:
        """The id of a fresh review of this stage."""
        with anything_goes():
            opened = self.run(
                review_tasks.open_review,
                application_id,
                stage,
                job_key=next(self.keys),
                process_instance_key=1,
                **named,
            )
        return opened.review_id

    def escalate(self, review_id: str) -> None:
        """Widen the review, as at its limit."""
        with anything_goes():
            self.run(review_tasks.escalate, review_id, next(self.keys))

    def candidates(self, review_id: str) -> list[str]:
        """Who may decide the review now."""

        def read(uow: UnitOfWork) -> list[str]:
            review = uow.session.get_one(Review, review_id)
            return access_policy.candidates(
                access_queries.load_directory(uow), access_queries.load_facts(uow, review.application_id), review
            )

        return self.run(read)

    def form_sha256(self, review_id: str) -> str:
        def read(uow: UnitOfWork) -> str:
            review = uow.session.get_one(Review, review_id)
            revision = forms.current_revision(uow, review.application_id)
            assert revision is not None
            return revision.sha256

        return self.run(read)

    def decide(self, review_id: str, by: str, outcome: str | None = None, **named: Any) -> Decided:
        """Decide as a person; by default favourably, with every question answered with yes."""
        stage = STAGES[self.the(Review, id=review_id).stage]
        given: dict[str, Any] = {
            "outcome": outcome or stage.favourable,
            "answers": {question.code: True for question in stage.questions},
            "reason": "理由充分",
            "opinion": "同意调取",
            "proof": Proof(self.form_sha256(review_id), PASSWORD),
        }
        return self.run(review_service.decide, review_id, by=by, **{**given, **named})

    def confirm(self, review_id: str, by: str, **named: Any) -> Decided:
        given: dict[str, Any] = {"agrees": True, "proof": Proof(self.form_sha256(review_id), PASSWORD)}
        return self.run(review_service.confirm, review_id, by=by, **{**given, **named})

    def approved(self, application_id: str, *, first: str = "head", signer: str = "security-head") -> None:
        """Bring the application through the stages that every one has."""
        for stage, by in (("preliminary", first), ("security", "reviewer"), ("security-signature", signer)):
            self.decide(self.opened(application_id, stage), by)

    def filed(self, application_id: str) -> None:
        number = self.the(Application, id=application_id).number
        self.run(document_service.write, "application-form", number, {}, application_id=application_id)

    def offered(self, application_id: str, **values: Any) -> None:
        """A hand-over of the application's copy, which its custodian has a week to take up."""

        def act(uow: UnitOfWork) -> None:
            until = uow.now + timedelta(days=7)
            values.update(custodian_id="keeper", offered_at=uow.now, take_up_until=until, use_days=20)
            uow.session.add(HandOver(application_id=application_id, **values))

        self.run(act)

    def classed(self, application_id: str, **values: Any) -> None:
        def act(uow: UnitOfWork) -> None:
            for name, value in values.items():
                setattr(uow.session.get_one(Application, application_id), name, value)

        self.run(act)

    def post(self, person_id: str, kind: str, department_id: str) -> None:
        post = Post(person_id=person_id, department_id=department_id, kind=kind, since=NOON - timedelta(days=1))
        self.run(lambda uow: uow.session.add(post))

    def away(self, *person_ids: str) -> None:
        def act(uow: UnitOfWork) -> None:
            for person_id in person_ids:
                since = NOON - timedelta(days=1)
                uow.session.add(Absence(person_id=person_id, since=since, until=NOON + timedelta(days=60)))

        self.run(act)

    def add_north_gate(self) -> None:
        """Add a second camera, ``north``, whose footage is kept for ten years."""

        def add(uow: UnitOfWork) -> None:
            names = {"name_zh": "北门", "name_en": "North gate", "place_zh": "北区", "place_en": "north"}
            uow.session.add(Camera(id="north", recorder_id="recorder", channel="2", retention_days=3650, **names))

        self.run(add)

    def close(self) -> None:
        self.database.close()


def _seed(uow: UnitOfWork) -> None:
    for department, (kind, superior) in DEPARTMENTS.items():
        uow.session.add(
            Department(id=department, name_zh=department, name_en=department, kind=kind, superior_id=superior)
        )
        uow.session.flush()
    for person_id, (department, posts) in STAFF.items():
        uow.session.add(
            Person(id=person_id, login=person_id, name=person_id, department_id=department, password_hash=HASH)
        )
        uow.session.flush()
        since = NOON - timedelta(days=365)
        uow.session.add_all(
            Post(person_id=person_id, department_id=department, kind=kind, since=since) for kind in posts
        )
        uow.session.add(
            Agreement(
                person_id=person_id,
                version=uow.rules.agreement_version,
                signed_at=since,
                expires_at=NOON + timedelta(days=365),
            )
        )
    uow.session.add(
        Recorder(id="recorder", name="R", site="S", kind="folder", configuration={}, zone="UTC", clock_offset_ms=1500)
    )
    uow.session.flush()
    uow.session.add(
        Camera(
            id="camera",
            recorder_id="recorder",
            channel="gate",
            name_zh="大门",
            name_en="gate",
            place_zh="一层",
            place_en="ground",
            retention_days=30,
        )
    )
