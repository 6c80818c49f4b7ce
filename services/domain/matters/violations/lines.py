"""The lines of a violation, for its pages and its sheet: what was found, how it is assessed, and who has replied."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from services.database.tables.maintenance import ReconciliationFinding
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.custody import violations
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Line
from services.runtime.labels import Label
from services.runtime.translations import Bilingual, Counted, Message

MOST_TRACES = 20  # that a violation lists


def list_lines(uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
    """Return what the facts say as people read it."""
    violation, found = facts["violation"], facts["violation"]["facts"]
    names = access_queries.get_names(uow, [*facts["accused"], *(reply["by"] for reply in facts["replies"])])
    lines = [
        Line(Message("What happened"), Label(violation["kind"])),
        base.moment_line(uow, Message("Recorded"), violation["openedAt"]),
        *(base.text_line(Message("Accused"), names.get(person_id, person_id)) for person_id in facts["accused"]),
    ]
    if violation["dueAt"]:
        lines.append(base.moment_line(uow, Message("Was due"), violation["dueAt"]))
    if found.get("found") or found.get("whatHappened"):
        lines.append(base.text_line(Message("Facts"), found.get("found") or found["whatHappened"]))
    if violation["kind"] == violations.REFUSAL_PATTERN and found.get("refused"):
        lines.append(
            Line(Message("Refused accesses"), Counted("{count} access", "{count} accesses", int(found["refused"])))
        )
        lines.append(base.moment_line(uow, Message("The first of them"), found["since"]))
    if violation["kind"] == "urgent-not-ratified":
        lines.append(base.text_line(Message("Urgent retrieval"), found["matter"]))
        if found.get("approvedLate"):
            lines.append(base.text_line(Message("Approved after the time by"), found["approvedLate"]))
    if violation["kind"] == violations.GHOST_EXPORT:
        lines += _list_traces(uow, violation["id"])
    assessment = facts["assessment"]
    if assessment:
        days, repeats = assessment["daysLate"], assessment["repeats"]
        lines += [
            Line(Message("Severity"), Label(f"severity-{assessment['severity']}")),
            Line(Message("Days late"), Counted("{count} day", "{count} days", days)),
            Line(
                Message("Violations of the same people in 12 months, this one included"),
                Counted("{count} violation", "{count} violations", repeats),
            ),
            Line(Message("Deciding stage"), Label(assessment["decidingStage"])),
            base.moment_line(uow, Message("Reply until"), assessment["replyUntil"]),
        ]
    for reply in facts["replies"]:
        who = (
            Message("Reply of the department")
            if reply["part"] == violations.DEPARTMENT
            else Message("Reply of the accused")
        )
        lines.append(base.text_line(who, f"{names.get(reply['by'], reply['by'])}: {reply['text']}"))
        for file in reply.get("attachments", ()):
            lines.append(base.text_line(Message("Attached to the reply"), f"{file['name']} · {file['sha256']}"))
    return lines


def _list_traces(uow: UnitOfWork, violation_id: str) -> list[Line]:
    """List what the reconciliation has found and handles with the violation, where that is more than its facts say."""
    query = select(ReconciliationFinding).where(ReconciliationFinding.violation_id == violation_id)
    rows = uow.session.scalars(query.order_by(ReconciliationFinding.found_at, ReconciliationFinding.id)).all()
    if len(rows) < 2:
        return []
    traces = []
    for row in rows[:MOST_TRACES]:
        place = Label(f"place-{row.place}")
        text = Bilingual(f"{place.zh} · {row.subject}", f"{place.en} · {row.subject}")
        traces.append(Line(Label(f"difference-{row.kind}"), text))
    more = len(rows) - len(traces)
    if more:
        traces.append(Line(Message("Found besides"), Counted("{count} more", "{count} more", more)))
    return traces
