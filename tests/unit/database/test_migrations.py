"""What the migrations guarantee: a trail that only grows, and no database from before the first release."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from quick_storage import migrate_each_time
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DatabaseError

from services.database import schema as database_schema
from services.database.tables.applications import Application
from services.database.tables.case_texts import CaseText
from services.database.tables.copies import Copy
from services.database.tables.derivatives import DerivativeViewing
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.preservations import FailedPreservation
from services.database.tables.process_steps import ProcessStep
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Violation
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.errors import Fatal, Retryable
from services.runtime.rules import Rules

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
PEOPLE: dict[str, list[dict[str, Any]]] = {
    "departments": [{"id": "d", "name_zh": "d", "name_en": "d", "kind": "business"}],
    "people": [
        {
            **{"id": "p", "login": "p", "name": "p", "department_id": "d", "password_hash": "", "locale": "zh"},
            **{"active": True, "failed_logins": 0},
        }
    ],
}
CASE: dict[str, Any] = {
    **{"policy_version": "1", "drafter_id": "p", "department_id": "d", "round": 0, "purpose": "", "legal_basis": ""},
    **{"purpose_category": "", "way_of_use": "view", "place_of_use": "", "subject_ids": "[]"},
    **{"requested_use_days": 1, "important_information": False, "sensitive_event": False, "high_impact": False},
}

RECORDERS: dict[str, list[dict[str, Any]]] = {
    "recorders": [
        {"id": "r", "name": "r", "site": "", "kind": "folder", "configuration": "{}", "zone": "UTC", "active": True}
    ],
    "cameras": [
        {
            **{"id": "c", "recorder_id": "r", "channel": "1", "name_zh": "", "name_en": "", "place_zh": ""},
            **{"place_en": "", "camera_class": "ordinary", "retention_days": 30, "active": True},
        }
    ],
}
OF_ITEM: dict[str, Any] = {"position": 1, "camera_id": "c", "zone": "UTC", "asked_start": NOON, "asked_end": NOON}


@pytest.fixture(autouse=True)
def _no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_schema, "migrate", migrate_each_time)


def insert(database: Database, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Write rows as an older release has."""
    with database.engine.begin() as connection:
        for table, written in rows.items():
            for row in written:
                names = ", ".join(row)
                values = text(f"INSERT INTO {table} ({names}) VALUES (:{names.replace(', ', ', :')})")  # noqa: S608
                connection.execute(values, row)


@pytest.mark.parametrize("revision", ["0001", "0007"])
def test_a_database_from_before_the_first_release_is_refused_and_left_as_it_is(
    empty_database_url: str, revision: str
) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})

    with pytest.raises(Fatal, match=f"schema {revision} is from before the first release.*move the data folder"):
        database_schema.migrate(database.engine)
    with pytest.raises(Fatal, match=f"schema {revision} is from before the first release.*start again"):
        database.run_now(Actor("system", "test"), database_schema.check)

    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    database.close()


@pytest.mark.parametrize(("schema", "sentence"), [(None, "the database is empty"), ("1000", "the schema 1000 and not")])
def test_a_database_of_another_schema_is_not_used(empty_database_url: str, schema: str | None, sentence: str) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    if schema:
        database_schema.migrate(database.engine)
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :schema"), {"schema": schema})

    with pytest.raises(Fatal, match=f"{sentence}.*run footage-desk migrate"):
        database.run_now(Actor("system", "test"), database_schema.check)
    database.close()


def test_a_database_of_a_newer_release_is_refused_and_left_as_it_is(empty_database_url: str) -> None:
    """A rollback of the chart over a change of the schema ends with this sentence, before any pod is replaced."""
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(Fatal, match=r"schema 9999 of a newer release.*nothing was changed"):
        database_schema.migrate(database.engine)
    with pytest.raises(Fatal, match=r"schema 9999 of a newer release.*run that release"):
        database.run_now(Actor("system", "test"), database_schema.check)

    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    database.close()


@pytest.mark.postgres
@pytest.mark.requirement("R52", refuses=True)
def test_an_event_without_a_number_is_refused(postgres_database: Callable[[], str]) -> None:
    database = open_database(postgres_database(), FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine)
    columns = "at, actor_kind, actor_id, action, subject_kind, subject_id, entry, leaf_sha256"
    insert = text(f"INSERT INTO audit_events ({columns}) VALUES (now(), '', '', '', '', '', '{{}}', '')")  # noqa: S608

    with pytest.raises(Retryable, match="newer release: replace this process"):
        database.run_now(Actor("system", "test"), lambda uow: uow.session.execute(insert) and None)
    database.close()


