"""What a job may bring about, by the register's rows alone, read by SQL; it knows none of the product's checks."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

SLACK = timedelta(minutes=5)  # the clocks of engine and register may be apart by so much
LABEL = ".label.json"
# column of hand_overs: only people change them
BY_PEOPLE = ("accepted_at", "declined_at", "due_at", "returned_at", "lost_at", "use_days", "custodian_id", "offered_at")
OF_PEOPLE = ("decisions", "confirmations", "proposals", "returns", "revisions", "downloads", "people", "posts")
MARKS = ("important_information", "sensitive_event", "high_impact")
DONE = ("complete", "partial")
YES = ("approved", "signed", "accepted", "in-order")
APPROVALS = ("preliminary", "security", "security-signature", "management")
# What people decide by after each check.
READ_BY = {"preliminary-review": APPROVALS, "security-review": APPROVALS[1:]}
Row = dict[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """The register and the vault at one moment: ``vault`` holds (bucket, key), ``keys`` ids of copies."""

    now: datetime
    vault: frozenset[tuple[str, str]]
    keys: frozenset[str]
    cases: dict[str, Row]
    attempts: dict[str, Row]  # by key
    documents: dict[str, Row]  # by number
    counts: dict[str, int]


def read_snapshot(
    connection: sqlite3.Connection, now: datetime, vault: frozenset[tuple[str, str]], keys: frozenset[str]
) -> Snapshot:
    def rows(query: str) -> list[Row]:
        cursor = connection.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    cases = {row["id"]: {**row, **_no_rows()} for row in rows(CASES)}
    for row in rows("select * from decisions order by decided_at, rowid"):
        case = cases[row["application_id"]]
        # whatever people say afterwards, a "no" to a question stands
        if row["round"] == case["round"] and case["decisions"].get(row["stage"]) in (None, *YES):
            case["decisions"][row["stage"]] = row["outcome"]
    for row in rows("select * from findings"):
        if row["round"] == cases[row["application_id"]]["round"]:
            cases[row["application_id"]]["findings"].setdefault(row["check"], set()).add(row["id"])
    for row in rows("select * from violations"):
        cases[row["application_id"]]["violations"].add(row["kind"])
    for row in rows(ITEMS):
        cases[row["application_id"]]["items"].append(row)
    for row in rows(LOANS):
        cases[row["application_id"]]["loan"] = row
    for row in rows(GRANTS):
        cases[row["application_id"]]["grants"].append(row)
    return Snapshot(
        now,
        vault,
        keys,
        cases,
        {row["key"]: row for row in rows("select * from upload_attempts")},
        {row["number"]: row for row in rows("select number, application_id, kind from documents")},
        {table: rows("select count(*) as n from " + table)[0]["n"] for table in OF_PEOPLE},  # noqa: S608  # our own names
    )


def _no_rows() -> Row:
    return {"decisions": {}, "items": [], "loan": None, "grants": [], "findings": {}, "violations": set()}


CASES = """select a.*, d.kind as department_kind,
  exists (select 1 from json_each(a.subject_ids) s join people p on p.id = s.value
          join departments sd on sd.id = p.department_id where sd.kind = 'security') as security_subject,
  exists (select 1 from documents f where f.application_id = a.id and f.kind = 'application-form'
          and f.number = a.number || case when a.round = 0 then '' else '/' || a.round end) as filed,
  exists (select 1 from audit_events e where e.application_id = a.id and e.action = 'correction-expired') as expired
  from applications a join departments d on d.id = a.department_id where a.submitted_at is not null"""
ITEMS = """select i.*, c.camera_class, m.id as master_id, m.discarded_at as master_gone, k.id as copy_id
  from items i join cameras c on c.id = i.camera_id left join masters m on m.item_id = i.id
  left join copies k on k.item_id = i.id where i.dropped_in_round is null"""
GRANTS = """select g.*, c.application_id, exists (select 1 from suspensions s where s.lifted_at is null
  and (s.hand_over_id = c.hand_over_id or s.person_id = g.person_id)) as suspended
  from grants g join copies c on c.id = g.copy_id"""
LOANS = (
    """select h.*, exists (select 1 from inspections n where n.hand_over_id = h.id) as inspected from hand_overs h"""
)


def violations(before: Snapshot, after: Snapshot, count: Callable[[str], None]) -> Iterator[str]:
    """Yield what has happened between two snapshots that the rows of the first did not allow."""
    for bucket, key in sorted(after.vault - before.vault):
        count(f"{bucket}: made")
        yield from _made(before, after, bucket, key)
    for bucket, key in sorted(before.vault - after.vault):
        count(f"{bucket}: gone")
        yield from _gone(before, bucket, key)
    for copy_id in sorted(before.keys - after.keys):
        count("loan key: gone")
        case = _case_of_copy(before, copy_id)
        if case is not None and not (_ends(case, before.now) or _loan_over(case)):
            yield f"the loan key of a copy of {case['number']} is gone"
    for copy_id in sorted(after.keys - before.keys):
        case = _case_of_copy(after, copy_id)
        if case is None or not _may_retrieve(before.cases[case["id"]]):
            yield f"a loan key was made for {copy_id}"
    for table in OF_PEOPLE:
        if after.counts[table] != before.counts[table]:
            yield f"{table} were written"
    for case_id, case in after.cases.items():
        yield from _case(before.cases[case_id], case, before, after, count)


def _made(before: Snapshot, after: Snapshot, bucket: str, key: str) -> Iterator[str]:
    if bucket == "documents":
        document = after.documents.get(key.split(".", maxsplit=1)[0])
        case = before.cases.get(document["application_id"]) if document and document["application_id"] else None
        # an agreement belongs to no case, and goes into the vault with one
        if document is None or (case is not None and not _loan_over(case)):
            yield f"the document {key} was filed in the vault"
        return
    attempt = after.attempts.get(key.removesuffix(LABEL))
    if attempt is None:
        yield f"{key} belongs to no attempt"
        return
    case = before.cases[attempt["application_id"]]
    item = next((item for item in case["items"] if item["id"] == attempt["item_id"]), None)
    if bucket == "quarantine":
        allowed = _open(case) and not case["filed"] and case["loan"] is None and not _rejected(case)
    else:
        allowed = item is not None and _may_retrieve(case)
    if not allowed:
        yield f"{key} was made for {case['number']}"
    if bucket == "copies" and (item is None or item["outcome"] not in DONE):
        yield f"a copy was made of an item of {case['number']} that is not retrieved"


def _gone(before: Snapshot, bucket: str, key: str) -> Iterator[str]:
    attempt = before.attempts.get(key.removesuffix(LABEL))
    if attempt is None:
        yield f"{key}, which belongs to no attempt, is gone"
        return
    if attempt["finished_at"] is None:
        return
    case = before.cases[attempt["application_id"]]
    # no job deletes what was retrieved: it is locked, and goes when its lock has ended
    kept = bucket in ("masters", "replicas")
    over = not kept and (_ends(case, before.now) or (bucket == "quarantine" and _loan_over(case)))
    if not over:
        yield f"{key} of {case['number']} is gone"


def _case(was: Row, now: Row, before: Snapshot, after: Snapshot, count: Callable[[str], None]) -> Iterator[str]:
    number = was["number"]
    if was["closed_at"] is None and now["closed_at"] is not None:
        count(f"closed: {now['closed_as']}")
        ways = {*_ends(was, before.now), *filter(None, [_loan_over(was)])}
        if now["closed_as"] not in ways:
            yield f"{number} is closed as {now['closed_as']}"
    elif (was["closed_at"], was["closed_as"]) != (now["closed_at"], now["closed_as"]):
        yield f"{number} is closed otherwise than before"
    if (was["withdrawn_at"], was["round"]) != (now["withdrawn_at"], now["round"]):
        yield f"{number} was withdrawn or corrected"
    yield from _sent_back(was, now, before, count)
    yield from _found(was, now, count)
    yield from _violated(was, now, before, count)
    if not was["filed"] and now["filed"]:
        count("form: filed")
        if not _approved(was) or not _open(was):
            yield f"the form of {number} was filed"
        if _important(was) and not (now["importance"] == "important" and now["second_person"] and now["backup_needed"]):
            yield f"the class of {number} was lowered"
        if now["granted_use_days"] > (was["granted_use_days"] or was["requested_use_days"]):
            yield f"{number} was granted for longer"
    yield from _loan(was, now, before, count)
    yield from _access(was, now, before, after, count)


def _sent_back(was: Row, now: Row, before: Snapshot, count: Callable[[str], None]) -> Iterator[str]:
    if was["correction_until"] is None and now["correction_until"] is not None:
        count("incomplete: sent back")
        if was["decisions"] or was["expired"] or not _open(was):
            yield f"{was['number']} was sent back"
    elif was["correction_until"] != now["correction_until"] and not (
        _moment(was["correction_until"]) <= before.now + SLACK
    ):
        yield f"the time to correct {was['number']} was changed"


def _found(was: Row, now: Row, count: Callable[[str], None]) -> Iterator[str]:
    for check, stages in READ_BY.items():
        if was["findings"].get(check) != now["findings"].get(check):
            count(f"{check}: found")
            if any(stage in was["decisions"] for stage in stages):
                yield f"what {check} found of {was['number']} was changed"


def _violated(was: Row, now: Row, before: Snapshot, count: Callable[[str], None]) -> Iterator[str]:
    loan = was["loan"]
    for kind in sorted(now["violations"] - was["violations"]):
        count(f"violation: {kind}")
        held = _open(was) and loan["lost_at"] is None
        # the job of a copy that was late already runs beside its loss, which may close the case
        lost_late = loan["lost_at"] is not None and _moment(loan["lost_at"]) >= _moment(loan["due_at"])
        allowed = {
            "overdue": (held and _moment(loan["due_at"]) <= before.now + SLACK) or lost_late,
            "loss": loan["lost_at"] is not None,
            "discrepancy": _loan_over(was) == "return-disputed",
        }
        if not allowed[kind]:
            yield f"the violation {kind} of {was['number']} was opened"


def _loan(was: Row, now: Row, before: Snapshot, count: Callable[[str], None]) -> Iterator[str]:
    number, loan = was["number"], now["loan"]
    if was["loan"] is None:
        if loan is None:
            return
        count("copies: offered")
        items = was["items"]
        whole = all(item["outcome"] == "complete" for item in items)
        accepted = whole or was["decisions"].get("partial-footage") == "approved"
        if not (_may_retrieve(was) and accepted and all(item["outcome"] for item in items)):
            yield f"the copies of {number} were offered"
        if any(item["outcome"] in DONE and item["copy_id"] is None for item in items):
            yield f"{number} was offered without its copies"
        if loan["use_days"] > was["granted_use_days"]:
            yield f"{number} was offered for longer than granted"
        return
    changed = [name for name in BY_PEOPLE if was["loan"][name] != loan[name]]
    if changed:
        yield f"the loan of {number} has another {changed[0]}"
    if was["loan"]["take_up_until"] != loan["take_up_until"] and not (
        _moment(was["loan"]["take_up_until"]) <= before.now + SLACK
    ):
        yield f"the time to take up {number} was changed"
    if was["loan"]["ended_at"] is None and loan["ended_at"] is not None:
        count("loan: ended")
        if not (_ends(was, before.now) or _loan_over(was)):
            yield f"the loan of {number} was ended"


def _access(was: Row, now: Row, before: Snapshot, after: Snapshot, count: Callable[[str], None]) -> Iterator[str]:
    number = was["number"]
    grants = {grant["id"]: grant for grant in was["grants"]}
    for grant in now["grants"]:
        old = grants.pop(grant["id"], None)
        loan = was["loan"]
        if old is None:
            yield f"a grant was made for {number}"
            continue
        over = loan["returned_at"] or loan["lost_at"] or _moment(loan["due_at"]) <= before.now + SLACK
        if _usable(grant, after.now) and not _usable(old, before.now):
            count("access: resumed")
            if over or old["ended_at"] is not None or grant["until"] != loan["due_at"]:
                yield f"a copy of {number} opens again"
        if _usable(old, before.now) and grant["suspended"] and not over:
            yield f"access to {number} was suspended before its time"
        if (
            old["ended_at"] is None
            and grant["ended_at"] is not None
            and not (_ends(was, before.now) or _loan_over(was))
        ):
            yield f"a grant of {number} was ended"
    if grants:
        yield f"a grant of {number} is gone"


def _usable(grant: Row, now: datetime) -> bool:
    return grant["ended_at"] is None and not grant["suspended"] and now < _moment(grant["until"])


def _open(case: Row) -> bool:
    return case["closed_at"] is None and case["withdrawn_at"] is None


def _important(case: Row) -> bool:
    return any(case[mark] for mark in MARKS) or any(item["camera_class"] == "sensitive" for item in case["items"])


def _approved(case: Row) -> bool:
    last, needed = (
        case["decisions"],
        {"preliminary": "approved", "security": "approved", "security-signature": "signed"},
    )
    if _important(case) or case["security_subject"] or case["department_kind"] == "security":
        needed["management"] = "approved"
    return all(last.get(stage) == outcome for stage, outcome in needed.items())


def _may_retrieve(case: Row) -> bool:
    released = case["filed"] and case["decisions"].get("storage-release") == "approved"
    sent_back = case["correction_until"] is not None or case["decisions"].get("partial-footage") == "rejected"
    return bool(_open(case) and _approved(case) and released and not sent_back)


def _rejected(case: Row) -> bool:
    return any(case["decisions"].get(stage) in ("rejected", "refused") for stage in APPROVALS)


def _ends(case: Row, now: datetime) -> set[str]:
    """Return the ways in which the case may end without a loan."""
    if case["closed_at"] is not None and case["closed_as"] in ENDS:
        return {case["closed_as"]}  # what is left of its release
    loan = case["loan"]
    if loan is not None:
        if loan["accepted_at"] is not None or case["closed_at"] is not None:
            return set()
        over = loan["declined_at"] is not None or _moment(loan["take_up_until"]) <= now + SLACK
        return {"copy-not-taken-up"} if over else set()
    outcomes = [item["outcome"] for item in case["items"]]
    ways = {
        "withdrawn": case["withdrawn_at"] is not None,
        "rejected": _rejected(case),
        "expired": bool(case["expired"]),
        "footage-unavailable": case["decisions"].get("partial-footage") == "rejected"
        or all(outcome in ("missing", "unreadable") for outcome in outcomes),
    }
    return {way for way, holds in ways.items() if holds}


ENDS = ("withdrawn", "rejected", "expired", "footage-unavailable", "copy-not-taken-up")


def _loan_over(case: Row) -> str | None:
    """Return how a loan has ended in the register, or None while somebody holds the copies."""
    loan = case["loan"]
    if loan is None or loan["accepted_at"] is None:
        return None
    if loan["lost_at"] is not None:
        return "copy-lost"
    inspected = loan["returned_at"] is not None and loan["inspected"]
    found = {"in-order": "footage-re-archived", "discrepancy": "return-disputed"}
    return found.get(case["decisions"].get("return-inspection", "")) if inspected else None


def _case_of_copy(snapshot: Snapshot, copy_id: str) -> Row | None:
    """Return the case of a copy's finished attempt, or None: what was never finished may go."""
    for attempt in snapshot.attempts.values():
        if attempt["purpose"] == "copy" and attempt["subject_id"] == copy_id:
            return snapshot.cases[attempt["application_id"]] if attempt["abandoned_at"] is None else None
    return None


def _moment(text: str) -> datetime:
    """Read a moment as SQLite stores it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
