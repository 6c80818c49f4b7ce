"""Hand-overs, copies and the custody log as the people concerned see them; each look is on the trail (R41, R47)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from services.register import audit, copies, custody, forms, visibility
from services.register.applications import Application, Item
from services.register.cameras import Camera
from services.register.copies import Copy, Download
from services.register.custody import CustodyEntry, HandOver
from services.register.grants import of_hand_over
from services.register.unit import Unit
from services.runtime.errors import NotFound


@dataclass(frozen=True)
class CopyView:
    """One copy: which camera and span, what is covered, and where its fragments lie in the plaintext."""

    id: str
    item_id: str
    camera_zh: str
    camera_en: str
    zone: str
    size: int
    sha256: str
    outcome: str
    coverage: dict[str, Any]
    fragments: list[list[int]]
    actions: list[str]


@dataclass(frozen=True)
class HandOverView:
    """A hand-over with everything that its custodian signs for and acts on."""

    hand_over: HandOver
    number: str
    purpose: str
    way_of_use: str
    form_sha256: str
    conditions_version: str
    copies: list[CopyView]
    downloads: list[Download]


def mine(unit: Unit) -> list[HandOverView]:
    """The acting person's hand-overs, the newest first."""
    return [_view(unit, row) for row in custody.all_mine(unit)]


def one(unit: Unit, hand_over_id: str) -> HandOverView:
    """One of the acting person's hand-overs; NotFound for everybody else."""
    hand_over = custody.mine(unit, hand_over_id)
    audit.record(unit, "hand-over-read", "hand-over", hand_over_id, application_id=hand_over.application_id)
    return _view(unit, hand_over)


def log(unit: Unit, hand_over_id: str) -> tuple[list[CustodyEntry], int | None]:
    """The custody log for everyone who may see the case, and the line where its chain breaks, if it does."""
    hand_over = unit.session.get(HandOver, hand_over_id)
    if hand_over is None:
        raise NotFound("交接", "hand-over", hand_over_id)
    if hand_over.custodian_id != unit.actor.id:
        visibility.visible(unit, hand_over.application_id)
    audit.record(unit, "custody-log-read", "hand-over", hand_over_id, application_id=hand_over.application_id)
    entries = custody.log_of(unit, hand_over_id)
    return entries, custody.broken_at(entries)


def _view(unit: Unit, hand_over: HandOver) -> HandOverView:
    application = unit.session.get_one(Application, hand_over.application_id)
    revision = forms.current_revision(unit, application.id)
    grants = of_hand_over(unit, hand_over.id)
    held = unit.session.scalars(select(Copy).where(Copy.hand_over_id == hand_over.id).order_by(Copy.made_at, Copy.id))
    return HandOverView(
        hand_over=hand_over,
        number=application.number or "",
        purpose=application.purpose,
        way_of_use=application.granted_way_of_use or "view",
        form_sha256=revision.sha256 if revision else "",
        conditions_version=hand_over.conditions_version or unit.rules.policy_version,
        copies=[
            _copy(unit, copy, [grant.action for grant in grants if grant.copy_id == copy.id and grant.ended_at is None])
            for copy in held
        ],
        downloads=copies.downloads_of(unit, hand_over.id),
    )


def _copy(unit: Unit, copy: Copy, actions: list[str]) -> CopyView:
    item = unit.session.get_one(Item, copy.item_id)
    camera = unit.session.get_one(Camera, item.camera_id)
    coverage = copy.sealed["coverage"]
    # The recorder's segments and their hashes are the record's business, not the custodian's.
    shown = ("asked", "covered", "gaps", "leadInMs", "tailMs", "codecs", "parts", "firstFrame", "lastFrame", "zero")
    return CopyView(
        id=copy.id,
        item_id=item.id,
        camera_zh=camera.name_zh,
        camera_en=camera.name_en,
        zone=item.zone,
        size=copy.sealed["plainSize"],
        sha256=copy.sealed["sha256Plain"],
        outcome=copy.sealed["outcome"],
        coverage={name: coverage[name] for name in shown},
        fragments=copy.sealed["fragments"],
        actions=actions,
    )
