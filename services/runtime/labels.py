"""Codes of the register in Chinese and English, as pages and printed documents show them."""

import re
from collections.abc import Callable, Mapping
from typing import Literal

Lookup = Callable[[str], Mapping[str, str] | None]  # a code to its words by language
_lookups: list[Lookup] = []

WORDS: dict[str | bool | None, tuple[str, str]] = {
    "view": ("仅查看", "view only"),
    "download": ("下载副本", "download a copy"),
    "ordinary": ("一般", "ordinary"),
    "important": ("重要", "important"),
    "complete": ("完整", "complete"),
    "intact": ("完好", "intact"),
    "unfinished": ("未完成", "not finished"),
    "partial": ("部分", "partial"),
    "missing": ("无录像", "missing"),
    "unreadable": ("无法读取", "unreadable"),
    "recorder": ("录像机", "recorder"),
    "quarantine": ("预先保全", "preservation"),
    "preservation": ("预先保全", "preservation"),
    "upload-announced": ("待上传", "file to be sent"),
    "upload-receiving": ("接收中", "being received"),
    "upload-received": ("已接收", "received"),
    "upload-failed": ("上传失败", "failed"),
    "upload-removed": ("已删除", "deleted"),
    "upload": ("个人提交的文件", "file brought by a person"),
    "meeting": ("会议", "meeting"),
    "event": ("活动", "event"),
    "security-incident": ("安全事件调查", "security incident"),
    "accident": ("事故调查", "accident"),
    "dispute": ("纠纷处理", "dispute"),
    "discipline": ("违纪调查", "discipline"),
    "operations": ("生产运营", "operations"),
    "training": ("培训", "training"),
    "other": ("其他", "other"),
    "trade-secret": ("商业秘密", "trade secrets"),
    "privacy": ("个人隐私", "privacy"),
    "minors": ("未成年人", "minors"),
    "medical": ("医疗健康", "medical matters"),
    "internal-management": ("内部管理职责", "internal management duty"),
    "law": ("法律法规规定", "law or regulation"),
    "authority-request": ("有关机关依法调取", "request of an authority"),
    "lawful-interest": ("维护合法权益", "lawful interest"),
    "consent": ("当事人同意", "consent of those concerned"),
    "valid": ("有效", "valid"),
    "not-valid": ("未签订", "not signed"),
    "set-up": ("已绑定", "set up"),
    "not-set-up": ("未绑定", "not set up"),
    "this-browser": ("当前浏览器", "this browser"),
    "locked": ("已锁定", "locked"),
    "active": ("在用", "active"),
    "left": ("已停用", "deactivated"),
    "away": ("缺席", "away"),
    "department-business": ("业务部门", "business"),
    "department-administration": ("行政管理", "administration"),
    "department-legal": ("法务", "legal"),
    "department-security": ("安全保卫", "security"),
    "department-storage": ("存储管理", "storage"),
    "department-management": ("管理层", "management"),
    "zh": ("中文", "Chinese"),
    "en": ("英文", "English"),
    "password": ("密码签字", "password"),
    "password+totp": ("密码和动态验证码签字", "password and one-time code"),
    "passkey": ("通行密钥签字", "passkey"),
    "container boxes and their lengths": ("封装结构及长度", "container boxes and their lengths"),
    "declared against counted samples": ("声明与实际的样本数", "declared against counted samples"),
    "time stamps of every packet": ("每个数据包的时间戳", "time stamps of every packet"),
    "unit lengths of every picture": ("每幅画面的单元长度", "unit lengths of every picture"),
    "decoding of each segment's first key frame": (
        "每个片段首个关键帧的解码",
        "decoding of each segment's first key frame",
    ),
    "the file's own creation time": ("取自文件自带的创建时间", "the file's own creation time"),
    # what a retrieval record says about how the footage was got
    "the recorder was down; the quarantine holds the whole span": (
        "录像机当时无法连接，由预先保全的录像提供整个时段",
        "the recorder was down; what was preserved beforehand holds the whole span",
    ),
    "the recorder gave less than it promised; the quarantine holds more": (
        "录像机给出的录像少于其所报，预先保全的录像更全",
        "the recorder gave less than it promised; what was preserved beforehand holds more",
    ),
    "what was promised and not given was asked for once more": (
        "录像机报有而未给出的部分已再次索取",
        "what was promised and not given was asked for once more",
    ),
    "asked once more, the recorder gave no more than before": (
        "再次索取，录像机没有给出更多",
        "asked once more, the recorder gave no more than before",
    ),
    "the recorder could not be asked once more for what is missing": (
        "缺失部分未能再次向录像机索取",
        "the recorder could not be asked once more for what is missing",
    ),
    "taken whole from the file that was brought, as it was sealed on receipt": (
        "取自个人提交的文件，与接收封存时一致",
        "taken whole from the file that was brought, as it was sealed on receipt",
    ),
    "taken from the quarantine, whole as it was preserved": (
        "取自预先保全的录像，与保全时一致",
        "taken whole from what was preserved beforehand",
    ),
    "the recorder holds nothing of the granted span": (
        "录像机上没有批准时段的录像",
        "the recorder holds nothing of the granted span",
    ),
    "consents": ("待联合部门同意", "awaiting joint consents"),
    "consented": ("同意", "consented"),
    "lapsed": ("逾期未答复", "lapsed"),
    "changed": ("申请表已修改", "form changed"),
    True: ("是", "yes"),
    False: ("否", "no"),
    None: ("—", "—"),
    # where a case stands
    "draft": ("草稿", "draft"),
    "approval": ("审批中", "in approval"),
    "correction": ("待补正", "to be corrected"),
    "retrieval": ("调取中", "being retrieved"),
    "awaiting-receipt": ("待签收", "awaiting receipt"),
    "in-use": ("使用中", "in use"),
    "overdue": ("逾期未还", "overdue"),
    "closed": ("已结案", "closed"),
    "footage-re-archived": ("已重新存档", "footage re-archived"),
    "footage-unavailable": ("无法取得录像", "footage unavailable"),
    "copy-not-taken-up": ("副本未签收", "copy not taken up"),
    "return-disputed": ("归还有争议", "return disputed"),
    "withdrawn": ("已撤回", "withdrawn"),
    "expired": ("已失效", "expired"),
    # posts
    "head": ("部门负责人", "head of department"),
    "deputy": ("副职", "deputy"),
    "member": ("成员", "member"),
    "security-reviewer": ("安全审核员", "security reviewer"),
    "storage-operator": ("存储管理员", "storage operator"),
    "manager": ("管理层", "manager"),
    "return-inspector": ("归还检查员", "return inspector"),
    "supervisor": ("监督小组成员", "supervisor"),
    "administrator": ("系统管理员", "administrator"),
    "sensitive": ("敏感区域", "sensitive area"),
    # footage on its way
    "master": ("主档", "master"),
    "replica": ("备份", "replica"),
    "copy": ("副本", "copy"),
    "asking": ("询问录像机", "asking the recorder"),
    "fetching": ("取回录像", "fetching"),
    "fetching-again": ("再次取回缺失部分", "fetching again what is missing"),
    "sealing": ("截取并封存", "clipping and sealing"),
    "adopting": ("由预先保全转为主档", "taken over from the quarantine"),
    "storing": ("写入记录与标签", "writing record and label"),
    "replicating": ("复制到备份存储", "copying to the backup store"),
    "verifying": ("读回校验", "reading back to verify"),
    "issuing": ("制作加密副本", "cutting and encrypting the copy"),
    # recorders' clocks
    "configured": ("人工设定", "set by hand"),
    "picture": ("与画面上的时钟核对", "compared with the clock in its picture"),
    "api-time": ("录像机报告的时间", "told by the recorder"),
    "http-date": ("录像机应答中的时间", "by the date of the recorder's answer"),
    "unknown": ("未测量", "not measured"),
    "storage": ("存储管理部门", "the storage office"),
    "destroyed": ("已销毁", "destroyed"),
    "given-back": ("已交还", "given back"),
    "hash-differs": ("副本与封存时不一致", "a copy is not what was sealed"),
    "download-not-attested": ("有下载未说明去向", "a download is not attested"),
    "returned-late": ("逾期归还", "returned late"),
    # automatic checks
    "blocks": ("须补正", "must be mended"),
    "warns": ("请注意", "take note"),
    "informs": ("说明", "for information"),
    "preliminary-review": ("完整性检查", "completeness check"),
    "security-review": ("安全检查", "security check"),
    # where a loan stands, what became of its downloads, and the lines of its custody log
    "take-up-over": ("签收期已过", "take-up time over"),
    "suspended": ("访问已暂停", "access suspended"),
    "copy-lost": ("已报告丢失、损坏或泄露", "reported lost, damaged or leaked"),
    "copy-returned": ("已归还，检查中", "returned, being inspected"),
    "loan-ended": ("借用已结束", "loan ended"),
    "lost": ("丢失", "lost"),
    "damaged": ("损坏", "damaged"),
    "leaked": ("泄露或不当使用", "leaked or improperly used"),
    "office-security": ("安全保卫部门", "Security"),
    "office-storage": ("存储管理部门", "the storage office"),
    "download-listed": ("已登记，未取回", "listed, not fetched"),
    "download-broken-off": ("已取回，未传完", "fetched, not completed"),
    "download-finished": ("已完整取回", "fetched whole"),
    "custody-offered": ("移交待签收", "offered"),
    "custody-received": ("签收", "received"),
    "custody-declined": ("拒收", "declined"),
    "custody-viewed": ("查看", "viewed"),
    "custody-downloaded": ("登记下载", "download listed"),
    "custody-reminded": ("提醒归还", "reminded"),
    "custody-suspended": ("暂停访问", "access suspended"),
    "custody-resumed": ("恢复访问", "access resumed"),
    "custody-lost": ("报告丢失、损坏或泄露", "loss reported"),
    "custody-returned": ("归还", "returned"),
    "custody-inspected": ("归还检查", "inspected"),
    "custody-violation": ("记录违规", "violation recorded"),
    "custody-ended": ("借用结束", "loan ended"),
    "recorder-folder": ("文件夹", "folder"),
    "recorder-mediamtx": ("MediaMTX", "MediaMTX"),
    "recorder-zoneminder": ("ZoneMinder", "ZoneMinder"),
    "recorder-frigate": ("Frigate", "Frigate"),
    "recorder-hikvision": ("海康威视（ISAPI）", "Hikvision (ISAPI)"),
    "recorder-onvif": ("ONVIF Profile G", "ONVIF Profile G"),
    "protection-protected": ("已在录像机上锁定", "locked on the recorder"),
    "protection-cannot": ("录像机不支持锁定", "the recorder cannot lock"),
    "protection-failed": ("锁定失败", "could not be locked"),
    "camera-ordinary": ("一般区域", "ordinary area"),
    "camera-sensitive": ("敏感区域", "sensitive area"),
    "agreement-valid": ("有效", "valid"),
    "agreement-outdated": ("旧版，须重签", "older version"),
    "agreement-expired": ("已到期", "expired"),
    "agreement-ended": ("已终止", "ended"),
    "agreement-never": ("未签订", "never signed"),
    "doctor-settings": ("设置", "settings"),
    "doctor-models": ("流程模型", "models"),
    "doctor-clock": ("时钟", "clock"),
    "doctor-database": ("数据库", "database"),
    "doctor-store": ("录像存储", "store"),
    "doctor-replica": ("备份存储", "replica"),
    "doctor-keys": ("密钥", "keys"),
    "doctor-engine": ("流程引擎", "engine"),
    "doctor-mail": ("邮件", "mail"),
    "doctor-webhook": ("消息推送", "webhook"),
    "doctor-use-period": ("使用期限", "use period"),
    "doctor-settings-well": ("所有设置项均可识别、可使用。", "well"),
    "doctor-settings-ill": ("有设置项无法识别：请按下列英文提示更正变量名或取值，再重启。", "to be looked at"),
    "doctor-models-well": ("流程模型与审核环节相互一致。", "well"),
    "doctor-models-ill": ("流程模型或审核环节不能使用：请按下面的说明更正。", "to be looked at"),
    "doctor-clock-well": ("时钟可用；请用 NTP 保持准确。", "well"),
    "doctor-clock-ill": ("时钟不可用：请检查数据目录，演示时钟不能用于正式环境。", "to be looked at"),
    "doctor-database-well": ("数据库可用，结构为最新版本。", "well"),
    "doctor-database-ill": (
        "数据库不可用：请检查地址和账号；结构过旧时运行 footage-desk migrate。",
        "to be looked at",
    ),
    "doctor-store-well": ("录像存储可用，已封存的录像受锁定保护。", "well"),
    "doctor-store-ill": ("录像存储不可用：请检查地址、访问密钥和网络，并确认已开启对象锁定。", "to be looked at"),
    "doctor-replica-well": ("备份存储可用。", "well"),
    "doctor-replica-ill": ("备份存储不可用：请检查地址、访问密钥和网络。", "to be looked at"),
    "doctor-keys-well": ("密钥齐全，仅本服务账号可读；托管私钥请离线保存。", "well"),
    "doctor-keys-ill": ("密钥不可用：请检查密钥目录是否存在，且仅本服务账号可读。", "to be looked at"),
    "doctor-engine-well": ("流程引擎可以连接。", "well"),
    "doctor-engine-ill": ("流程引擎无法连接：请确认引擎正在运行，或更正 ZEEBE_ADDRESS。", "to be looked at"),
    "doctor-mail-well": ("邮件设置可用；未设置时通知只在本系统内显示。", "well"),
    "doctor-mail-ill": ("邮件无法发送：请检查邮件服务器地址、账号和加密方式。", "to be looked at"),
    "doctor-webhook-well": ("消息推送设置可用；未设置时不推送。", "well"),
    "doctor-webhook-ill": ("消息推送不可用：请检查推送地址、签名密钥和证书。", "to be looked at"),
    "doctor-use-period-well": ("最长使用期限已设定。", "well"),
    "doctor-use-period-ill": ("尚未设定最长使用天数，录像不会移交：请在“规则”中设定。", "to be looked at"),
    "doctor-recorder-well": ("录像机可以连接。", "well"),
    "doctor-recorder-ill": ("录像机无法连接：请确认其正在运行，并检查地址或目录。", "to be looked at"),
}


