"""Whole cases of a joint application, and of a recording that a person brought as a file."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from case_people import DRAFTER, OpenDesk, People
from joint_and_uploaded import apply_for, asked_of, consent, heads, upload_meeting
from sqlalchemy import select
from vault_bench import packet_hashes, part_of

from services.database.tables.consents import Consent, Consultation
from services.database.tables.copies import Copy
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.uploads import Upload
from services.vault.labels import label_key, read_label
from services.vault.sealing import Sealed, open_sealed
from services.workers.discards import Discarder

pytestmark = pytest.mark.slow


@pytest.mark.requirement("R8", "R9", "R35", "R37")
async def test_a_meetings_recording_goes_from_the_file_to_the_archive(desk: People, tmp_path: Path) -> None:
    upload, written = await upload_meeting(desk, tmp_path / "film")
    case = await apply_for(desk, asked_of(upload, 2, 6))

    await desk.accept(case)

    [master], [copy], [item] = desk.rows(Master), desk.rows(Copy), desk.items(case)
    assert (item.outcome, item.coverage, master.origin) == ("complete", 1.0, "upload")
    [record] = desk.rows(Document, kind="retrieval-record")
    told = json.loads(record.content)
    assert told["source"]["upload"]["sha256"] == hashlib.sha256(written.path.read_bytes()).hexdigest()
    assert told["obtained"]["sources"][0]["sha256"] == told["source"]["upload"]["sha256"]
    assert told["recorderClock"]["method"] == "会议纪要"
    label = read_label(b"".join(desk.container.store.get("masters", label_key(master.sealed["key"]))))
    assert label.statement["predicate"]["database"]["source"]["upload"]["title"] == "三月安全例会"

    sealed = Sealed.from_json(copy.sealed)
    reader = open_sealed(desk.container.store, sealed.location, desk.container.loan_keys.unwrapper(copy.id))
    got = [one for part in sealed.coverage.parts for one in packet_hashes(part_of(reader, part), "video")]
    begin = written.start + timedelta(seconds=2)
    wanted = [one.sha256 for one in written.pictures if begin <= one.at < begin + timedelta(seconds=4)]
    assert got[-len(wanted) :] == wanted
    assert set(got) <= {one.sha256 for one in written.pictures}

    [row] = desk.rows(Upload)
    assert row.removed_because == "its masters are stored"
    assert desk.container.store.stat("quarantine", row.key) is None
    await desk.returned(case)


@pytest.mark.requirement("R8", "R9")
async def test_two_spans_of_one_file_and_a_camera_beside_it(desk: People, tmp_path: Path) -> None:
    upload, _ = await upload_meeting(desk, tmp_path / "film")
    camera = desk.form("cam1").items[0]
    case = await apply_for(desk, asked_of(upload, 0, 2), camera, asked_of(upload, 4, 6))

    await desk.accept(case)

    assert [one.outcome for one in desk.items(case)] == ["complete"] * 3
    assert sorted(one.origin for one in desk.rows(Master)) == ["recorder", "upload", "upload"]
    await desk.returned(case)


@pytest.mark.requirement("R8", "R9")
async def test_nothing_of_a_file_is_preserved_twice_and_its_end_removes_it(a_desk: OpenDesk, tmp_path: Path) -> None:
    async with a_desk(rules={"preservation": "always"}) as desk:
        upload, _ = await upload_meeting(desk, tmp_path / "film")
        case = await apply_for(desk, asked_of(upload, 0, 4))
        await desk.decide(case, "preliminary", "rejected")

        await desk.closed(case, "rejected")
        assert [row.removed_because for row in desk.rows(Upload)] == [None], "an appeal would need it"
        await desk.turn(days=8)
        await Discarder(desk.database, desk.container.store, desk.container.loan_keys).run()

        [row] = desk.rows(Upload)
        assert row.removed_because == "rejected"
        assert desk.events("footage-preserved") == desk.events("preservation-failed") == []


@pytest.mark.requirement("R17")
async def test_a_joint_application_begins_with_the_last_consent_and_goes_to_the_archive(desk: People) -> None:
    asked = heads(desk)
    assert asked
    case = await desk.apply("cam1", joint_department_ids=tuple(asked))
    await desk.quiet()
    assert desk.application(case).process_instance_key is None

    for login in asked.values():
        await consent(desk, login)
    await desk.accept(case)

    [filed] = desk.rows(Document, kind="application-form")
    told = json.loads(filed.content)
    assert {one["department"]["id"] for one in told["consents"]} == set(asked)
    await desk.returned(case)


@pytest.mark.requirement("R17")
async def test_consents_that_do_not_come_lapse_by_the_clock_alone(desk: People) -> None:
    asked = heads(desk)
    case = await desk.apply("cam1", joint_department_ids=tuple(asked))

    await desk.turn(days=7)

    def lapsed(uow: Any) -> bool:
        return uow.session.scalar(select(Consultation.ended_because)) == "lapsed"

    await desk.until(lapsed, "the end of the consultation")
    assert desk.application(case).process_instance_key is None
    assert desk.notices(DRAFTER, "consents-lapsed")


@pytest.mark.requirement("R17", "R22")
async def test_a_changed_correction_of_a_joint_application_waits_for_its_consents(desk: People) -> None:
    asked = heads(desk)
    case = await desk.apply("cam1", joint_department_ids=tuple(asked))
    for login in asked.values():
        await consent(desk, login)
    await desk.decide(case, "preliminary", "returned")

    await desk.correct(case, "gate", joint_department_ids=tuple(asked))
    await desk.quiet()
    assert desk.application(case).round == 0
    for login in asked.values():
        await consent(desk, login)

    review = await desk.review(case, "preliminary")
    assert (review.round, desk.application(case).round) == (1, 1)
    await desk.withdraw(case)
    await desk.closed(case, "withdrawn")
    assert {one.answer for one in desk.rows(Consent)} == {"consented"}
