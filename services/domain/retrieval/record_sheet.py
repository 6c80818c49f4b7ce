"""《视频录像调取记录》: when, by whom and what was retrieved, from where, and how it is kept (R34, R35)."""

from services.rendering.formatting import JsonView, line
from services.rendering.sheet import Cell, Facts, Line, Pairs, Part, cell, joined
from services.runtime.labels import words


def lay_out(record: JsonView) -> list[Part]:
    people: Pairs = [
        [("申请表编号", cell(record.text("form.number"))), ("操作人员", cell(record.text("operator.name")))],
        [("申请表校验值", (record.hash("form.sha256"),))],
        [("第二人", joined(record.names("secondPersons")))],
    ]
    return [
        Facts("一、依据与人员", people),
        Facts("二、来源", _source(record)),
        Facts("三、内容", _content(record)),
        *(Facts("四、保存", _kept(file)) for file in record.each("files")),
        Facts("五、检查与工具" if record.get("files") else "四、检查与工具", _examined(record)),
    ]


def camera(source: JsonView) -> str:
    return f"{source.text('camera.nameZh')}（通道 {source.text('camera.channel')}）"


def recorder(source: JsonView) -> str:
    make, model = source.get("recorder.make"), source.get("recorder.model") or ""
    return source.text("recorder.name") + (f"（{make} {model}".rstrip() + "）" if make else "")


def clock(view: JsonView) -> str:
    """Return how the recorder's clock stood against true time."""
    if view.get("offsetMs") is None:
        reading = "偏差未测量"
    else:
        unsure = f"，不确定度 {view.get('uncertaintyMs')} 毫秒" if view.has("uncertaintyMs") else ""
        measured = f"，测于 {view.when('measuredAt')}" if view.has("measuredAt") else ""
        reading = f"偏差 {view.get('offsetMs')} 毫秒（{view.word('method')}{unsure}{measured}）"
    return f"时区 {view.text('zone')}；{reading}"


def _source(record: JsonView) -> Pairs:
    source = record.part("source")
    rows: Pairs = [
        [("地点", cell(source.text("site"))), ("摄像头", cell(camera(source)))],
        [("录像机", cell(recorder(source))), ("取自", cell(source.word("origin")))],
        [("录像机时钟", cell(clock(record.part("recorderClock"))))],
    ]
    if record.get("recorderChanges"):
        rows.append([("提交后录像机设置更改", cell(*_changes(record)))])
    return rows


def _changes(record: JsonView) -> list[str]:
    """Return who changed the recorder's address or zone after the form was submitted; older records do not say."""
    return [
        f"{change.when('at')}，{change.text('by.name')}（{'、'.join(change.get('fields', ()))}）"
        for change in record.each("recorderChanges")
    ]


def _content(record: JsonView) -> Pairs:
    asked, searched = record.get("asked"), record.get("searched")
    rows: Pairs = [[("要求时间段", cell(record.span(asked) if asked else None))]]
    if searched and asked and (searched["start"], searched["end"]) != (asked["start"], asked["end"]):
        note = "（录像机时间；按其时钟偏差和不确定度放宽）"
        rows.append([("检索时间段", cell(record.span(searched) + note))])
    rows.append([("结果", cell(record.word("outcome"))), ("覆盖率", cell(f"{record.get('coverage', 0) * 100:.2f} %"))])
    obtained = record.part("obtained")
    if obtained.data:
        rows += _obtained(record, obtained)
    if record.has("reported"):
        rows.append([("录像机报有", _reported(record))])
    if record.get("recorderProtection"):
        told = "；".join(words(f"protection-{outcome or 'failed'}") for outcome in record.get("recorderProtection"))
        rows.append([("录像机锁定", cell(told))])
    rows.append([("开始", cell(record.when("startedAt"))), ("完成", cell(record.when("finishedAt")))])
    # the gaps are listed above
    difficulties = [text for text in record.get("difficulties", ()) if not text.startswith("gap: ")]
    rows.append(
        [("情况说明", cell(*(line(text, record.zone) for text in difficulties)) if difficulties else cell("无"))]
    )
    return rows


def _obtained(record: JsonView, obtained: JsonView) -> Pairs:
    rows: Pairs = [
        [("实得时间段", cell(*obtained.spans("covered")))],
        [("缺失", cell(*(obtained.spans("gaps") or ["无"])))],
    ]
    if "trueTime" in record.data and obtained.has("firstFrame"):
        true = record.get("trueTime")
        told = record.span([true["firstFrame"], true["lastFrame"]]) if true else "未知（时钟偏差未测量）"
        shown = record.span([obtained.get("firstFrame"), obtained.get("lastFrame")])
        rows.append([("首末画面", cell(f"录像机时间 {shown}", f"标准时间 {told}"))])
    rows.append(
        [("前置／后置", cell(edges(obtained))), ("编码", joined(obtained.get("codecs", ())))],
    )
    sources = [f"{entry.text('name')} {entry.text('sha256')[:24]}…" for entry in obtained.each("sources")]
    rows.append([("来源片段", tuple(Line(text, "hash") for text in sources) or cell())])
    return rows


def edges(obtained: JsonView) -> str:
    """Return what the footage holds before and after the asked span, and what was cut off or moved to join it."""
    text = f"{obtained.text('leadInMs')} 毫秒／{obtained.text('tailMs')} 毫秒"
    if obtained.has("trimmedBeforeMs"):
        text += f"；另取后裁去 {obtained.text('trimmedBeforeMs')} 毫秒／{obtained.text('trimmedAfterMs')} 毫秒"
    if obtained.get("driftMs"):
        text += f"；为接合而移动至多 {obtained.text('driftMs')} 毫秒"
    return text


def _reported(record: JsonView) -> Cell:
    submitted, retrieved = record.part("reported.submitted"), record.get("reported.retrieved")
    first = "未答复"
    if submitted.data:
        first = f"（{submitted.when('at')}）" + ("；".join(submitted.spans("covered")) or "无")
    before = "未答复" if retrieved is None else "；".join(record.span(span) for span in retrieved) or "无"
    return cell(f"提交时 {first}", f"调取前 {before}")


def _kept(file: JsonView) -> Pairs:
    sizes = f"明文 {file.get('plainSize', 0):,} 字节，密文 {file.get('size', 0):,} 字节"
    return [
        [("对象", (file.hash("key"),))],
        [("大小", cell(sizes))],
        [
            (
                "SHA-256",
                (
                    Line(f"明文 {file.text('sha256Plain')}", "hash"),
                    Line(f"密文 {file.text('sha256Cipher')}", "hash"),
                ),
            )
        ],
    ]


def _examined(record: JsonView) -> Pairs:
    tools = "，".join(f"{tool} {version}" for tool, version in record.get("tools", {}).items())
    return [
        [("检查内容", cell("；".join(words(what) for what in record.get("examined", ()))))],
        [("工具", cell(tools))],
    ]