@pytest.mark.slow
@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("table", ["audit_events", "audit_nodes", "audit_checkpoints", "audit_anchors"])
def test_no_row_of_the_trail_is_changed_or_removed(empty_database_url: str, table: str) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine)
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO audit_events VALUES (1, '2031-03-04', '', '', '', '', '', NULL, '', '')"))
        connection.execute(text("INSERT INTO audit_nodes VALUES (1, 0, 'x')"))
        connection.execute(text("INSERT INTO audit_checkpoints VALUES (1, '', '', '', '2031-03-04')"))
        anchor = "INSERT INTO audit_anchors VALUES (1, '', '', '', '', '2031-03-04', NULL, NULL)"
        connection.execute(text(anchor))
    column = {"audit_events": "entry", "audit_nodes": "level", "audit_checkpoints": "note", "audit_anchors": "key"}[
        table
    ]
    change = f"UPDATE {table} SET {column} = {column}"  # noqa: S608  # our own words
    for statement in (change, f"DELETE FROM {table}"):  # noqa: S608
        with pytest.raises(DatabaseError, match="only grows"), database.engine.begin() as connection:
            connection.execute(text(statement))
    database.close()


def test_cases_of_before_are_listed_and_found(empty_database_url: str) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine, "1060")
    of_case = {
        "draft": {"number": None, "reason": "Not Yet", "created_at": NOON, "submitted_at": None},
        "case": {"number": "SQ-1", "reason": "Lost", "created_at": NOON, "submitted_at": NOON + timedelta(days=1)},
    }
    rows = {
        **PEOPLE,
        "applications": [{"id": key, **CASE, **values} for key, values in of_case.items()],
    }
    insert(database, rows)

    database_schema.migrate(database.engine)

    def read(uow: UnitOfWork) -> list[tuple[object, ...]]:
        query = select(Application.id, Application.listed_at, CaseText.text).join(CaseText)
        return [tuple(row) for row in uow.session.execute(query.order_by(Application.id))]

    assert database.run_now(Actor("system", "test"), read) == [
        ("case", NOON + timedelta(days=1), "sq-1\nlost"),
        ("draft", NOON, "not yet"),
    ]
    database.close()


@pytest.mark.requirement("R2", verb="recorded")
def test_on_which_version_a_case_of_before_runs_is_not_recorded(empty_database_url: str) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine, "1143")
    case = {**CASE, "id": "a", "reason": "", "created_at": NOON, "submitted_at": NOON, "process_instance_key": 1}
    step = {"element_instance_key": 2, "application_id": "a", "process_id": "p", "process_instance_key": 1}
    insert(database, {**PEOPLE, "applications": [case]})
    insert(database, {"process_steps": [{**step, "element_id": "e", "began_at": NOON, "attempts": 1}]})

    database_schema.migrate(database.engine)

    def read(uow: UnitOfWork) -> list[object]:
        application, begun = uow.session.get_one(Application, "a"), uow.session.get_one(ProcessStep, 2)
        return [application.process_version, application.model_sha256, begun.process_version]

    assert database.run_now(Actor("system", "test"), read) == [None, None, None]
    database.close()


