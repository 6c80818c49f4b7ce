"""《视频录像调取监督检查报告》: sample, numbers, answers, findings, and the signatures of the whole group (R63)."""

from services.domain.supervision.group_sheet import PARTS, signatures
from services.rendering.formatting import JsonView
from services.rendering.sheet import Facts, Line, Listing, Pairs, Part, Prose, Signatures, cell, hashes
from services.runtime.labels import words

TITLE = "视频录像调取监督检查报告"
# by the rule of the seed; the reports of older releases name none
SOURCES = {
    1: "期间结束前最后一个审计检查点（{}条记录）的根",
    2: "期间结束后第一个审计检查点（{}条记录）已签名注记的SHA-256",
}
REASONS = {
    "urgent": "紧急调取",
    "disputed": "归还有争议",
    "lost": "丢失",
    "violation": "违规",
    "provided": "对外提供",
    "substitute": "由代理人审批",
}
SEVERITIES = {"minor": "轻微", "moderate": "一般", "severe": "严重"}
STAGES = {"application": "申请", "approval": "审批", "retrieval": "调取", "use": "使用", "return": "归还"}
ANSWERS = {"yes": "是", "no": "否", "not-applicable": "不适用", "": "无法判断"}
FIGURES = {
    "submitted": "提交申请",
    "approved": "批准并存档",
    "closed": "办结",
    "handedOver": "签收副本",
    "returned": "归还",
    "lost": "丢失",
    "viewings": "查看次数",
    "downloads": "下载次数",
    "urgent": "紧急调取",
    "provided": "对外提供",
    "disputed": "归还有争议",
    "bySubstitutes": "代理人审批",
}


def lay_out(report: JsonView) -> list[Part]:
    parts: list[Part] = [
        Facts("一、检查范围", _scope(report)),
        Listing(
            "二、监督小组",
            ["姓名", "部门", "职责"],
            [34, 40, 26],
            [
                [cell(one.text("name")), cell(one.translated("department")), cell(PARTS[one.text("part")])]
                for one in report.each("group.members")
            ],
        ),
        Facts("三、本期数字", _numbers(report)),
        Listing(
            "四、抽样案件",
            ["序号", "申请表编号", "抽取原因", "检查人", "检查时间"],
            [8, 26, 26, 18, 22],
            _cases(report),
        ),
        Listing(
            "五、检查结果", ["环节", "问题", "是", "否", "不适用", "改判"], [10, 50, 10, 10, 10, 10], _tally(report)
        ),
        Listing(
            "六、与系统判断不同的答案",
            ["申请表编号", "问题", "系统判断", "检查人判断", "说明"],
            [24, 18, 12, 14, 32],
            _overruled(report),
        ),
        Listing(
            "七、发现的问题", ["序号", "申请表编号", "环节", "严重程度", "事实"], [8, 24, 12, 12, 44], _findings(report)
        ),
        Listing(
            "八、以往检查尚未整改的问题", ["报告", "申请表编号", "严重程度", "事实"], [24, 24, 12, 40], _earlier(report)
        ),
        Listing(
            "九、两次逾期或保管人报告异常的事务",
            ["编号", "事务", "对象", "期限"],
            [24, 30, 24, 22],
            _work_orders(report),
        ),
    ]
    if report.get("signatures"):
        parts.append(Signatures("十、小组签字", signatures(report)))
    else:
        parts.append(Prose("十、小组签字", "待签字。"))
    return parts


def _scope(report: JsonView) -> Pairs:
    sample = report.part("sample")
    rule = (
        f"紧急、有争议、丢失、违规、对外提供及由代理人审批的案件全部检查；其余案件抽取{sample.text('share')}%，"
        f"不少于{sample.text('least')}件：以种子为密钥计算申请表编号的HMAC-SHA256，取值最小者。"
    )
    return [
        [("检查期间", cell(report.text("period.name"))), ("抽样时间", cell(sample.when("drawnAt")))],
        [("自", cell(report.when("period.start"))), ("至", cell(report.when("period.end")))],
        [("任命书", cell(report.text("group.document"))), ("案件总数", cell(sample.text("population")))],
        [("抽样方法", cell(rule))],
        [("种子", hashes(sample.text("seed")))],
        [("种子来源", cell(SOURCES[sample.get("rule", 1)].format(sample.text("checkpoint"))))],
        [("案件清单校验值", hashes(sample.text("populationSha256")))],
    ]


def _numbers(report: JsonView) -> Pairs:
    numbers = report.part("numbers")
    pairs = [(name, cell(numbers.text(code))) for code, name in FIGURES.items()]
    rows: Pairs = [pairs[index : index + 2] for index in range(0, len(pairs), 2)]
    for code, name in (("closedAs", "办结结果"), ("violations", "违规")):
        counted = numbers.get(code) or {}
        said = "、".join(f"{words(one)} {many}" for one, many in counted.items())
        rows.append([(name, cell(said))])
    return rows


def _cases(report: JsonView) -> list[list[tuple[Line, ...]]]:
    return [
        [
            cell(one.text("position")),
            cell(one.text("number")),
            cell("、".join(REASONS[because] for because in one.get("because", ())) or "随机抽取"),
            cell(one.text("by")),
            cell(one.when("at")),
        ]
        for one in report.each("sample.cases")
    ]


def _tally(report: JsonView) -> list[list[tuple[Line, ...]]]:
    return [
        [
            cell(STAGES[one.text("stage")]),
            cell(one.text("zh")),
            *(cell(one.text(name)) for name in ("yes", "no", "not-applicable", "overruled")),
        ]
        for one in report.each("checklists")
    ]


def _overruled(report: JsonView) -> list[list[tuple[Line, ...]]]:
    asked = {one.text("code"): one.text("zh") for one in report.each("checklists")}
    return [
        [
            cell(one.text("number")),
            cell(asked.get(one.text("question"), one.text("question"))),
            cell(ANSWERS[one.get("system", "")]),
            cell(ANSWERS[one.get("answer", "")]),
            cell(one.text("word")),
        ]
        for one in report.each("overruled")
    ]


def _findings(report: JsonView) -> list[list[tuple[Line, ...]]]:
    return [
        [
            cell(one.text("position")),
            cell(one.text("number")),
            cell(STAGES[one.text("stage")]),
            cell(SEVERITIES[one.text("severity")]),
            cell(one.text("text")),
        ]
        for one in report.each("findings")
    ]


def _earlier(report: JsonView) -> list[list[tuple[Line, ...]]]:
    return [
        [
            cell(f"{one.text('report')}/{one.text('position')}"),
            cell(one.text("number")),
            cell(SEVERITIES[one.text("severity")]),
            cell(one.text("text")),
        ]
        for one in report.each("earlier")
    ]


def _work_orders(report: JsonView) -> list[list[tuple[Line, ...]]]:
    return [
        [cell(one.text("number")), cell(one.text("zh")), cell(one.text("subject")), cell(one.when("dueAt"))]
        for one in report.each("workOrders")
    ]
