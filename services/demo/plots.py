"""What the demo's cases are about: who asks for which footage, why, and how far the case has come."""

from dataclasses import dataclass
from datetime import time, timedelta

# How far a case is led; what a person would find on opening it.
REJECTED_BY_HEAD, REJECTED, RETURNED, WITHDRAWN = "rejected-by-head", "rejected", "returned", "withdrawn"
DRAFT, DEPARTMENT, SECURITY, SIGNATURE = "draft", "preliminary", "security", "security-signature"
MANAGEMENT, RELEASE, STUCK = "management", "storage-release", "stuck"
PARTIAL, OFFERED, LENT, ARCHIVED = "partial-footage", "offered", "lent", "archived"
INSPECTION = "return-inspection"
# What is done later with copies that are on loan: they are returned, or a matter of this kind is asked for.
RETURN = "return"
EXTENSION, PROBLEM, TRANSFER, RECALL = "extension", "problem", "custody-transfer", "recall"
ENDED = frozenset({REJECTED_BY_HEAD, REJECTED, WITHDRAWN, ARCHIVED})
# At which stage a case is refused, and how.
REFUSALS = {
    REJECTED_BY_HEAD: (DEPARTMENT, "rejected"),
    RETURNED: (DEPARTMENT, "returned"),
    REJECTED: (SECURITY, "rejected"),
}

# Who decides first for a department, and who keeps its copies.
HEADS = {
    **{"lina": "zhangwei", "liuyang": "zhangwei", "zhangwei": "wangfang", "chenjing": "gaofeng", "heping": "chenjing"},
    **{"sunli": "yangfan", "linlin": "zhujun", "hanxue": "zhaoqiang"},
}
CUSTODIANS = {
    **{"lina": "liuyang", "liuyang": "liuyang", "zhangwei": "liuyang", "chenjing": "chenjing", "heping": "heping"},
    **{"sunli": "sunli", "linlin": "linlin", "hanxue": "hanxue"},
}
# What is asked for about copies on loan: by whom, if not by the custodian; which stage answers, and who sits there, if
# not the drafter; and the words.
WHO_ASKS = {RECALL: "wulei"}
STAGE_OF_MATTER = {EXTENSION: "extension", PROBLEM: "problem", TRANSFER: "custody-receipt", RECALL: "recall"}
WHO_ANSWERS = {EXTENSION: "wulei", PROBLEM: "wulei", RECALL: "zhaoqiang"}
MATTERS = {
    EXTENSION: {"reason": "核对尚未完成，还需要与承运方对照一次。"},
    PROBLEM: {"problem": "gap", "reason": "画面中间有一段跳过，不能确认经过。"},
    TRANSFER: {"conditions": "副本完好，没有下载。", "reason": "原保管人外出，由申请人保管并归还。"},
    RECALL: {"ground": "no-longer-needed", "reason": "双方已经和解，副本不再需要。"},
}
EXTENDED_BY = timedelta(days=5)
DOWNLOADED_BECAUSE = "须交事故分析会逐帧回放，在线查看不够。"
NIGHT = time(22, 46, 30)


@dataclass(frozen=True)
class Span:
    """Footage of the day before: a camera, when it begins there, and its seconds."""

    camera: str
    start: time
    seconds: int


@dataclass(frozen=True)
class Plot:
    """A case. ``reference`` is its incident number, by which it is known again; ``words`` go with a refusal.

    ``title`` may be empty: lists then show category and place. ``head`` and ``custodian``: who decides first and who
    keeps the copies; empty for those of the drafter's department.
    """

    reference: str
    title: str
    drafter: str
    category: str
    reason: str
    purpose: str
    spans: tuple[Span, ...]
    target: str
    way_of_use: str = "view"
    use_days: int = 10
    words: str = ""
    urgent: str | None = None
    place: str = "安全保卫部二楼查看室"
    head: str = ""
    custodian: str = ""

    @property
    def decides_first(self) -> str:
        return self.head or HEADS[self.drafter]

    @property
    def keeps_copies(self) -> str:
        return self.custodian or CUSTODIANS[self.drafter]


def _at(camera: str, hour: int, minute: int, seconds: int = 30) -> tuple[Span, ...]:
    return (Span(camera, time(hour, minute, 10), seconds),)