@pytest.mark.requirement("R51", "R65")
def test_what_was_suspended_before_stays_closed_with_its_cause(empty_database_url: str) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine, "1145")
    due, late, later = NOON, NOON + timedelta(days=3), NOON + timedelta(days=9)
    loans: dict[str, dict[str, Any]] = {
        "used": {"suspended_at": None},
        "due": {"suspended_at": due},
        "overdue": {"suspended_at": due, "due_at": later},  # its date was moved since, and the job has not come yet
        "lost": {"suspended_at": due, "lost_at": due},
        "disputed": {"suspended_at": late, "returned_at": due},
    }
    offered = {"custodian_id": "p", "offered_at": NOON, "take_up_until": NOON, "use_days": 1, "accepted_at": NOON}
    entry = {"seq": 1, "event": "suspended", "detail": "{}", "previous_sha256": "", "sha256": ""}
    violated = {"overdue": ("overdue", late), "lost": ("loss", late), "disputed": ("discrepancy", late)}
    facts = {"overdue": f'{{"dueAt": "{due.isoformat()}"}}'}
    insert(
        database,
        {
            **PEOPLE,
            "applications": [{**CASE, "id": name, "reason": "", "created_at": NOON} for name in loans],
            "hand_overs": [
                {
                    **{"id": name, "application_id": name, **offered, "due_at": due},
                    **{"lost_at": None, "returned_at": None, **values},
                }
                for name, values in loans.items()
            ],
            "custody_entries": [{"id": name, "hand_over_id": name, "at": due, **entry} for name in ("due", "overdue")],
            "violations": [
                {
                    **{"id": name, "application_id": name, "hand_over_id": name, "kind": kind, "opened_at": at},
                    "facts": facts.get(name, "{}"),
                }
                for name, (kind, at) in violated.items()
            ],
        },
    )

    database_schema.migrate(database.engine)

    def read(uow: UnitOfWork) -> tuple[set[tuple[object, ...]], dict[str, object]]:
        rows, found = uow.session.scalars(select(Suspension)), uow.session.scalars(select(Violation))
        return (
            {(row.hand_over_id, row.cause, row.since, row.violation_id) for row in rows if row.lifted_at is None},
            {row.id: (row.due_at, row.accused, row.closed_at) for row in found},
        )

    assert database.run_now(Actor("system", "test"), read) == (
        {
            ("due", "use-period-over", due, None),
            ("overdue", "use-period-over", due, None),
            ("overdue", "violation", late, "overdue"),
            ("lost", "lost", due, None),
            ("lost", "violation", late, "lost"),
            ("disputed", "violation", late, "disputed"),
        },
        {"overdue": (due, ["p"], None), "lost": (None, ["p"], None), "disputed": (None, ["p"], None)},
    )
    # the same kind and due date once, with a date or without
    _violate(database, "overdue", "overdue", later)
    for loan, kind, missed in (("overdue", "overdue", due), ("lost", "loss", None)):
        with pytest.raises(Retryable, match="in the database already"):
            _violate(database, loan, kind, missed)
    database.close()


@pytest.mark.requirement("R65")
def test_violations_may_have_no_loan_and_keep_all_that_refers_to_them(empty_database_url: str) -> None:
    """Schema 1159 drops a NOT NULL, for which SQLite has to make the table anew while suspensions refer to it."""
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine, "1157")
    names = ("first", "second")
    offered = {"custodian_id": "p", "offered_at": NOON, "take_up_until": NOON, "use_days": 1, "accepted_at": NOON}
    matter = {"kind": "violation", "opened_at": NOON, "facts": "{}", "facts_sha256": "x", "route": "[]"}
    of_case = {"application_id": "a", "hand_over_id": "h"}
    judged = {
        **{"stage": "violation-security", "round": 0, "outcome": "upheld", "decided_by": "p", "decided_at": NOON},
        **{"answers": "{}", "variables": "{}", "form_sha256": "x", "statement_sha256": "x", "signature": "{}"},
    }
    review = {"stage": "violation-security", "round": 0, "process_instance_key": 1, "opened_at": NOON, "due_at": NOON}
    insert(
        database,
        {
            **PEOPLE,
            "applications": [{**CASE, "id": "a", "reason": "", "created_at": NOON}],
            "hand_overs": [{"id": "h", "application_id": "a", **offered, "due_at": NOON}],
            "matters": [{"id": name, "number": name, **of_case, **matter} for name in names],
            "violations": [
                {
                    **{"id": f"v-{name}", **of_case, "kind": kind, "due_at": due, "opened_at": NOON, "facts": "{}"},
                    **{"accused": '["p"]', "matter_id": name, "severity": "minor", "served_at": NOON},
                }
                for name, kind, due in (("first", "overdue", NOON), ("second", "loss", None))
            ],
            "suspensions": [
                {
                    "id": f"s-{name}",
                    "hand_over_id": "h",
                    "cause": "violation",
                    "violation_id": f"v-{name}",
                    "since": NOON,
                }
                for name in names
            ]
            + [{"id": "s-lost", "hand_over_id": "h", "cause": "lost", "violation_id": None, "since": NOON}],
            "hearings": [{"matter_id": name, "person_id": "p", "part": "accused", "reply": "x"} for name in names],
            "reviews": [
                {"id": name, "application_id": "a", "matter_id": name, "job_key": key, **review}
                for key, name in enumerate(names)
            ],
            "decisions": [
                {"id": name, "review_id": name, "application_id": "a", "matter_id": name, **judged} for name in names
            ],
            "sanctions": [
                {
                    **{"id": f"x-{name}", "matter_id": name, "decision_id": name, "person_id": "p"},
                    **{"kind": "warning", "recorded_at": NOON},
                }
                for name in names
            ],
        },
    )
    tables = ("violations", "suspensions", "hearings", "sanctions", "matters", "decisions")
    before, shape = _rows(database, tables), _shape(database)

    database_schema.migrate(database.engine, "1159")

    after = _rows(database, tables)
    assert after == before
    changed = _shape(database)
    nullable = [name for name, (_, may) in changed[0].items() if may != shape[0][name][1]]
    assert nullable == ["hand_over_id"]
    assert changed[1:] == shape[1:]
    if database.engine.dialect.name == "sqlite":
        with database.engine.connect() as connection:
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    database_schema.migrate(database.engine)
    none = {"application_id": "a", "hand_over_id": None, "kind": "urgent-not-ratified", "opened_at": NOON, "facts": {}}
    database.run_now(Actor("system", "test"), lambda uow: uow.session.add_all(Violation(**none) for _ in names))
    for wrong in ({"hand_over_id": "nothing"}, {"hand_over_id": "h", "kind": "loss"}):
        with pytest.raises(Retryable):
            database.run_now(Actor("system", "test"), lambda uow: uow.session.add(Violation(**{**none, **wrong})))  # noqa: B023
    with pytest.raises(DatabaseError), database.engine.begin() as connection:
        connection.execute(text("DELETE FROM violations WHERE id = 'v-first'"))  # its suspension refers to it as before
    database.close()


