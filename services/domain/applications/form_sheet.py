"""《视频录像调取申请表》: what was asked, who decided, what is granted (R16, R25, R28)."""

from services.domain.attachments.schemas import IDENTITY_CARD, KINDS
from services.rendering.formatting import JsonView, moment
from services.rendering.sheet import Cell, Facts, Line, Listing, Pairs, Part, cell, joined, short
from services.runtime.labels import word, words

NUMBERS = "一二三四五六"


def lay_out(form: JsonView) -> list[Part]:
    parts: list[Part] = [_asked(form), _footage(form), _decisions(form)]
    if form.get("onBehalf"):
        parts.append(_on_behalf(form, NUMBERS[len(parts)]))
    findings = form.each("findings")
    if findings:
        told = cell(*(finding.text("zh") for finding in findings))
        parts.append(Facts(f"{NUMBERS[len(parts)]}、自动检查提示", [[("提示", told)]]))
    parts.append(
        Facts(
            f"{NUMBERS[len(parts)]}、批准结果与备案",
            [
                [("重要程度", cell(form.word("importance"))), ("批准使用方式", cell(form.word("granted.wayOfUse")))],
                [("批准期限", cell(f"{form.text('granted.useDays')} 天")), ("备案时间", cell(form.when("filedAt")))],
            ],
        )
    )
    return parts


def _on_behalf(form: JsonView, number: str) -> Facts:
    """The people outside and their letter; of a card's number its end."""
    letter: Pairs = []
    if form.get("onBehalf.letter.number"):
        checked = "已核对" if form.get("onBehalf.letter.sealChecked") else "未核对"
        letter = [
            [("文书名称", cell(form.text("onBehalf.letter.title")))],
            [("文号", cell(form.text("onBehalf.letter.number"))), ("日期", cell(form.text("onBehalf.letter.date")))],
            [("印章核对", cell(checked))],
        ]
    if form.get("onBehalf.letter.first"):
        letter = [[("文书情况", cell(word("zh", f"letter-first-{form.get('onBehalf.letter.first')}")))], *letter]
    kind = ("委托方", cell(word("zh", f"behalf-{form.get('onBehalf.kind')}")))
    people = [[("来人", _outsider(person))] for person in form.each("onBehalf.outsiders")]
    return Facts(f"{number}、外部委托", [[kind], *letter, *people])


def _outsider(person: JsonView) -> Cell:
    card = word("zh", f"card-{person.get('cardKind')}")
    return cell(
        f"{person.text('name')}，{person.text('unit')}",
        Line(f"{card}尾号 {person.text('cardTail')}，联系方式 {person.text('contact')}", "note"),
    )


def _asked(form: JsonView) -> Facts:
    rows: Pairs = [[("标题", cell(form.text("caseTitle")))]] if form.get("caseTitle") else []
    rows += [[("申请部门", cell(form.text("department.zh"))), ("申请人", cell(form.text("drafter.name")))]]
    if form.get("jointDepartments"):
        rows.append([("联合部门", joined(form.names("jointDepartments", "zh")))])
    rows += [[("申请主体确认", _consent(form, entry))] for entry in form.each("consents")]
    rows += [
        [("提交时间", cell(form.when("submittedAt"))), ("保管人", cell(form.text("custodian.name")))],
        [("事由", cell(form.text("reason")))],
        [("目的及用途", cell(form.text("purpose")))],
        [("目的类别", cell(form.word("purposeCategory"))), ("调取依据", cell(form.word("legalBasis")))],
        [("申请使用方式", cell(form.word("wayOfUse"))), ("使用地点", cell(form.text("placeOfUse")))],
        *([[("使用方式理由", cell(form.text("wayOfUseBecause")))]] if form.get("wayOfUseBecause") else []),
        [("知悉人员", joined(form.names("recipients"), "仅保管人本人"))],
        [
            ("申请期限", cell(f"{form.text('requestedUseDays')} 天")),
            ("相关编号", cell(form.text("incidentReference"))),
        ],
        [("涉及人员", joined(form.names("subjects"))), ("原申请编号", cell(form.text("previousApplication")))],
        [
            ("重要信息", cell(form.word("importantInformation"))),
            ("敏感事件／较大影响", cell(f"{form.word('sensitiveEvent')}／{form.word('highImpact')}")),
        ],
    ]
    if form.get("sensitivities"):
        rows.append([("敏感内容", joined(words(code) for code in form.get("sensitivities")))])
    if form.get("applicableRules"):
        rows.append([("适用规定", _applicable(form))])
    if form.get("urgentBecause"):
        rows.append([("紧急原因", cell(form.text("urgentBecause")))])
    if form.get("attachments"):
        rows.append([("附件", _attachments(form))])
    return Facts("一、申请", rows)


def _applicable(form: JsonView) -> Cell:
    """Each law, standard and own rule that applied at the submission, by its version in the register."""
    lines: list[Line] = []
    for rule in form.each("applicableRules"):
        number = rule.get("number") or ""
        said = rule.text("title") + (f"（{number}）" if number and number != rule.text("title") else "")
        basis = "，作为调取依据" if rule.get("basis") else ""
        lines.append(Line(f"{said}{basis}"))
        notes = [f"第{rule.text('version')}版" if rule.get("version") else "内置条目"]
        if rule.get("toCheck"):
            notes.append("待法务核对")
        lines.append(Line("，".join(notes), "note"))
    return tuple(lines)


def _attachments(form: JsonView) -> Cell:
    """Name, kind and hash of each; a copy of an identity card has no name of its own."""
    lines: list[Line] = []
    for attached in form.each("attachments"):
        kind = KINDS[attached.text("kind")].zh
        own = attached.text("kind") != IDENTITY_CARD
        lines += [Line(f"{attached.text('name')}（{kind}）" if own else kind), short(attached.text("sha256"))]
    return tuple(lines)


def _consent(form: JsonView, consent: JsonView) -> Cell:
    return (
        Line(f"{consent.text('department.zh')}同意由{form.text('department.zh')}作为申请主体"),
        Line(consent.text("by.name"), "signed"),
        Line(f"{consent.word('signature.method')} {consent.when('at')}"),
        short(consent.text("statement")),
    )


def _footage(form: JsonView) -> Listing:
    granted = {entry.text("id"): entry for entry in form.each("granted.items")}
    rows = []
    for item in form.each("items"):
        zone = item.get("zone") or form.zone
        given = granted.get(item.text("id"))
        rows.append(
            [
                cell(f"{item.text('position')}. {item.text('camera.zh')}"),
                cell(item.text("place.zh")),
                (*_span(item, zone), Line(zone, "note")),
                _span(given, zone) if given else cell(),
            ]
        )
    return Listing("二、录像范围", ["摄像头", "地点", "申请时间段", "批准时间段"], [22, 22, 28, 28], rows)


def _span(span: JsonView, zone: str) -> Cell:
    start, end = span.get("from"), span.get("to")
    return cell(f"{moment(start, zone)} 至", moment(end, zone)) if start and end else cell()


def _decisions(form: JsonView) -> Listing:
    rows = [
        [
            cell(entry.word("stage")),
            cell(entry.word("outcome")),
            cell(entry.get("opinion") or entry.get("reason")),
            (
                Line(entry.text("by.name") + ("（代）" if entry.get("standsInFor") else ""), "signed"),
                Line(entry.word("signature.method")),
                Line(entry.when("at")),
                short(entry.text("statement")),
            ),
        ]
        for entry in form.each("decisions")
    ]
    return Listing("三、审核与审批", ["环节", "结论", "意见", "签字"], [18, 11, 37, 34], rows)
