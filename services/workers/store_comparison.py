"""Compare one bucket with the register: two sorted streams are merged, and no more than a page of each is in memory.

Each difference is looked at again, by its key, before it counts: both sides go on while they are compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, takewhile

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.storage import findings, maintenance, verification
from services.domain.storage.comparisons import Group, Row, Source, judge
from services.domain.storage.findings import Found
from services.domain.storage.maintenance import RECONCILE
from services.runtime.logs import get_logger
from services.runtime.threads import run_in_thread
from services.vault.store.protocol import ObjectFacts, Store

log = get_logger(__name__)

PAGE = 500
FEW = 20  # differences of a page that are looked up one by one
# by these the footage itself may be damaged: it is read before all others
SUSPECT = frozenset({"missing", "other-version", "size"})


@dataclass
class _Pair:
    """One object as the register and the listing have it."""

    sort_key: str
    row: Row | None
    group: Group | None


async def compare(database: Database, actor: Actor, store: Store, source: Source, day: str) -> int:
    """Compare a bucket, and record what differs; return how many objects the register has in it.

    Raises the store's errors.
    """
    merge = _Merge(database, actor, store, source)
    compared = 0
    while pairs := await merge.next_page():
        compared += sum(pair.row is not None and pair.row.state == "live" for pair in pairs)
        differing = await run_in_thread(_judge, store, source, pairs, database.clock.now())
        if differing:
            await _confirm(database, actor, store, source, differing, day=day)
        await database.run(actor, maintenance.beat, day, RECONCILE)
    return compared


class _Merge:
    """The two streams; a page of pairs in the order of the keys."""

    def __init__(self, database: Database, actor: Actor, store: Store, source: Source) -> None:
        self._database, self._actor, self._source = database, actor, source
        self._groups = _groups(store, source)
        self._listed: list[tuple[str, Group]] = []
        self._rows: list[Row] = []
        self._after = ""
        self._no_groups = self._no_rows = False

    async def next_page(self) -> list[_Pair]:
        """Return the next pairs, at most a page; nothing at the end."""
        pairs: list[_Pair] = []
        while len(pairs) < PAGE:
            if not self._listed and not self._no_groups:
                self._listed = await run_in_thread(lambda: list(islice(self._groups, PAGE)))
                self._no_groups = len(self._listed) < PAGE
            if not self._rows and not self._no_rows:
                self._rows = await self._database.read(self._actor, self._source.rows, self._after, PAGE)
                self._no_rows = len(self._rows) < PAGE
                self._after = self._rows[-1].sort_key if self._rows else self._after
            if not self._listed and not self._rows:
                break
            pairs.append(self._next())
        return pairs

    def _next(self) -> _Pair:
        key = self._listed[0][0] if self._listed else None
        named = self._rows[0].sort_key if self._rows else None
        if named is None or (key is not None and key < named):
            listed, group = self._listed.pop(0)
            return _Pair(listed, None, group)
        row = self._rows.pop(0)
        if key == named:
            return _Pair(row.sort_key, row, self._listed.pop(0)[1])
        return _Pair(row.sort_key, row, None)


def _groups(store: Store, source: Source) -> Iterator[tuple[str, Group]]:
    """Yield the listed versions of each object, with what lies beside it."""
    current: str | None = None
    group = Group()
    for version in store.list_versions(source.bucket, source.prefix):
        split = source.split(version.key)
        if split is None:
            continue
        sort_key, part = split
        if sort_key != current:
            if current is not None:
                yield current, group
            current, group = sort_key, Group()
        if part == "object":
            group.versions.append(version)
        else:
            group.beside.add(part)
    if current is not None:
        yield current, group


def _judge(store: Store, source: Source, pairs: Sequence[_Pair], now: datetime) -> list[_Pair]:
    return [pair for pair in pairs if judge_one(store, source, pair, now)]


def judge_one(store: Store, source: Source, pair: _Pair, now: datetime) -> list[Found]:
    """Say how one object differs; its locks are asked for besides, where the register has any."""
    facts: ObjectFacts | None = None
    row = pair.row
    if row is not None and row.state == "live" and pair.group is not None and (row.retain_until or row.held):
        facts = store.stat(source.bucket, row.key, row.version_id)
    return judge(source, row.key if row is not None else pair.sort_key, row, pair.group, facts=facts, now=now)


async def _confirm(
    database: Database, actor: Actor, store: Store, source: Source, pairs: Sequence[_Pair], *, day: str
) -> None:
    rows = {row.sort_key: row for row in await database.read(actor, source.named, [pair.sort_key for pair in pairs])}

    def again() -> list[tuple[Row | None, Found]]:
        confirmed: list[tuple[Row | None, Found]] = []
        groups = _list_again(store, source, [pair.sort_key for pair in pairs])
        for pair in pairs:
            row = rows.get(pair.sort_key)
            group = groups.get(pair.sort_key)
            if group is None and row is not None and row.state == "live" and _is_there(store, source, row):
                log.warning("a store does not list an object that it has", place=source.place, key=row.key)
                continue
            fresh = _Pair(pair.sort_key, row, group)
            confirmed += [(row, one) for one in judge_one(store, source, fresh, database.clock.now())]
        return confirmed

    confirmed = await run_in_thread(again)
    suspects = [
        row.master_id
        for row, one in confirmed
        if row is not None and row.master_id is not None and one.kind in SUSPECT and source.place == "primary"
    ]

    def record(uow: UnitOfWork) -> None:
        findings.record(uow, day, [one for _, one in confirmed])
        verification.suspect(uow, suspects)

    if confirmed:
        await database.run(actor, record)


def _is_there(store: Store, source: Source, row: Row) -> bool:
    """Ask for the object itself: a listing may lack what the store has."""
    return store.stat(source.bucket, row.key, row.version_id) is not None


def _list_again(store: Store, source: Source, sort_keys: Sequence[str]) -> dict[str, Group]:
    """Return the groups of these objects, which are in the order of the listing.

    Where many differ (a lost disk, another prefix), one listing has them all: to look each up in a folder of 9,000
    objects kept the processor for minutes, and whoever waited for an answer of this process waited for that.
    """
    if len(sort_keys) <= FEW:
        return {key: group for sort_key in sort_keys for key, group in _groups_at(store, source, sort_key)}
    wanted, first, last = set(sort_keys), sort_keys[0], sort_keys[-1]
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    listed = takewhile(lambda one: one[0] <= last, _groups(store, replace(source, prefix=first[:alike])))
    return {key: group for key, group in listed if key in wanted}


def _groups_at(store: Store, source: Source, sort_key: str) -> Iterator[tuple[str, Group]]:
    """Yield the group of exactly this object."""
    narrowed = replace(source, prefix=sort_key)
    return ((key, group) for key, group in _groups(store, narrowed) if key == sort_key)