# Lines of a record that hold values: the pattern, and how it reads in Chinese and English.
LINES = tuple(
    (re.compile(pattern), zh, en)
    for pattern, zh, en in (
        (
            r"the recorder's clock is off by (-?\d+) ms",
            "录像机时钟与标准时间相差 {} 毫秒",
            "the recorder's clock is off by {} ms",
        ),
        (
            r"the recorder's clock differs by (-?\d+ ± \d+) ms, more than is searched for: .*",
            "录像机时钟与标准时间相差 {} 毫秒，超出放宽检索的范围：请安全保卫部门确认所指的时间",
            "the recorder's clock differs by {} ms, more than is searched for: Security has to say which time is meant",
        ),
        (r"promised and not given: (\S+) to (\S+)", "录像机报有而未给出：{} 至 {}", "promised and not given: {} to {}"),
        (
            r"gone since it was handed in: (\S+) to (\S+)",
            "提交申请后已不在录像机上：{} 至 {}",
            "gone since it was handed in: {} to {}",
        ),
    )
)


MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\S+")


def _line(language: Literal["zh", "en"], text: str, printed: Callable[[str], str]) -> str | None:
    for pattern, zh, en in LINES:
        if found := pattern.fullmatch(text):
            values = (printed(value) if MOMENT.fullmatch(value) else value for value in found.groups())
            return (zh if language == "zh" else en).format(*values)
    return None


def add_lookup(lookup: Lookup) -> None:
    """Ask ``lookup`` for codes that have no word here, such as the review stages of the organisation's own file."""
    _lookups.append(lookup)


def _looked_up(code: str) -> Mapping[str, str] | None:
    return next((found for lookup in _lookups if (found := lookup(code)) is not None), None)


def has_word(code: str) -> bool:
    """Whether pages show a word for the code; stages, outcomes and posts of review-stages.json bring their own."""
    return code in WORDS or _looked_up(code) is not None


def word(language: Literal["zh", "en"], code: str | bool | None, printed: Callable[[str], str] = str) -> str:
    """The word for a code in this language; a code without one is shown as it is.

    ``printed`` writes the moments (ISO 8601) that a line of a record holds.
    """
    found = WORDS.get(code)
    if found is not None:
        return found[0 if language == "zh" else 1]
    if isinstance(code, str) and (line := _line(language, code, printed)) is not None:
        return line
    found_elsewhere = _looked_up(code) if isinstance(code, str) else None
    return str(code) if found_elsewhere is None else found_elsewhere[language]


def words(code: str | bool | None) -> str:
    """The Chinese word for a code, for documents."""
    return word("zh", code)
