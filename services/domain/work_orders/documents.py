"""The sheet of a work order: one layout with the checklist of its kind, signed by doer and verifier (ZG, WH, CS, HF).

《整改通知及复核单》, 《设备检查维护记录》, 《场所检查表》 and 《恢复演练记录》 differ in title and checklist.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.attachments import Attachment
from services.database.tables.documents import Document
from services.database.tables.people import Department
from services.database.tables.work_orders import DownloadAccount, WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.applications import forms
from services.domain.documents import service as document_service
from services.domain.stages.catalogue import STAGES
from services.domain.work_orders.kinds import KINDS
from services.domain.work_orders.roles import Role
from services.rendering.formatting import JsonView, moment
from services.rendering.sheet import Cell, Facts, Line, Listing, Pairs, Part, Prose, Signatures, cell, joined
from services.runtime import labels
from services.runtime.labels import document_language
from services.runtime.translations import Bilingual

STAGE = "work-order-verification"
ANSWERS = {"yes": "是", "no": "否", "not-applicable": "不适用"}


def write(uow: UnitOfWork, order: WorkOrder) -> Document:
    """Write the sheet of a work order that was done, under the work order's own number."""
    query = select(WorkOrderAttempt).where(WorkOrderAttempt.work_order_id == order.id)
    attempts = uow.session.scalars(query.order_by(WorkOrderAttempt.attempt)).all()
    facts = order.facts
    content = {
        "number": order.number,
        "title": KINDS[order.kind].sheet,
        "organisation": uow.rules.organisation,
        "policyVersion": uow.rules.policy_version,
        "zone": uow.rules.zone,
        "kind": KINDS[order.kind].zh,
        "subject": facts["subject"],
        "about": order.title_zh,
        "cause": facts["cause"],
        "interim": facts["interim"],
        "doer": describe(uow, facts["doer"]),
        **({"givenTo": describe(uow, given_to)} if (given_to := _present_doer(order)) != facts["doer"] else {}),
        "verifier": describe(uow, facts["verifier"]) if facts["verifier"] is not None else None,
        "openedBy": forms.person_to_json(uow, order.opened_by),
        "openedAt": order.opened_at.isoformat(),
        "facts": facts,
        **({"accounts": accounts} if (accounts := _accounts(uow, order)) else {}),
        "factsSha256": order.facts_sha256,
        "attempts": [_attempt(uow, order, attempt) for attempt in attempts],
        "closedAt": uow.now.isoformat(),
    }
    return document_service.write(
        uow, order.kind, order.number, content, application_id=order.application_id, subject_id=order.id
    )


def _present_doer(order: WorkOrder) -> dict[str, Any]:
    """Return who was to do it at last: it may have been given on."""
    role = Role(order.doer_post, order.doer_department_id, order.doer_department_kind, order.doer_id)
    return role.as_json()


def _accounts(uow: UnitOfWork, order: WorkOrder) -> list[dict[str, Any]]:
    """Return what was said of each download, by attempt; empty for work orders that ask about none."""
    query = select(DownloadAccount).where(DownloadAccount.work_order_id == order.id)
    rows = uow.session.scalars(query.order_by(DownloadAccount.attempt, DownloadAccount.download_id)).all()
    asked = {one["id"]: one for one in order.facts["facts"].get("downloads", ())} if rows else {}
    return [
        {
            "attempt": row.attempt,
            "download": row.download_id,
            "camera": asked[row.download_id]["camera"],
            "leftOn": asked[row.download_id]["medium"],
            "askedAt": asked[row.download_id]["askedAt"],
            "fate": row.fate,
            "medium": row.medium,
            "how": row.how,
            "happenedAt": row.happened_at.isoformat() if row.happened_at is not None else None,
            "witness": forms.person_to_json(uow, row.witness_id),
        }
        for row in rows
    ]


