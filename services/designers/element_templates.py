"""Generate element templates for Camunda Modeler: one for each worker, and one for the review call.

Job type, inputs and results come from the worker registry and ``workers.json``, the names from the models, the stages
from ``review-stages.json``. Modeler finds them in ``.camunda/element-templates`` beside the diagrams.
"""

import dataclasses
import importlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from services.designers.own_workers import HUMAN_STEP, OwnWorker
from services.domain.custody.closing import CLOSED_AS
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import Fatal
from services.runtime.jobs.commands import camel
from services.runtime.jobs.worker import Worker
from services.runtime.labels import word
from services.runtime.models import Model

FOLDER = Path(".camunda") / "element-templates"
SCHEMA = "https://unpkg.com/@camunda/zeebe-element-templates-json-schema/resources/schema.json"
ENGINES = {"camunda": "^8.6"}
PREFIX = "footage-desk."
OWN = "own."  # after the prefix: of a worker that workers.json declares
REVIEW = "review"
# A person, which Modeler shows on a review.
ICON = "data:image/svg+xml," + quote(
    '<svg xmlns="http://www.w3.org/2000/svg" width="18" height="18" viewBox="0 0 18 18" fill="none" stroke="#22242a">'
    '<circle cx="9" cy="6" r="3.5"/><path d="M2.5 16c0-4 3-5.5 6.5-5.5s6.5 1.500 6.5 5.5z"/></svg>',
    safe="/:=\"' ",
)
WORK_CATEGORY = {"id": "footage-desk-work", "name": "录像调取台 自动任务 · Footage Desk work"}
OWN_CATEGORY = {"id": "footage-desk-own-work", "name": "本单位自动任务 · Work of your own"}
REVIEW_CATEGORY = {"id": "footage-desk-reviews", "name": "录像调取台 人工审核 · Footage Desk reviews"}

# Work on recorders and storage is tried five times, the rest three times.
FIVE_TIMES = (
    "preserve-footage",
    "retrieve-footage",
    "back-up-footage",
    "encrypt-copy",
    "grant-emergency-view",
    "end-emergency-view",
    "reverify-footage",
    "reconcile",
    "release-preservation",
    "inspect-return",
    "re-archive",
)
# Several tasks of the models have this job type, each under its own name.
NAMES = {
    "close-matter": ("办结事项", "Close matter"),
    "close-inspection": ("办结检查", "Close the inspection"),
    "close-work-order": ("办结事务", "Close the work order"),
    "open-violation": ("登记违规", "Open violation"),
    "remind-violation": ("提醒违规处理", "Remind of the violation"),
}
# Variables that a designer chooses at a task; all others come from a message, a job or a decision.
CHOSEN: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "violationKind": (
        "违规类型 · Type of violation",
        {
            "overdue": "逾期未还 · overdue",
            "loss": "丢失 · loss",
            "breach": "违反使用条件 · breach found by Security",
            "urgent-not-ratified": "紧急调取未补批 · urgent retrieval not approved",
        },
    ),
    "closingOutcome": (
        "结案原因 · Why the case is closed",
        {code: f"{word('zh', outcome)} · {word('en', outcome)}" for code, outcome in CLOSED_AS.items()},
    ),
}

