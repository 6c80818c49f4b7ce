"""``footage-desk audit …``: recompute the audit trail, sign its head, prove events."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

import typer
from sqlalchemy import Connection, select

from services.backup import belongings
from services.backup.database_export import snapshot
from services.cli.context import load_settings, reported_errors, say
from services.database import schema as database_schema
from services.database.tables.applications import Application
from services.database.tables.audit import AuditCheckpoint, AuditEvent
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.audit import checkpoints, key_events, signed_heads
from services.domain.audit import tree as audit_tree
from services.domain.audit.signed_heads import SignedHeads
from services.domain.audit.verification import TrailReport, verify_trail
from services.domain.supervision import footage_viewers
from services.domain.wiring import command_database
from services.runtime import data_folder
from services.runtime.errors import Fatal, Retryable
from services.runtime.settings import Settings, SettingsError
from services.runtime.spans import Span
from services.vault.keys.fingerprints import LOG
from services.vault.keys.log_key import FOLDER, KEY_FILE, ensure_log_key, public_keys
from services.vault.store.opening import open_store
from services.verifier.invalid import Invalid
from services.verifier.notes import key_of

ACTOR = Actor("system", "log")
P = ParamSpec("P")
R = TypeVar("R")


def add_to(app: typer.Typer) -> None:
    """Add the group ``audit``."""
    group = typer.Typer(help="Check the audit trail, sign its head, prove events.", no_args_is_help=True)
    app.add_typer(group, name="audit")

    @group.command()
    def verify(
        known: Annotated[
            list[Path] | None, typer.Option(help="A file with a checkpoint that was kept elsewhere; may be repeated.")
        ] = None,
        key: Annotated[
            list[str] | None, typer.Option(help="A log key, as name+id+key, in addition to those in the keys folder.")
        ] = None,
        without_store: Annotated[
            bool, typer.Option("--without-store", help="Do not read the locked checkpoints in the store.")
        ] = False,
        accept_restores: Annotated[
            bool,
            typer.Option(
                "--accept-restores",
                help="Accept events that a recorded restore has lost. Use it if you know of that restore.",
            ),
        ] = False,
    ) -> None:
        """Recompute the audit trail from its rows, and compare it with every head that was ever signed.

        Reads only. Names each changed row, and then exits with 1; and so where the store cannot be read, because its
        heads alone show a history that was written anew by whoever has the database and the log key.
        """
        settings = load_settings()
        with reported_errors(), _database_snapshot(settings) as connection:
            heads = _signed_heads(connection, settings, known or [], key or [], without_store=without_store)
            trail = verify_trail(connection, heads.heads)
            if not accept_restores:
                heads.reject_restores()
            faultless = _report(trail, heads)
        raise typer.Exit(0 if faultless else 1)

    @group.command()
    def checkpoint(
        out: Annotated[
            Path | None, typer.Option(help="Also write it to this file; an existing file is replaced.")
        ] = None,
    ) -> None:
        """Sign the current head of the audit trail, and print the note. Needs the log key."""
        settings = load_settings()
        with reported_errors():
            note = _signed_head(settings)
            if out is not None:
                _write(out, note)
        say(note.removesuffix("\n"))

    @group.command()
    def prove(
        event: Annotated[int | None, typer.Argument(min=1, help="The event's number.")] = None,
        application: Annotated[
            str | None, typer.Option(help="An application's number: all events of its case.")
        ] = None,
    ) -> None:
        """Print the proof that the audit trail contains events, as JSON with the checkpoint. Reads only."""
        settings = load_settings()
        with reported_errors(), _database_snapshot(settings) as connection:
            if (event is None) == (application is None):
                raise Fatal("name either the number of an event or --application with an application's number.")
            proofs = _proofs(connection, _numbers(connection, event, application))
        say(json.dumps(proofs, ensure_ascii=False, indent=1))

    @group.command()
    def seen(
        camera: Annotated[str, typer.Argument(help="The camera's id, as in the address of its page.")],
        start: Annotated[str, typer.Argument(help="A moment with its zone, such as 2031-03-04T12:00:00+08:00.")],
        minutes: Annotated[int, typer.Option(min=1, help="The length of the span, from that moment on.")] = 1,
    ) -> None:
        """Print who saw or got a span of footage, by the recorder's time, as JSON. Writes an audit event."""
        settings = load_settings()
        with reported_errors():
            span = _span(start, minutes)
            looks = _in_unit_of_work(settings, footage_viewers.list_all, camera, span)
        payload = [look.model_dump(mode="json") for look in looks]
        say(json.dumps(payload, ensure_ascii=False, indent=1))


@contextmanager
def _database_snapshot(settings: Settings) -> Iterator[Connection]:
    """Open a read-only snapshot of the database; raises Fatal if it has another schema."""
    with snapshot(settings.database_address, settings.database.without_limits) as connection:
        database_schema.check_in(connection)
        yield connection


