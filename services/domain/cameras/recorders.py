"""Entering, changing and retiring recorders; what was found wrong with one. Secrets go in and never come out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select

from services.database.base import new_id
from services.database.listing import EVERYTHING, Listing
from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera, Recorder
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.cameras.measurements import Measured
from services.domain.cameras.retention import UPLOADED
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text, Worded

HIDDEN = "***"
CLOCK_FIELDS = ("clock_offset_ms", "clock_method", "clock_uncertainty_ms")
Sort = Literal["name", "site", "kind", "cameras", "clock", "seen"]


@dataclass(frozen=True)
class RecorderEntry:
    """What an administrator enters, its configuration checked by the recorder's kind.

    ``secrets`` are the names of secret fields, ``kept`` those that stay as they are, ``places`` the fields that say
    where the recorder is.
    """

    name: str
    site: str
    kind: str
    zone: str
    configuration: Mapping[str, str]
    secrets: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RecorderLine:
    """A recorder as lists show it; ``cameras`` counts those in use."""

    row: Recorder
    cameras: int


@dataclass(frozen=True)
class Finding(Worded):
    """One thing that a test found: a stable code and a sentence that says what to do."""

    code: str
    message: Text
    ok: bool = False


@dataclass(frozen=True)
class RecorderHealth:
    """What is known of a recorder without asking it: clock, oldest frame, when it last answered, what was wrong."""

    recorder_id: str
    name: str
    site: str
    zone: str
    last_seen_at: datetime | None
    polled_at: datetime | None
    clock_offset_ms: int | None
    clock_method: str | None
    clock_uncertainty_ms: int | None
    oldest_frame_at: datetime | None
    error: Mapping[str, Any] | None = field(default=None)


def list_recorders(uow: UnitOfWork, listing: Listing = EVERYTHING, *, retired: bool = False) -> list[RecorderLine]:
    """The recorders in use, or those that are not any more, by name; searched in name and site.

    Read by those who may read the set-up.
    """
    administrators.require_reader(uow)
    count = (
        select(func.count())
        .where(Camera.recorder_id == Recorder.id, Camera.active)
        .correlate(Recorder)
        .scalar_subquery()
    )
    query = select(Recorder, count).where(
        Recorder.active != retired,
        Recorder.kind != UPLOADED,
        listing.mentioned(Recorder.name, Recorder.site),
    )
    columns = {
        **{"name": Recorder.name, "site": Recorder.site, "kind": Recorder.kind, "cameras": count},
        **{"clock": func.abs(Recorder.clock_offset_ms), "seen": Recorder.last_seen_at},
    }
    part = listing.part(query, columns, Recorder.name, Recorder.id)
    return [RecorderLine(row, cameras) for row, cameras in uow.session.execute(part)]


def get_recorder(uow: UnitOfWork, recorder_id: str) -> RecorderLine:
    """One recorder; NotFound where there is none."""
    administrators.require_reader(uow)
    row = _get_for_update(uow, recorder_id)
    query = select(func.count()).where(Camera.recorder_id == recorder_id, Camera.active)
    return RecorderLine(row, uow.session.scalar(query) or 0)


def require_administrator(uow: UnitOfWork) -> None:
    """Refused with 403 for whoever is no administrator: asked before anything typed is looked at."""
    administrators.require_administrator(uow)


def get_for_change(uow: UnitOfWork, recorder_id: str) -> RecorderLine:
    """A recorder that an administrator changes."""
    require_administrator(uow)
    return get_recorder(uow, recorder_id)


def get_for_test(uow: UnitOfWork, recorder_id: str) -> tuple[Recorder, list[Camera]]:
    """A recorder that an administrator tests, and its cameras in use."""
    administrators.require_administrator(uow)
    row = _get_for_update(uow, recorder_id)
    query = select(Camera).where(Camera.recorder_id == recorder_id, Camera.active).order_by(Camera.channel)
    return row, list(uow.session.scalars(query))


def add(uow: UnitOfWork, entry: RecorderEntry) -> Recorder:
    """A new recorder."""
    administrators.require_administrator(uow)
    _require_free_name(uow, entry.name, None)
    row = Recorder(
        id=new_id(),
        name=entry.name,
        site=entry.site,
        kind=entry.kind,
        zone=entry.zone,
        configuration=dict(entry.configuration),
    )
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(uow, "recorder-added", "recorder", row.id, new=audit_view(row, entry.secrets))
    return row


def change_recorder(uow: UnitOfWork, recorder_id: str, entry: RecorderEntry) -> Recorder:
    """Change a recorder from now on; the kind stays, another kind is another recorder."""
    administrators.require_administrator(uow)
    row = _get_for_update(uow, recorder_id)
    if entry.kind != row.kind:
        raise Refused(
            "kind-fixed",
            "A recorder's kind stays: retire this one and enter another.",
            field="kind",
        )
    _require_free_name(uow, entry.name, recorder_id)
    old, before = audit_view(row, entry.secrets), row.configuration
    moved = any(str(before.get(name, "")) != entry.configuration.get(name, "") for name in entry.places)
    stay = {name: before[name] for name in entry.kept if name in before}
    if moved and stay:
        # Otherwise whoever may type an address would have our secret sent there.
        raise Refused(
            "secret-again",
            "The address has changed: type its secrets again.",
            status=422,
            field=f"configuration.{min(stay)}",
        )
    row.name, row.site, row.zone = entry.name, entry.site, entry.zone
    row.configuration = {**stay, **entry.configuration}
    if any(before.get(name) != row.configuration.get(name) for name in CLOCK_FIELDS):
        # What is entered now is newer than what was read off a picture.
        row.clock_offset_ms = row.clock_method = row.clock_uncertainty_ms = row.clock_measured_at = None
    audit_trail.record(
        uow,
        "recorder-changed",
        "recorder",
        recorder_id,
        old=old,
        new=audit_view(row, entry.secrets),
        secrets_changed=sorted(entry.secrets & set(entry.configuration)),
    )
    return row


def set_active(uow: UnitOfWork, recorder_id: str, active: bool) -> Recorder:
    """Retire a recorder, or take it back: its cameras can be asked for no more, and cases keep what points to it."""
    administrators.require_administrator(uow)
    row = _get_for_update(uow, recorder_id)
    if row.active == active:
        return row
    if not active:
        require_no_open_cases(uow, Camera.recorder_id == recorder_id)
    row.active = active
    audit_trail.record(
        uow,
        "recorder-reactivated" if active else "recorder-retired",
        "recorder",
        recorder_id,
        old=not active,
        new=active,
    )
    return row


def record_test(uow: UnitOfWork, recorder_id: str, facts: Measured | None, found: list[Finding]) -> None:
    """Write down what a test measured and what it found wrong."""
    administrators.require_administrator(uow)
    row = _get_for_update(uow, recorder_id)
    if facts is not None:
        measurements.record_measured(uow, recorder_id, facts)
    record_error(uow, row, next((one for one in found if not one.ok), None))
    audit_trail.record(uow, "recorder-tested", "recorder", recorder_id, findings=[finding.code for finding in found])


def record_error(uow: UnitOfWork, row: Recorder, wrong: Finding | None) -> None:
    """Keep what was wrong when the recorder was asked last; None: nothing was."""
    row.polled_at = uow.now
    row.last_error = None if wrong is None else {"code": wrong.code, "zh": wrong.zh, "en": wrong.en}


def list_health(uow: UnitOfWork) -> list[RecorderHealth]:
    """What is known of every recorder in use, by name. Who may see it is the caller's to check."""
    oldest = dict(
        uow.session.execute(
            select(Camera.recorder_id, func.min(Camera.oldest_frame_at))
            .where(Camera.active)
            .group_by(Camera.recorder_id)
        ).all()
    )
    return [
        RecorderHealth(
            *(row.id, row.name, row.site, row.zone, row.last_seen_at, row.polled_at),
            *(row.clock_offset_ms, row.clock_method, row.clock_uncertainty_ms),
            oldest.get(row.id),
            row.last_error,
        )
        for row in uow.session.scalars(select(Recorder).where(Recorder.active).order_by(Recorder.name))
    ]


