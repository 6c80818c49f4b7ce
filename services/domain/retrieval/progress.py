"""How far the work on an item's footage has come, for the storage office to look at while it happens (R31, R32).

One row for each item and purpose, from the first try until the work is done; written in transactions of its own, about
once a second, so that portals in other processes see it. Nothing is decided by it.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select

from services.database.tables.applications import Application, Item
from services.database.tables.progress import Progress
from services.database.unit_of_work import UnitOfWork
from services.domain.retrieval.attempts import Purpose

# Whoever works writes every second; after this silence the process is taken to be gone, and its job comes again.
SILENCE = timedelta(seconds=30)

# What has gone wrong, by the error's name: what it means for the storage office, and what to do.
TROUBLES = {
    "RecorderDown": (
        "录像机无法连接：请检查电源和网络，接通后自动继续。",
        "The recorder cannot be reached: check its power and network; the work goes on by itself.",
    ),
    "BrokenOff": (
        "录像机在传输中途断开，将自动重试；反复出现时请检查网络。",
        "The recorder broke off in mid-transfer and is asked again; look at its network where that keeps happening.",
    ),
    "ReplayUnsupported": (
        "无法从这台录像机取回录像：请在录像机上导出，再作为文件提交。",
        "Nothing here can fetch from this recorder: export the footage there and bring the file.",
    ),
    "OutsideRoots": (
        "录像机的位置不在允许的范围内：请管理员核对设置。",
        "The recorder is where the settings let none be: have the administrator check them.",
    ),
    "NothingRecorded": (
        "录像机上没有该时段的录像，未能预先保全。",
        "The recorder holds nothing of the span: it could not be preserved.",
    ),
    "FootageMissing": (
        "录像机上没有该时段的录像，未能预先保全。",
        "The recorder holds nothing of the span: it could not be preserved.",
    ),
    "FootageUnreadable": (
        "录像已损坏，无法读取，未能预先保全：请检查录像机。",
        "The footage is broken and could not be preserved: look at the recorder.",
    ),
    "WrongChannel": (
        "录像机没有这个通道：请管理员核对摄像头的通道设置。",
        "The recorder has no such channel: have the administrator check the camera's channel.",
    ),
    "WrongFootage": (
        "取到的画面与该摄像头的特征不符，未予保存：请核对通道接线。",
        "The footage is not this camera's and was not kept: check which camera the channel carries.",
    ),
    "UnsupportedFootage": (
        "录像的格式无法处理：请联系管理员。",
        "The footage is in a format that cannot be handled: tell the administrator.",
    ),
    "ClipFailed": (
        "录像处理中断，将自动重试；反复出现时请联系管理员。",
        "Handling the footage broke off and is tried again; tell the administrator where it keeps happening.",
    ),
    "StoreDown": (
        "对象存储暂时不可用，恢复后自动继续。",
        "The object storage is away; the work goes on by itself when it is back.",
    ),
    "StoreRefused": (
        "对象存储拒绝写入：请管理员核对存储的账号和权限。",
        "The object storage refuses to write: have the administrator check its account and rights.",
    ),
    "ObjectDamaged": (
        "存储中的数据与封存时不一致：请检查存储磁盘，并联系管理员。",
        "What the store holds is not what was sealed: check its disks and tell the administrator.",
    ),
    "MasterDamaged": (
        "主档与封存时不一致：请用备份恢复，并联系管理员。",
        "The master is not what was sealed: restore it from the replica and tell the administrator.",
    ),
}
OTHER_TROUBLE = (
    "处理失败，将自动重试；反复出现时请联系管理员。",
    "It failed and is tried again; tell the administrator where it keeps happening.",
)


@dataclass(frozen=True)
class Trouble:
    """What went wrong last, as sentences."""

    code: str
    zh: str
    en: str


def begin(uow: UnitOfWork, application_id: str, item_id: str, purpose: Purpose, phase: str) -> None:
    """A try begins; the trouble of the one before stays to be read until there is progress."""
    if uow.session.get(Item, item_id) is None:
        return  # whose work it is says so itself
    row = uow.session.get(Progress, (item_id, purpose))
    if row is None:
        row = Progress(item_id=item_id, purpose=purpose, application_id=application_id, tries=0, since=uow.now)
        uow.session.add(row)
    row.tries += 1
    row.phase, row.size, row.share, row.heard_at = phase, 0, 0.0, uow.now


def tell(uow: UnitOfWork, item_id: str, purpose: Purpose, *, phase: str, size: int, share: float) -> None:
    """Where the work stands now; nothing where its row is gone."""
    row = uow.session.get(Progress, (item_id, purpose))
    if row is not None:
        row.phase, row.size, row.share, row.heard_at = phase, size, min(max(share, 0.0), 1.0), uow.now
        if size:
            row.trouble = row.trouble_at = None


def stumble(uow: UnitOfWork, item_id: str, purpose: Purpose, code: str) -> None:
    """The try failed with this error; another one follows, or somebody has to help."""
    row = uow.session.get(Progress, (item_id, purpose))
    if row is not None:
        row.trouble, row.trouble_at, row.heard_at = code, uow.now, uow.now


def end(uow: UnitOfWork, item_id: str, purpose: Purpose) -> None:
    """The work is done, or not wanted any more. A master makes the quarantine's troubles a thing of the past."""
    over = (purpose, "quarantine") if purpose == "master" else (purpose,)
    uow.session.execute(delete(Progress).where(Progress.item_id == item_id, Progress.purpose.in_(over)))


def under_way(uow: UnitOfWork) -> list[Progress]:
    """The work on all cases that are open, the oldest first."""
    query = (
        select(Progress)
        .join(Application, Application.id == Progress.application_id)
        .where(Application.closed_at.is_(None), Application.withdrawn_at.is_(None))
        .order_by(Progress.since, Progress.item_id, Progress.purpose)
    )
    return list(uow.session.scalars(query))


def silent(uow: UnitOfWork, row: Progress) -> bool:
    """Whether nobody seems to work on it: its process is gone, and its job comes again by itself."""
    return uow.now - row.heard_at > SILENCE


def trouble_of(row: Progress) -> Trouble | None:
    """The last trouble as sentences that say what to do."""
    if row.trouble is None:
        return None
    return Trouble(row.trouble, *TROUBLES.get(row.trouble, OTHER_TROUBLE))


def forget(uow: UnitOfWork, application_id: str) -> None:
    """The case has ended: nobody works on it any more."""
    uow.session.execute(delete(Progress).where(Progress.application_id == application_id))