def describe(uow: UnitOfWork, role: dict[str, Any]) -> str:
    """Return who does or verifies it, in Chinese: a name, or the post with its department."""
    if "person" in role:
        person_id = str(role["person"])
        return access_queries.get_names(uow, [person_id]).get(person_id, person_id)
    post = POSTS.get(role["post"], role["post"])
    if "department" in role:
        department = uow.session.get(Department, role["department"])
        return f"{department.name_zh if department is not None else role['department']}{post}"
    return f"{DEPARTMENTS.get(role.get('departmentKind', ''), '')}{post}"


POSTS = {
    "head": "负责人",
    "deputy": "副职",
    "storage-operator": "存储操作员",
    "security-reviewer": "安全审核人",
    "supervisor": "监督小组成员",
    "manager": "管理层",
    "return-inspector": "归还检查人",
    "member": "成员",
}
DEPARTMENTS = {
    "security": "安全保卫部门",
    "storage": "存储管理部门",
    "legal": "法务部门",
    "administration": "行政部门",
    "management": "管理层",
    "business": "业务部门",
}


def _attempt(uow: UnitOfWork, order: WorkOrder, attempt: WorkOrderAttempt) -> dict[str, Any]:
    given = attempt.answers or {}
    return {
        "attempt": attempt.attempt,
        "dueAt": attempt.due_at.isoformat(),
        "answers": [
            {
                "question": item["zh"],
                "answer": ANSWERS.get(given.get(item["code"], {}).get("answer", ""), ""),
                "note": given.get(item["code"], {}).get("note", ""),
            }
            for item in order.facts["checklist"]
        ],
        "note": attempt.note,
        "done": _signed(uow, attempt.done_by, attempt.done_at, attempt.done_sha256, attempt.done_signature),
        "verified": _signed(
            uow, attempt.verified_by, attempt.verified_at, attempt.verified_sha256, attempt.verified_signature
        ),
        "outcome": STAGES.outcomes[attempt.outcome].zh if attempt.outcome else None,
        "questions": [
            {"question": question.zh, "answer": (attempt.verification or {}).get(question.code)}
            for question in (STAGES[STAGE].questions if attempt.outcome else ())
        ],
        "reason": attempt.reason,
        **({"files": files} if (files := _files(uow, order)) else {}),
    }


def _files(uow: UnitOfWork, order: WorkOrder) -> list[dict[str, Any]]:
    """Return names and hashes of what is attached to a work order; each signature says which of them it was over."""
    query = select(Attachment.file_name, Attachment.sha256).where(Attachment.matter_id == order.id)
    return [{"name": row.file_name, "sha256": row.sha256} for row in uow.session.execute(query.order_by(Attachment.id))]


def _account(said: JsonView) -> list[Cell]:
    """Lay out what became of one download: given back on which medium; destroyed how, when, before whom; or lost."""
    told = [said.text("medium")] if said.get("medium") else [said.text("how")]
    if said.get("happenedAt"):
        told += [said.when("happenedAt"), f"在场人：{said.text('witness.name')}"]
    return [
        (Line(said.text("download"), "hash"), Line(f"{said.text('camera')} {said.when('askedAt')}", "note")),
        cell(said.text("leftOn")),
        cell(said.word("fate")),
        joined(told, "—"),
    ]


def _signed(
    uow: UnitOfWork, person_id: str | None, at: datetime | None, sha256: str | None, signature: dict[str, Any] | None
) -> dict[str, Any] | None:
    if person_id is None or at is None:
        return None
    return {
        "by": forms.person_to_json(uow, person_id),
        "at": at.isoformat(),
        "statement": sha256,
        "signature": signature,
        "attachments": (signature or {}).get("statement", {}).get("attachments", []),
    }


