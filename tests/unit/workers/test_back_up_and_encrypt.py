"""back-up-footage and encrypt-copy: a verified replica elsewhere, and a copy that only its own key opens."""

from datetime import timedelta
from unittest.mock import patch

import pytest
from custody_desk import ASKED, Case, Desk

from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy
from services.database.tables.masters import Master
from services.domain.custody import copies
from services.domain.retrieval import attempts, masters
from services.domain.retrieval.attempts import NoLongerWanted
from services.runtime.errors import Fatal
from services.vault.age import NotARecipient
from services.vault.keys.vault_keys import KeyGone
from services.vault.sealing import MasterDamaged, Sealed, open_sealed
from services.vault.store.replicas import ObjectDamaged
from services.workers import back_up_footage, encrypt_copy


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture
async def case(desk: Desk) -> Case:
    return await desk.case("gate").approve().retrieve()


async def back_up(desk: Desk, case: Case):  # type: ignore[no-untyped-def]
    return await desk.work(back_up_footage, application_id=case.id, item_id=case.item(), job_key=8)


async def encrypt(desk: Desk, case: Case):  # type: ignore[no-untyped-def]
    return await desk.work(encrypt_copy, application_id=case.id, item_id=case.item(), job_key=9)


@pytest.mark.requirement("R14", "R15")
async def test_a_master_is_backed_up_once_in_the_other_store(desk: Desk, case: Case) -> None:
    assert await back_up(desk, case) == await back_up(desk, case)

    [key] = desk.replica_store.list_keys("replicas")
    [master] = desk.rows(Master)
    assert master.replica["key"] == key
    assert master.replica_verified_at == desk.clock.now()
    original = b"".join(desk.store.get("masters", master.sealed["key"]))
    assert b"".join(desk.replica_store.get("replicas", key)) == original


@pytest.mark.requirement("R14", refuses=True)
async def test_a_damaged_master_is_never_called_backed_up(desk: Desk, case: Case) -> None:
    desk.damage("masters", desk.rows(Master)[0].sealed["key"])

    with pytest.raises(ObjectDamaged):
        await back_up(desk, case)

    assert list(desk.replica_store.list_keys("replicas")) == []
    assert desk.rows(Master)[0].replica_verified_at is None


async def test_a_crash_before_the_replica_is_booked_leaves_one_replica(desk: Desk, case: Case) -> None:
    with patch.object(masters, "add_replica", side_effect=Killed), pytest.raises(Killed):
        await back_up(desk, case)

    await back_up(desk, case)

    assert list(desk.replica_store.list_keys("replicas")) == [desk.rows(Master)[0].replica["key"]]


@pytest.mark.requirement("R36", "R54", refuses=True)
async def test_only_the_loan_key_opens_the_copy(desk: Desk, case: Case) -> None:
    first, second = await encrypt(desk, case), await encrypt(desk, case)

    assert first == second
    [copy] = desk.rows(Copy)
    sealed = Sealed.from_json(copy.sealed)
    assert desk.objects("copies") == [sealed.key] == [f"copies/{first.copy_id}/{copy.attempt_id}"]
    reader = open_sealed(desk.store, sealed.location, desk.loan_keys.unwrapper(first.copy_id))
    assert len(reader.read()) == sealed.plain_size
    with pytest.raises(NotARecipient):
        open_sealed(desk.store, sealed.location, desk.vault_keys.unwrapper())
    assert f"{sealed.key}.label.json" in list(desk.store.list_keys("copies"))


@pytest.mark.requirement("R4")
async def test_the_copy_is_cut_to_the_granted_span_of_a_wider_master(desk: Desk, case: Case) -> None:
    desk.change(Item, case.item(), granted_start=ASKED.start + timedelta(seconds=5), granted_end=ASKED.end)

    await encrypt(desk, case)

    coverage = Sealed.from_json(desk.rows(Copy)[0].sealed).coverage
    assert coverage.asked.start == ASKED.start + timedelta(seconds=5)
    assert coverage.first_frame > ASKED.start + timedelta(seconds=3)


@pytest.mark.requirement("R6", refuses=True)
async def test_no_copy_is_made_of_a_master_that_is_not_what_was_sealed(desk: Desk, case: Case) -> None:
    desk.change(Master, desk.rows(Master)[0].id, sealed={**desk.rows(Master)[0].sealed, "sha256Plain": "0" * 64})

    with pytest.raises(MasterDamaged):
        await encrypt(desk, case)

    assert desk.objects("copies") == []
    assert desk.rows(Copy) == []


async def test_a_crash_before_the_copy_is_booked_leaves_one_copy_and_one_key(desk: Desk, case: Case) -> None:
    with patch.object(copies, "create", side_effect=Killed), pytest.raises(Killed):
        await encrypt(desk, case)
    dead = desk.objects("copies")[0].split("/")[1]

    await encrypt(desk, case)

    [copy] = desk.rows(Copy)
    assert desk.objects("copies") == [copy.sealed["key"]]
    assert [path.stem for path in (desk.root / "loans").glob("*.key")] == [copy.id]
    with pytest.raises(KeyGone):
        desk.loan_keys.unwrapper(dead)


async def test_a_crash_after_the_loan_key_leaves_no_key_behind(desk: Desk, case: Case) -> None:
    dead = desk.do(attempts.start, "copy", application_id=case.id, item_id=case.item(), job_key=9)
    desk.loan_keys.create(dead.subject_id)

    await encrypt(desk, case)

    assert [path.stem for path in (desk.root / "loans").glob("*.key")] == [desk.rows(Copy)[0].id]


async def test_a_case_withdrawn_while_its_copy_is_made_keeps_no_copy_and_no_key(desk: Desk, case: Case) -> None:
    keep = copies.create

    def withdrawn_meanwhile(uow, *arguments):  # type: ignore[no-untyped-def]
        uow.session.get_one(Application, case.id).withdrawn_at = uow.now
        uow.session.flush()
        return keep(uow, *arguments)

    with patch.object(copies, "create", withdrawn_meanwhile), pytest.raises(NoLongerWanted):
        await encrypt(desk, case)

    assert desk.objects("copies") == []
    assert list((desk.root / "loans").glob("*.key")) == []


async def test_there_is_no_copy_of_an_item_that_was_not_retrieved(desk: Desk) -> None:
    case = desk.case("gate").approve()

    with pytest.raises(Fatal, match="no master"):
        await encrypt(desk, case)
