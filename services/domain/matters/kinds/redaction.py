"""Redaction 脱敏: a copy in which people are hidden, by a recipe, and watched whole by a second person (R6, R58, T5).

Whoever may watch the copy draws the boxes; the system makes the redacted copy beside it, and the original stays as it
is. Only what a second person has watched whole and approved is handed to a person who was filmed.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator
from sqlalchemy import select

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import derivative_viewings, derivatives, detections, suspensions
from services.domain.custody.derivative_viewings import STAGE
from services.domain.documents import service as document_service
from services.domain.matters import permissions
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Kind, Line
from services.domain.process.permissions import CaseState
from services.runtime.canonical_json import hash_of
from services.runtime.errors import NotPermitted, Refused
from services.runtime.labels import Label
from services.runtime.translations import Bilingual, Message
from services.vault.redaction import recipe as recipes
from services.vault.redaction.recipe import Recipe, RecipeInvalid
from services.web.schemas import Identifier

LARGEST = 1 << 20  # characters of a recipe in a form


def _from_form(given: object) -> object:
    """Return the values of a recipe that a form brings as text; what is no JSON stays text, and is refused by name."""
    if isinstance(given, str) and len(given) <= LARGEST:
        try:
            return json.loads(given)
        except (ValueError, RecursionError):
            return given
    return given


class RedactionAsked(Asked):
    """``copy_id``: of which copy. ``recipe``: the boxes, as ``vault.redaction.recipe`` describes them."""

    copy_id: Identifier
    recipe: Annotated[Any, BeforeValidator(_from_form)]


class Redaction(Kind):
    code: ClassVar = "redaction"
    title: ClassVar = "视频录像脱敏制作记录"
    label: ClassVar = Message("Redaction")
    button: ClassVar = Message("Make a redacted copy")
    asked: ClassVar = RedactionAsked
    openers: ClassVar = ("custodian", "security-head", "security")
    one_form: ClassVar = False  # the boxes are drawn on a page of its own, which each copy leads to

    def who_may(self) -> Message:
        return Message(
            "Only the custodian, and people of Security who may watch the copy, can redact it: ask the custodian."
        )

    def may_open(self, uow: UnitOfWork, application: Application, hand_over: HandOver | None) -> bool:
        """Whether the actor is the custodian or of Security, and may watch a copy of the loan."""
        if hand_over is None or not super().may_open(uow, application, hand_over):
            return False
        granted = (
            select(Grant.id)
            .join(Copy, Copy.id == Grant.copy_id)
            .where(
                Copy.hand_over_id == hand_over.id,
                Grant.person_id == uow.actor.id,
                Grant.action == "view",
                Grant.ended_at.is_(None),
            )
        )
        return uow.session.scalar(granted.limit(1)) is not None

    def is_same(self, uow: UnitOfWork, matter: Matter, asked: RedactionAsked) -> bool:
        return bool(matter.facts["asked"]["copyId"] == asked.copy_id)

    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: RedactionAsked) -> Message | None:
        obstacle = base.loan_obstacle(state.hand_over)
        if obstacle is not None:
            return obstacle
        copy = uow.session.get(Copy, asked.copy_id)
        if copy is None or copy.hand_over_id != base.lent(state).id or copy.discarded_at is not None:
            return Message("This copy is not part of the loan: choose one of its copies.")
        return None

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        """Return the copies that there are to choose among."""
        query = (
            select(Copy.id, Item.position, Camera.name_zh, Camera.name_en)
            .join(Item, Item.id == Copy.item_id)
            .join(Camera, Camera.id == Item.camera_id)
            .where(Copy.hand_over_id == base.lent(state).id, Copy.discarded_at.is_(None))
            .order_by(Item.position, Copy.id)
        )
        rows = uow.session.execute(query)
        return {
            "copies": [
                {"id": copy_id, "position": position, "cameraZh": zh, "cameraEn": en}
                for copy_id, position, zh, en in rows
            ]
        }

    def before_of(self, uow: UnitOfWork, state: CaseState, asked: RedactionAsked) -> dict[str, Any]:
        """Return the copy as it is, and the recipe as it was read; Refused for one that cannot be used."""
        if suspensions.list_open(uow, base.lent(state)):
            raise Refused("suspended", "Access to the copies is suspended: settle this first.")
        copy = uow.session.get_one(Copy, asked.copy_id)
        self._require_granted(uow, copy)
        recipe = _recipe(asked.recipe, copy)
        proposal = detections.recorded(uow, copy, recipe)
        label = document_service.of_subject(uow, "label", copy.id)
        master_label = document_service.of_subject(uow, "label", copy.master_id)
        camera = copy_camera(uow, copy)
        return {
            "copy": copy.id,
            "master": copy.master_id,
            "camera": camera.zh,
            "cameraEn": camera.en,
            "label": label.number if label is not None else None,
            "masterLabel": master_label.number if master_label is not None else None,
            "sha256": copy.sealed["sha256Plain"],
            "recipe": recipe,
            "recipeSha256": hash_of(recipe),
            **({"proposal": proposal} if proposal is not None else {}),
        }

    def _require_granted(self, uow: UnitOfWork, copy: Copy) -> None:
        """Refused unless this very copy is the actor's to watch: the redacted one would show most of it."""
        granted = select(Grant.id).where(
            Grant.copy_id == copy.id,
            Grant.person_id == uow.actor.id,
            Grant.action == "view",
            Grant.ended_at.is_(None),
            Grant.until > uow.now,
        )
        if uow.session.scalar(granted.limit(1)) is None:
            raise Refused("not-yours", self.who_may(), status=403)

    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        return (STAGE,)

    def begin(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:
        """Queue it: the system makes the redacted copy while the matter is on its way."""
        before = matter.facts["before"]
        copy = uow.session.get_one(Copy, before["copy"])
        derivatives.create(uow, matter, copy, before["recipe"], before["recipeSha256"])

    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        """Approve the redacted copy that was watched; NotPermitted where it is not there, or not watched whole."""
        row = derivatives.of_matter(uow, matter.id)
        decision = permissions.decisions_of(uow, matter)[STAGE]
        cause = _unapprovable(uow, row, matter, decision.decided_by)
        if row is None or row.sealed is None or cause is not None:
            raise NotPermitted(
                f"could not approve the redacted copy | {matter.number} | {cause} | find out who sent this job; where "
                "the matter is to go on, remove the cause, then resolve the incident"
            )
        derivatives.approve(uow, row)
        facts = row.facts or {}
        return {
            "derivative": row.id,
            "sha256": row.sealed["sha256Plain"],
            "size": row.sealed["plainSize"],
            "labelSha256": row.label_sha256,
            "pictures": facts.get("pictures"),
            "drawn": facts.get("drawn"),
            "undecodable": facts.get("undecodable"),
            "tools": facts.get("tools"),
            "madeAt": row.made_at.isoformat() if row.made_at else None,
            "watchedBy": decision.decided_by,
            "retainUntil": row.retain_until.isoformat() if row.retain_until else None,
        }

    def results(self, uow: UnitOfWork, outcome: Mapping[str, Any]) -> list[Line]:
        if "derivative" not in outcome:
            return []
        tools = "、".join(f"{name} {version}" for name, version in (outcome["tools"] or {}).items())
        return [
            base.text_line(Message("SHA-256 of the redacted copy"), outcome["sha256"]),
            base.text_line(Message("SHA-256 of its label"), str(outcome["labelSha256"] or "")),
            Line(
                Message("Frames"),
                Message(
                    "{pictures}, of which {drawn} were changed and {undecodable} could not be decoded",
                    pictures=outcome["pictures"],
                    drawn=outcome["drawn"],
                    undecodable=outcome["undecodable"],
                ),
            ),
            base.moment_line(uow, Message("Made"), outcome["madeAt"]),
            base.text_line(Message("Made with"), tools),
            base.person_line(uow, Message("Watched whole by"), outcome["watchedBy"]),
            base.moment_line(uow, Message("Kept until"), outcome["retainUntil"]),
        ]

    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        before, recipe = facts["before"], facts["before"]["recipe"]
        sound = Message("kept, for the reason given") if recipe["sound"] else Message("removed")
        return [
            Line(Message("Kind of copy"), Message("derived, not the original; the original stays in the vault")),
            Line(Message("Camera"), Bilingual(before["camera"], before["cameraEn"])),
            base.text_line(Message("Label of the copy"), before["label"] or ""),
            base.text_line(Message("Label of the original"), before["masterLabel"] or ""),
            base.text_line(Message("SHA-256 of the copy"), before["sha256"]),
            Line(Message("What is hidden"), Label(f"redaction-{recipe['mode']}")),
            Line(Message("How it is hidden"), Label(f"redaction-{recipe['style']}")),
            base.text_line(Message("Boxes"), str(len(recipe["regions"]))),
            *_proposal_lines(before.get("proposal")),
            Line(Message("Sound"), sound),
            base.text_line(Message("SHA-256 of the recipe"), before["recipeSha256"]),
            base.text_line(Message("Reason"), facts["asked"]["reason"]),
        ]


def copy_camera(uow: UnitOfWork, copy: Copy) -> Bilingual:
    """Return where the footage of a copy is from."""
    query = select(Camera).join(Item, Item.camera_id == Camera.id).where(Item.id == copy.item_id)
    camera = uow.session.scalars(query).one()
    return Bilingual(f"{camera.place_zh} {camera.name_zh}", f"{camera.place_en} {camera.name_en}")


def _proposal_lines(proposal: Mapping[str, Any] | None) -> list[Line]:
    """Say what proposed boxes, and what the person made of them; nothing where all were drawn by hand."""
    if proposal is None:
        return []
    by = proposal["by"]
    lines = [
        base.text_line(Message("Boxes proposed by"), f"{by['name']}, {by['model']}, SHA-256 {by['modelSha256']}"),
        Line(
            Message("Corrected by a person"),
            Message(
                "of {proposed} proposals {kept} were kept, {corrected} changed and {removed} removed; {drawn} boxes "
                "were drawn by hand",
                **{name: proposal[name] for name in ("proposed", "kept", "corrected", "removed", "drawn")},
            ),
        ),
    ]
    if proposal["untilMs"] is not None:
        lines.append(
            Line(
                Message("Proposals incomplete"),
                Message("nothing was proposed from second {second} on", second=proposal["untilMs"] // 1000),
            )
        )
    return lines


def _recipe(given: object, copy: Copy) -> dict[str, Any]:
    try:
        recipe = recipes.read(given)
        _require_inside(recipe, derivatives.length_ms(copy.sealed))
    except RecipeInvalid as error:
        raise Refused("recipe", error.message, status=422, field="recipe") from None
    return recipe.to_json()


def _require_inside(recipe: Recipe, length_ms: int) -> None:
    for number, region in enumerate(recipe.regions, start=1):
        if region.start > length_ms:
            raise RecipeInvalid(
                Message("Box {number} starts after the end of the footage: set its start again.", number=number)
            )


def _unapprovable(uow: UnitOfWork, row: Any, matter: Matter, decided_by: str) -> str | None:
    """Return why the redacted copy cannot be approved; None where it can."""
    if row is None or row.made_at is None or row.failed_at is not None or row.discarded_at is not None:
        return "there is no redacted copy of it"
    before = matter.facts["before"]
    if (row.copy_id, row.recipe_sha256) != (before["copy"], before["recipeSha256"]) or hash_of(row.recipe) != before[
        "recipeSha256"
    ]:
        return "its redacted copy is of another copy, or made by another recipe, than was signed"
    left = derivative_viewings.unwatched(uow, row, decided_by)
    if left:
        return f"who decided has not watched {derivative_viewings.name_stretches(left)}"
    return None
