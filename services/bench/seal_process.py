"""The measured command: ``python -m services.bench.seal_process``, with its task as JSON on standard input.

It seals footage of a recorder that answers over HTTP, as retrieve-footage does, or issues copies of a master, as
encrypt-copy does. It prints the results and its processor seconds, children included, as JSON.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from services.bench.camera import CHANNEL, SECONDS, span_of
from services.recorders.http_client import HttpClient
from services.recorders.protocol import Segment
from services.runtime.addresses import Guard
from services.runtime.settings import stores as places
from services.runtime.spans import Span
from services.vault.age import X25519Identity
from services.vault.sealing import MasterSource, Sealed, issue, seal
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store, Target
from services.vault.verdict import FootageSource

BUCKET = "quarantine"
CUT = timedelta(seconds=SECONDS / 2)  # cut off at each end of a copy


@dataclass(frozen=True)
class Task:
    """What to do; ``keys`` has an object key for each parallel run."""

    store: dict[str, str]
    keys: list[str]
    recipients: list[str]
    segments: int
    segment_size: int
    recorder: str = ""  # its address
    master: dict[str, Any] | None = None  # a sealed object, of which copies are issued
    identity: str = ""  # that opens it


def store_to_json(place: places.StorePlace) -> dict[str, str]:
    """Serialise a store for a task, so that no secret is on a command line."""
    if isinstance(place, places.FolderStore):
        return {"folder": str(place.path), "prefix": place.prefix}
    return {
        "endpoint": place.endpoint,
        "access_key": place.access_key,
        "secret_key": place.secret_key.get_secret_value(),
        "secure": "yes" if place.secure else "",
        "region": place.region or "",
        "prefix": place.prefix,
        "ca_file": str(place.ca_file or ""),
    }


def store_from_json(settings: dict[str, str]) -> places.StorePlace:
    """Restore what ``store_to_json`` has serialised."""
    if "folder" in settings:
        return places.FolderStore(Path(settings["folder"]), settings["prefix"])
    return places.S3Store(
        settings["endpoint"],
        settings["access_key"],
        SecretStr(settings["secret_key"]),
        bool(settings["secure"]),
        settings["region"] or None,
        settings["prefix"],
        Path(settings["ca_file"]) if settings["ca_file"] else None,
    )


async def _segments(task: Task) -> AsyncIterator[Segment]:
    web = HttpClient(task.recorder, Guard([ip_network("127.0.0.0/8")], ("http", "https")))
    for number in range(task.segments):
        yield Segment(
            name=str(number),
            channel=CHANNEL,
            span=span_of(number),
            size=task.segment_size,
            container="fmp4",
            open=partial(web.read, f"/segments/{number}"),
        )


async def _one(task: Task, store: Store, key: str) -> Sealed:
    asked, target = span_of(0, task.segments), Target(store, BUCKET, key, {"item": "bench"})
    if task.master is None:
        return await seal(
            FootageSource(_segments(task), asked, CHANNEL, promised=[asked]), target, recipients=task.recipients
        )
    return await issue(
        MasterSource(store, Sealed.from_json(task.master), CHANNEL, X25519Identity(task.identity)),
        Span(asked.start + CUT, asked.end - CUT),
        target,
        recipients=task.recipients,
    )


async def _all(task: Task) -> list[Sealed]:
    store = open_store(store_from_json(task.store))
    return list(await asyncio.gather(*(_one(task, store, key) for key in task.keys)))


def main() -> None:
    """Read the task, run it, and print the result."""
    sealed = asyncio.run(_all(Task(**json.load(sys.stdin))))
    spent = os.times()
    processor = spent.user + spent.system + spent.children_user + spent.children_system
    json.dump({"sealed": [result.to_json() for result in sealed], "processor_seconds": processor}, sys.stdout)


if __name__ == "__main__":
    main()