def _rows(database: Database, tables: tuple[str, ...]) -> dict[str, list[tuple[object, ...]]]:
    with database.engine.connect() as connection:
        return {
            table: sorted(
                (tuple(row) for row in connection.execute(text(f"SELECT * FROM {table}"))),  # noqa: S608
                key=str,
            )
            for table in tables
        }


def _shape(database: Database) -> tuple[dict[str, tuple[str, bool]], object, object, object]:
    """The columns of ``violations``, each with its type and whether it may be empty; its keys and its indexes."""
    found = inspect(database.engine)
    return (
        {one["name"]: (str(one["type"]), bool(one["nullable"])) for one in found.get_columns("violations")},
        sorted(
            (str(one["constrained_columns"]), one["referred_table"]) for one in found.get_foreign_keys("violations")
        ),
        sorted(
            (str(one["name"]), str(one["column_names"]), bool(one["unique"]), _options(one))
            for one in found.get_indexes("violations")
        ),
        found.get_pk_constraint("violations")["constrained_columns"],
    )


def _options(index: Any) -> list[tuple[str, str]]:
    return sorted((name, str(value)) for name, value in (index.get("dialect_options") or {}).items())


def _violate(database: Database, loan: str, kind: str, missed: datetime | None) -> None:
    row = Violation(application_id=loan, hand_over_id=loan, kind=kind, due_at=missed, opened_at=NOON, facts={})
    database.run_now(Actor("system", "test"), lambda uow: uow.session.add(row))


def test_what_an_open_case_of_before_has_in_the_vault_is_to_be_locked(empty_database_url: str) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine, "1090")
    ends = NOON + timedelta(days=365)
    cases = {"open": None, "archived": "footage-re-archived", "withdrawn": "withdrawn"}
    of_case = [
        {**{"id": name, "number": name, "reason": "", "created_at": NOON, "submitted_at": NOON}, **CASE}
        | {"closed_as": closed_as, "closed_at": NOON if closed_as else None}
        for name, closed_as in cases.items()
    ]
    attempt = {"purpose": "master", "subject_id": "x", "job_key": 1, "bucket": "masters", "started_at": NOON}
    written = {"kind": "label", "content": "{}", "sha256": "", "made_at": NOON, "demo": False}
    archived = {"archived_at": NOON, "dispose_after": ends}
    rows: dict[str, list[dict[str, Any]]] = {
        **PEOPLE,
        "applications": of_case,
        **RECORDERS,
        "items": [{"id": name, "application_id": name, **OF_ITEM} for name in cases],
        "upload_attempts": [
            {"id": name, "application_id": name, "item_id": name, "key": name, **attempt} for name in cases
        ],
        "masters": [
            {
                **{"id": name, "application_id": name, "item_id": name, "attempt_id": name, "origin": "recorder"},
                **{"retrieved_at": NOON, "sealed": "{}", **(archived if name == "archived" else {})},
                "discarded_at": NOON if name == "withdrawn" else None,
            }
            for name in cases
        ],
        "archive_entries": [
            {"id": "a", "application_id": "archived", "in_order": True, "location": "masters", **archived}
        ],
        "documents": [{"id": name, "number": name, "application_id": name, **written} for name in cases]
        + [{"id": "agreement", "number": "agreement", "application_id": None, **written}],
    }
    insert(database, rows)

    database_schema.migrate(database.engine)

    def read(uow: UnitOfWork) -> tuple[dict[str, object], dict[str, object]]:
        masters, documents = uow.session.scalars(select(Master)).all(), uow.session.scalars(select(Document)).all()
        return (
            {row.id: (row.retain_until, row.lock_due_since is not None) for row in masters},
            {row.id: (row.retain_until, row.filed_at, row.lock_due_since is not None) for row in documents},
        )

    assert database.run_now(Actor("system", "test"), read) == (
        {"open": (None, True), "archived": (ends, False), "withdrawn": (None, False)},
        {
            **{"open": (None, None, True), "agreement": (None, None, True)},
            **{"archived": (ends, NOON, False), "withdrawn": (None, None, False)},
        },
    )
    database.close()