# What each worker does, in Chinese; the English is the first line of its module.
DOES: Mapping[str, str] = {
    "apply-matter": "核对已签字的全部决定后，办理事项",
    "assess-violation": "查明违规的种类、逾期天数、既往违规与利害关系，供判定表评定",
    "back-up-footage": "移交之前，把主档另存一份到别处，并读回核对哈希",
    "check-matter": "核对事项的种类、等级与利害关系，供决定表确定路径",
    "clear-violation": "违规不成立：撤销登记，恢复使用并补足天数",
    "close-matter": "办结未获同意或已失效的事项，并通知提出人；违规则在各项决定落实后结案",
    "close-inspection": "小组已答复报告或本期无案件的，登记检查办结，样本案件不再保留",
    "close-work-order": "核对办理人和复核人的签字后办结事务，生成记录单；已撤销的登记撤销",
    "end-emergency-view": "结束应急查看，销毁其密钥和副本，并查明申请是否已批准",
    "draw-sample": "抽取检查样本：应查的全部抽取，其余由种子决定，无人可选",
    "encrypt-copy": "按检索的时间段截取副本，用专用借用密钥加密",
    "escalate-review": "审核到期未办，替补人员也可以办理",
    "escalate-work-order": "事务逾期未办，通知办理人及其负责人；第二次逾期由监督小组登记问题",
    "escalate-to-management": "确定由哪些管理层人员审批，并通知他们",
    "expire-application": "期限内已收到补正的，继续办理；没有收到的，申请作废",
    "expire-offer": "期限内已签收的，继续使用；没有签收的，不能再签收",
    "expire-reply": "期限内当事人均已申辩的，继续办理；没有申辩的，不能再申辩",
    "file-application": "批准的申请表编号存档，作为调取依据",
    "freeze-loan": "确认问题报告所涉副本已经冻结",
    "grant-emergency-view": "制作应急查看副本，供发起人和放行人在线查看，不能下载",
    "hand-to-authority": "已决定移送的，对证据实施法律保留，并请法务部门移交",
    "hand-over": "把副本交给指定的保管人签收",
    "inspect-return": "重新核对所存副本的哈希，并将下载记录与归还声明逐项对照",
    "lift-freeze": "安全保卫部门认定不属实或已说明的，解除冻结，补回天数",
    "list-disposals": "列出存档期限届满且无保留的录像，由两个部门的人员逐项决定是否销毁",
    "notify-storage": "通知存储部门有已存档的批准申请，并记录用时",
    "open-case": "登记案件，与流程实例绑定；重复的启动静默结束",
    "open-corrective-actions": "每项发现发出整改通知，严重的登记违规",
    "open-due-work-orders": "按周期表发起到期的事务，每个对象每期一次",
    "open-work-orders": "日常看护的某一部分失败时，发起故障事务，未办结前只发起一次",
    "open-review": "向有权办理的人员发起一项审核",
    "open-violation": "登记违规：超过宽限期仍未归还，副本丢失（本案随之结案），问题报告认定违规，或紧急调取未补批",
    "preliminary-review": "初审的自动部分：核对申请是否完整、合理",
    "preserve-footage": "决定作出前可能被覆盖的录像，先存入隔离区",
    "re-archive": "销毁借用密钥，终止访问，主档保留到处置日期，本案结案",
    "recall-copy": "问题报告认定须重新调取或收回的，终止借用，收回副本",
    "reconcile": "将台账与两处存储、访问日志、录像机导出记录和流程引擎核对，出具当日报告，并就差异发起事务",
    "record-sanction": "核对已签字的决定后，登记处罚",
    "release-preservation": "未移交而结案时，清除隔离区和副本，主档不再开启，锁定期满后自动处置，并说明结案原因",
    "remind-return": "提醒归还，每个任务提醒一次",
    "remind-reviewer": "提醒可以办理此项审核的人员",
    "remind-work-order": "提醒办理人，每个任务提醒一次",
    "remind-violation": "提醒移送回执或赔偿，每个任务提醒一次",
    "reopen-work-order": "复核要求重办的，按新的期限重新开始",
    "resume-access": "使用期限变更后，恢复访问到新的到期日",
    "retrieve-footage": "将一个申请项的录像调取到保管库，并生成调取记录",
    "reverify-footage": "按当日读取量重新核验主档、异地副本和脱敏副本，损坏的由另一处恢复，脱敏副本按原方案重新制作",
    "security-review": "安全审核的自动部分：核对规定、利害关系、保密协议和摄像头级别",
    "start-work-order": "登记事务的流程，给出本次办理的期限和首次提醒时间",
    "suspend-access": "到期日停止访问",
    "suspend-for-violation": "暂停访问，并将违规事实告知当事人及其部门",
    "write-inspection-report": "编写检查报告，数字直接取自台账",
}

# The stage is the element of a loop over the list that a decision table gives.
FROM_ROUTE = {"name": "由路径决定（变量 stage） · from the route (variable stage)", "value": "=stage"}

Template: TypeAlias = dict[str, Any]
Property: TypeAlias = dict[str, Any]

_references = re.compile(r" \([^()]*\)\.?$")


def templates(
    workers: Iterable[Worker], models: Iterable[Model], declared: Mapping[str, OwnWorker]
) -> dict[str, Template]:
    """Return every template by its file name, without a version; ``declared`` are workers of the organisation's own."""
    names = _names(models)
    made = {f"{worker.job_type}.json": _of_worker(worker, names) for worker in workers}
    # a user task has no job type that Modeler could set
    own = {job_type: worker for job_type, worker in declared.items() if job_type != HUMAN_STEP}
    made |= {f"{_file_name(job_type)}.json": _of_own_worker(job_type, worker) for job_type, worker in own.items()}
    return {**made, f"{REVIEW}.json": _of_review()}


def up_to_date(made: Mapping[str, Template], folder: Path) -> dict[str, str]:
    """Return the text of each file; a template that differs from the folder's gets the next version."""
    return {name: _text(template, folder / name) for name, template in made.items()}


