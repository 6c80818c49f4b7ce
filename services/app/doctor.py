"""Check a set-up part by part, and say what to do."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import make_url, select

from services.app import deployments
from services.app.container import check_models
from services.backup import belongings
from services.database import poolers, reading
from services.database import schema as database_schema
from services.database.tables.cameras import UPLOADED, Recorder
from services.database.unit_of_work import Actor, Database
from services.domain.accounts.single_sign_on.provider import check_provider
from services.domain.audit import key_events
from services.domain.audit.key_events import PRIMARY, REPLICA
from services.domain.cameras.recorder_probe import finding_of
from services.domain.custody import locks
from services.domain.deployments import versions
from services.domain.notifications.channels.check import check_mail, check_webhook
from services.domain.staffing import ldap_client
from services.domain.stages.catalogue import DEFAULT_FOLDER, StageCatalogue
from services.domain.storage import places, sites
from services.domain.wiring import open_database
from services.domain.working_calendar import queries as calendar_queries
from services.recorders import registry
from services.recorders.registry import KINDS, open_recorder, places_of
from services.runtime import confined, data_folder
from services.runtime.channel import open_channel, socket_answers
from services.runtime.clock import Clock, SystemClock
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.errors import Fatal, Refused, Retryable
from services.runtime.labels import Label, has_word
from services.runtime.manifest import FILE_NAME as MANIFEST
from services.runtime.manifest import read_manifest
from services.runtime.rules import rules_of
from services.runtime.settings import Settings, SettingsError, variable
from services.runtime.settings.stores import StorePlace
from services.runtime.threads import run_in_thread
from services.runtime.translations import Bilingual, Joined, Message, Text, Verbatim
from services.vault.keys.fingerprints import (
    NAMES,
    PORTAL,
    PORTAL_KEY,
    RECORDERS,
    RECORDERS_KEY,
    SEAL,
    SEAL_FOLDER,
    VAULT,
    VAULT_FOLDER,
    read_keys,
)
from services.vault.keys.key_files import check_key_folder
from services.vault.keys.log_key import FOLDER as LOG_FOLDER
from services.vault.keys.secret_box import KeyFileBox
from services.vault.keys.signing_key import CHAIN_FILE, ROOT_FILE, FileSigningKey, read_chain
from services.vault.keys.vault_keys import ESCROW_FILE, read_vault_keys
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store
from services.vault.time_stamping import HttpTimeStamper, NotGranted, read_trusted
from services.verifier.chains import Chain
from services.web.dependencies import OpenRecorder

ACTOR = Actor("system", "doctor")
DRILL_EVERY = timedelta(days=366)
SQLITE_BESIDE = ("-wal", "-shm", "-journal")  # what lies beside its file while it is open
MOST_HELD = 200  # masters and documents of held cases that are looked up in the stores
LOCK_WAITS = timedelta(hours=1)  # longer than a store is away for a moment
SEAL_WARNED = timedelta(days=180)  # before the seal key's certificate is over


@dataclass(frozen=True)
class Line:
    """One part: whether it is well, and a sentence on its state or on what to do."""

    part: str
    well: bool
    message: Text
    name: str = ""  # of a recorder, or of a type of recorders: ``part`` has it too

    @property
    def title(self) -> Text:
        """What the part is called for people."""
        kind = self.part.removesuffix(f" {self.name}") if self.name else self.part
        label = Label(f"doctor-{kind.replace(' ', '-')}")
        return Message("{kind} {name}", kind=label, name=self.name) if self.name else label

    @property
    def sentence(self) -> str:
        return self.message.en

    @property
    def zh(self) -> str:
        return self.message.zh


async def examine(settings: Settings, unknown: Sequence[Text], *, portal: bool = False) -> list[Line]:
    """Check every part, and write nothing: what is missing is said, and made by the first start alone.

    ``portal``: as a separate process, which has neither the vault's key nor the replica.
    """
    lines = [Line("settings", False, sentence) for sentence in unknown] or [
        Line("settings", True, Message("every variable is known and can be used"))
    ]
    for part, check in _checks(settings, portal):
        lines.append(await _line(part, check))
    lines += _recorder_kinds()
    database = _database_exists(settings) and all(line.well for line in lines if line.part == "database")
    lines.append(_use_period(await _max_use_days(settings) if database else settings.rules.max_use_days))
    if database:
        lines.append(await _line("escrow drill", partial(_drilled, settings)))
        lines.append(await _line("locks", partial(_locks, settings)))
        if not portal:
            lines.append(await _line("legal holds", partial(_holds, settings)))
        lines.append(await _line("sites", partial(_sites, settings)))
        lines.append(await _line("working calendar", partial(_calendar, settings)))
        lines.append(await _line("models on record", partial(_unrecorded, settings)))
        lines += await _recorders(settings)
    return lines


async def _drilled(settings: Settings) -> Text:
    """Say when the escrow key last opened masters; Fatal if there are some, and none was opened for a year."""
    clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
    with _reading(settings) as database:
        last = await database.run(ACTOR, key_events.get_last_drill)
        first = await database.run(ACTOR, key_events.get_first_retrieval)
    since = last or first
    if since is not None and clock.now() - since > DRILL_EVERY:
        if last is None:
            raise Fatal(
                Message(
                    "the escrow key has never opened masters, and the first was retrieved more than a year ago: take "
                    "it from the safe and run footage-desk keys drill --identity FILE"
                )
            )
        raise Fatal(
            Message(
                "the escrow key opened masters on {day}, and not within a year: take it from the safe and run "
                "footage-desk keys drill --identity FILE",
                day=f"{last:%Y-%m-%d}",
            )
        )
    if last is None:
        return Message("the escrow key has opened no masters yet; try it once a year with footage-desk keys drill")
    return Message(
        "the escrow key last opened masters on {day}; try it once a year with footage-desk keys drill",
        day=f"{last:%Y-%m-%d}",
    )


async def _locks(settings: Settings) -> Text:
    """Say whether the stores hold what they are to hold; Fatal where something has waited for long."""
    with _reading(settings) as database:
        waiting = await database.run(ACTOR, locks.count_waiting)
    counts = {"masters": waiting.masters, "documents": waiting.documents}
    clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
    if waiting.since is not None and clock.now() - waiting.since > LOCK_WAITS:
        raise Fatal(
            Message(
                "{masters} master(s) and {documents} document(s) wait for their lock, the first since {since} UTC, and "
                "until then the store's administrator can delete them: see that the process with encrypt-copy runs and "
                "reaches both stores, and what its log says",
                since=f"{waiting.since:%Y-%m-%d %H:%M}",
                **counts,
            )
        )
    if waiting.since is not None:
        return Message("{masters} master(s) and {documents} document(s) are about to be locked in the store", **counts)
    return Message("what the database knows is locked in the store, while its case is open and until its disposal")


async def _holds(settings: Settings) -> Text:
    """Say whether the stores hold what was put under a legal hold; Fatal where an object carries none."""
    with _reading(settings) as database:
        held = await database.run(ACTOR, locks.list_held, MOST_HELD)
    stores = {"replicas": open_store(settings.replica_place)}
    primary = open_store(settings.store_place)

    def free() -> list[str]:
        numbers = []
        for number, kept in held:
            facts = stores.get(kept.bucket, primary).stat(kept.bucket, kept.key, kept.version_id or None)
            if facts is None or not facts.legal_hold:
                numbers.append(number)
        return sorted(set(numbers))

    if unheld := await run_in_thread(free):
        raise Fatal(
            Message(
                "of {count} held case(s) objects carry no legal hold in the store, so that its administrator could "
                "delete them: {cases}; see that the process with encrypt-copy runs and reaches both stores, see "
                "docs/runbooks/hold-review-overdue.md",
                count=len(unheld),
                cases=Joined(", ", unheld[:5]),
            )
        )
    if held:
        return Message("the stores hold the {count} object(s) that were checked of held cases", count=len(held))
    return Message("no case is held")


async def _sites(settings: Settings) -> Text:
    """Say whether the replica stands at another place than the vault; Fatal where both are told and one place (R15)."""
    clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
    with _reading(settings, clock) as database:
        problem = await database.run(ACTOR, places.find_problem)
        missing = await database.run(ACTOR, places.list_missing)
        vacant = await database.run(ACTOR, sites.list_vacant)
    if problem is not None:
        raise Fatal(
            Message(
                "{problem} Important footage is not backed up until then; see /storage/sites in the portal",
                problem=problem,
            )
        )
    if vacant:
        raise Fatal(
            Message(
                "nobody keeps {sites}: put a person of the storage office in charge of it",
                sites=Joined(", ", vacant[:5]),
            )
        )
    if missing:
        return Message(
            "nobody has entered where these stand: {stores}; see /storage/sites in the portal",
            stores=Joined(", ", [Label(f"store-{name}") for name in missing]),
        )
    return Message("vault and replica stand at two places, and each site has its keeper")


async def _calendar(settings: Settings) -> Text:
    """Say which years have a working calendar; Fatal where the organisation keeps one and a year is missing."""
    clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
    catalogue = StageCatalogue(settings.models_dir or DEFAULT_FOLDER)
    with _reading(settings, clock) as database:
        coverage = await database.run(ACTOR, calendar_queries.read_coverage, catalogue)
    years = Joined(" and ", map(str, coverage.missing))
    stages = Joined(", ", coverage.stages) if coverage.stages else Message("no stage")
    if coverage.missing and coverage.imported:
        raise Fatal(
            Message(
                "no table of {years}, and without one only weekends count as days off ({stages} in working time): "
                "import it in the portal under /admin/calendar",
                years=years,
                stages=stages,
            )
        )
    if coverage.missing and coverage.stages:
        return Message(
            "none was imported, so that only weekends count as days off for {stages}; see /admin/calendar",
            stages=stages,
        )
    if coverage.missing:
        return Message("{stages} in working time; none was imported", stages=stages)
    return Message("{stages} in working time; this year is imported", stages=stages)


async def _unrecorded(settings: Settings) -> Text:
    """Say whether all models whose jobs came are on record; Fatal where some are not."""
    with _reading(settings, data_folder.clock_of(settings.data_dir, demo=settings.demo)) as database:
        found = await database.run(ACTOR, versions.list_unrecorded)
    if found:
        named = [
            Message(
                "{process} version {version} (key {key})",
                process=row.process_id,
                version=row.version,
                key=row.definition_key,
            )
            for row in found[:5]
        ]
        raise Fatal(
            Message(
                "{count} version(s) of models were deployed past footage-desk deploy and the portal, and their jobs "
                "are refused: {models}; find out who deployed them, see docs/runbooks/models-unrecorded.md",
                count=len(found),
                models=Joined(", ", named),
            )
        )
    return Message("every model whose jobs came within a day was deployed on record")


async def _line(part: str, check: Callable[[], Awaitable[Text]], name: str = "") -> Line:
    try:
        return Line(part, True, await check(), name)
    except (Fatal, Retryable, SettingsError) as error:
        return Line(part, False, _explained(error.message), name)
    except OSError as error:
        place, cause = str(error.filename or part), str(error.strerror or error)
        sentence = Message("{place}: {error}; give this account the right to it", place=place, error=cause)
        return Line(part, False, sentence, name)


def _explained(message: Text) -> Text:
    """Return the sentence; one that no catalogue has is quoted, so that a reader knows why it is English."""
    return Message("the program said: {error}", error=message) if isinstance(message, Verbatim) else message


def _checks(settings: Settings, portal: bool) -> list[tuple[str, Callable[[], Awaitable[Text]]]]:
    async def clock() -> Text:
        current = data_folder.clock_of(settings.data_dir, demo=settings.demo)
        return Message("turned by the demo") if current.turned else Message("the machine's; keep it right with NTP")

    async def store() -> Text:
        return await _store(settings, PRIMARY, settings.store_place)

    async def replica() -> Text:
        return await _store(settings, REPLICA, settings.replica_place)

    async def folder() -> Text:
        return await run_in_thread(_folder, settings)

    async def keys() -> Text:
        return await run_in_thread(_keys, settings, portal)

    async def proxy() -> Text:
        return _proxy(settings)

    async def models() -> Text:
        await run_in_thread(check_models, settings.models_dir)
        files = await run_in_thread(deployments.digests, settings.models_dir)
        if deployments.are_shipped(files):
            return Message("those shipped; they and their review stages fit together")
        return Message(
            "those of {place}; they and their review stages fit together; footage-desk deploy checks them",
            place=str(settings.models_dir) if settings.models_dir else Message("this program, changed"),
        )

    return [
        ("models", models),
        ("clock", clock),
        *([] if portal else [("data folder", folder)]),
        ("database", lambda: _database(settings)),
        ("store", store),
        *([] if portal else [("replica", replica)]),
        ("keys", keys),
        ("confinement", lambda: _confinement(settings)),
        ("engine", lambda: _engine(settings)),
        ("mail", lambda: check_mail(settings)),
        ("webhook", lambda: check_webhook(settings)),
        ("login", lambda: check_provider(settings)),
        ("proxy", proxy),
        *([("directory", lambda: _directory(settings))] if settings.directory.host is not None else []),
        *([("time stamps", lambda: _time_stamps(settings))] if settings.time_stamp.url is not None else []),
    ]


async def _confinement(settings: Settings) -> Text:
    """Say what stands around the processes that read footage; Fatal if a wall is missing and both are required."""
    missing = await confined.missing_walls()
    walls = confined.describe(missing)
    if not missing:
        return Message("{walls} around what reads footage and images", walls=walls)
    name = variable(confined.REQUIRED)
    if settings.confinement.required:
        raise Fatal(
            Message("{walls}; no footage and no image is read until it stands ({variable})", walls=walls, variable=name)
        )
    return Message(
        "{walls}; footage is read all the same, set {variable} to true where it must not be", walls=walls, variable=name
    )


def _folder(settings: Settings) -> Text:
    """Say what belongs to the data folder; Fatal where something is missing or others may read it."""
    if not settings.data_dir.exists():
        return Message("not there yet; the first start makes it")
    manifest = belongings.check_folder(settings)
    data_folder.check_modes(settings.data_dir)
    if manifest is None:
        return Message("for this account alone; the next start writes what belongs to it into {file}", file=MANIFEST)
    if _database_exists(settings):
        with _reading(settings) as database:
            database.run_now(ACTOR, database_schema.check)
            belongings.check_database(settings, database, manifest)
    return Message("for this account alone; all that {file} names is here", file=MANIFEST)


def _keys(settings: Settings, portal: bool) -> Text:
    """Say which keys are here; Fatal where one that the database knows is missing, or open to others."""
    for name in ("loans",) if portal else ("loans", VAULT_FOLDER, SEAL_FOLDER, LOG_FOLDER, PORTAL, RECORDERS):
        check_key_folder(settings.keys / name)
    present, known = read_keys(settings.keys), dict[str, str]()
    if _database_exists(settings):
        with _reading(settings) as database:
            database.run_now(ACTOR, database_schema.check)
            known = database.run_now(ACTOR, key_events.list_known)
    belongings.check_keys(settings.keys, known, present, apart=portal)
    if portal:
        if (chain := settings.keys / SEAL_FOLDER / CHAIN_FILE).exists():
            _seal_lasts(read_chain(chain), datetime.now(UTC))
        return Message("keys in {folder}, readable by this account alone", folder=str(settings.keys))
    missing = [name for name in NAMES if name not in present.fingerprints]
    if SEAL in present.private:
        key, now = FileSigningKey(settings.keys / SEAL_FOLDER), datetime.now(UTC)
        key.sign(bytes(32))
        _seal_lasts(key.chain, now)
    if VAULT in present.private:
        read_vault_keys(settings.keys / VAULT_FOLDER)
    if missing:
        return Message("not made yet: {keys}; the first start makes them", keys=Joined(", ", missing))
    places = (settings.keys / "vault" / ESCROW_FILE, settings.keys / "seal" / ROOT_FILE)
    present_files = [str(path) for path in places if path.exists()]
    if present_files:
        return Message(
            "keys in {folder}, readable by this account alone; take {files} offline and delete what lies here",
            folder=str(settings.keys),
            files=Joined(" and ", present_files),
        )
    return Message(
        "keys in {folder}, readable by this account alone; escrow and root are offline", folder=str(settings.keys)
    )


def _seal_lasts(chain: Chain, now: datetime) -> None:
    """Raise Fatal some months before the seal key's certificate ends: nothing is sealed after that."""
    ends = chain.leaf.not_valid_after_utc
    if ends - now < SEAL_WARNED:
        raise Fatal(
            Message(
                "the seal key's certificate holds until {day}, and nothing is sealed after that: take the root's key "
                "from the safe and run footage-desk keys rotate seal --root FILE",
                day=f"{ends:%Y-%m-%d}",
            )
        )