@pytest.mark.requirement("R31")
def test_what_could_not_be_preserved_before_is_tried_again_where_its_case_is_open(empty_database_url: str) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine, "1105")
    cases: dict[str, dict[str, Any]] = {"open": {}, "kept": {}, "withdrawn": {"withdrawn_at": NOON}}
    begun = {"purpose": "quarantine", "phase": "probing", "size": 0, "share": 0.0, "since": NOON, "attempts": 3}
    attempt = {"purpose": "quarantine", "subject_id": "x", "job_key": 7, "bucket": "quarantine", "started_at": NOON}
    insert(
        database,
        {
            **PEOPLE,
            "applications": [
                {**{"id": name, "number": name, "reason": "", "created_at": NOON, "submitted_at": NOON}, **CASE}
                | {"withdrawn_at": None, **ended}
                for name, ended in cases.items()
            ],
            **RECORDERS,
            "items": [{"id": name, "application_id": name, **OF_ITEM} for name in cases],
            "upload_attempts": [{"id": "a", "application_id": "open", "item_id": "open", "key": "a", **attempt}],
            "progress": [
                {
                    **{"item_id": name, "application_id": name, "heartbeat_at": NOON, **begun},
                    "last_error": None if name == "kept" else "RecorderDown",
                    "last_error_at": None if name == "kept" else NOON,
                }
                for name in cases
            ],
        },
    )

    database_schema.migrate(database.engine)

    def read(uow: UnitOfWork) -> list[tuple[object, ...]]:
        rows = uow.session.scalars(select(FailedPreservation))
        return [(row.item_id, row.job_key, row.failures, row.code, row.next_try_at) for row in rows]

    assert database.run_now(Actor("system", "test"), read) == [("open", 7, 3, "RecorderDown", NOON)]
    database.close()


@pytest.mark.requirement("R62")
def test_copies_of_before_are_found_by_the_moments_that_they_show(empty_database_url: str) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine, "1165")
    frames = {"firstFrame": NOON.isoformat(), "lastFrame": (NOON + timedelta(hours=1)).isoformat()}
    sealed = {"whole": json.dumps({"coverage": frames}), "empty": "{}"}
    attempt = {"subject_id": "x", "job_key": 1, "bucket": "b", "started_at": NOON}
    attempts = [(name, purpose) for name in sealed for purpose in ("master", "copy")]
    insert(
        database,
        {
            **PEOPLE,
            "applications": [
                {**{"id": name, "number": name, "reason": "", "created_at": NOON, "submitted_at": NOON}, **CASE}
                for name in sealed
            ],
            **RECORDERS,
            "items": [{"id": name, "application_id": name, **OF_ITEM} for name in sealed],
            "upload_attempts": [
                {**{"id": f"{name}-{purpose}", "key": f"{name}-{purpose}", "purpose": purpose}, **attempt}
                | {"application_id": name, "item_id": name}
                for name, purpose in attempts
            ],
            "masters": [
                {
                    **{"id": name, "application_id": name, "item_id": name, "attempt_id": f"{name}-master"},
                    **{"origin": "recorder", "retrieved_at": NOON, "sealed": "{}"},
                }
                for name in sealed
            ],
            "copies": [
                {
                    **{"id": name, "application_id": name, "item_id": name, "attempt_id": f"{name}-copy"},
                    **{"master_id": name, "made_at": NOON, "sealed": written},
                }
                for name, written in sealed.items()
            ],
        },
    )

    database_schema.migrate(database.engine)

    def read(uow: UnitOfWork) -> dict[str, object]:
        return {row.id: (row.footage_from, row.footage_until) for row in uow.session.scalars(select(Copy))}

    assert database.run_now(Actor("system", "test"), read) == {
        "whole": (NOON, NOON + timedelta(hours=1)),
        "empty": (None, None),
    }
    database.close()


