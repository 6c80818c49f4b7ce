"""Rows of every kind that the reports and statistics count, at random moments of a quarter."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.violations import Violation
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail

BEGIN = datetime(2030, 12, 20, tzinfo=UTC)
ENDS = (None, "rejected", "withdrawn", "footage-re-archived", "copy-lost")
STAY = timedelta(days=12)


def fill(uow: UnitOfWork, each: int) -> None:
    """Rows at random moments of December to March, most of which are in the first quarter."""
    chance = random.Random(1)  # noqa: S311 - the same rows in every run
    pattern = uow.session.query(Application).first()
    assert pattern is not None
    columns = {column.key: getattr(pattern, column.key) for column in Application.__mapper__.column_attrs}

    def moment(after: datetime = BEGIN, days: float = 100) -> datetime:
        return after + timedelta(minutes=chance.randrange(int(days * 1440)))

    def later(after: datetime, share: float, days: float = 30) -> datetime | None:
        return moment(after, days) if chance.random() < share else None

    rows: dict[Any, list[dict[str, Any]]] = {
        kind: [] for kind in (Application, HandOver, Violation, WorkOrder, WorkOrderAttempt)
    }
    for number in range(each):
        submitted, case, end = moment(), f"case-{number}", chance.choice(ENDS)
        rows[Application].append(
            {
                **columns,
                **{"id": case, "number": f"SQ-{number}", "process_instance_key": None},
                **{"department_id": chance.choice(("works", "office")), "created_at": submitted},
                **{"submitted_at": submitted, "listed_at": submitted, "closed_as": end},
                "closed_at": moment(submitted, 20) if end else None,
            }
        )
        accepted = moment(submitted, 5)
        due = accepted + STAY
        rows[HandOver].append(
            {
                **{"id": f"loan-{number}", "application_id": case, "custodian_id": "keeper", "use_days": 12},
                **{"offered_at": submitted, "take_up_until": due, "accepted_at": accepted, "due_at": due},
                **{"returned_at": later(accepted, 0.6), "lost_at": later(accepted, 0.1)},
            }
        )
        opened = moment()
        closed = later(opened, 0.7)
        rows[Violation].append(
            {
                **{"application_id": case, "kind": chance.choice(("overdue", "leak")), "opened_at": opened},
                **{"facts": {}, "closed_at": closed},
                "closed_as": chance.choice(("cleared", "upheld")) if closed else None,
            }
        )
        opened, order = moment(), f"order-{number}"
        done = later(opened, 0.6)
        rows[WorkOrder].append(
            {
                **{"id": order, "number": f"WH-{number}", "key": order, "kind": "device-service"},
                **{"subject_kind": "device", "subject_id": "d", "subject_label": "d", "title_zh": "", "title_en": ""},
                **{"facts": {}, "facts_sha256": "0" * 64, "opened_at": opened, "due_at": opened + STAY},
                **{"closed_at": done, "closed_as": "done" if done else None},
            }
        )
        rows[WorkOrderAttempt].append(
            {
                **{"work_order_id": order, "attempt": 1, "due_at": opened + STAY, "done_at": done},
                "first_reminder_at": opened,
            }
        )
    for table, values in rows.items():
        uow.session.execute(insert(table), values)
    for number in range(7):
        audit_trail.record(uow, "access-denied", "copy", str(number))