async def _directory(settings: Settings) -> Text:
    """Connect to the directory, log in and read one page; Fatal with what it answered."""
    try:
        answer = await run_in_thread(ldap_client.test_connection, settings.directory)
    except Refused as refusal:
        raise Fatal(refusal.message) from refusal
    secured = (
        Message("by {security}", security=answer.secured)
        if answer.secured
        else Message("in the clear, on this machine")
    )
    people = (
        Message("{count} people, and more", count=answer.entries)
        if answer.more
        else Message("{count} people", count=answer.entries)
    )
    return Message(
        "{address} answers, {secured}; it names {people}",
        address=f"{settings.directory.host}:{settings.directory.port}",
        secured=secured,
        people=people,
    )


async def _time_stamps(settings: Settings) -> Text:
    stamper = HttpTimeStamper(str(settings.time_stamp.url), read_trusted(settings.time_stamp.trusted_file))
    try:
        await run_in_thread(stamper.check)
    except NotGranted as error:
        name = variable("time_stamp.url")
        raise Fatal(
            Message(
                "no time stamp from {address}: {error}; correct {variable}, or reach it",
                address=str(settings.time_stamp.url),
                error=error.message,
                variable=name,
            )
        ) from error
    return Message("{address} stamps what is sealed", address=str(settings.time_stamp.url))