@pytest.mark.requirement("R58")
def test_a_redacted_copy_that_is_being_watched_is_watched_on(empty_database_url: str) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine, "1204")
    of_case = {"application_id": "a", "item_id": "i"}
    attempt = {**of_case, "subject_id": "x", "job_key": 1, "bucket": "b", "started_at": NOON}
    matter = {"kind": "redaction", "opened_at": NOON, "facts": "{}", "facts_sha256": "x", "route": "[]"}
    viewing = {"derivative_id": "d", "person_id": "p", "opened_at": NOON, "address": "x", "reads": 2, "bytes_read": 90}
    read = [[0, 50], [100, 140]]
    insert(
        database,
        {
            **PEOPLE,
            "applications": [{**CASE, "id": "a", "reason": "", "created_at": NOON}],
            **RECORDERS,
            "items": [{"id": "i", "application_id": "a", **OF_ITEM}],
            "upload_attempts": [{"id": name, "key": name, "purpose": name, **attempt} for name in ("master", "copy")],
            "masters": [
                {
                    **{"id": "m", **of_case, "attempt_id": "master", "origin": "recorder"},
                    **{"retrieved_at": NOON, "sealed": "{}"},
                }
            ],
            "copies": [{"id": "c", **of_case, "attempt_id": "copy", "master_id": "m", "made_at": NOON, "sealed": "{}"}],
            "matters": [{"id": "r", "number": "r", "application_id": "a", **matter}],
            "derivatives": [
                {
                    **{"id": "d", **of_case, "matter_id": "r", "copy_id": "c", "master_id": "m"},
                    **{"recipe": "{}", "recipe_sha256": "x", "queued_at": NOON},
                }
            ],
            "derivative_viewings": [
                {"id": "v", **viewing, "ranges": json.dumps(read), "played": "[]", "credited_ms": 0}
            ],
        },
    )

    database_schema.migrate(database.engine)

    row = database.run_now(Actor("system", "test"), lambda uow: uow.session.get_one(DerivativeViewing, "v"))
    assert (row.ranges, row.streamed) == (read, read)
    database.close()


@pytest.mark.requirement("R65")
def test_a_violation_of_before_that_is_beside_an_open_one_stays_beside_it(empty_database_url: str) -> None:
    database = open_database(empty_database_url, FixedClock(NOON), Rules(max_use_days=30))
    database_schema.migrate(database.engine, "1204")
    of_loan = {"application_id": "a", "hand_over_id": "h"}
    offered = {"custodian_id": "p", "offered_at": NOON, "take_up_until": NOON, "use_days": 1, "accepted_at": NOON}
    matter = {"kind": "violation", "opened_at": NOON, "facts": "{}", "facts_sha256": "x", "route": "[]"}
    found = {"first": None, "beside": "beside", "reported": "report"}
    insert(
        database,
        {
            **PEOPLE,
            "applications": [{**CASE, "id": "a", "reason": "", "created_at": NOON}],
            "hand_overs": [{"id": "h", "application_id": "a", **offered, "due_at": NOON}],
            "matters": [{"id": name, "number": name, **of_loan, **matter} for name in (*found, "report")],
            "violations": [
                {"id": name, **of_loan, "kind": "breach", "opened_at": NOON, "facts": "{}"}
                | {"matter_id": name, "problem_id": problem}
                for name, problem in found.items()
            ],
        },
    )

    database_schema.migrate(database.engine)

    def read(uow: UnitOfWork) -> dict[str, tuple[object, ...]]:
        return {row.id: (row.problem_id, row.matter_id, row.further) for row in uow.session.scalars(select(Violation))}

    assert database.run_now(Actor("system", "test"), read) == {
        "first": (None, "first", False),
        "beside": (None, "beside", True),
        "reported": ("report", "reported", False),
    }
    another = {**of_loan, "kind": "breach", "opened_at": NOON, "facts": {}}
    with pytest.raises(Retryable, match="in the database already"):
        database.run_now(Actor("system", "test"), lambda uow: uow.session.add(Violation(**another)))
    database.run_now(Actor("system", "test"), lambda uow: uow.session.add(Violation(**another, further=True)))
    database.close()
