"""《视频录像截图单》: which picture of which copy was kept, by whom, what binds both (R28, R37, R47)."""

from services.domain.retrieval.record_sheet import camera, clock, recorder
from services.rendering.formatting import JsonView
from services.rendering.sheet import Facts, Line, Pairs, Part, cell

TITLE = "视频录像截图单"
TITLE_OF_DERIVATIVE = "脱敏副本截图单"
WHERE = "截图属于录像内容，加密封存，只在查看该副本时显示；本单不含画面。"
DERIVED = "派生件（脱敏副本），非原件"


def lay_out(still: JsonView) -> list[Part]:
    source, frame, picture = still.part("source"), still.part("frame"), still.part("picture")
    what: Pairs = [
        [("录像时刻（录像机时间）", cell(_exact(still.text("moment"))))],
        [("画面内容", cell(still.text("text")))],
        [("申请表编号", cell(still.text("application"))), ("申请项", cell(f"第 {still.text('item.position')} 项"))],
        [("截图人", cell(still.text("by.name"))), ("截图时间", cell(still.when("savedAt")))],
        [("用途", cell(still.text("purpose")))],
        [("使用方式", cell(still.word("wayOfUse"))), ("查阅登记表", cell(still.text("sitting")))],
    ]
    came: Pairs = [
        [("地点", cell(source.text("site"))), ("摄像头", cell(camera(source)))],
        [("录像机", cell(recorder(source))), ("调取记录编号", cell(still.text("record")))],
        [("录像机时钟", cell(clock(still.part("recorderClock"))))],
        [("主档标签", cell(still.text("master.label"))), ("副本标签", cell(still.text("copy.label")))],
        [("主档 SHA-256", (still.hash("master.sha256"),))],
        [("副本 SHA-256", (still.hash("copy.sha256"),))],
    ]
    if still.has("derivative"):
        label = (still.hash("derivative.labelSha256"),) if still.has("derivative.labelSha256") else cell()
        came += [
            [("性质", cell(DERIVED)), ("脱敏制作记录", cell(still.text("derivative.redaction")))],
            [("脱敏副本 SHA-256", (still.hash("derivative.sha256"),))],
            [("脱敏副本标签 SHA-256", label)],
            [("配方 SHA-256", (still.hash("derivative.recipeSha256"),))],
        ]
    kept: Pairs = [
        [
            ("画面", cell(f"{frame.text('width')}×{frame.text('height')}，{frame.text('pixels')}")),
            ("首帧之后", cell(f"{frame.get('afterFirstMs', 0) / 1000:.3f} 秒")),
        ],
        [("解码画面 SHA-256（加水印前）", (frame.hash("sha256"),) if frame.get("sha256") else cell())],
        [("封存图片", cell(f"{picture.text('mediaType')}，{picture.get('size', 0):,} 字节"))],
        [("封存图片 SHA-256（含水印）", (picture.hash("sha256"),))],
        [("水印", cell(picture.text("mark")))],
        [("说明", (Line(WHERE, "note"),))],
    ]
    return [Facts("一、截图", what), Facts("二、来源", came), Facts("三、画面", kept)]


def _exact(moment: str) -> str:
    """Return a moment to the millisecond, as it is signed."""
    return moment.replace("T", " ")
