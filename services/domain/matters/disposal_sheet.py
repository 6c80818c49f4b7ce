"""《视频录像销毁清单》: of each item of a batch what it was, where it lay, and what the stores have answered (R52)."""

from typing import Any

from sqlalchemy import select

from services.database.tables.disposals import DELETED, HELD, KEPT, DisposalItem
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.custody import disposals
from services.domain.documents import service as document_service
from services.domain.matters.documents import decision_to_json
from services.domain.reviews.disposal_marks import KIND
from services.rendering.formatting import JsonView
from services.rendering.sheet import Cell, Facts, Line, Listing, Pairs, Part, Prose, Signatures, cell, hashes

TITLE = "视频录像销毁清单"
METHOD = (
    "按对象版本从保管库和备份中删除密文、标签及已归还的加密副本；借用密钥同时销毁。每删除一个对象之前核对保留情况，"
    "仍被保留的不删除；核对之前已经删除的，在结果中逐一列明。删除结果为存储的应答。"
)
STATES = {DELETED: "已销毁", KEPT: "未销毁", HELD: "因保留未销毁"}
PARTLY = "删除中被保留，下列各项在此之前已经删除"
PLACES = {"vault": "保管库", "replica": "备份"}
OBJECTS = {"master": "主档", "copy": "副本", "replica": "备份", "label": "标签"}
ANSWERS = {"deleted": "已删除", "absent": "不存在"}
REASONS = {"party": "签字人与该案有关", "held": "列出后被保留"}


def write_if_finished(uow: UnitOfWork, matter_id: str) -> Document | None:
    """Write the list of a batch once nothing of it waits for its deletion; None while something does."""
    if not disposals.is_finished(uow, matter_id):
        return None
    known = document_service.of_subject(uow, KIND, matter_id)
    if known is not None:
        return known
    matter = uow.session.get_one(Matter, matter_id)
    return document_service.write(
        uow, KIND, matter.number, _content(uow, matter), application_id=None, subject_id=matter.id
    )


def _content(uow: UnitOfWork, matter: Matter) -> dict[str, Any]:
    query = select(Decision).where(Decision.matter_id == matter.id).order_by(Decision.decided_at, Decision.id)
    items = disposals.items_of(uow, matter.id)
    names = access_queries.get_names(uow, [item.marked_by for item in items])
    return {
        "number": matter.number,
        "title": TITLE,
        "organisation": uow.rules.organisation,
        "policyVersion": uow.rules.policy_version,
        "zone": uow.rules.zone,
        "listedAt": matter.opened_at.isoformat(),
        "factsSha256": matter.facts_sha256,
        "itemsSha256": matter.facts["asked"]["itemsSha256"],
        "decisions": [decision_to_json(uow, decision) for decision in uow.session.scalars(query)],
        "finishedAt": uow.now.isoformat(),
        "items": [_item(item, names.get(item.marked_by or "")) for item in items],
    }


def _item(item: DisposalItem, marked_by: str | None) -> dict[str, Any]:
    return {
        **item.facts,
        "state": item.state,
        "because": item.because,
        "leftOutBy": marked_by,
        "endedAt": item.ended_at.isoformat() if item.ended_at else None,
        "results": list(item.results or ()),
    }


def lay_out(given: JsonView) -> list[Part]:
    """Lay out the list: the batch, each item with what became of it, the two signatures."""
    items = given.each("items")
    facts: Pairs = [
        [("列出时间", cell(given.when("listedAt"))), ("完成时间", cell(given.when("finishedAt")))],
        [("列出件数", cell(str(len(items)))), ("已销毁件数", cell(str(sum(_is_deleted(item) for item in items))))],
        [("事项校验值", (given.hash("factsSha256"),))],
        [("各件校验值", (given.hash("itemsSha256"),))],
    ]
    rows = [[_what(item), _where(item), _result(item)] for item in items]
    signatures = [
        decision.signature(decision.text("stage"), at="at", statement="statement")
        for decision in given.each("decisions")
    ]
    return [
        Facts("批次", facts),
        Listing("录像", ["录像", "存放与校验值", "结果"], [32, 40, 28], rows),
        Prose("方法", METHOD),
        Signatures("签字", signatures),
    ]


def _is_deleted(item: JsonView) -> bool:
    return item.text("state") == DELETED


def _what(item: JsonView) -> Cell:
    zone = item.text("zone")
    return cell(
        f"{item.text('application')}（{item.text('position')}）{item.text('camera.zh')}",
        Line(f"{item.when('from', zone)} 至 {item.when('to', zone)}", "note"),
        Line("重要" if item.text("importance") == "important" else "普通", "note"),
        Line(f"保存至 {item.when('retainedUntil')}", "note"),
    )


def _where(item: JsonView) -> Cell:
    places = [f"{PLACES[one.text('place')]}：{OBJECTS[one.text('what')]}" for one in item.each("objects")]
    return (*cell("、".join(places)), *hashes(item.text("sha256")))


def _result(item: JsonView) -> Cell:
    because = item.get("because") or ""
    answers = [
        Line(f"{PLACES[one.text('place')]} {OBJECTS[one.text('what')]}：{ANSWERS[one.text('answer')]}", "note")
        for one in item.each("results")
    ]
    reason = [Line(REASONS.get(because, because), "note")] if because else []
    state = STATES.get(item.text("state"), item.text("state"))
    return cell(PARTLY if answers and item.text("state") == HELD else state, *reason, *answers)