def fact_lines(facts: Mapping[str, Any], language: str, printed: Callable[[str], str]) -> list[tuple[str, list[str]]]:
    """Return what a work order is about, as lines under their labels; a list has one entry to a line.

    ``printed`` formats the moments (ISO 8601).
    """

    def said(value: Any) -> str:
        if isinstance(value, dict) and value.keys() == {"zh", "en"}:
            return Bilingual(value["zh"], value["en"]).translate(language)
        if isinstance(value, dict):
            return " · ".join(said(one) for one in value.values())
        if isinstance(value, list):
            return "、".join(said(one) for one in value)
        if isinstance(value, str):
            try:
                datetime.fromisoformat(value)
            except ValueError:
                return labels.word(language, value) if value in STAGES.posts else value
            return printed(value) if "T" in value else value
        return "—" if value is None else str(value)

    told = dict(facts)
    if "questionZh" in told:  # of a finding
        told["question"] = {"zh": told.pop("questionZh"), "en": told.pop("questionEn")}
        told["severity"] = labels.word(language, f"severity-{told['severity']}")
    entries = {name: value if isinstance(value, list) else [value] for name, value in told.items()}
    return [(labels.word(language, f"fact-{name}"), list(map(said, each))) for name, each in entries.items()]


def lay_out(order: JsonView) -> list[Part]:
    """Lay out the sheet of any kind."""
    opener = order.text("openedBy.name") if order.get("openedBy") else "系统"
    named: Pairs = [
        [("类别", cell(order.text("kind"))), ("对象", cell(order.text("subject.label")))],
        [("事务", cell(order.text("about")))],
        [("发起人", cell(opener)), ("发起时间", cell(order.when("openedAt")))],
        [
            ("办理人", cell(order.text("doer"))),
            ("复核人", cell(order.text("verifier") if order.get("verifier") else "无须复核")),
        ],
        *([[("转交办理人", cell(order.text("givenTo")))]] if order.get("givenTo") else []),
        *([[("原因", cell(order.text("cause.label")))]] if order.get("cause") else []),
        *([[("临时措施", cell(order.text("interim")))]] if order.get("interim") else []),
        [("事务校验值", (order.hash("factsSha256"),))],
    ]
    parts: list[Part] = [Facts("事务", named)]
    lines = fact_lines(order.get("facts.facts", {}), document_language(), lambda at: moment(at, order.zone))
    if lines:
        parts.append(Facts("事实", [[(name, tuple(map(Line, said or ["—"])))] for name, said in lines]))
    signatures = []
    for attempt in order.each("attempts"):
        number = attempt.text("attempt")
        rows = [
            [cell(row.text("question")), cell(row.text("answer")), cell(row.text("note") if row.get("note") else None)]
            for row in attempt.each("answers")
        ]
        title = f"第 {number} 次办理（期限 {attempt.when('dueAt')}）"
        parts.append(Listing(title, ["检查内容", "结果", "说明"], [46, 14, 40], rows))
        said = [_account(one) for one in order.each("accounts") if one.text("attempt") == number]
        if said:
            heads = ["下载", "原介质", "去向", "经过"]
            parts.append(Listing(f"第 {number} 次说明的下载去向", heads, [34, 18, 12, 36], said))
        if attempt.get("note"):
            parts.append(Prose("办理说明", attempt.text("note")))
        files = attempt.get("done.attachments") or ()
        if files:
            named_files = {one.get("sha256"): one.text("name") for one in attempt.each("files")}
            listed = [[cell(named_files.get(one, "—")), (Line(one, "hash"),)] for one in files]
            parts.append(Listing(f"第 {number} 次办理的附件", ["名称", "SHA-256"], [34, 66], listed))
        if attempt.get("outcome"):
            words = [f"{row.text('question')} {row.word('answer')}" for row in attempt.each("questions")]
            words += [attempt.text("reason")] if attempt.get("reason") else []
            parts.append(Prose(f"复核：{attempt.text('outcome')}", "\n".join(words)))
        for name, role in (("done", f"办理人（第 {number} 次）"), ("verified", f"复核人（第 {number} 次）")):
            if attempt.get(name):
                signatures.append(attempt.part(name).signature(role, at="at", statement="statement"))
    return [*parts, Signatures("签字", signatures)]