def _proxy(settings: Settings) -> Text:
    """Say whose word on a caller's address is taken; Fatal where there is a proxy and nobody's is."""
    trusted, name = settings.portal.trusted_proxies, variable("portal.trusted_proxies")
    if trusted == "*":
        raise Fatal(
            Message(
                "{variable} trusts every address, so that callers choose their own address: name the proxy's",
                variable=name,
            )
        )
    if trusted:
        return Message("callers' addresses are taken from {proxies}", proxies=trusted)
    if settings.portal.url.startswith("https://"):
        # The portal itself speaks http, so that a proxy stands before it.
        raise Fatal(
            Message(
                "{address} is served by a proxy, and {variable} names none: all people have its address, so that wrong "
                "passwords of one delay all; set {variable} to the proxy's address",
                address=settings.portal.url,
                variable=name,
            )
        )
    return Message("none; the address of a connection is the caller's")


def _use_period(days: int | None) -> Line:
    if days is None:
        name = variable("rules.max_use_days")
        return Line(
            "use period",
            False,
            Message(
                "{variable} is not set, nor is its rule in the portal: set the maximum use period in days, or nothing "
                "is handed over",
                variable=name,
            ),
        )
    return Line("use period", True, Message("at most {days} days", days=days))


async def _max_use_days(settings: Settings) -> int | None:
    """Return the rule in force, which administrators may have changed."""
    with _reading(settings) as database:
        return await database.run(ACTOR, lambda uow: uow.rules.max_use_days)


