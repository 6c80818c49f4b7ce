"""A hundred faults in the stream, each at a seeded byte: nothing that counts is left, and the next try succeeds.

The last test puts the same fault before the pipeline that one would type at a shell: it stores a truncated object and
ends with 0.
"""

import asyncio
import hashlib
import random
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import amount
import pytest
from stream_faults import FaultyRecorder, FaultyWay, FullDisk
from urllib3 import Retry

from services.bench.camera import CHANNEL, span_of
from services.bench.footage import encode
from services.bench.s3_server import S3Server
from services.recorders.http_client import BrokenOff
from services.recorders.protocol import RecorderDown
from services.runtime.settings import stores as places
from services.vault.age import Reader, X25519Identity, generate_identity
from services.vault.coverage import FootageUnreadable, WrongFootage
from services.vault.sealing import Sealed, open_sealed, seal
from services.vault.store import folder_files, s3_parts
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store, StoreDown, StoreRefused, Target, reader_of
from services.vault.verdict import FootageSource

SEED = 20261125
EACH = amount.examples(sample=3, full=10)  # of each kind on each side: a hundred in all
AT_ONCE = 2
COUNT = 2
PART = 5 << 20  # the smallest that a server takes
SECRET, RECIPIENT = generate_identity()


def places_of(kind: str, size: int) -> list[int]:
    """Where the faults of that kind are."""
    return sorted(random.Random(f"{SEED} {kind}").sample(range(1, size), EACH))  # noqa: S311 - the same each time


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("footage") / "segment.mp4"
    assert COUNT * encode(path, 2.4) > PART  # an upload of two parts, and no larger: a hundred are sealed twice
    return path.read_bytes()


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few MiB are an upload in parts."""
    monkeypatch.setattr(s3_parts, "PART_BYTES", PART)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client tries again as often as ever; a server that is gone stays so until the case mends it."""
    monkeypatch.setattr(Retry, "get_backoff_time", lambda _: 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    store = open_store(places.FolderStore(tmp_path / "store", "test"))
    store.ensure()
    return store


@dataclass
class Case:
    """One sealing that meets a fault, and the one after it."""

    recorder: FaultyRecorder
    store: Store  # as the sealing sees it
    truth: Store  # the same store, without anything in between
    mend: Callable[[], None]
    key: str

    async def seal(self) -> Sealed:
        asked = span_of(0, COUNT)
        return await seal(
            FootageSource(self.recorder.fetch(), asked, CHANNEL, promised=[asked]),
            Target(self.store, "quarantine", self.key, {"item": "1"}),
            recipients=[RECIPIENT],
        )

    async def fails(self, *errors: type[Exception]) -> Exception:
        """The sealing raises one of these and leaves nothing that counts; the next one, after a sweep, is whole."""
        with pytest.raises(errors) as failure:
            await self.seal()
        assert await asyncio.to_thread(self.truth.stat, "quarantine", self.key) is None
        self.mend()
        await asyncio.to_thread(self.truth.sweep, "quarantine", self.key)
        assert await asyncio.to_thread(self.truth.sweep, "quarantine", self.key) == 0
        await self.succeeds()
        return failure.value

    async def succeeds(self) -> Sealed:
        sealed = await self.seal()
        assert sealed.outcome == "complete"
        whole = await asyncio.to_thread(self.read, sealed)
        assert hashlib.sha256(whole).hexdigest() == sealed.sha256_plain
        return sealed

    def read(self, sealed: Sealed) -> bytes:
        return open_sealed(self.truth, sealed.location, X25519Identity(SECRET)).read()


async def every(places: list[int], try_one: Callable[[int], Awaitable[None]]) -> None:
    """Each of the places, a few at a time."""
    at_once = asyncio.Semaphore(AT_ONCE)

    async def one(at: int) -> None:
        async with at_once:
            try:
                await try_one(at)
            except (AssertionError, Exception) as error:
                error.add_note(f"at byte {at}")
                raise

    async with asyncio.TaskGroup() as group:
        for at in places:
            group.create_task(one(at))


def _key() -> str:
    return f"{secrets.token_hex(6)}/1"


async def recorder_case(stack: AsyncExitStack, segment: bytes, fault: str, at: int, store: Store) -> Case:
    recorder = await stack.enter_async_context(FaultyRecorder(segment, COUNT, fault, at).serve())

    def mend() -> None:
        recorder.mended = True

    return Case(recorder, store, store, mend, _key())


async def store_case(stack: AsyncExitStack, segment: bytes, fault: str, at: int, place: places.S3Store) -> Case:
    recorder = await stack.enter_async_context(FaultyRecorder(segment, COUNT, "none", 0, mended=True).serve())
    way = await stack.enter_async_context(FaultyWay(place.endpoint, fault, at).serve())
    between = open_store(replace(place, endpoint=f"127.0.0.1:{way.port}"))
    return Case(recorder, between, open_store(place), way.mend, _key())


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, folder: Store) -> Store:
    return folder if request.param == "folder" else open_store(request.getfixturevalue("s3_place"))


@pytest.mark.parametrize("fault", ["drop", "stall"])
async def test_a_recorder_that_breaks_off_leaves_nothing(fault: str, segment: bytes, store: Store) -> None:
    async def one(at: int) -> None:
        async with AsyncExitStack() as stack:
            case = await recorder_case(stack, segment, fault, at, store)
            error = await case.fails(RecorderDown)
            # On a busy machine a stall may be seen before the first byte.
            assert isinstance(error, BrokenOff) or fault == "stall"

    await every(places_of(f"{fault} {type(store).__name__}", COUNT * len(segment)), one)


