"""The registers of storage in the demo year: sites and their keepers, devices, media, and where the stores stand."""

from datetime import date, timedelta

from sqlalchemy import select

from services.database.tables.devices import Medium
from services.database.unit_of_work import UnitOfWork
from services.demo.organisation import demo_id
from services.demo.recordings import RECORDERS
from services.demo.year.past import Past
from services.domain.storage import devices, media, places, sites
from services.domain.storage.schemas import (
    DeviceBody,
    HandOutBody,
    MediumBody,
    MediumEndBody,
    PlacesBody,
    ScanBody,
    SiteBody,
)

STORAGE_HEAD = "zhujun"
SITES = (
    ("厂区一号机房", "厂区办公楼二层", ("primary", "recorder-room"), "北侧封闭机柜区", "hutao", "linlin"),
    ("异地备份机房", "城南数据中心三层", ("backup",), "独立上锁机柜两组", "linlin", "hutao"),
    ("安全保卫部查看室", "厂区办公楼一层", ("viewing",), "查看席位四个", "hutao", "linlin"),
)
DEVICES = (
    ("ZJ-0001", "array", "华存", "HS-3600", 0, "96 TB", "双控制器，RAID 6，容许两块磁盘故障"),
    ("ZJ-0002", "array", "华存", "HS-2400", 1, "96 TB", "RAID 6，容许两块磁盘故障"),
    ("ZJ-0003", "node", "联科", "LK-R2", 0, "", "双电源"),
    ("ZJ-0004", "node", "联科", "LK-R2", 0, "", "双电源"),
    ("ZJ-0005", "node", "联科", "LK-R1", 1, "", "单电源，另有备机"),
    ("ZJ-0006", "viewing-station", "联科", "LK-W1", 2, "", ""),
    ("ZJ-0007", "viewing-station", "联科", "LK-W1", 2, "", ""),
)
MEDIA = (("usb-stick", "U"), ("usb-stick", "U"), ("usb-stick", "U"), ("disk", "P"), ("disk", "P"), ("disc", "G"))


def enter(past: Past) -> list[str]:
    """Enter sites, devices and media; return the ids of the sites."""
    found = []
    for name, address, uses, area, keeper, deputy in SITES:
        body = {"name": name, "address": address, "uses": uses, "area": area}
        site = past.act(STORAGE_HEAD, sites.add, SiteBody.model_validate(body))
        for login, part in ((keeper, "keeper"), (deputy, "deputy")):
            past.act(STORAGE_HEAD, sites.set_keeper, site.id, demo_id(login), part)
        found.append(site.id)
    past.act(STORAGE_HEAD, places.set_places, PlacesBody(vault=found[0], replica=found[1]))
    since = past.clock.now().date()
    for place, recorder in enumerate(RECORDERS, 1):
        past.act(STORAGE_HEAD, sites.set_recorder, found[0], demo_id(recorder.key))
        past.act(
            STORAGE_HEAD,
            devices.add,
            DeviceBody(
                number=f"LX-{place:04d}",
                kind="recorder",
                make="天视",
                model="NVR-32",
                serial=f"TS32{place:08d}",
                site_id=found[0],
                in_service_since=_before(since, 700),
                capacity="32 TB",
                redundancy="RAID 5，容许一块磁盘故障",
                recorder_id=demo_id(recorder.key),
            ),
        )
    for number, kind, make, model, place, capacity, redundancy in DEVICES:
        past.act(
            STORAGE_HEAD,
            devices.add,
            DeviceBody.model_validate(
                {
                    **{"number": number, "kind": kind, "make": make, "model": model, "siteId": found[place]},
                    **{"serial": f"{model}-{number[-4:]}", "inServiceSince": _before(since, 500).isoformat()},
                    **{"capacity": capacity, "redundancy": redundancy},
                }
            ),
        )
    for place, (kind, letter) in enumerate(MEDIA, 1):
        entered = {"number": f"JZ-{letter}-{place:04d}", "kind": kind, "serial": f"S{place:06d}", "siteId": found[2]}
        past.act(STORAGE_HEAD, media.add, MediumBody.model_validate(entered))
    return found


def use_media(past: Past) -> None:
    """Hand three media out, take one back, and strike one that was provided and one that was destroyed."""
    ids = past.act(None, _list_media)
    for medium, login in zip(ids[:3], ("liuyang", "chenjing", "heping"), strict=True):
        past.act(STORAGE_HEAD, media.hand_out, medium[0], HandOutBody(person_id=demo_id(login), note="外出核对"))
    past.clock.advance(timedelta(days=3))
    past.act(STORAGE_HEAD, media.scan, ScanBody(number=ids[0][1]))
    past.act(STORAGE_HEAD, media.end, ids[4][0], MediumEndBody(state="provided", note="随录像交予公安机关"))
    past.act(STORAGE_HEAD, media.end, ids[5][0], MediumEndBody(state="destroyed", note="盘面划伤，已粉碎"))


def _list_media(uow: UnitOfWork) -> list[tuple[str, str]]:
    return [(row.id, row.number) for row in uow.session.scalars(select(Medium).order_by(Medium.entered_at, Medium.id))]


def _before(day: date, days: int) -> date:
    return day - timedelta(days=days)