def _database_exists(settings: Settings) -> bool:
    """Whether there is a database; a SQLite file is made by the first start."""
    url = make_url(settings.database_address)
    return url.drivername != "sqlite" or Path(url.database or "").exists()


async def _database(settings: Settings) -> Text:
    if not _database_exists(settings):
        return Message("not there yet; the first start makes it")
    _check_database_file(settings)
    with _reading(settings) as database:
        schema = await database.run(ACTOR, database_schema.check)
        unlimited = await database.run(ACTOR, poolers.why_unlimited, settings.database)
        if unlimited is not None:
            raise Fatal(unlimited)
        return Message("{database}, schema {schema}", database=database.engine.dialect.name, schema=schema)


def _check_database_file(settings: Settings) -> None:
    """Raise Fatal where others may read a SQLite file outside the data folder, which is checked whole."""
    url = make_url(settings.database_address)
    if url.drivername != "sqlite":
        return
    file = Path(url.database or "")
    if not file.resolve().is_relative_to(settings.data_dir.resolve()):
        for path in (file, *(file.with_name(file.name + end) for end in SQLITE_BESIDE)):
            if path.exists():
                data_folder.check_modes(path)


@contextmanager
def _reading(settings: Settings, clock: Clock | None = None) -> Iterator[Database]:
    """Open the database to read; SQLite's files stay as they are. ``clock`` is the machine's if it is left out."""
    portal, recorders = KeyFileBox(settings.keys / PORTAL_KEY), KeyFileBox(settings.keys / RECORDERS_KEY)
    with reading.unchanged(settings.database_address) as url:
        database = open_database(
            url,
            clock or SystemClock(),
            rules_of(settings),
            secrets=portal,
            recorder_secrets=recorders,
            connections=settings.database,
        )
        try:
            yield database
        finally:
            database.close()