# Eleven days ago: two loans that run out, what was given back, and what was refused.
FIRST = (
    Plot(
        *("SG-2026-0042", "北门叉车碰撞货架", "lina", "accident"),
        "昨晚二十二时许，仓库北门附近发生叉车与货架碰撞，需要查明经过。",
        "查明事故原因，作为事故报告的依据，并用于改进作业流程。",
        (Span("cam1", NIGHT, 240),),
        LENT,
        way_of_use="download",
    ),
    Plot(
        *("ZL-2026-0031", "一号线产品漏贴标签", "lina", "operations"),
        "一号线夜班连续三箱产品漏贴标签，需要回看贴标工位的操作过程。",
        "查明漏贴原因，作为质量改进的依据。",
        (Span("cam1", time(22, 46, 40), 60),),
        LENT,
        use_days=5,
    ),
    Plot(
        *("SC-2026-0105", "夜班交接数量不符", "lina", "operations"),
        "夜班交接时清点数量不符，需要回看交接过程。",
        "核对交接清点过程，改进交接班制度。",
        (Span("cam1", time(22, 47, 30), 60),),
        ARCHIVED,
    ),
    Plot(
        *("PX-2026-0008", "装卸作业培训案例", "lina", "training"),
        "上月装卸作业规范培训需要本车间的真实作业画面作为案例。",
        "制作内部培训案例，只在培训课上播放。",
        (Span("cam1", NIGHT, 60),),
        REJECTED,
        words="培训用途可以用演练画面代替，调取他人画面没有必要。",
    ),
)
# Six days ago.
SECOND = (
    Plot(
        *("AB-2026-0101", "车棚电池被盗", "lina", "security-incident"),
        "员工反映非机动车棚内电动车电池被盗，需要确认当晚进出车棚的人员。",
        "核对进出人员，配合派出所调查。",
        _at("cam6", 20, 15),
        ARCHIVED,
    ),
    Plot(
        *("QT-2026-0012", "食堂排队情况", "liuyang", "other"),
        "班组想看一下昨天中午食堂排队的人多不多，方便安排错峰就餐。",
        "了解就餐高峰时段，安排错峰就餐。",
        _at("cam9", 12, 5),
        REJECTED_BY_HEAD,
        words="可以向食堂索取刷卡人数，不需要调取录像。",
    ),
    Plot(
        *("AB-2026-0103", "大厅遗失文件袋", "sunli", "dispute"),
        "来访人员称在大厅遗失文件袋，事后已在前台找到。",
        "确认文件袋遗失的时间和位置。",
        _at("cam9", 15, 20),
        WITHDRAWN,
        words="文件袋已经找到，不再需要录像。",
    ),
)
# Three days ago.
THIRD = (
    Plot(
        *("JL-2026-0006", "二层走廊聚集聊天", "zhangwei", "discipline"),
        "有员工反映二层走廊有人上班时间长时间聚集聊天，需要核实。",
        "核实违纪情况，作为考勤处理的依据。",
        _at("cam8", 14, 30),
        REJECTED,
        words="以录像核查日常考勤超出必要限度，请改用其他管理手段。",
    ),
    Plot(
        *("SC-2026-0109", "三号货架通道行驶路线", "lina", "operations"),
        "三号货架通道叉车行驶路线与规定不一致，需要核实。",
        "核实行驶路线，完善通道标识。",
        _at("cam11", 16, 40),
        WITHDRAWN,
        words="班组已经自查说明原因，撤回申请。",
    ),
    Plot(
        *("QT-2026-0013", "", "linlin", "other"),
        "停车场有车辆长期占用访客车位，想知道是哪一位同事的车。",
        "提醒车主规范停车。",
        _at("cam4", 8, 45),
        REJECTED_BY_HEAD,
        words="可以先在停车场张贴提醒，没有必要调取录像。",
    ),
)
# Today: what people come in the morning to find; the furthest come first.
TODAY = (
    Plot(
        *("AB-2026-0117", "大门快递柜包裹丢失", "lina", "security-incident"),
        "园区大门快递柜丢失一件包裹，当事人已报案，需要确认取件人。",
        "核对取件时间与取件人，配合治安部门处理。",
        _at("cam3", 17, 55),
        LENT,
    ),
    Plot(
        *("WL-2026-0021", "过磅重量争议", "zhangwei", "dispute"),
        "承运司机称过磅重量与装车单相差两吨，双方对过磅过程说法不一。",
        "还原过磅过程，作为结算争议的依据；核对现场不能登录本系统，需要下载。",
        _at("cam7", 17, 20),
        LENT,
        way_of_use="download",
    ),
    Plot(
        *("SC-2026-0112", "夜班领料不一致", "lina", "operations"),
        "夜班物料消耗与领料单不一致，需要回看领料过程。",
        "核对领料过程，完善领料登记。",
        (Span("cam1", time(22, 46, 30), 80),),
        OFFERED,
    ),
    Plot(
        *("SG-2026-0047", "车间传送带刮伤", "lina", "accident"),
        "昨晚车间内有人被传送带刮伤手臂，受伤经过需要核实。",
        "查明受伤经过，作为工伤认定和整改的依据。",
        (Span("cam1", time(22, 47, 0), 200),),
        PARTIAL,
        way_of_use="download",
    ),
    Plot(
        *("AB-2026-0118", "员工食堂摔倒", "heping", "security-incident"),
        "昨晚夜宵时段有人在员工食堂摔倒，同事反映地面湿滑，需要核实。",
        "查明摔倒经过，督促食堂整改。",
        (Span("cam12", time(22, 46, 10), 45),),
        STUCK,
    ),
    Plot(
        *("AB-2026-0119", "装卸平台货物破损", "lina", "security-incident"),
        "承运人反映装卸平台一件贵重货物外箱破损，需要确认破损时间。",
        "确认货物破损环节，作为理赔依据。",
        _at("cam10", 18, 10),
        RELEASE,
    ),
    Plot(
        *("JF-2026-0010", "大门道闸剐蹭", "sunli", "dispute"),
        "访客车辆在大门口与道闸发生剐蹭，车主要求赔偿。",
        "还原剐蹭经过，作为责任认定的依据。",
        _at("cam3", 9, 5),
        RELEASE,
        way_of_use="download",
    ),
    Plot(
        *("SC-2026-0113", "三号通道托盘倒塌", "liuyang", "operations"),
        "三号货架通道托盘倒塌，未造成人员受伤，需要查明堆码情况。",
        "查明倒塌原因，改进堆码规范。",
        _at("cam11", 19, 30),
        RELEASE,
    ),
    Plot(
        *("AB-2026-0120", "成品仓库北门未关", "lina", "security-incident"),
        "成品仓库北门夜间未按规定关闭，门禁记录与值班记录不一致。",
        "确认开门时间和人员，排查安全隐患。",
        (Span("cam2", NIGHT, 75),),
        MANAGEMENT,
        urgent="门禁故障尚未排除，每晚仍有同样风险。",
    ),
    Plot(
        *("SG-2026-0048", "仓库门口叉车急停", "lina", "accident"),
        "叉车在成品仓库门口急停，货物滑落，险些伤及行人。",
        "查明险情经过，作为安全整改的依据。",
        (Span("cam2", time(22, 46, 40), 60),),
        MANAGEMENT,
    ),
    Plot(
        *("JF-2026-0009", "货损责任争执", "zhangwei", "dispute"),
        "装卸人员与承运司机就货损责任发生争执，双方陈述不一致。",
        "还原装卸过程，作为责任认定的依据。",
        (Span("cam1", NIGHT, 150), Span("cam2", NIGHT, 75)),
        SIGNATURE,
    ),
    Plot(
        *("AB-2026-0121", "停车场后视镜被撞", "heping", "security-incident"),
        "停车场一辆员工车辆后视镜被撞坏，肇事车辆驶离。",
        "确认肇事车辆，协助双方协商。",
        _at("cam4", 18, 30),
        SIGNATURE,
    ),
    Plot(
        *("SC-2026-0114", "装车数量相差六箱", "lina", "operations"),
        "昨晚装车数量与出库单相差六箱，需要核对装车过程。",
        "核对装车数量，改进出库复核。",
        _at("cam10", 20, 40),
        SIGNATURE,
    ),
    Plot(
        *("AB-2026-0122", "东侧围墙翻越", "lina", "security-incident"),
        "昨晚有人翻越东侧围墙，巡逻时发现围栏上有攀爬痕迹。",
        "确认翻越时间和方向，排查园区内是否有财物损失。",
        (Span("cam5", time(22, 46, 20), 40),),
        SECURITY,
        urgent="围墙录像机只保留两天，之后画面会被覆盖。",
    ),
    Plot(
        *("AB-2026-0123", "快递柜再次丢失包裹", "lina", "security-incident"),
        "园区大门快递柜又丢失一件包裹，怀疑与前一件为同一人所为。",
        "核对取件时间与取件人，配合治安部门处理。",
        (Span("cam3", time(22, 46, 10), 45),),
        SECURITY,
    ),
    Plot(
        *("JF-2026-0011", "离职当天大厅纠纷", "sunli", "dispute"),
        "前员工称离职当天在大厅被保安强行带离，已提起劳动仲裁。",
        "作为劳动仲裁的证据，还原当时经过。",
        _at("cam9", 17, 50),
        SECURITY,
    ),
    Plot(
        *("SG-2026-0049", "货车倒车碰倒隔离桩", "liuyang", "accident"),
        "物流通道货车倒车时碰倒隔离桩，驾驶员与指挥人员说法不同。",
        "查明碰撞经过，明确责任。",
        _at("cam7", 19, 5),
        SECURITY,
    ),
    Plot(
        *("PX-2026-0009", "叉车规范驾驶示范", "lina", "training"),
        "新员工叉车培训需要一段本厂的规范驾驶画面作为示范。",
        "制作内部培训案例，只在培训课上播放。",
        (Span("cam1", NIGHT, 120),),
        DEPARTMENT,
    ),
    Plot(
        *("SC-2026-0115", "成品入库少四箱", "liuyang", "operations"),
        "成品入库扫码数量比下线数量少四箱，需要核对入库过程。",
        "核对入库过程，查明差异原因。",
        (Span("cam2", time(22, 46, 30), 60),),
        DEPARTMENT,
    ),
    Plot(
        *("AB-2026-0124", "外来车辆跟车进入", "heping", "security-incident"),
        "一辆外来车辆未登记即跟车进入大门，需要确认放行经过。",
        "核实门卫放行经过，完善来访登记。",
        (Span("cam3", time(22, 46, 10), 40),),
        DEPARTMENT,
    ),
    Plot(
        *("SC-2026-0116", "车间安全通道占用", "chenjing", "operations"),
        "行政部例行检查发现车间安全通道多次被占用，需要核实昨晚情况。",
        "核实占用时间和原因，督促整改。",
        (Span("cam1", NIGHT, 200),),
        RETURNED,
        words="请写明通道的具体位置，并缩短时间段。",
    ),
    Plot(
        *("QT-2026-0014", "走廊更衣柜物品移动", "lina", "other"),
        "有同事反映更衣柜附近物品被移动，希望查看走廊画面。",
        "确认物品移动的时间，消除同事之间的误会。",
        (Span("cam8", time(22, 46, 10), 45),),
        RETURNED,
        words="请说明更衣柜所在的位置与走廊画面的关系。",
    ),
    Plot(
        *("AB-2026-0126", "物流通道漏巡", "hanxue", "security-incident"),
        "夜间巡逻记录显示物流通道漏巡一次，需要核实巡逻情况。",
        "核实巡逻情况，完善巡逻打卡。",
        (Span("cam7", time(22, 46, 10), 30),),
        DEPARTMENT,
    ),
    Plot(
        *("SC-2026-0117", "夜班换模超时", "lina", "operations"),
        "夜班更换模具用时超过标准一倍，需要回看更换过程。",
        "查找更换过程中的等待环节，改进换模流程。",
        (Span("cam1", time(22, 49, 30), 60),),
        DEPARTMENT,
    ),
    Plot(
        *("SC-2026-0118", "", "lina", "operations"),
        "昨晚装车数量与出库单不一致，需要核对装车过程。",
        "核对装车数量，改进出库复核。",
        (Span("cam2", time(22, 46, 35), 60),),
        DRAFT,
    ),
    Plot(
        *("AB-2026-0125", "", "chenjing", "security-incident"),
        "办公楼大厅展示柜玻璃出现裂纹，原因不明。",
        "查明玻璃开裂的时间和原因。",
        (Span("cam9", time(22, 46, 10), 40),),
        DRAFT,
    ),
)
