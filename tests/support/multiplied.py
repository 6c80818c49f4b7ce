"""The rows of a desk, many times over: what hangs on a case, a loan or a matter grows, and these stay the same."""

from collections.abc import Collection
from itertools import count, islice
from typing import Any

from sqlalchemy import JSON, String, Table, UniqueConstraint, insert, select

from services.database.base import Base
from services.database.unit_of_work import UnitOfWork

# the organisation, what the product keeps of itself, and the trail, whose rows are chained
NOT = {
    *("departments", "people", "posts", "agreements", "agreement_texts", "sites", "recorders", "cameras"),
    *("number_series", "leases", "sessions", "login_failures", "passkeys", "second_factors", "recovery_codes"),
    *("audit_events", "audit_nodes", "audit_checkpoints", "audit_anchors", "counted_metrics", "rule_changes"),
    *("applications", "supervision_groups", "group_members", "group_inspections", "schedules", "calendar_years"),
    *("deployed_processes", "model_files", "model_versions", "model_sets", "storage_places", "key_fingerprints"),
    *("attachment_uploads", "archive_entries", "case_texts", "revisions", "drafts", "outbox", "reminders"),
}


# what pages are about: while these stay, what hangs on each of them grows
SUBJECTS = frozenset(
    {"hand_overs", "matters", "work_orders", "evidence_packages", "derivatives", "disclosures", "sittings", "copies"}
)


_turns, _numbers = count(1), count(1_000_000)  # of a process, so that what is copied again has other keys


def multiply(uow: UnitOfWork, times: int, without: Collection[str] = ()) -> None:
    """Copy each row so many times, with its children, under the parents that stay; ``without``: further tables that do.

    A copy has the same values but for its key, what has to be unique, and what names another row that was copied.
    """
    found = {
        table: [dict(row._mapping) for row in uow.session.execute(select(table))]
        for table in Base.metadata.sorted_tables
        if table.name not in NOT and table.name not in without
    }
    keys = {row[key] for table, rows in found.items() if (key := _key(table)) for row in rows}
    for turn in islice(_turns, times):
        renamed = {key: f"{key}~{turn}" for key in keys}
        for table, rows in found.items():
            uniques = _uniques(table)
            copies = [copy for row in rows if (copy := _copy(table, row, renamed, uniques, turn)) is not None]
            if copies:
                uow.session.execute(insert(table), copies)


def _key(table: Table) -> str | None:
    """The one column of the key, where it is text."""
    columns = list(table.primary_key.columns)
    own = len(columns) == 1 and isinstance(columns[0].type, String) and not columns[0].foreign_keys
    return columns[0].name if own else None


def _uniques(table: Table) -> list[list[str]]:
    constraints = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
    indexes = [one for one in table.indexes if one.unique]
    key = [[column.name for column in table.primary_key.columns]]
    return [*key, *([column.name for column in one.columns] for one in (*constraints, *indexes))]


def _copy(
    table: Table, row: dict[str, Any], renamed: dict[str, str], uniques: list[list[str]], turn: int
) -> dict[str, Any] | None:
    """The copy of a row, or None where it cannot be another one."""
    copy = dict(row)
    for name, value in row.items():
        if isinstance(value, str) and not isinstance(table.c[name].type, JSON):
            copy[name] = renamed.get(value, value)
    for names in uniques:
        if not names or any(copy[name] != row[name] or row[name] is None for name in names):
            continue
        own = [name for name in names if not table.c[name].foreign_keys]
        number = next((name for name in own if type(row[name]) is int), None)
        text = next((name for name in own if isinstance(row[name], str)), None)
        if number is not None:
            copy[number] = next(_numbers)
        elif text is not None:
            copy[text] = f"{row[text]}~{turn}"
        else:
            return None
    return copy
