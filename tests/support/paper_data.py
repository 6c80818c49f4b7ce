"""The data of one document of each kind, as the register writes them."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import rfc8785

from services.domain.cases.document_layouts import render_pdf
from services.domain.work_orders.kinds import KINDS as WORK_ORDERS

MADE = datetime(2031, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)
HASH = hashlib.sha256(b"x").hexdigest()
SPAN = ["2031-03-04T01:00:02+00:00", "2031-03-04T01:00:08+00:00"]
BY = {"id": "p", "name": "王芳"}
SIGNED = {"by": BY, "statement": HASH, "signature": {"method": "password+totp", "person": "p"}}
COMMON: dict[str, Any] = {
    "organisation": "示例制造有限公司",
    "policyVersion": "2026-01",
    "demo": False,
    "zone": "Asia/Shanghai",
    "application": "SQ-2031-000123",
}
SOURCE = {
    "site": "一号厂区",
    "recorder": {"name": "一号录像机", "make": "Acme", "model": "R1"},
    "camera": {"nameZh": "北门", "nameEn": "North gate", "channel": "gate"},
    "origin": "recorder",
}
CLOCK = {"zone": "UTC", "offsetMs": 1500, "method": "picture", "uncertaintyMs": 1000}
OBTAINED = {
    **{"covered": [SPAN], "gaps": [], "leadInMs": 750, "tailMs": 0, "codecs": ["h264"]},
    "sources": [{"name": "gate/1.mp4", "sha256": HASH}],
}
OBJECT = {"key": "masters/a/1.age", "plainSize": 10, "size": 12, "sha256Plain": HASH, "sha256Cipher": HASH}
ASKED = {"start": SPAN[0], "end": SPAN[1], "zone": "Asia/Shanghai"}
COPY = {
    **{"id": "copy-1", "position": 1, "camera": "北门", "place": "厂区", "record": "DQ-2031-000001"},
    **{"covered": [SPAN], "sha256Plain": HASH, "sha256Cipher": HASH, "matches": True},
}


def item(position: int) -> dict[str, Any]:
    return {
        **{"id": f"item-{position}", "position": position, "zone": "Asia/Shanghai"},
        **{"camera": {"zh": "北门"}, "place": {"zh": "厂区"}, "from": SPAN[0], "to": SPAN[1]},
    }


FORM: dict[str, Any] = {
    **COMMON,
    **{"title": "视频录像调取申请表", "department": {"zh": "生产一部"}, "drafter": {"name": "张敏"}},
    **{"reason": "物料下落不明", "purpose": "核对出入库记录", "purposeCategory": "security-incident"},
    **{"wayOfUse": "download", "requestedUseDays": 7, "submittedAt": SPAN[0], "items": [item(1)]},
    "granted": {"wayOfUse": "view", "useDays": 5, "items": [{"id": "item-1", "from": SPAN[0], "to": SPAN[1]}]},
    "decisions": [{**SIGNED, "stage": "security-signature", "outcome": "signed", "at": SPAN[1], "opinion": "同意调取"}],
    **{"importance": "important", "filedAt": SPAN[1]},
}
RECORD: dict[str, Any] = {
    **COMMON,
    **{"title": "视频录像调取记录", "form": {"number": "SQ-2031-000123", "sha256": HASH}, "operator": {"name": "胡涛"}},
    **{"secondPersons": [{"name": "李强"}], "source": SOURCE, "recorderClock": CLOCK, "asked": ASKED},
    **{"outcome": "complete", "coverage": 1.0, "obtained": OBTAINED, "files": [OBJECT], "tools": {"av": "18"}},
    **{"startedAt": SPAN[0], "finishedAt": SPAN[1], "difficulties": []},
}
LABEL: dict[str, Any] = {
    **COMMON,
    **{"title": "视频录像副本标签", "of": "copy", "copy": "copy-1", "item": {"position": 1}},
    **{"form": {"number": "SQ-2031-000123"}, "record": {"number": "DQ-2031-000001"}, "importance": "important"},
    **{"source": SOURCE, "recorderClock": CLOCK, "asked": ASKED, "obtained": OBTAINED, "outcome": "complete"},
    **{"operator": {"name": "胡涛"}, "retrievedAt": SPAN[1], "madeAt": SPAN[1], "object": OBJECT},
}
LOAN: dict[str, Any] = {
    **COMMON,
    **{
        "custodian": BY,
        "useDays": 5,
        "offeredAt": SPAN[0],
        "acceptedAt": SPAN[1],
        "dueAt": "2031-03-09T01:00:08+00:00",
    },
    "copies": [COPY],
}
RECEIPT: dict[str, Any] = {
    **LOAN,
    **SIGNED,
    **{
        "title": "视频录像移交签收单",
        "form": HASH,
        "releasedBy": {"name": "胡涛"},
        "purpose": "核对",
        "recipients": [],
    },
    **{"agreement": {"version": "2026", "document": "XY-2031-000001"}, "conditionsVersion": "2026-01"},
    **{"conditions": ["只按批准的用途使用。", "用完即还。"], "undertaking": "我已阅读上述使用条件。"},
}
LOG: dict[str, Any] = {
    **LOAN,
    "title": "视频录像保管记录",
    "entries": [
        {
            "seq": 1,
            "at": SPAN[0],
            "event": "offered",
            "person": None,
            "detail": {},
            "previous": "0" * 64,
            "sha256": HASH,
        },
        {"seq": 2, "at": SPAN[1], "event": "viewed", "person": BY, "position": 1, "previous": HASH, "sha256": HASH},
    ],
}
INSPECTION: dict[str, Any] = {
    **LOAN,
    **{"title": "视频录像归还检查表", "returnTo": "security", "returnedBy": BY, "returnedAt": SPAN[1]},
    **{"inspectedAt": SPAN[1], "findings": [{"code": "returned-late", "days": 2}], "return": {**SIGNED, "at": SPAN[1]}},
    "downloads": [{"id": "d-1", "askedAt": SPAN[0], "medium": "U 盘 07", "fate": "destroyed", "note": "已粉碎"}],
    "decision": {
        **SIGNED,
        **{"outcome": "in-order", "at": SPAN[1], "questions": [{"question": "介质是否完好？", "answer": True}]},
    },
}
AGREEMENT: dict[str, Any] = {
    **COMMON,
    **SIGNED,
    **{"title": "保密协议", "version": "2026", "textZh": "一、承诺保密。\n二、按时归还。", "textEn": "1. I keep it."},
    **{"department": {"zh": "生产一部"}, "signedAt": SPAN[0], "expiresAt": "2032-03-04T01:00:02+00:00"},
}
_BY = {"id": "p1", "name": "王芳"}
MATTER: dict[str, Any] = {
    "title": "视频录像使用延期单",
    "number": "YQ-2031-000001",
    "organisation": "示例制造有限公司",
    "policyVersion": "2026-01",
    "zone": "Asia/Shanghai",
    "demo": False,
    "application": "SQ-2031-000001",
    "kind": "extension",
    "lines": [
        {"name": "现归还期限", "value": "2031-03-19 20:00 +0800"},
        {"name": "改为", "value": "2031-03-26 20:00 +0800"},
    ],
    "facts": {},
    "factsSha256": HASH,
    "openedBy": _BY,
    "openedAt": "2031-03-10T02:00:00+00:00",
    "decisions": [
        {
            **{"stage": "延期审批", "outcome": "同意", "by": _BY, "standsInFor": None},
            **{"at": "2031-03-10T03:00:00+00:00", "reason": None, "opinion": None, "statement": HASH},
            "answers": [{"question": "是否仍为原用途？", "answer": True}],
            "signature": {"method": "password"},
        }
    ],
    "appliedAt": "2031-03-10T03:00:05+00:00",
    "outcome": {"dueAt": "2031-03-26T12:00:00+00:00"},
}

HOLD: dict[str, Any] = {
    **COMMON,
    **{"title": "视频录像法律保留通知", "hold": "h-1", "cause": "authority", "reason": "公安机关来函要求保留"},
    **{"placedAt": SPAN[0], "reviewAt": SPAN[1], "by": BY, "owner": BY, "documents": 3},
    "held": [
        {
            **{"position": 1, "camera": "三号门", "place": "厂区", "quarantine": True, "master": HASH, "replica": True},
            "asked": {"start": SPAN[0], "end": SPAN[1], "zone": "Asia/Shanghai"},
        }
    ],
}
VIOLATION: dict[str, Any] = {
    **{name: MATTER[name] for name in ("organisation", "policyVersion", "zone", "demo", "application")},
    "title": "违规登记及处理表",
    "number": "WG-2031-000001",
    "source": None,
    "openedAt": "2031-03-22T12:00:00+00:00",
    "violationKind": "overdue",
    "lines": [{"name": "违规情形", "value": "逾期"}, {"name": "当事人", "value": "刘洋"}],
    "facts": {},
    "factsSha256": HASH,
    "evidence": [{"number": "JJ-2031-000001", "kind": "hand-over-receipt"}],
    "hearings": [
        {"person": "刘洋", "part": "accused", "repliedAt": "2031-03-23T02:00:00+00:00", "reply": "当时在医院。"},
        {"person": "张伟", "part": "department", "repliedAt": None, "reply": None},
    ],
    "servedAt": "2031-03-22T12:00:05+00:00",
    "replyUntil": "2031-03-27T12:00:05+00:00",
    "severity": "minor",
    "decisions": [
        {**MATTER["decisions"][0], "stage": "违规处理（安全保卫部门）", "outcome": "违规成立", "judgement": {}}
    ],
    "sanctions": [
        {"person": "刘洋", "kind": "warning", "amount": None, "note": None, "droppedBecause": None},
        {
            "person": "刘洋",
            "kind": "fine",
            "amount": "200.00",
            "note": None,
            "currency": "CNY",
            "droppedBecause": "legal-rejected",
        },
        {
            **{"person": "刘洋", "kind": "reprimand", "amount": None, "note": None, "droppedBecause": None},
            "revokedAt": "2031-04-05T02:00:00+00:00",
        },
    ],
    "appeal": {
        **{"number": "SS-2031-000001", "by": BY, "at": "2031-04-02T02:00:00+00:00", "reason": "当时住院。"},
        **{"factsSha256": HASH, "granted": True, "decisions": MATTER["decisions"]},
    },
    "referral": None,
    "settlement": {
        "account": "已赔偿",
        "amount": "200.00",
        "currency": "CNY",
        "by": "p",
        "at": "2031-04-01T02:00:00+00:00",
    },
    "suspensions": [{"of": None, "since": "2031-03-22T12:00:00+00:00", "until": None}],
    "closedAs": "settled",
    "closedAt": "2031-04-01T02:00:05+00:00",
}
REFERRAL: dict[str, Any] = {
    **{name: MATTER[name] for name in ("organisation", "policyVersion", "zone", "demo", "application")},
    "title": "移送登记表",
    "number": "YS-2031-000001",
    "violation": "WG-2031-000001",
    "violationKind": "leak",
    "factsSha256": HASH,
    "authority": "三号区公安分局",
    "handedAt": "2031-03-30T02:00:00+00:00",
    "receipt": "收字一号",
    "packageSha256": HASH,
    "packageMadeHere": False,
    "packageBecause": "由公安机关封存时一并制作。",
    "hold": "4f6c",
    "by": _BY,
    "decisions": MATTER["decisions"],
}
LIST = {
    "outsiders": [{"id": "o-1", "name": "李警官", "unit": "市公安局", "cardKind": "police-card", "cardTail": "2345"}],
    "files": [
        {
            **{"copy": "c-1", "file": "SQ-2031-000001_Gate.mp4", "format": "MP4 h264", "size": 5000, "sha256": HASH},
            **{"camera": "厂区 三号门", "recorder": "R1", "from": SPAN[0], "to": SPAN[1], "zone": "Asia/Shanghai"},
            **{"clock": None, "record": "DQ-2031-000001", "label": "BQ-2031-000001"},
        }
    ],
    **{"notOriginalBecause": "原始介质须继续录像。", "made": "直接截取。", "kept": "录像库", "copies": 2},
    "holder": BY,
}
SITTING: dict[str, Any] = {
    **{name: MATTER[name] for name in ("organisation", "policyVersion", "zone", "demo", "application")},
    "title": "视频录像查阅登记表",
    "number": "CY-2031-000001",
    "handOver": "4f6c",
    "purpose": "核对三号门货物出入",
    "station": "监控室（10.0.5.20）",
    "address": "10.0.5.20",
    "companion": _BY,
    "openedAt": "2031-03-22T12:00:00+00:00",
    "closedAt": "2031-03-22T12:40:00+00:00",
    "closedAs": "left",
    "closedBy": _BY,
    "closedItselfAt": None,
    "confirmedEvery": 600,
    "people": [{"id": "p1", "name": "王芳"}],
    "outsiders": [
        {
            "id": "o1",
            "name": "李警官",
            "unit": "市公安局",
            "cardKind": "police-card",
            "cardTail": "2345",
            "cardChecked": True,
        }
    ],
    "departure": {
        "visitors": [
            {"id": "p1", "name": "王芳", "how": "sheet", "strokes": []},
            {
                "id": "o1",
                "name": "李警官",
                "how": "drawn",
                "strokes": [[[20, 150], [120, 40], [200, 160]], [[240, 60], [420, 80]]],
            },
        ],
        "note": "看至三号门关闭。",
    },
    "shown": [
        {
            **{"copy": "c1", "position": 1, "camera": "三号门", "place": "厂区", "record": "DQ-2031-000001"},
            **{"zone": "Asia/Shanghai", "bytes": 5000, "sha256": HASH},
            "spans": [["2031-03-04T10:00:00+00:00", "2031-03-04T10:04:00+00:00"]],
        }
    ],
    "statement": HASH,
    "signature": {"method": "password", "person": "wu"},
}
REFUSAL: dict[str, Any] = {
    **{name: MATTER[name] for name in ("organisation", "policyVersion", "zone", "demo", "application")},
    "title": "录像查阅复制请求答复告知书",
    "number": "GZ-2031-000001",
    "people": [
        {"id": "o1", "name": "赵某", "unit": "本人", "cardKind": "resident-card", "cardTail": "123X", "contact": "x"}
    ],
    "askedAt": "2031-03-04T12:00:00+00:00",
    "answerDueAt": "2031-03-25T09:00:00+00:00",
    "purpose": "查看本人被撞倒的经过",
    "closedAs": "rejected",
    "reason": "画面中有其他人，无法遮盖。",
    "stage": "安全审核",
    "decidedAt": "2031-03-10T02:00:00+00:00",
    "appealUntil": "2031-03-17T02:00:00+00:00",
    "statement": HASH,
}
SIGNED_BY = {
    "by": {"id": "p1", "name": "何平"},
    "at": "2031-03-10T02:00:00+00:00",
    "statement": HASH,
    "signature": {"method": "password"},
}
APPOINTMENT: dict[str, Any] = {
    **{name: MATTER[name] for name in ("organisation", "policyVersion", "zone", "demo")},
    "title": "视频录像调取监督小组任命书",
    "basis": "总经理办公会纪要第3号",
    "attachments": [{"name": "任命决定.pdf", "sha256": HASH}],
    "since": "2031-03-10T02:00:00+00:00",
    "until": "2032-03-10T02:00:00+00:00",
    "members": [
        {"id": "p1", "name": "何平", "part": "leader", "department": "administration"},
        {"id": "p2", "name": "孙丽", "part": "member", "department": "legal"},
    ],
    "proposed": SIGNED_BY,
    "confirmed": SIGNED_BY,
}
REPORT: dict[str, Any] = {
    **{name: MATTER[name] for name in ("organisation", "policyVersion", "zone", "demo")},
    "title": "视频录像调取监督检查报告",
    "period": {"name": "2031-02", "start": "2031-01-31T16:00:00+00:00", "end": "2031-02-28T16:00:00+00:00"},
    "group": {
        "document": "RM-2031-000001",
        "members": [{"name": "何平", "department": "行政部", "part": "leader"}],
    },
    "sample": {
        "seed": "c2VlZA==",
        "checkpoint": 120,
        "drawnAt": "2031-03-01T02:00:00+00:00",
        "population": 60,
        "populationSha256": HASH,
        "least": 5,
        "share": 10,
        "cases": [
            {
                "position": 1,
                "number": "SQ-2031-000007",
                "because": ["violation"],
                "by": "何平",
                "at": "2031-03-03T02:00:00+00:00",
                "statement": HASH,
            }
        ],
    },
    "numbers": {"submitted": 60, "closed": 58, "closedAs": {"withdrawn": 3}, "violations": {"breach": 1}},
    "checklists": [
        {
            "stage": "use",
            "code": "use-6",
            "zh": "使用是否符合获准的用途？",
            "en": "Was the footage used for the approved purpose?",
            "yes": 5,
            "no": 1,
            "not-applicable": 0,
            "overruled": 1,
        }
    ],
    "overruled": [
        {"number": "SQ-2031-000007", "question": "use-6", "system": None, "answer": "no", "word": "用于获准用途之外"}
    ],
    "findings": [
        {
            "position": 1,
            "number": "SQ-2031-000007",
            "stage": "use",
            "question": "use-6",
            "severity": "severe",
            "text": "用于获准用途之外",
        }
    ],
    "earlier": [
        {
            "report": "JC-2030-000004",
            "position": 2,
            "number": "SQ-2030-000031",
            "severity": "minor",
            "text": "审批超过时限",
        }
    ],
    "workOrders": [
        {
            **{"number": "WH-2031-000003", "zh": "设备检查维护", "en": "Device service", "subject": "三号录像机"},
            **{"dueAt": "2031-02-10T02:00:00+00:00", "since": "2031-02-17T02:00:00+00:00", "closedAs": None},
        }
    ],
    "signatures": [{**SIGNED_BY, "part": "leader", "outcome": "signed", "reason": None}],
}
DISPOSAL: dict[str, Any] = {
    **{name: MATTER[name] for name in ("organisation", "policyVersion", "zone", "demo")},
    "title": "视频录像销毁清单",
    "number": "XH-2031-000001",
    "listedAt": "2032-03-22T12:00:00+00:00",
    "finishedAt": "2032-03-24T12:00:00+00:00",
    **{"factsSha256": HASH, "itemsSha256": HASH},
    "decisions": MATTER["decisions"],
    "items": [
        {
            **{
                "master": "m1",
                "application": "SQ-2031-000001",
                "position": 1,
                "camera": {"zh": "三号门", "en": "Gate"},
            },
            **{"from": SPAN[0], "to": SPAN[1], "zone": "Asia/Shanghai", "importance": importance, "size": 5000},
            **{"sha256": HASH, "retainedUntil": "2032-03-21T12:00:00+00:00", "leftOutBy": None},
            "objects": [{"place": "vault", "what": "master"}, {"place": "replica", "what": "replica"}],
            **{"state": state, "because": because, "endedAt": "2032-03-24T12:00:00+00:00", "results": results},
        }
        for state, importance, because, results in (
            (
                "deleted",
                "ordinary",
                None,
                [{"place": "vault", "what": "label", "key": "k", "version": "v", "answer": "deleted"}],
            ),
            ("kept", "important", "仍需使用", []),
            ("held", "ordinary", "held", []),
        )
    ],
}
RECONCILED: dict[str, Any] = {
    **{name: MATTER[name] for name in ("organisation", "policyVersion", "zone", "demo")},
    **{"title": "录像存储对账报告", "day": "2031-03-10", "made": "2031-03-10T02:00:00+00:00"},
    **{"began": "2031-03-10T02:00:00+00:00", "found": 1, "gone": 0, "open": 1, "compared": {"masters": 3}},
    "notTold": [{"of": "三号录像机", "because": "unsupported"}],
    "findings": [
        {
            **{"kind": "missing", "place": "primary", "subject": "masters/a/b", "application": "SQ-2031-000001"},
            **{"detail": {"expected": "v1"}, "violation": None},
        }
    ],
    "verified": {"bytes": 5, "objects": {"verified": 1}, "oldest": "2031-03-01T02:00:00+00:00", "unrepaired": 0},
}
COUNTED = {"submitted": 3, "received": 2, "overdue": 1, "lost": 0, "violations": 1}
USE_REPORT: dict[str, Any] = {
    **{name: MATTER[name] for name in ("organisation", "policyVersion", "zone", "demo")},
    **{"title": "视频录像安全与使用报告", "number": "AY-2031-000001", "madeAt": "2031-04-01T02:00:00+00:00"},
    "period": {
        **{"name": "2031-Q1", "length": "quarter"},
        **{"start": "2030-12-31T16:00:00+00:00", "end": "2031-03-31T16:00:00+00:00"},
    },
    "before": {
        **{"name": "2030-Q4", "length": "quarter"},
        **{"start": "2030-09-30T16:00:00+00:00", "end": "2030-12-31T16:00:00+00:00"},
    },
    "by": {"id": "p1", "name": "何平"},
    "days": {"now": 90, "before": 92},
    "figures": [
        {"group": "use", "code": "submitted", "now": 3, "before": 2},
        {"group": "storage", "code": "daysVerified", "now": 90, "before": 92},
    ],
    "departments": [
        {
            **{"id": "works", "zh": "生产部", "en": "Works", "now": COUNTED, "before": COUNTED},
            "outcomes": {"open": 1, "rejected": 2},
        }
    ],
    "violations": [{"kind": "overdue", "now": 1, "before": 0}],
    "trend": [
        {"month": f"2031-{month:02}", "applications": month, "refused": 0, "overdue": 1, "lost": 0, "violations": 2}
        for month in range(1, 13)
    ],
}
WORK_ORDER: dict[str, Any] = {
    **{name: MATTER[name] for name in ("organisation", "policyVersion", "zone", "demo")},
    **{"title": "整改通知及复核单", "number": "ZG-2031-000001", "kind": "整改", "about": "更换三号录像机的硬盘"},
    **{"subject": {"label": "三号录像机"}, "cause": {"label": "JC-2031-000001"}, "interim": "改由二号录像机录制"},
    **{"doer": "存储操作员", "verifier": "安全保卫部门负责人", "openedBy": SIGNED_BY["by"]},
    **{"openedAt": "2031-03-01T02:00:00+00:00", "closedAt": "2031-03-10T02:00:00+00:00", "factsSha256": HASH},
    "attempts": [
        {
            **{"attempt": number, "dueAt": "2031-03-20T02:00:00+00:00", "note": "已更换并试录"},
            "answers": [
                {"question": "问题已解决？", "answer": "是", "note": ""},
                {"question": "相关记录已更正？", "answer": "不适用", "note": "没有记录受影响"},
            ],
            **{"done": SIGNED_BY, "verified": SIGNED_BY, "outcome": outcome, "reason": reason},
            "questions": [{"question": "已到现场核实？", "answer": "yes"}],
        }
        for number, outcome, reason in ((1, "退回重办", "照片缺少编号"), (2, "合格", None))
    ],
}
ACCOUNT: dict[str, Any] = {
    **{"download": HASH[:36], "camera": "三号门", "leftOn": "JZ-001", "askedAt": "2031-03-04T12:00:00+00:00"},
    **{"medium": None, "how": None, "happenedAt": None, "witness": None},
}
ACCOUNTS: dict[str, Any] = {
    **WORK_ORDER,
    **{"title": "下载去向说明", "number": "SW-2031-000001", "kind": "下载去向说明"},
    "accounts": [
        {**ACCOUNT, "attempt": 1, "fate": "lost", "how": "U盘遗失在车上"},
        {**ACCOUNT, "attempt": 2, "fate": "given-back", "medium": "JZ-001"},
        {
            **{**ACCOUNT, "attempt": 2, "fate": "destroyed", "how": "粉碎介质"},
            **{"happenedAt": "2031-03-08T02:00:00+00:00", "witness": SIGNED_BY["by"]},
        },
    ],
}
STILL: dict[str, Any] = {
    **COMMON,
    **{"title": "视频录像截图单", "handOver": "4f6c", "purpose": "核对三号门货物出入", "wayOfUse": "view"},
    **{"item": {"id": "item-1", "position": 1}, "record": "DQ-2031-000001", "sitting": "CY-2031-000001"},
    **{"source": SOURCE, "recorderClock": CLOCK, "moment": "2031-03-04T09:00:03.249+08:00", "text": "三号门打开"},
    "copy": {"id": "copy-1", "label": "BQ-2031-000002", "labelSha256": HASH, "sha256": HASH},
    "master": {"id": "master-1", "label": "BQ-2031-000001", "labelSha256": HASH, "sha256": HASH},
    "frame": {
        **{"afterFirstMs": 1249, "fragmentOffset": 4096, "sha256": HASH},
        **{"pixels": "yuv420p", "width": 1920, "height": 1080},
    },
    "picture": {
        **{"id": "still-1", "mediaType": "image/jpeg", "size": 123456, "sha256": HASH, "sha256Cipher": HASH},
        "mark": "王芳 · 生产部 · SQ-2031-000123",
    },
    **{"by": BY, "savedAt": SPAN[1], "viewing": "viewing-1"},
}
REDACTED_STILL: dict[str, Any] = {
    **STILL,
    **{"title": "脱敏副本截图单", "number": "JT-2031-000002"},
    "derivative": {
        **{"id": "derivative-1", "statement": "derived, not the original", "redaction": "TM-2031-000001"},
        **{"labelSha256": HASH, "sha256": HASH, "recipeSha256": HASH},
    },
}
EACH: dict[str, dict[str, Any]] = {
    "application-form": FORM,
    "retrieval-record": RECORD,
    "label": LABEL,
    "hand-over-receipt": RECEIPT,
    "custody-log": LOG,
    "return-inspection": INSPECTION,
    "confidentiality-agreement": AGREEMENT,
    **dict.fromkeys(
        (
            *("extension", "purpose-change", "custody-transfer", "recall", "problem", "urgent", "appeal", "redaction"),
            *("hold", "lift-hold"),
        ),
        MATTER,
    ),
    "disclosure": {**MATTER, "list": LIST},
    "disposal": DISPOSAL,
    "hold-notice": HOLD,
    "group-appointment": APPOINTMENT,
    "inspection-report": REPORT,
    "use-report": USE_REPORT,
    "violation": VIOLATION,
    "referral": REFERRAL,
    "sitting": SITTING,
    "still": STILL,
    "redacted-still": REDACTED_STILL,
    "refusal-notice": REFUSAL,
    "reconciliation": RECONCILED,
    **dict.fromkeys(WORK_ORDERS, WORK_ORDER),
    "download-account": ACCOUNTS,
}


def canonical(content: Mapping[str, Any]) -> str:
    return rfc8785.dumps(dict(content)).decode()


def pdf_of(kind: str, content: Mapping[str, Any], number: str = "XX-2031-000001") -> bytes:
    """The document that these data make."""
    data = canonical(content)
    return render_pdf(kind, number, data, hashlib.sha256(data.encode()).hexdigest(), MADE)
