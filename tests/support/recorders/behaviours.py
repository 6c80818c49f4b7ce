"""What recorders are known to answer wrongly, in one word each, for the tests and the table in docs/recorders.md.

A test that shows what becomes of a wrong answer says so by its marker, with literals only (the table is read from the
source):

    @pytest.mark.recorder_answer("zoneminder", Behaviour.LOGIN_PAGE, "重新登录一次，…", "It logs in again once, …")

A kind where something cannot happen says so at the top of its test module, once for each:

    cannot_happen("mediamtx", Behaviour.REPEATED_PAGES, "列表不分页。", "Its list has no pages.")
"""

from enum import Enum


class Behaviour(Enum):
    """Value: what the recorder does, in Chinese and in English."""

    LOGIN_PAGE = ("登录页面冒充 200", "a login page as 200")
    EMPTY = ("空的 200", "an empty 200")
    WRONG_LENGTH = ("长度不符", "a wrong length")
    NEGATIVE_LENGTH = ("长度为负", "a negative length")
    GAP_CLOSED = ("缺口被悄悄合上", "a gap silently closed")
    ACROSS_GAP = ("时段跨越缺口", "a range across a gap")
    OTHER_CHANNEL = ("别的通道的录像", "another channel's footage")
    LOCAL_TIME = ("本地时间标为 Z", "device-local times marked Z")
    REPEATED_PAGES = ("重复或没有尽头的分页", "pages that repeat or never end")
    EXPIRED = ("传输中途 401", "401 in mid-transfer")
    BUSY = ("503", "503")
    HANG = ("没有下文", "a hang")
    TRUNCATED = ("截断的 mdat", "a truncated mdat")
    # Not in every kind:
    WRONG_PASSWORD = ("密码不被接受", "a password that is not accepted")
    FORBIDDEN = ("没有权限", "no right to ask")
    REDIRECT = ("转到别处", "sent elsewhere")
    NOT_UNDERSTOOD = ("看不懂的回答", "an answer that is not understood")
    BROKEN_OFF = ("传输中断", "a transfer that breaks off")
    IN_PROGRESS = ("正在录制的录像", "a recording still in progress")
    MISSING_FILE = ("列出却不存在的文件", "a file that is listed and not there")
    UNKNOWN_CHANNEL = ("没有这个通道", "a channel that it does not have")
    OTHER_ZONE = ("时区与登记不符", "another zone than configured")
    CLOCK_CHANGE = ("夏令时切换", "the hour of a clock change")
    SECRET_ECHOED = ("回显密码或令牌", "a password or token echoed")


EVERYWHERE = tuple(Behaviour)[:13]
"""Every kind says what becomes of these, or why they cannot happen."""


def cannot_happen(kind: str, behaviour: Behaviour, zh: str, en: str) -> None:
    """Say in a test module, for the table, why this kind of recorder cannot do that."""