def _signed_heads(
    connection: Connection, settings: Settings, known: list[Path], vkeys: list[str], *, without_store: bool
) -> SignedHeads:
    try:
        keys = [*public_keys(settings.keys / FOLDER), *(key_of(vkey) for vkey in vkeys)]
    except Invalid as error:
        raise Fatal(f"--key cannot be used: {error}.") from error
    heads = SignedHeads()
    signed_heads.read_database(connection, keys, heads)
    if without_store:
        say("The store was not read.")
    else:
        try:
            clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
            signed_heads.read_store(connection, open_store(settings.store_place, clock), keys, heads)
        except (Retryable, Fatal, SettingsError) as error:
            say(f"The store could not be read: {error}")
            heads.store_unread = True
    for path in known:
        signed_heads.read_file(path, keys, heads)
    return heads


def _report(trail: TrailReport, heads: SignedHeads) -> bool:
    """Print what was found; return whether the trail has no fault, and was compared with all that was to be."""
    say(f"{trail.size} events; their root is {trail.root.hex()}.")
    if trail.complete_up_to is not None:
        say(f"Complete up to {trail.complete_up_to.isoformat()}: no act is kept without its event.")
    if heads.signed_at is not None:
        say(f"Signed up to event {heads.signed_up_to}, at {heads.signed_at.isoformat()}.")
    say(f"{trail.agreeing} of {len(heads.heads)} checkpoints agree; {heads.in_store} of them are in the store.")
    if heads.lost:
        say(f"{len(heads.lost)} more in the store are of events that a restore has lost, as its own event says.")
    faults = [*trail.faults, *heads.faults]
    for fault in faults:
        say(f"✗ {fault}.")
    if trail.more_faults:
        say(f"✗ … and {trail.more_faults} more.")
    if faults:
        say("The audit trail is not as it was written.")
    elif heads.store_unread:
        say(
            "The rows agree with each other, and with the heads in the store they were not compared: read it again "
            "when the store answers, or leave it out with --without-store."
        )
    else:
        say("The audit trail is as it was written.")
    return not faults and not heads.store_unread


def _signed_head(settings: Settings) -> str:
    """Return the note of the newest checkpoint; sign a new one if the trail has grown."""
    known = _in_unit_of_work(settings, key_events.list_known).get(LOG)
    if known is not None and not (settings.keys / FOLDER / KEY_FILE).exists():
        raise belongings.key_missing(settings.keys, LOG, known)
    key = ensure_log_key(settings.keys / FOLDER, settings.audit.origin)
    signed = _in_unit_of_work(settings, checkpoints.sign, key.known, key.sign)
    newest = signed or _in_unit_of_work(settings, checkpoints.get_newest)
    if newest is None:
        raise Fatal("no checkpoint was signed | the audit trail | it has no event yet | sign after the first act")
    return newest.note


def _in_unit_of_work(
    settings: Settings, act: Callable[Concatenate[UnitOfWork, P], R], *arguments: P.args, **named: P.kwargs
) -> R:
    clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
    with command_database(settings, clock) as database:
        database.run_now(ACTOR, database_schema.check)
        return database.run_now(ACTOR, act, *arguments, **named)


def _span(start: str, minutes: int) -> Span:
    try:
        begin = datetime.fromisoformat(start)
    except ValueError:
        begin = datetime.min  # noqa: DTZ901  # refused below
    if begin.tzinfo is None:
        raise Fatal(f"{start} is not a moment with a zone: write one such as 2031-03-04T12:00:00+08:00.")
    return Span(begin, begin + timedelta(minutes=minutes))


def _write(path: Path, note: str) -> None:
    try:
        path.write_text(note)
    except OSError as error:
        raise Fatal(f"could not write the checkpoint | {path} | {error.strerror} | name another file") from error


def _numbers(connection: Connection, event: int | None, application: str | None) -> list[int]:
    if event is not None:
        return [event]
    query = select(Application.id).where(Application.number == application)
    application_id = connection.execute(query).scalar_one_or_none()
    if application_id is None:
        raise Fatal(
            f"could not prove | application {application} | there is no application with this number | check the number"
        )
    events = select(AuditEvent.seq).where(AuditEvent.application_id == application_id).order_by(AuditEvent.seq)
    return list(connection.execute(events).scalars())


def _proofs(connection: Connection, numbers: list[int]) -> dict[str, Any]:
    """Return each event with its inclusion proof; raises Fatal if the newest checkpoint is older than an event."""
    query = select(AuditCheckpoint.__table__).order_by(AuditCheckpoint.size.desc()).limit(1)
    newest = connection.execute(query).one_or_none()
    size = newest.size if newest is not None else 0
    if newest is None or max(numbers, default=0) > size:
        raise Fatal(
            f"could not prove | event {max(numbers, default=0)} | the newest checkpoint has {size} events | "
            "run footage-desk audit checkpoint on the machine with the log key, or wait for the portal to sign one"
        )
    rows = connection.execute(select(AuditEvent.seq, AuditEvent.entry).where(AuditEvent.seq.in_(numbers)))
    entries = {row.seq: row.entry for row in rows}
    events = [
        {
            "entry": entries[number],
            "index": number - 1,
            "size": size,
            "hashes": [digest.hex() for digest in audit_tree.inclusion_in(connection, number - 1, size)],
        }
        for number in numbers
    ]
    return {"checkpoint": newest.note, "events": events}