def audit_view(row: Recorder, secrets: frozenset[str]) -> dict[str, Any]:
    """A recorder for the audit trail, without its secrets."""
    configuration = {name: HIDDEN if name in secrets else value for name, value in sorted(row.configuration.items())}
    return {"name": row.name, "site": row.site, "kind": row.kind, "zone": row.zone, "configuration": configuration}


def _get_for_update(uow: UnitOfWork, recorder_id: str) -> Recorder:
    row = uow.session.get(Recorder, recorder_id, with_for_update=True)
    if row is None or row.kind == UPLOADED:
        raise NotFound(Message("recorder"), recorder_id)
    return row


def _require_free_name(uow: UnitOfWork, name: str, own_id: str | None) -> None:
    taken = uow.session.scalar(
        select(Recorder.id).where(Recorder.name == name, Recorder.active, Recorder.id != (own_id or ""))
    )
    if taken is not None:
        raise Refused(
            "name-taken",
            "There is a recorder called {name} already: choose another name.",
            field="name",
            name=name,
        )


def require_no_open_cases(uow: UnitOfWork, *which: Any) -> None:
    """Refused while an open case still has to fetch footage of these cameras."""
    query = (
        select(func.count(Application.id.distinct()))
        .join(Item, Item.application_id == Application.id)
        .join(Camera, Camera.id == Item.camera_id)
        .where(
            *which,
            Application.submitted_at.is_not(None),
            Application.closed_at.is_(None),
            Item.dropped_in_round.is_(None),
            Item.outcome.is_(None),
        )
    )
    waiting = uow.session.scalar(query)
    if waiting:
        raise Refused(
            "case-waits",
            "{waiting} open case(s) still have to fetch footage from here: wait until they are done.",
            waiting=waiting,
        )
