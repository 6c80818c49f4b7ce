"""What each worker does, in Chinese, for its element template; the English is the first line of its module."""

from collections.abc import Mapping

DOES: Mapping[str, str] = {
    "back-up-footage": "移交之前，把母本另存一份到别处，并读回核对哈希",
    "encrypt-copy": "按检索的时间段截取副本，用专用借用密钥加密",
    "escalate-review": "审核到期未办，替补人员也可以办理",
    "escalate-to-management": "确定由哪些管理层人员审批，并通知他们",
    "expire-application": "期限内已收到补正的，继续办理；没有收到的，申请作废",
    "file-application": "批准的申请表编号归档，作为调取依据",
    "hand-over": "把副本交给指定的保管人签收",
    "inspect-return": "重新核对所存副本的哈希，并将下载记录与归还声明逐项对照",
    "notify-storage": "通知存储部门有已归档的批准申请，并记录用时",
    "open-case": "登记案件，与流程实例绑定；重复的启动静默结束",
    "open-review": "向有权办理的人员发起一项审核",
    "open-violation": "登记违规：超过宽限期仍未归还，或副本丢失（本案随之结案）",
    "preliminary-review": "初审的自动部分：核对申请是否完整、合理",
    "preserve-footage": "决定作出前可能被覆盖的录像，先存入隔离区",
    "re-archive": "销毁借用密钥，终止访问，母本保留到处置日期，本案结案",
    "release-preservation": "未移交而结案时，清除保管库中为本案保存的录像，并说明结案原因",
    "remind-return": "提醒归还，每个任务提醒一次",
    "remind-reviewer": "提醒可以办理此项审核的人员",
    "resume-access": "使用期限变更后，恢复访问到新的到期日",
    "retrieve-footage": "将一个申请项的录像取回保管库，并生成调取记录",
    "security-review": "安全审核的自动部分：核对规定、利害关系、保密协议和摄像头级别",
    "suspend-access": "到期日停止访问",
}
