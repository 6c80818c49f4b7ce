"""A desk with a supervision group and a month of closed cases, and an inspection of it up to any step."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from review_desk import HASH, NOON, PASSWORD, REAL, ReviewDesk

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.audit import AuditCheckpoint
from services.database.tables.inspections import GroupInspection, InspectedCase
from services.database.tables.people import Department, Person, Post
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.supervision import case_reviews, case_sheet, groups, reports, service, signing
from services.domain.supervision.case_reviews import Given
from services.domain.supervision.groups import Appointment

PERIOD = "2031-02"
FEBRUARY = datetime(2031, 2, 3, 4, 0, tzinfo=UTC)
ORDINARY = 60
GROUP = ("supervisor", "of-security", "of-legal", "of-storage")
INSTANCE = 90_001


@dataclass
class Supervised:
    """A desk whose group is appointed on demand; ``supervisor`` leads it."""

    desk: ReviewDesk

    def prepare(self, cases: int = ORDINARY) -> None:
        """Add the people of the group, and as many closed cases of February."""
        self.desk.run(_seed, cases)

    def propose(
        self,
        by: str = "manager",
        leader: str = "supervisor",
        people: tuple[str, ...] = GROUP,
        basis: str = "总经理办公会纪要第3号",
    ) -> str:
        wanted = Appointment(leader, people, NOON + timedelta(days=365), basis)
        return self.desk.run(groups.propose, wanted, Proof("", PASSWORD), by=by).id

    def confirm(self, group_id: str, by: str = "manager2") -> None:
        self.desk.run(groups.confirm, group_id, Proof("", PASSWORD), by=by)

    def appointed(self) -> str:
        group_id = self.propose()
        self.confirm(group_id)
        return group_id

    def opened(self) -> str:
        """The inspection of February, begun by the leader."""
        return self.desk.run(service.open_by_leader, PERIOD, by="supervisor").id

    def drawn(self) -> str:
        inspection_id = self.opened()
        self.desk.run(service.draw, inspection_id, INSTANCE)
        return inspection_id

    def inspection(self, inspection_id: str) -> GroupInspection:
        return self.desk.the(GroupInspection, id=inspection_id)

    def cases(self, inspection_id: str) -> list[InspectedCase]:
        return sorted(self.desk.all(InspectedCase, inspection_id=inspection_id), key=lambda row: row.position)

    def asked(self, inspection_id: str) -> list[InspectedCase]:
        """Ask a member about each case of the sample, as the jobs do."""
        for row in self.cases(inspection_id):
            self.desk.run(case_reviews.open_review, inspection_id, row.position, job_key=next(self.desk.keys))
        return self.cases(inspection_id)

    def answers(self, case_id: str, **changed: Given) -> tuple[dict[str, Given], str]:
        """The system's answers, with a "yes" where it has none, and the digest of the sheet."""

        def read(uow: UnitOfWork) -> tuple[dict[str, Given], str]:
            sheet = case_sheet.build(uow, uow.session.get_one(InspectedCase, case_id))
            given = {line.question.code: Given(line.system or "yes", "核对无误") for line in sheet.lines}
            return {**given, **{code.replace("_", "-"): one for code, one in changed.items()}}, sheet.sha256

        return self.desk.run(read)

    def inspect(self, row: InspectedCase, by: str | None = None, **changed: Given) -> InspectedCase:
        given, sha256 = self.answers(row.id, **changed)
        return self.desk.run(
            case_reviews.decide, row.id, given, sha256, Proof("", PASSWORD), by=by or str(row.assigned_to)
        )

    def reported(self, answer: Callable[[InspectedCase], dict[str, Given]] = lambda _row: {}) -> str:
        """An inspection whose cases are all inspected, with its report written."""
        inspection_id = self.drawn()
        for row in self.asked(inspection_id):
            self.inspect(row, **answer(row))
        self.desk.run(reports.write, inspection_id)
        self.desk.run(signing.open_review, inspection_id, job_key=next(self.desk.keys))
        return inspection_id

    def sign(self, inspection_id: str, by: str, outcome: str = "signed", **named: Any) -> None:
        report = str(self.inspection(inspection_id).report_sha256)
        self.desk.run(signing.sign, inspection_id, outcome, report, **{"proof": Proof("", PASSWORD), **named}, by=by)

    def signed(self, inspection_id: str) -> None:
        for person in GROUP:
            self.sign(inspection_id, person)


def number(position: int) -> str:
    return f"SQ-2031-{position:06d}"


def _seed(uow: UnitOfWork, cases: int) -> None:
    add = uow.session.add
    add(Department(id="counsel", name_zh="法务部", name_en="Legal", kind="legal", superior_id="board"))
    uow.session.flush()
    for person, department in (("of-security", "security"), ("of-legal", "counsel"), ("of-storage", "storage")):
        add(
            Person(
                id=person,
                login=person,
                name=person,
                department_id=department,
                password_hash=HASH,
                password_set_at=REAL,
            )
        )
        uow.session.flush()
        add(Post(person_id=person, department_id=department, kind="supervisor", since=NOON - timedelta(days=90)))
        add(
            Agreement(
                person_id=person,
                version=uow.rules.agreement_version,
                signed_at=NOON - timedelta(days=90),
                expires_at=NOON + timedelta(days=300),
            )
        )
    for position in range(1, cases + 1):
        add(_closed(position, "works" if position % 2 else "office"))
    root = base64.b64encode(hashlib.sha256(b"february").digest()).decode()
    for size, note, signed_at in (
        (1_000_000, "february", datetime(2031, 2, 20, tzinfo=UTC)),
        (1_000_001, "march", datetime(2031, 3, 1, tzinfo=UTC)),
        (1_000_002, "later", datetime(2031, 3, 2, tzinfo=UTC)),
    ):
        add(AuditCheckpoint(size=size, origin="log", root=root, note=note, signed_at=signed_at))


def _closed(position: int, department: str) -> Application:
    at = FEBRUARY + timedelta(hours=position)
    return Application(
        id=f"case-{position}",
        number=number(position),
        policy_version="1",
        drafter_id="drafter",
        department_id=department,
        created_at=at - timedelta(days=2),
        submitted_at=at - timedelta(days=2),
        reason="三号门货物丢失，需要确认经过",
        purpose="核对出入库人员与时间的记录",
        purpose_category="security-incident",
        legal_basis="internal-management",
        way_of_use="view",
        place_of_use="办公室",
        requested_use_days=5,
        sensitivities=[],
        importance="ordinary",
        closed_at=at,
        closed_as="withdrawn",
    )
