"""A case's footage from the recorder to the archive on PostgreSQL and S3, and an end that leaves nothing there."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from custody_desk import Desk, film

from services.bench.s3_server import S3Server
from services.database.tables.copies import Copy
from services.database.tables.masters import Master
from services.vault.keys.vault_keys import KeyGone
from services.vault.store.opening import open_store
from services.vault.store.protocol import StoreLocked
from services.workers import inspect_return, preserve_footage, re_archive, release_preservation

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


@pytest.fixture
def desk(tmp_path: Path, postgres_database: Callable[[], str], s3_server: S3Server) -> Iterator[Desk]:
    desk = Desk(tmp_path, film(tmp_path / "filmed"), database_url=postgres_database(migrated=True))
    desk.store = open_store(s3_server.place(f"custody-{secrets.token_hex(4)}"))
    desk.store.ensure()
    yield desk
    desk.database.close()


@pytest.mark.requirement("R36", "R40", refuses=True)
async def test_a_case_goes_from_the_recorder_to_the_archive(desk: Desk) -> None:
    case = desk.case("gate", "yard")
    await desk.work(preserve_footage, application_id=case.id)
    await case.approve(backup_needed=True).retrieve()
    await case.back_up()
    await case.encrypt()
    hand_over_id = await case.offer_made_copies()
    case.accept(hand_over_id)
    case.give_back(hand_over_id)
    ids = {"application_id": case.id, "hand_over_id": hand_over_id}

    assert (await desk.work(inspect_return, **ids)).return_findings == 0
    case.decided("return-inspection", "in-order")
    for _ in range(2):
        await desk.work(re_archive, **ids, decision="in-order")

    assert case.application.closed_as == "footage-re-archived"
    assert desk.objects("quarantine") == []
    for master in desk.rows(Master):
        with pytest.raises(StoreLocked):
            desk.store.delete("masters", master.sealed["key"], master.sealed["versionId"])
    for copy in desk.rows(Copy):
        assert desk.store.stat("copies", copy.sealed["key"]).legal_hold is False
        with pytest.raises(KeyGone):
            desk.loan_keys.unwrapper(copy.id)


async def test_a_case_that_ends_without_a_hand_over_leaves_locked_masters_alone(desk: Desk) -> None:
    before = desk.everything()  # the server is shared, and what is archived stays
    case = desk.case("gate", "yard")
    await desk.work(preserve_footage, application_id=case.id)
    await case.approve().retrieve()
    await case.encrypt()
    assert len(desk.everything()) > len(before) + 8

    case.ready_to_end("withdrawn")
    for _ in range(2):
        await desk.work(release_preservation, application_id=case.id, closing_outcome="withdrawn")

    left = {name.removeprefix("masters:") for name in desk.everything() if name not in before}
    assert left == set(desk.locked_until("masters"))
    assert None not in desk.locked_until("masters").values()
