"""The printed label of a master or a copy: source, span, retrieval, and what must not be done with it (R37)."""

from services.domain.retrieval.record_sheet import camera, clock, edges, pictures, recorder
from services.rendering.formatting import JsonView
from services.rendering.sheet import Facts, Line, Pairs, Part, cell, hashes, joined

HANDLING = "不得剪辑、篡改；不得转发或提供给无关人员。使用期满按时归还。"


def lay_out(label: JsonView) -> list[Part]:
    source, obtained, vault_object = label.part("source"), label.part("obtained"), label.part("object")
    is_copy = label.get("of") == "copy"
    what: Pairs = [
        [("标签对象", cell("副本" if is_copy else "主档")), ("申请项", cell(f"第 {label.text('item.position')} 项"))],
        [("申请表编号", cell(label.text("form.number"))), ("调取记录编号", cell(label.text("record.number")))],
        [("重要程度", cell(label.word("importance"))), ("制作时间", cell(label.when("madeAt")))],
        *([[("副本编号", hashes(label.text("copy")))]] if is_copy else []),
        [("使用要求", (Line(HANDLING, "signed"),))],
    ]
    came: Pairs = [
        [("地点", cell(source.text("site"))), ("摄像头", cell(camera(source)))],
        [("录像机", cell(recorder(source))), ("取自", cell(source.word("origin")))],
        [("录像机时钟", cell(clock(label.part("recorderClock"))))],
        [("调取时间", cell(label.when("retrievedAt"))), ("调取人", cell(label.text("operator.name")))],
        [("第二人", joined(label.names("secondPersons")))],
    ]
    asked = label.get("asked")
    holds: Pairs = [
        [("要求时间段", cell(label.span(asked) if asked else None))],
        [("实有时间段", cell(*obtained.spans("covered")))],
        [("缺失", cell(*(obtained.spans("gaps") or ["无"])))],
        [("结果", cell(label.word("outcome"))), ("编码", joined(obtained.get("codecs", ())))],
        *pictures(obtained),
        [("前置／后置", cell(edges(obtained)))],
    ]
    stored: Pairs = [
        [("对象", (vault_object.hash("key"),))],
        [("大小", cell(f"明文 {vault_object.get('plainSize', 0):,} 字节，密文 {vault_object.get('size', 0):,} 字节"))],
        [("录像 SHA-256", (vault_object.hash("sha256Plain"),))],
        [("密文 SHA-256", (vault_object.hash("sha256Cipher"),))],
    ]
    return [
        Facts("一、标签", what),
        Facts("二、来源", came),
        Facts("三、内容", holds),
        Facts("四、对象", stored),
    ]