async def _store(settings: Settings, name: str, place: StorePlace) -> Text:
    return await run_in_thread(_store_now, settings, name, open_store(place))


def _store_now(settings: Settings, name: str, store: Store) -> Text:
    """Describe the store; Fatal where it is gone."""
    missing = store.missing()
    if missing and _database_exists(settings):
        with _reading(settings) as database:
            database.run_now(ACTOR, database_schema.check)
            belongings.check_store(name, store, database, read_manifest(settings.data_dir))
    if not missing:
        return store.describe()
    return Message("{store} Not made yet: {buckets}.", store=store.describe(), buckets=Joined(", ", missing))


async def _engine(settings: Settings) -> Text:
    if settings.embedded and not await run_in_thread(socket_answers, settings.gateway_address):
        return Message("embedded; it starts with footage-desk run")
    channel = open_channel(settings)
    try:
        topology = await PyzeebeEngineClient(channel, call_seconds=5).topology()
    except Retryable as error:
        name = variable("data_dir" if settings.embedded else "zeebe_address")
        raise Fatal(
            Message(
                "{error}: see that the engine runs at {address}, or correct {variable}",
                error=error.message,
                address=settings.gateway_address,
                variable=name,
            )
        ) from error
    finally:
        await channel.close()
    if not topology.partitions:
        raise Fatal(
            Message(
                "the gateway at {address} has no partition: see that its broker runs", address=settings.gateway_address
            )
        )
    return Message(
        "{address}, gateway {version}, {count} partition(s)",
        address=settings.gateway_address,
        version=topology.gateway_version,
        count=topology.partitions,
    )


