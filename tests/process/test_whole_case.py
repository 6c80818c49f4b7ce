"""One application from the form to the archive: what it leaves in register and vault, whatever it runs on."""

import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from case_people import CUSTODIAN, People
from demo_container import Places
from vault_bench import packet_hashes, part_of, wanted
from whole_desk import open_desk
from whole_footage import MADE_FOR

from services.database.tables.copies import Copy, Grant
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.domain.custody import viewings
from services.domain.reviews.scopes import Granting, Narrowed
from services.runtime.errors import Refused
from services.runtime.jobs.worker import Worker, discover
from services.vault.age import generate_identity
from services.vault.keys.vault_keys import KeyGone
from services.vault.sealing import Sealed, open_sealed
from services.vault.store.opening import open_store


def packets(desk: People, copy: Copy) -> list[str]:
    """The packets that a copy gives to whoever has its loan key."""
    sealed = Sealed.from_json(copy.sealed)
    reader = open_sealed(desk.container.store, sealed.location, desk.container.loan_keys.unwrapper(copy.id))
    return [one for part in sealed.coverage.parts for one in packet_hashes(part_of(reader, part), "video")]


def truth(desk: People, channel: str) -> list[str]:
    return [picture.sha256 for picture in wanted(desk.footage.truth[channel], desk.footage.asked)]


async def whole_case(desk: People) -> str:
    """Two items to the archive; the application's id."""
    case = await desk.apply("cam1", "gate")
    await desk.accept(case)
    await desk.returned(case)
    return case


@pytest.mark.zeebe
@pytest.mark.requirement("R4", "R16", "R29", "R35", "R36", "R38", "R40")
async def test_two_items_go_from_the_form_to_the_archive(desk: People) -> None:
    case = await desk.apply("cam1", "gate")

    await desk.accept(case)

    made = {copy.item_id: copy for copy in desk.rows(Copy)}
    for item, channel in zip(desk.items(case), ("cam1", "gate"), strict=True):
        assert (item.outcome, item.coverage) == ("complete", 1.0)
        assert packets(desk, made[item.id]) == truth(desk, channel)
    assert {copy.id for copy in made.values()} == desk.loan_keys()

    await desk.returned(case)

    numbers = sorted(document.number.split("-")[0] for document in desk.rows(Document))
    assert numbers == ["BG", *["BQ"] * 4, "DQ", "DQ", "GH", "JJ", "SQ"]
    assert len(desk.rows(Master)) == 2
    for copy in made.values():
        with pytest.raises(KeyGone):
            packets(desk, copy)


@pytest.mark.slow
async def test_a_worker_that_runs_twice_for_each_job_changes_nothing(places: Places) -> None:
    async with open_desk(People, places, moment=MADE_FOR, workers=[twice(one) for one in discover()]) as desk:
        case = await desk.apply("cam1", "gate", important_information=True)
        await desk.accept(case)
        await desk.turn(days=8)
        await desk.turn(days=3)
        await desk.returned(case)

        assert len(desk.rows(Document, kind="retrieval-record")) == len(desk.rows(Master)) == len(desk.rows(Copy)) == 2
        assert len(desk.events("custody-suspended")) == 1
        assert len(desk.events("copy-issued")) == len(desk.events("loan-key-destroyed")) == 2


def twice(worker: Worker) -> Worker:
    """The same worker, whose handler is run again after it has ended, as after an answer that was lost."""

    @functools.wraps(worker.handle)
    async def handle(command: Any, **given: Any) -> Any:
        first = await worker.handle(command, **given)
        assert await worker.handle(command, **given) == first
        return first

    return replace(worker, handle=handle)


@pytest.mark.slow
@pytest.mark.postgres
async def test_the_whole_case_on_postgresql(places: Places, postgres_database: Callable[[], str]) -> None:
    places.database_url = postgres_database(migrated=True)

    async with open_desk(People, places, moment=MADE_FOR) as desk:
        await whole_case(desk)


@pytest.mark.slow
@pytest.mark.s3
async def test_the_whole_case_on_s3(places: Places, s3_server: Any, key: str) -> None:
    name = key.partition("/")[0]
    places.store = open_store(s3_server.place(f"case-{name}"))
    places.replica = open_store(s3_server.place(f"replica-{name}"))

    async with open_desk(People, places, moment=MADE_FOR) as desk:
        case = await desk.apply("cam1", "gate", important_information=True)
        await desk.accept(case)
        await desk.returned(case)


@pytest.mark.zeebe
@pytest.mark.requirement("R41", "R55", refuses=True)
async def test_viewing_is_granted_where_no_download_was_asked_for(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.accept(case)
    [copy] = desk.rows(Copy)

    assert [grant.action for grant in desk.rows(Grant)] == ["view"]
    await desk.as_person(CUSTODIAN, viewings.open_viewing, copy.id, purpose_confirmed=True, address="127.0.0.1")
    with pytest.raises(Refused, match="viewing is granted"):
        await download(desk, copy)

    await desk.returned(case)
    with pytest.raises(Refused, match="returned"):
        await desk.as_person(CUSTODIAN, viewings.open_viewing, copy.id, purpose_confirmed=True, address="127.0.0.1")


@pytest.mark.zeebe
@pytest.mark.requirement("R38", "R57")
async def test_a_download_that_was_granted_is_accounted_for_at_the_return(desk: People) -> None:
    case = await desk.apply("cam1", way_of_use="download")
    await desk.decide(case, "preliminary")
    await desk.decide(case, "security", granting=Granting(way_of_use="download"))
    await desk.accept(case)
    [copy] = desk.rows(Copy)

    assert {grant.action for grant in desk.rows(Grant)} == {"view", "download"}
    assert {grant.until for grant in desk.rows(Grant)} == {desk.hand_over(case).due_at}
    await download(desk, copy)

    await desk.returned(case)


async def download(desk: People, copy: Copy) -> None:
    _, recipient = generate_identity()
    await desk.as_person(
        CUSTODIAN, viewings.list_download, copy.id, recipient=recipient, medium="办公电脑", address="127.0.0.1"
    )


@pytest.mark.zeebe
@pytest.mark.requirement("R4", "R49")
async def test_security_narrows_span_days_and_way_of_use(desk: People) -> None:
    case = await desk.apply("cam1", way_of_use="download", requested_use_days=10)
    await desk.decide(case, "preliminary")
    [item] = desk.items(case)
    narrow = Narrowed(item.id, desk.footage.asked.start + timedelta(seconds=2), desk.footage.asked.end)
    await desk.decide(case, "security", granting=Granting((narrow,), 4, "view"))
    accepted = await desk.accept(case)

    [copy] = desk.rows(Copy)
    assert copy.sealed["coverage"]["asked"] == [narrow.start.isoformat(), narrow.end.isoformat()]
    assert accepted.due_at - accepted.accepted_at.replace(microsecond=0) == timedelta(days=4)
    assert [grant.action for grant in desk.rows(Grant)] == ["view"]
    await desk.returned(case)
