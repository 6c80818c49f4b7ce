"""What happened, in words: every action of the audit trail that a case's time line may show, in both languages.

A place in braces is filled from the event's details: codes in words, anything else as it is.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from services.runtime.labels import has_word, word

Language = Literal["zh", "en"]

HAPPENINGS: Mapping[str, tuple[str, str]] = {
    # the application
    "application-drafted": ("起草申请", "The application was drafted"),
    "application-submitted": ("提交申请 {number}", "The application {number} was handed in"),
    "application-corrected": (
        "提交补正后的申请（第 {round} 次）",
        "The corrected application was handed in (round {round})",
    ),
    "application-withdrawn": ("撤回申请", "The application was withdrawn"),
    "correction-expired": ("逾期未补正", "The time to correct it passed"),
    "item-removed": ("移除一个申请项", "An item was removed"),
    "consents-asked": ("请各联合部门确认申请主体", "The joint departments were asked for their consent"),
    "consent-consented": ("联合部门同意", "A joint department consented"),
    "consent-refused": ("联合部门不同意", "A joint department refused"),
    "consultation-ended": ("征求联合部门意见结束", "The consultation of the joint departments ended"),
    "department-became-applicant": ("部门成为申请主体", "The department became the applicant"),
    "case-opened": ("案件登记，流程开始", "The case was opened and its process began"),
    "case-closed": ("结案：{closed_as}", "The case was closed: {closed_as}"),
    # checks and reviews
    "preliminary-review-checked": ("自动核对申请材料", "The form was checked for completeness"),
    "security-review-checked": ("自动核查安全规定", "The rules of security were checked"),
    "review-opened": ("发起审核：{stage}", "A review was opened: {stage}"),
    "review-reminded": ("提醒审核人", "The reviewers were reminded"),
    "review-escalated": ("逾期未审，扩大审核人范围", "The review was late and was opened to substitutes"),
    "review-claimed": ("认领审核", "The review was claimed"),
    "review-put-back": ("放回审核", "The review was put back"),
    "review-decided": ("{stage}：{outcome}", "{stage}: {outcome}"),
    "review-closed": ("审核结束，无需再作决定", "The review was closed without a decision"),
    "release-proposed": ("操作员放行，待第二人确认", "An operator released; a second person is to confirm"),
    "release-confirmed": ("第二人确认放行", "The second person confirmed the release"),
    "release-not-confirmed": ("第二人不同意放行", "The second person did not confirm the release"),
    "escalated-to-management": ("提请管理层审批", "The decision was put to management"),
    "application-filed": ("申请表 {number} 留存备案", "The form {number} was filed"),
    "application-form-written": ("申请表存档", "The application form was written"),
    "storage-notified": ("通知存储部门", "The storage office was notified"),
    # footage
    "footage-preserved": ("录像已预先保全：{outcome}", "Footage was preserved: {outcome}"),
    "preservation-failed": ("预先保全未成功", "Footage could not be preserved"),
    "recorder-protection": ("要求录像机不得覆盖：{outcome}", "The recorder was asked not to overwrite it: {outcome}"),
    "recorder-protection-released": ("录像机可再次覆盖", "The recorder may overwrite it again"),
    "preservation-released": ("解除预先保全", "The preservation was released"),
    "quarantine-discarded": ("隔离区对象已清除", "The quarantined object was discarded"),
    "retrieval-ordered": ("开始调取", "The retrieval began"),
    "retrieval-recorded": ("写入调取记录 {number}：{outcome}", "The retrieval record {number} was written: {outcome}"),
    "retrieval-record-written": ("调取记录存档", "The retrieval record was written"),
    "label-written": ("标签存档", "The label was written"),
    "hand-over-receipt-written": ("移交签收单存档", "The hand-over receipt was written"),
    "return-inspection-written": ("归还检查表存档", "The return inspection was written"),
    "custody-log-written": ("保管记录存档", "The custody log was written"),
    "camera-fingerprint-learned": ("记录摄像头特征", "The camera's fingerprint was learned"),
    "footage-retrieved": ("录像入库：{outcome}", "Footage came into the vault: {outcome}"),
    "master-backed-up": ("主档已备份并核对", "The master was backed up and verified"),
    "master-archived": (
        "主档重新存档，保存至 {dispose_after}",
        "The master was archived again, kept until {dispose_after}",
    ),
    "master-discarded": ("主档已清除", "The master was discarded"),
    "copy-made": ("副本已加密制作", "An encrypted copy was made"),
    "copy-discarded": ("副本已清除", "The copy was discarded"),
    "loan-key-destroyed": ("借用密钥已销毁", "The loan key was destroyed"),
    "upload-begun": ("开始写入对象存储", "Writing to the vault began"),
    "upload-finished": ("对象存储写入完成", "Writing to the vault ended"),
    "upload-abandoned": ("对象存储写入中止", "Writing to the vault was abandoned"),
    "upload-removed": ("删除个人提交的文件", "A file that was brought was deleted"),
    "upload-swept": ("个人提交的文件已从对象存储清除", "A file that was brought was cleared from the vault"),
    "integrity-check-begun": ("开始完整性核验", "A check of integrity began"),
    "document-filed": ("文书以 PDF 存档", "A document was filed as PDF"),
    "package-made": ("制作证据包", "Evidence package made"),
    "integrity-checked": ("完整性核验：{outcome}", "Check of integrity: {outcome}"),
    # custody
    "receipt-accepted": ("保管人签收", "The custodian accepted the copies"),
    "receipt-declined": ("保管人拒收", "The custodian declined the copies"),
    "grant-given": ("授权：{granted}", "Access was granted: {granted}"),
    "grant-suspended": ("暂停授权：{granted}", "Access was suspended: {granted}"),
    "grant-resumed": ("恢复授权：{granted}", "Access was resumed: {granted}"),
    "grant-ended": ("授权结束：{granted}", "Access ended: {granted}"),
    "access-denied": ("访问被拒绝：{asked}", "Access was denied: {asked}"),
    "custody-offered": ("副本移交保管人", "The copies were offered to the custodian"),
    "custody-received": ("保管人收到副本", "The custodian received the copies"),
    "custody-declined": ("保管人未接收副本", "The custodian did not take the copies"),
    "custody-viewed": ("查看副本", "A copy was viewed"),
    "custody-downloaded": ("下载副本", "A copy was downloaded"),
    "download-sent": ("下载文件已发出", "The download was sent"),
    "custody-reminded": ("提醒归还", "The custodian was reminded of the return"),
    "custody-suspended": ("到期未还，暂停访问", "The use period ended and access was suspended"),
    "custody-resumed": ("使用期限变更，恢复访问", "The use period was changed and access resumed"),
    "custody-lost": ("保管人报告副本遗失", "The custodian reported a loss"),
    "custody-returned": ("保管人归还副本", "The custodian returned the copies"),
    "return-signed": ("保管人签署归还声明", "The custodian signed the attestation of the return"),
    "custody-inspected": ("核对归还的副本", "The return was examined"),
    "custody-violation": ("登记违规：{kind}", "A violation was recorded: {kind}"),
    "custody-ended": ("保管结束", "The custody ended"),
    "violation-opened": ("登记违规：{kind}", "A violation was opened: {kind}"),
    # the process engine
    "incident-retry-ordered": (
        "管理员要求重试失败的步骤",
        "An administrator had a failed step tried again",
    ),
    "job-retries-set": ("管理员设定任务可重试 {retries} 次", "An administrator let a job be tried {retries} times"),
    # notices
    "delivery-escalated": ("通知未送达，已上报", "A notice could not be delivered and was escalated"),
    "delivery-given-up": ("通知最终未能送达", "A notice was never delivered"),
}


def said(language: Language, action: str, detail: Mapping[str, Any], zone: str) -> str:
    """One line of a time line; an action without words is shown as it is."""
    found = HAPPENINGS.get(action)
    if found is None:
        return action
    sentence = found[0 if language == "zh" else 1].format_map(_Filled(language, detail, zone))
    return sentence[:1].upper() + sentence[1:]


class _Filled(dict[str, str]):
    """Details for a sentence: codes in words, moments as days in ``zone``, and nothing for one that is not there."""

    def __init__(self, language: Language, detail: Mapping[str, Any], zone: str) -> None:
        super().__init__()
        self._language, self._detail, self._zone = language, detail, zone

    def __missing__(self, name: str) -> str:
        value = self._detail.get(name)
        if isinstance(value, str) and has_word(value):
            return word(self._language, value)
        if name.endswith(("_after", "_at")) and isinstance(value, str):
            return datetime.fromisoformat(value).astimezone(ZoneInfo(self._zone)).strftime("%Y-%m-%d")
        return "" if value is None else str(value)