def _recorder_kinds() -> list[Line]:
    """Say which kinds of recorder other packages bring, and what is wrong with those that cannot be used."""
    outside = [f"{code} ({kind.package})" for code, kind in sorted(KINDS.items()) if kind.package is not None]
    lines = [Line("recorder types of other packages", True, Joined(", ", outside))] if outside else []
    return lines + [
        Line(
            f"recorder type {one.code}",
            False,
            Message("of {package}, cannot be used: {message}", package=one.package, message=one.message),
            one.code,
        )
        for one in registry.OUTSIDE.broken
    ]


async def _recorders(settings: Settings) -> list[Line]:
    with _reading(settings) as database:
        query = select(Recorder).where(Recorder.active, Recorder.kind != UPLOADED)
        rows = await database.run(ACTOR, lambda uow: list(uow.session.scalars(query)))
    opened = partial(open_recorder, places=places_of(settings), secrets=database.recorder_secrets)
    return [await _line(f"recorder {row.name}", partial(_recorder, row, opened), row.name) for row in rows]


async def _recorder(row: Recorder, opened: OpenRecorder) -> Text:
    try:
        facts = await opened(row.kind, row.configuration).probe()
    except (Fatal, Retryable) as error:
        # A driver's own sentence says more, in English alone; the test of a recorder has one in each language.
        raise Fatal(Bilingual(finding_of(error, row.kind).message.zh, str(error))) from error
    if not facts.reachable:
        raise Fatal(
            Message("does not answer: check that it runs and that its folder or address can be reached from here")
        )
    kind = f"recorder-{facts.make}"  # a folder's make is its kind, any other's a name
    return Message(
        "{make} {model}, {count} channel(s)",
        make=Label(kind) if has_word(kind) else facts.make,
        model=facts.model,
        count=len(facts.oldest_frame),
    )