def write(made: Mapping[str, Template], folder: Path) -> list[str]:
    """Write the templates, remove those of removed workers, and return the names of changed files.

    Designers' own templates, whose ids do not start with our prefix, stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    changed = stale(made, folder)
    texts = up_to_date(made, folder)
    for name in changed:
        if name in texts:
            (folder / name).write_text(texts[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed


def stale(made: Mapping[str, Template], folder: Path) -> list[str]:
    """Return the names of missing and outdated files, and of ours without a worker."""
    texts = up_to_date(made, folder)
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    ours = {name for name in present if str(_read(folder / name).get("id")).startswith(PREFIX)}
    return sorted(name for name in {*texts, *ours} if texts.get(name) != present.get(name))


def versions(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield id and version of each template of a folder, as applied elements name them."""
    for path in sorted(folder.glob("*.json")):
        template = _read(path)
        yield str(template.get("id")), str(template.get("version"))


def _read(path: Path) -> Template:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Fatal(
            f"could not read the element template | {path} | it is not JSON: {error} | correct the file, or remove it "
            "and run footage-desk bpmn templates"
        ) from error
    return content if isinstance(content, dict) else {}


def _text(template: Template, path: Path) -> str:
    present = _read(path) if path.exists() else {}
    version = present.pop("version", 0)
    if present != template:
        version += 1
    head = {key: template[key] for key in ("$schema", "name", "id")}
    return json.dumps({**head, "version": version, **template}, ensure_ascii=False, indent=2) + "\n"


def _names(models: Iterable[Model]) -> dict[str, tuple[str, str]]:
    names = {
        element.job_type: (element.zh, element.en)
        for model in models
        for element in model.elements.values()
        if element.job_type
    }
    return {**names, **NAMES}


def _of_worker(worker: Worker, names: Mapping[str, tuple[str, str]]) -> Template:
    zh, en = names.get(worker.job_type, (worker.job_type, worker.job_type))
    retries = "5" if worker.job_type in FIVE_TIMES else "3"
    chosen = [_chosen(name) for name in worker.variables if name in CHOSEN]
    head = {**_head(worker.job_type, zh, en, _description(worker)), "category": WORK_CATEGORY}
    return _of_job(head, worker.job_type, zh, retries=retries, properties=chosen)


def _of_own_worker(job_type: str, worker: OwnWorker) -> Template:
    does = f"{worker.zh.rstrip('。')}。 · {worker.en.rstrip('.')}."
    description = _with_facts(does, worker.variables, worker.outputs)
    head = _head(f"{OWN}{job_type}", _short(worker.zh), _short(worker.en), description)
    return _of_job({**head, "category": OWN_CATEGORY}, job_type, _short(worker.zh), retries="3")


def _short(sentence: str) -> str:
    """Return the first clause of a sentence, for a task's name."""
    return re.split("[，。；：,.;:]", sentence, maxsplit=1)[0].strip()


def _file_name(job_type: str) -> str:
    return re.sub("[^A-Za-z0-9._-]", "-", job_type)


def _of_job(head: Template, job_type: str, name: str, *, retries: str, properties: Iterable[Property] = ()) -> Template:
    return {
        **head,
        "appliesTo": ["bpmn:Task"],
        "elementType": {"value": "bpmn:ServiceTask"},
        "engines": ENGINES,
        "properties": [
            _name(name),
            _hidden(job_type, "zeebe:taskDefinition", property="type"),
            _hidden(retries, "zeebe:taskDefinition", property="retries"),
            *properties,
        ],
    }


def _description(worker: Worker) -> str:
    """Describe the worker in Chinese and English, with the variables that it reads and returns."""
    module = importlib.import_module(worker.handle.__module__)
    does = (module.__doc__ or "").partition("\n")[0].removeprefix(f"{worker.job_type}: ")
    does = _references.sub("", does).rstrip(".")
    fields = dataclasses.fields(worker.result) if dataclasses.is_dataclass(worker.result) else ()
    return _with_facts(
        f"{DOES[worker.job_type]}。 · {does[:1].upper()}{does[1:]}.",
        [name for name in worker.variables if name not in CHOSEN],
        [camel(field.name) for field in fields],
    )


def _with_facts(does: str, reads: Iterable[str], gives: Iterable[str]) -> str:
    facts = (("读取 · Reads", ", ".join(reads)), ("给出 · Gives", ", ".join(gives)))
    return " ".join([does, *(f"{label}: {names}." for label, names in facts if names)])