async def test_a_byte_that_the_recorder_sends_wrong_is_never_taken_for_another(segment: bytes, folder: Store) -> None:
    """What is sealed then is what came, by its hash; where the fault can be seen, it is called partial, or fails."""
    seen = []

    async def one(at: int) -> None:
        async with AsyncExitStack() as stack:
            case = await recorder_case(stack, segment, "corrupt", at, folder)
            try:
                sealed = await case.seal()
            except (FootageUnreadable, WrongFootage) as error:
                seen.append(type(error).__name__)
                assert await asyncio.to_thread(folder.stat, "quarantine", case.key) is None
            else:
                seen.append(sealed.outcome)
                wrong = [one for one in sealed.coverage.sources if one.sha256 != hashlib.sha256(segment).hexdigest()]
                assert len(wrong) == 1
                whole = await asyncio.to_thread(case.read, sealed)
                assert hashlib.sha256(whole).hexdigest() == sealed.sha256_plain
            case.mend()
            case.key = _key()
            await case.succeeds()

    await every(places_of("corrupt", COUNT * len(segment)), one)
    assert len(seen) == EACH


@pytest.mark.s3
async def test_a_byte_that_changes_on_the_way_to_the_store_is_refused(segment: bytes, s3_place: places.S3Store) -> None:
    async def one(at: int) -> None:
        async with AsyncExitStack() as stack:
            case = await store_case(stack, segment, "corrupt", at, s3_place)
            await case.fails(StoreDown, StoreRefused)

    await every(places_of("corrupt s3", COUNT * len(segment)), one)


@pytest.mark.slow
@pytest.mark.s3
@pytest.mark.parametrize("fault", ["full", "killed"])
async def test_a_server_that_fails_leaves_nothing_after_the_sweep(
    fault: str, segment: bytes, s3_place: places.S3Store
) -> None:
    async def one(at: int) -> None:
        async with AsyncExitStack() as stack:
            case = await store_case(stack, segment, fault, at, s3_place)
            error = await case.fails(StoreDown)
            assert ("is full and could not" if fault == "full" else "for now") in str(error)

    for half in ("first", "second") if fault == "killed" else ("first",):
        await every(places_of(f"{fault} {half}", COUNT * len(segment)), one)


async def test_a_full_disk_leaves_nothing(segment: bytes, folder: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    room: dict[str, int] = {}

    def opened(path: Path, mode: str, **how: Any) -> Any:
        file = open(path, mode, **how)  # noqa: PTH123, SIM115 - as the module does, which closes it
        name = path.parent.name.rpartition(".")[0]
        return FullDisk(file, room[name]) if name in room and path.name == "data" else file

    monkeypatch.setattr(folder_files, "open", opened, raising=False)

    async def one(at: int) -> None:
        async with AsyncExitStack() as stack:
            case = await recorder_case(stack, segment, "none", 0, folder)
            case.recorder.mended = True
            name = case.key.replace("/", "%2F")
            room[name] = at
            case.mend = lambda: room.pop(name) and None
            assert "free space" in str(await case.fails(StoreDown))

    await every(places_of("full folder", COUNT * len(segment)), one)


@pytest.fixture
async def dropped(segment: bytes) -> AsyncIterator[FaultyRecorder]:
    """A recorder that breaks off in the middle of the second segment."""
    at = len(segment) + places_of("drop whole", len(segment))[0]
    async with FaultyRecorder(segment, COUNT, "drop", at).serve() as recorder:
        yield recorder


PUT = """
import sys
from minio import Minio
endpoint, access, secret, bucket, key = sys.argv[1:]
client = Minio(endpoint, access_key=access, secret_key=secret, secure=False)
client.put_object(bucket, key, sys.stdin.buffer, -1, part_size=5 << 20)
"""
FETCH = "import shutil, sys, urllib.request as web; shutil.copyfileobj(web.urlopen(sys.argv[-1]), sys.stdout.buffer)"


@pytest.mark.s3
async def test_the_pipeline_of_ones_shell_stores_what_was_cut_short_and_we_do_not(
    dropped: FaultyRecorder, s3_server: S3Server, s3_place: places.S3Store, tmp_path: Path
) -> None:
    """``python`` stands in for ``aws s3 cp -``, and for ``curl`` where there is none: both take and give the same."""
    store, key = open_store(s3_place), _key()
    (tmp_path / "put.py").write_text(PUT)
    (tmp_path / "fetch.py").write_text(FETCH)
    curl = "curl -sS --fail" if shutil.which("curl") else f"{sys.executable} {tmp_path / 'fetch.py'}"
    target = f"{s3_server.endpoint} {s3_server.access_key} {s3_server.secret_key} {s3_place.prefix}-quarantine {key}"
    line = (
        f"{curl} {dropped.address}/whole | tee >(sha256sum > {tmp_path / 'sum'}) | age -r {RECIPIENT} "
        f"| {sys.executable} {tmp_path / 'put.py'} {target}"
    )
    shell = await asyncio.create_subprocess_exec("bash", "-c", line, stderr=asyncio.subprocess.PIPE)
    _, complaints = await shell.communicate()

    assert (shell.returncode, complaints != b"") == (0, True)
    facts = await asyncio.to_thread(store.stat, "quarantine", key)
    assert facts is not None

    def read() -> bytes:
        reader = Reader(reader_of(store, "quarantine", key), facts.size, X25519Identity(SECRET))
        return reader.read()

    stored = await asyncio.to_thread(read)
    assert stored == (dropped.segment * COUNT)[: dropped.at]

    case = Case(dropped, store, store, lambda: setattr(dropped, "mended", True), _key())
    assert isinstance(await case.fails(RecorderDown), BrokenOff)
