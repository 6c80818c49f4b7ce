"""《对账报告》: what was compared with the register on a day, what was found, and what did not tell (R13, R53)."""

from collections.abc import Iterable

from services.domain.storage import ways_back
from services.rendering.formatting import JsonView
from services.rendering.sheet import Facts, Line, Listing, Pairs, Part, cell
from services.runtime.labels import document_language

TITLE = "录像存储对账报告"
COMPARED = {
    "masters": "主档",
    "copies": "副本",
    "quarantine": "隔离区录像",
    "documents": "文书",
    "attachments": "附件",
    "replicas": "异地副本",
    "accesses": "存储访问日志（条）",
    "exports": "录像机导出记录（条）",
    "instances": "流程实例",
}
KINDS = {
    "missing": "缺失",
    "other-version": "版本或校验值不符",
    "size": "大小不符",
    "extra": "台账中没有",
    "overlaid": "被其他版本覆盖",
    "label": "缺少标签",
    "label-wrong": "标签不符",
    "derived-damaged": "脱敏副本损坏",
    "lock": "锁定缺失或期限不足",
    "case-without-instance": "案件没有流程实例",
    "instance-without-case": "流程实例没有在办案件",
    "matter-without-instance": "事项没有流程实例",
    "instance-without-matter": "流程实例没有在办事项",
    "inspection-without-instance": "监督检查没有流程实例",
    "instance-without-inspection": "流程实例没有在办监督检查",
    "work-order-without-instance": "事务没有流程实例",
    "instance-without-work-order": "流程实例没有在办事务",
    "unexplained-put": "写入无依据",
    "unexplained-delete": "删除无依据",
    "foreign-read": "非本系统读取",
    "ghost-export": "导出无申请",
    "log-unread": "访问日志无法读取",
}
PLACES = {"primary": "主存储", "replica": "异地存储", "recorder": "录像机", "engine": "流程引擎"}
NOT_TOLD = {
    "unsupported": "该型号不提供",
    "away": "当日无法连接",
    "no-log": "未导入访问日志",
    "no-engine": "流程引擎不可查询",
    "unlisted": "流程引擎不列出实例，无台账记录的实例未查",
}


def lay_out(report: JsonView) -> list[Part]:
    facts: Pairs = [
        [("对账日期", cell(report.text("day"))), ("完成时间", cell(report.when("made")))],
        [("新发现", cell(f"{report.text('found')} 项")), ("已消失", cell(f"{report.text('gone')} 项"))],
        [
            ("未处理合计", cell(f"{report.text('open')} 项")),
            ("已发起事务", cell("、".join(report.get("workOrders") or []) or None)),
        ],
        [
            ("当日抽验", cell(f"{report.text('verified.bytes')} 字节")),
            ("最久未验", cell(report.when("verified.oldest") if report.get("verified.oldest") else None)),
        ],
        [("未能修复的损坏", cell(f"{report.text('verified.unrepaired')} 项"))],
    ]
    compared = report.get("compared") or {}
    counts = [[cell(words), cell(str(compared.get(name, 0)))] for name, words in COMPARED.items()]
    untold = [
        [cell(one.text("of")), cell(NOT_TOLD.get(one.text("because"), one.text("because")))]
        for one in report.each("notTold")
    ]
    rows = [
        [
            cell(KINDS.get(one.text("kind"), one.text("kind")), Line(PLACES.get(one.text("place"), ""), "note")),
            cell(Line(one.text("subject"), "hash")),
            cell(one.get("application")),
            cell(*(Line(note, "note") for note in _notes(one))),
        ]
        for one in report.each("findings")
    ]
    parts: list[Part] = [
        Facts("一、对账", facts),
        Listing("二、已核对", ["对象", "数量"], [60, 40], counts),
        Listing("三、新发现", ["类别", "对象", "申请编号", "说明"], [20, 40, 15, 25], rows),
    ]
    if untold:
        parts.append(Listing("四、未能核对", ["对象", "原因"], [60, 40], untold))
    return parts


def _notes(finding: JsonView) -> Iterable[str]:
    detail = finding.get("detail") or {}
    sentence = ways_back.sentence(finding.text("kind"), finding.text("subject"), detail)
    if sentence is not None:
        return [sentence.translate(document_language())]
    return (f"{name}: {value}" for name, value in detail.items() if value)
