"""The demo's site with its keepers, and drawn plans on which its cameras are: where is that camera?"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import typst
from sqlalchemy import select

from services.database.tables.cameras import Recorder
from services.database.tables.sites import Site
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo.recordings import RECORDERS
from services.domain.cameras import plans
from services.domain.cameras.photographs import PLAN, Picture
from services.domain.cameras.plans import PlanEntry
from services.domain.storage import sites
from services.domain.storage.schemas import SiteBody
from services.rendering import glyphs
from services.runtime.jpeg import jpeg

SITE = SiteBody(name="示例园区", address="示例市工业大道 1 号", uses=["recorder-room"], area="办公楼二层机柜区")
KEEPERS = (("hutao", "keeper"), ("linlin", "deputy"))
STORAGE_HEAD, ADMINISTRATOR = "zhujun", "luoxin"


@dataclass(frozen=True)
class _Plan:
    """A page of plans.typ, and where on it the cameras are, in thousandths of its width and height."""

    building: tuple[str, str]
    floor: tuple[str, str]
    level: int
    pins: Mapping[str, tuple[int, int]]


PLANS = (
    _Plan(
        ("", ""),
        ("总平面", "Whole site"),
        0,
        {
            "cam1": (330, 200),
            "cam2": (704, 105),
            "cam3": (490, 925),
            "cam4": (133, 760),
            "cam5": (955, 590),
            "cam6": (140, 390),
            "cam7": (618, 780),
            "cam8": (265, 680),
            "cam9": (370, 850),
            "cam10": (735, 790),
            "cam11": (820, 740),
            "cam12": (180, 200),
        },
    ),
    _Plan(("物流中心", "Logistics centre"), ("一层", "Ground floor"), 1, {"cam10": (215, 500), "cam11": (690, 595)}),
)


def seed(database: Database, id_of: Callable[[str], str]) -> None:
    """Enter the site, its keepers and its plans by the register's own acts; nothing where the site is there.

    ``id_of`` gives the id of a person, a recorder or a camera of the demo.
    """
    storage_head, administrator = Actor("person", id_of(STORAGE_HEAD)), Actor("person", id_of(ADMINISTRATOR))
    site_id = database.run_now(storage_head, _enter_site, id_of)
    if site_id is None:
        return
    for plan, page in zip(PLANS, _draw(), strict=True):
        database.run_now(administrator, _enter_plan, site_id, plan, page, id_of)


def _enter_site(uow: UnitOfWork, id_of: Callable[[str], str]) -> str | None:
    if uow.session.scalar(select(Site.id).where(Site.name == SITE.name)) is not None:
        return None
    site = sites.add(uow, SITE)
    for login, part in KEEPERS:
        sites.set_keeper(uow, site.id, id_of(login), part)
    for recorder in RECORDERS:
        if uow.session.get_one(Recorder, id_of(recorder.key)).site_id is None:
            sites.set_recorder(uow, site.id, id_of(recorder.key))
    return site.id


def _enter_plan(uow: UnitOfWork, site_id: str, plan: _Plan, page: Picture, id_of: Callable[[str], str]) -> None:
    row = plans.add(uow, PlanEntry(site_id, *plan.building, *plan.floor, plan.level))
    plans.upload(uow, row.id, page)
    plans.place(uow, row.id, {id_of(key): place for key, place in plan.pins.items()})


def _draw() -> list[Picture]:
    """Draw the pages of plans.typ as JPEG."""
    fonts = typst.Fonts(include_system_fonts=False, font_paths=[glyphs.FONTS])
    source = Path(__file__).with_suffix(".typ")
    compiler = typst.Compiler(source, root=source.parent, font_paths=fonts, ignore_system_fonts=True)
    pages: Any = compiler.compile(format="png", ppi=96)
    return [_jpeg(page) for page in pages]


def _jpeg(page: bytes) -> Picture:
    with av.open(io.BytesIO(page), "r", format="png_pipe") as container:
        frame = next(container.decode(video=0))
    return Picture(jpeg(frame, PLAN.quantizer), frame.width, frame.height)
