"""Codes of the register in Chinese and English, as pages and printed documents show them."""

from typing import Literal

WORDS: dict[str | bool | None, tuple[str, str]] = {
    "view": ("仅查看", "view only"),
    "download": ("下载副本", "download a copy"),
    "ordinary": ("一般", "ordinary"),
    "important": ("重要", "important"),
    "preliminary": ("部门初审", "preliminary review"),
    "security": ("安全审核", "security review"),
    "security-signature": ("安全保卫部门负责人签字", "sign-off by the head of Security"),
    "management": ("管理层审批", "management decision"),
    "storage-release": ("存储部门放行", "storage release"),
    "partial-footage": ("部分录像确认", "partial footage"),
    "receipt": ("签收", "receipt"),
    "return-inspection": ("归还检查", "return inspection"),
    "approved": ("同意", "approved"),
    "returned": ("退回", "sent back"),
    "rejected": ("不同意", "rejected"),
    "signed": ("已签字", "signed"),
    "refused": ("拒绝签字", "refused to sign"),
    "accepted": ("已签收", "accepted"),
    "declined": ("拒收", "declined"),
    "in-order": ("无误", "in order"),
    "discrepancy": ("有出入", "discrepancy"),
    "complete": ("完整", "complete"),
    "partial": ("部分", "partial"),
    "missing": ("无录像", "missing"),
    "unreadable": ("无法读取", "unreadable"),
    "recorder": ("录像机", "recorder"),
    "quarantine": ("预先保全", "preservation"),
    "security-incident": ("安全事件调查", "security incident"),
    "accident": ("事故调查", "accident"),
    "dispute": ("纠纷处理", "dispute"),
    "discipline": ("违纪调查", "discipline"),
    "operations": ("生产运营", "operations"),
    "training": ("培训", "training"),
    "other": ("其他", "other"),
    "internal-management": ("内部管理职责", "internal management duty"),
    "law": ("法律法规规定", "law or regulation"),
    "authority-request": ("有关机关依法调取", "request of an authority"),
    "lawful-interest": ("维护合法权益", "lawful interest"),
    "consent": ("当事人同意", "consent of those concerned"),
    "password": ("密码签字", "password"),
    "password+totp": ("密码和动态验证码签字", "password and one-time code"),
    "container boxes and their lengths": ("封装结构及长度", "container boxes and their lengths"),
    "declared against counted samples": ("声明与实际的样本数", "declared against counted samples"),
    "time stamps of every packet": ("每个数据包的时间戳", "time stamps of every packet"),
    "unit lengths of every picture": ("每幅画面的单元长度", "unit lengths of every picture"),
    "decoding of each segment's first key frame": (
        "每个片段首个关键帧的解码",
        "decoding of each segment's first key frame",
    ),
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
    # footage on its way
    "master": ("主档", "master"),
    "replica": ("备份", "replica"),
    "copy": ("副本", "copy"),
    "asking": ("询问录像机", "asking the recorder"),
    "fetching": ("取回录像", "fetching"),
    "sealing": ("截取并封存", "clipping and sealing"),
    "adopting": ("由预先保全转为主档", "taken over from the quarantine"),
    "storing": ("写入记录与标签", "writing record and label"),
    "replicating": ("复制到备份存储", "copying to the backup store"),
    "verifying": ("读回校验", "reading back to verify"),
    "issuing": ("制作加密副本", "cutting and encrypting the copy"),
    # recorders' clocks
    "configured": ("人工设定", "set by hand"),
    "unknown": ("未测量", "not measured"),
    # returns
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
}


def word(language: Literal["zh", "en"], code: str | bool | None) -> str:
    """The word for a code in this language; a code without one is shown as it is."""
    found = WORDS.get(code)
    return str(code) if found is None else found[0 if language == "zh" else 1]


def words(code: str | bool | None) -> str:
    """The Chinese word for a code, for documents."""
    return word("zh", code)
