"""Due dates as a calendar file (RFC 5545): case number and kind of each, and no name, title or address of a page.

Whoever finds the file reads nothing of a person or of what was filmed. A due date keeps its UID as long as it is the
same one, so a program moves what was moved. Moments are in UTC, which every program shows in its own zone. Where more
is due than the file has, an entry of the present moment says so.
"""

import uuid
from datetime import datetime, timedelta

from icalendar import Calendar, Event

from services.domain.cases.due_dates import NOT_ALL, DueDates
from services.domain.cases.schemas.lists import DueDate
from services.runtime.labels import word
from services.runtime.translations import translate

# of the UIDs: they stay the same whatever the installation is called and wherever it is reached
NAMESPACE = uuid.UUID("6f6d3a1e-7f0e-5a53-9b0e-3f2f0c5a4d11")
ASKED_EVERY = timedelta(hours=1)
MEDIA_TYPE = "text/calendar; charset=utf-8"


def write(found: DueDates, *, language: str, now: datetime) -> bytes:
    """Write the calendar; ``now`` is when it was read."""
    calendar = Calendar()
    calendar.add("prodid", "-//Footage Desk//due dates//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", translate(language, "Due dates"))
    calendar.add("refresh-interval", ASKED_EVERY, parameters={"value": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    for one in (*found.before, *found.due):
        event = _event(f"{one.kind}\n{one.id}", one.at, summary_of(one, language), now)
        event.add("categories", [word(language, f"due-{one.kind}")])
        calendar.add_component(event)
    if found.cut or found.before_cut:
        calendar.add_component(_event("cut", now, NOT_ALL.translate(language), now))
    return bytes(calendar.to_ical())


def _event(key: str, at: datetime, summary: str, now: datetime) -> Event:
    event = Event()
    event.add("uid", str(uuid.uuid5(NAMESPACE, key)))
    event.add("dtstamp", now)
    event.add("dtstart", at)
    event.add("summary", summary)
    event.add("transp", "TRANSPARENT")
    return event


def summary_of(one: DueDate, language: str) -> str:
    """Return the words of a due date: number and kind."""
    kind = word(language, f"due-{one.kind}")
    return f"{one.number} {kind}" if one.number else kind
