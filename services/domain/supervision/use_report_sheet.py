"""《视频录像安全与使用报告》 on paper: each figure beside that of the period before, then by department (R1)."""

from services.rendering.formatting import JsonView
from services.rendering.sheet import Cell, Columns, Facts, Line, Listing, Part, Prose, cell
from services.runtime.labels import words

TITLE = "视频录像安全与使用报告"
GROUPS = {
    "use": "二、申请与使用",
    "safety": "三、保管与安全",
    "storage": "四、存储、核验与对账",
    "work": "五、监督事务",
}
LENGTHS = {"month": "月度", "quarter": "季度", "year": "年度"}
TREND = ("applications", "refused", "overdue", "lost", "violations")
MEASURES = ("submitted", "received", "overdue", "lost", "violations")
NOTE = (
    "数字由台账直接统计，不含个人姓名和案件编号。标明“期末”的为期末时的存量，其余为本期内发生的数量；"
    "“申请结果”为报告生成时的结果。违规不含经查不成立的；逾期为本期内到期而未按期归还的借用。"
)


def lay_out(report: JsonView) -> list[Part]:
    """Lay out the report: the period, the figures by group, departments, violations by kind."""
    names = [report.text("period.name"), report.text("before.name")]
    parts: list[Part] = [
        Facts(
            "一、报告期间",
            [
                [
                    ("期间", cell(f"{names[0]}（{LENGTHS.get(report.text('period.length'), '')}）")),
                    ("对比期间", cell(names[1])),
                ],
                [("自", cell(report.when("period.start"))), ("至", cell(report.when("period.end")))],
                [("生成时间", cell(report.when("madeAt"))), ("生成人", cell(report.get("by.name") or "系统"))],
                [("天数", cell(report.text("days.now"))), ("对比期间天数", cell(report.text("days.before")))],
            ],
        )
    ]
    for group, title in GROUPS.items():
        rows = [
            [cell(words(f"used-{one.text('code')}")), *(cell(one.text(name)) for name in ("now", "before"))]
            for one in report.each("figures")
            if one.text("group") == group
        ]
        parts.append(Listing(title, ["项目", *names], [56, 22, 22], rows))
    parts += [
        Listing(
            "六、按部门（括号内为对比期间）",
            ["部门", *(words(f"used-{measure}") for measure in MEASURES)],
            [30, 14, 14, 14, 14, 14],
            [_department(one) for one in report.each("departments")],
        ),
        Listing(
            "七、申请结果",
            ["部门", "结果"],
            [30, 70],
            [[cell(one.text("zh")), _outcomes(one)] for one in report.each("departments") if one.get("outcomes")],
        ),
        Listing(
            "八、违规",
            ["类别", *names],
            [56, 22, 22],
            [
                [cell(words(one.text("kind"))), cell(one.text("now")), cell(one.text("before"))]
                for one in report.each("violations")
            ],
        ),
    ]
    parts += _trend(report)
    return [*parts, Prose("统计说明", NOTE)]


def _trend(report: JsonView) -> list[Part]:
    """Return the months up to the end of the period: one chart for each measure that has a figure, and their table."""
    months = report.each("trend")
    if not months:
        return []
    names = [one.text("month") for one in months]
    charts: list[Part] = []
    for measure in TREND:
        values = [int(one.get(measure, 0)) for one in months]
        if any(values):
            charts.append(Columns(f"九、逐月趋势：{words(f'measure-{measure}')}", names, values))
    rows = [[cell(one.text(measure)) for measure in ("month", *TREND)] for one in months]
    heads = ["月份", *(words(f"measure-{measure}") for measure in TREND)]
    return [*charts, Listing("九、逐月趋势", heads, [20, 16, 16, 16, 16, 16], rows)]


def _department(one: JsonView) -> list[Cell]:
    numbers = [f"{one.text(f'now.{measure}')}（{one.text(f'before.{measure}')}）" for measure in MEASURES]
    return [cell(one.text("zh")), *(cell(number) for number in numbers)]


def _outcomes(one: JsonView) -> Cell:
    outcomes = one.get("outcomes") or {}
    said = [f"{words('seen-open' if code == 'open' else code)} {number}" for code, number in sorted(outcomes.items())]
    return cell(Line("、".join(said)))
