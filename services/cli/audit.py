"""``footage-desk audit …``: recompute the trail, sign its head, prove what stands in it."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

import typer
from sqlalchemy import Connection, select

from services.backup.database_export import snapshot
from services.database import schema as database_schema
from services.database.tables.applications import Application
from services.database.tables.audit import AuditCheckpoint, AuditEvent
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.audit import checkpoints, signed_heads
from services.domain.audit import tree as audit_tree
from services.domain.audit.signed_heads import Heads
from services.domain.audit.verification import Trail, recompute
from services.domain.cases import viewers
from services.domain.wiring import open_database
from services.runtime import data_folder
from services.runtime.errors import Fatal, Retryable
from services.runtime.rules import rules_of
from services.runtime.settings import Settings, SettingsError
from services.runtime.spans import Span
from services.vault.keys.log_key import FOLDER, ensure_log_key, public_keys
from services.vault.store.opening import open_store
from services.verifier.invalid import Invalid
from services.verifier.notes import key_of

ACTOR = Actor("system", "log")
Say = Callable[[str], None]
P = ParamSpec("P")
R = TypeVar("R")


def commands(
    settings: Callable[[], Settings], sentences: Callable[[], AbstractContextManager[None]], say: Say
) -> typer.Typer:
    """The commands; ``say`` prints a line."""
    app = typer.Typer(help="Check the audit trail, sign its head, prove what stands in it.", no_args_is_help=True)

    @app.command()
    def verify(
        known: Annotated[
            list[Path] | None, typer.Option(help="A file with a checkpoint that somebody has kept; may be repeated.")
        ] = None,
        key: Annotated[
            list[str] | None, typer.Option(help="A log key, as name+id+key, beside those in the keys folder.")
        ] = None,
        without_store: Annotated[
            bool, typer.Option("--without-store", help="Do not look for the checkpoints under a lock in the store.")
        ] = False,
        accept_restores: Annotated[
            bool,
            typer.Option(
                "--accept-restores",
                help="Take what the books say a restore has lost for no fault: where you know of that restore.",
            ),
        ] = False,
    ) -> None:
        """Recompute the audit trail from its rows, and compare it with every head that was ever signed.

        Reads only. Names each row that is not as it was written, and ends with 1 then.
        """
        loaded = settings()
        with sentences(), _books(loaded) as connection:
            found = _heads(connection, loaded, known or [], key or [], say, without_store=without_store)
            trail = recompute(connection, found.heads)
            if not accept_restores:
                found.doubt_restores()
            well = _tell(trail, found, say)
        raise typer.Exit(0 if well else 1)

    @app.command()
    def checkpoint(
        out: Annotated[Path | None, typer.Option(help="Write it there too; a file that is there is replaced.")] = None,
    ) -> None:
        """Sign the head of the audit trail as it stands, and print the note. Needs the log key."""
        loaded = settings()
        with sentences():
            note = _sign(loaded)
            if out is not None:
                _write(out, note)
        say(note.removesuffix("\n"))

    @app.command()
    def prove(
        event: Annotated[int | None, typer.Argument(min=1, help="The event's number.")] = None,
        application: Annotated[
            str | None, typer.Option(help="An application's number: all events of its case.")
        ] = None,
    ) -> None:
        """Print the proof that events stand in the audit trail, as JSON with the checkpoint. Reads only."""
        loaded = settings()
        with sentences(), _books(loaded) as connection:
            if (event is None) == (application is None):
                raise Fatal("name either the number of an event or --application with an application's number.")
            proofs = _proofs(connection, _numbers(connection, event, application))
        say(json.dumps(proofs, ensure_ascii=False, indent=1))

    @app.command()
    def seen(
        camera: Annotated[str, typer.Argument(help="The camera's id, as its page's address shows it.")],
        start: Annotated[str, typer.Argument(help="A moment with its zone, such as 2031-03-04T12:00:00+08:00.")],
        minutes: Annotated[int, typer.Option(min=1, help="For how long from then on.")] = 1,
    ) -> None:
        """Print who saw a stretch of a camera's footage, by the recorder's own time, as JSON. Asking is an event."""
        loaded = settings()
        with sentences():
            span = _span(start, minutes)
            found = _act(loaded, viewers.of, camera, span)
        say(json.dumps([{**asdict(one), "at": one.at.isoformat()} for one in found], ensure_ascii=False, indent=1))

    return app


@contextmanager
def _books(settings: Settings) -> Iterator[Connection]:
    """One moment of the books, for reading alone; raises Fatal for those of another schema."""
    with snapshot(settings.database) as connection:
        database_schema.check_in(connection)
        yield connection


def _heads(
    connection: Connection, settings: Settings, known: list[Path], vkeys: list[str], say: Say, *, without_store: bool
) -> Heads:
    try:
        keys = [*public_keys(settings.keys / FOLDER), *(key_of(vkey) for vkey in vkeys)]
    except Invalid as error:
        raise Fatal(f"--key cannot be used: {error}.") from error
    found = Heads()
    signed_heads.of_books(connection, keys, found)
    if without_store:
        say("The store was not looked at.")
    else:
        try:
            clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
            signed_heads.of_store(connection, open_store(settings.store_place, clock), keys, found)
        except (Retryable, Fatal, SettingsError) as error:
            say(f"The store could not be looked at: {error}")
    for path in known:
        signed_heads.of_file(path, keys, found)
    return found


def _tell(trail: Trail, found: Heads, say: Say) -> bool:
    say(f"{trail.size} events; their root is {trail.root.hex()}.")
    if trail.complete_up_to is not None:
        say(f"Complete up to {trail.complete_up_to.isoformat()}: no act is kept without its event.")
    if found.signed_at is not None:
        say(f"Signed up to event {found.signed_up_to}, at {found.signed_at.isoformat()}.")
    say(f"{trail.agreeing} of {len(found.heads)} checkpoints agree; {found.in_store} of them lie in the store.")
    if found.lost:
        say(f"{len(found.lost)} more in the store are of what a restore of the books has lost, as its event says.")
    faults = [*trail.faults, *found.faults]
    for fault in faults:
        say(f"✗ {fault}.")
    if trail.more_faults:
        say(f"✗ … and {trail.more_faults} more.")
    say("The audit trail is not as it was written." if faults else "The audit trail is as it was written.")
    return not faults


def _sign(settings: Settings) -> str:
    """The note of the newest checkpoint, which is signed now where the trail has grown."""
    key = ensure_log_key(settings.keys / FOLDER, settings.audit.origin)
    signed = _act(settings, checkpoints.sign, key.known, key.sign)
    newest = signed or _act(settings, checkpoints.newest)
    if newest is None:
        raise Fatal("no checkpoint was signed | the audit trail | it has no event yet | sign after the first act")
    return newest.note


def _act(settings: Settings, act: Callable[Concatenate[UnitOfWork, P], R], *arguments: P.args, **named: P.kwargs) -> R:
    clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
    database = open_database(settings.database, clock, rules_of(settings))
    try:
        database.run_now(ACTOR, database_schema.check)
        return database.run_now(ACTOR, act, *arguments, **named)
    finally:
        database.close()


def _span(start: str, minutes: int) -> Span:
    try:
        begin = datetime.fromisoformat(start)
    except ValueError:
        begin = datetime.min  # noqa: DTZ901  # told below
    if begin.tzinfo is None:
        raise Fatal(f"{start} is no moment with a zone: write one such as 2031-03-04T12:00:00+08:00.")
    return Span(begin, begin + timedelta(minutes=minutes))


def _write(path: Path, note: str) -> None:
    try:
        path.write_text(note)
    except OSError as error:
        raise Fatal(f"could not write the checkpoint | {path} | {error.strerror} | name another file") from error


def _numbers(connection: Connection, event: int | None, application: str | None) -> list[int]:
    if event is not None:
        return [event]
    found = connection.execute(select(Application.id).where(Application.number == application)).scalar_one_or_none()
    if found is None:
        raise Fatal(f"could not prove | application {application} | there is none of this number | check the number")
    query = select(AuditEvent.seq).where(AuditEvent.application_id == found).order_by(AuditEvent.seq)
    return list(connection.execute(query).scalars())


def _proofs(connection: Connection, numbers: list[int]) -> dict[str, Any]:
    """Each event with its way up to the newest checkpoint; raises Fatal where that does not reach."""
    query = select(AuditCheckpoint.__table__).order_by(AuditCheckpoint.size.desc()).limit(1)
    newest = connection.execute(query).one_or_none()
    size = newest.size if newest is not None else 0
    if newest is None or max(numbers, default=0) > size:
        raise Fatal(
            f"could not prove | event {max(numbers, default=0)} | the newest checkpoint is of {size} events | "
            "run footage-desk audit checkpoint where the log key is, or wait for the portal to sign one"
        )
    found = connection.execute(select(AuditEvent.seq, AuditEvent.entry).where(AuditEvent.seq.in_(numbers)))
    entries = {row.seq: row.entry for row in found}
    events = [
        {
            "entry": entries[number],
            "index": number - 1,
            "size": size,
            "hashes": [one.hex() for one in audit_tree.inclusion_in(connection, number - 1, size)],
        }
        for number in numbers
    ]
    return {"checkpoint": newest.note, "events": events}