def _of_review() -> Template:
    """Return the template of a call of ``review.bpmn``; results start as null, so no earlier answer counts."""
    active = {code: stage for code, stage in STAGES.items() if not stage.retired}
    with_hand_over = [_literal(code) for code, stage in active.items() if stage.needs_hand_over]
    # inspections and work orders belong to no case: their stages name them, and of a case its place in the sample
    of_inspection = [_literal(code) for code, stage in active.items() if "inspection" in stage.about]
    of_work_order = [_literal(code) for code, stage in active.items() if "work-order" in stage.about]
    of_case = {code: stage for code, stage in active.items() if not {"inspection", "work-order"} & set(stage.about)}
    with_matter = [*(_literal(code) for code, stage in of_case.items() if stage.phase == "matter"), FROM_ROUTE["value"]]
    with_case = [*(_literal(code) for code in of_case), FROM_ROUTE["value"]]
    returned = dict.fromkeys(name for stage in active.values() for name in stage.returns)
    stages = [{"name": f"{stage.zh} · {stage.en}", "value": _literal(code)} for code, stage in active.items()]
    stages.append(FROM_ROUTE)
    return {
        **_head(
            REVIEW,
            "人工审核",
            "Review",
            "向人员提出问题，由其签字答复；decision 为结论。问什么、由谁办、多长时间，见 review-stages.json。 · "
            "A question to people and their signed answer; decision is the outcome. What is asked, whom and in what "
            "time is in review-stages.json.",
        ),
        "category": REVIEW_CATEGORY,
        "icon": {"contents": ICON},
        "appliesTo": ["bpmn:Task", "bpmn:CallActivity"],
        "elementType": {"value": "bpmn:CallActivity"},
        "engines": ENGINES,
        "properties": [
            _name("人工审核"),
            _hidden(REVIEW, "zeebe:calledElement", property="processId"),
            _hidden("deployment", "zeebe:calledElement", property="bindingType"),
            _hidden(False, "zeebe:calledElement", property="propagateAllChildVariables"),
            _hidden(False, "zeebe:calledElement", property="propagateAllParentVariables"),
            {
                "id": "stage",
                "label": "审核环节 · Stage",
                "type": "Dropdown",
                "value": stages[0]["value"],
                "choices": stages,
                "binding": {"type": "zeebe:input", "name": "stage"},
            },
            _hidden("=null", "zeebe:input", name="decision"),
            _hidden("=applicationId", "zeebe:input", name="applicationId", condition=_only(with_case)),
            _hidden("=handOverId", "zeebe:input", name="handOverId", condition=_only(with_hand_over)),
            _hidden("=matterId", "zeebe:input", name="matterId", condition=_only(with_matter)),
            _hidden("=inspectionId", "zeebe:input", name="inspectionId", condition=_only(of_inspection)),
            _hidden("=workOrderId", "zeebe:input", name="workOrderId", condition=_only(of_work_order)),
            _hidden("=sampledCase", "zeebe:input", name="sampledCase", condition=_only([_literal("supervision")])),
            *_returning("decision", None),
            *(
                property_
                for name in returned
                for property_ in _returning(
                    name, [_literal(code) for code, stage in active.items() if name in stage.returns]
                )
            ),
        ],
    }


def _returning(name: str, stages: list[str] | None) -> Iterator[Property]:
    condition = None if stages is None else _only(stages)
    if stages is not None:
        yield _hidden("=null", "zeebe:input", name=name, condition=condition)
    yield _hidden(name, "zeebe:output", source=f"={name}", condition=condition)


def _head(name: str, zh: str, en: str, description: str) -> Template:
    return {"$schema": SCHEMA, "name": f"{zh} · {en}", "id": f"{PREFIX}{name}", "description": description}


def _name(zh: str) -> Property:
    return {"label": "名称 · Name", "type": "String", "value": zh, "binding": {"type": "property", "name": "name"}}


def _hidden(value: str | bool, kind: str, *, condition: Property | None = None, **binding: str) -> Property:
    made: Property = {"type": "Hidden", "value": value, "binding": {"type": kind, **binding}}
    return made if condition is None else {**made, "condition": condition}


def _chosen(name: str) -> Property:
    label, choices = CHOSEN[name]
    options = [{"name": text, "value": _literal(code)} for code, text in choices.items()]
    return {
        "id": name,
        "label": label,
        "type": "Dropdown",
        "value": options[0]["value"],
        "choices": options,
        "binding": {"type": "zeebe:input", "name": name},
    }


def _only(stages: list[str]) -> Property:
    return {"property": "stage", "oneOf": stages}


def _literal(code: str) -> str:
    return f'="{code}"'
