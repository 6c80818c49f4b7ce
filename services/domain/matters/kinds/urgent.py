"""Urgent retrieval 紧急调取: two people see footage before the approval, which has to follow within a day (T9, 4.6).

It has a model of its own, ``urgent-retrieval``. The approval is the ordinary application, submitted in the same act:
this only adds an early look. The caller signs the call, and somebody of Security or of the storage office releases it.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.tables.applications import Application, Item
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.accounts.signatures.bodies import Signing
from services.domain.accounts.signatures.given import Proof
from services.domain.custody import emergency, suspensions
from services.domain.custody.grants import SUSPENDED
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Form, Kind, Line
from services.domain.notifications import service as notification_service
from services.domain.process.messages import URGENT_CALLED
from services.domain.process.permissions import CaseState
from services.domain.retrieval import preservations
from services.runtime.errors import Refused
from services.runtime.labels import Label
from services.runtime.translations import Bilingual, Message
from services.web.schemas import Account

STAGE = "urgent-release"
Ground = Literal["personal-safety", "fire", "harm-under-way", "missing-person", "authority"]
GROUNDS: tuple[str, ...] = get_args(Ground)
RATIFIED, NOT_RATIFIED = "ratified", "not-ratified"
# The approval has to be there so soon after the release, and the view ends then at the latest.
RATIFY_WITHIN = timedelta(hours=24)
# A second call of the same person inside this time is a finding for Security.
REPEATED_WITHIN = timedelta(days=30)
DECIDED = Message("The application is decided already: nothing is viewed before its copies are handed over.")


class UrgentAsked(Asked):
    """``ground``: why it cannot wait for the approval."""

    ground: Ground


class UrgentBody(Signing):
    """The call of an urgent retrieval, signed with the password, and the code where one is required."""

    ground: Ground
    reason: Account


class UrgentRetrieval(Kind):
    code: ClassVar = "urgent"
    title: ClassVar = "紧急调取登记表"
    label: ClassVar = Message("Urgent retrieval")
    button: ClassVar = Message("This is urgent")
    asked: ClassVar = UrgentAsked
    openers: ClassVar = ("head", "security-head", "security")
    message: ClassVar = URGENT_CALLED
    routed: ClassVar = False
    signed: ClassVar = True
    form_body: ClassVar = UrgentBody
    form_level: ClassVar = "password+totp"
    of_loan: ClassVar = False

    def ask(self, uow: UnitOfWork, application_id: str, asked: Mapping[str, Any], proof: Proof | None) -> Matter:
        """Call it; an own draft is submitted in the same act."""
        from services.domain.matters import urgents  # noqa: PLC0415 - which knows this kind

        if proof is None:
            message = Message("Enter your password, or sign with a passkey.")
            raise Refused("signature-missing", message, status=422, field="password")
        return urgents.call(uow, application_id, asked, proof)

    def form(self, uow: UnitOfWork, application_id: str, search: str) -> Form:
        """Of a draft the form shows what is saved, which is submitted in the same act."""
        application = visibility.get_visible(uow, application_id)
        items = preservations.items_in_scope(uow, application.id)
        return Form(
            application,
            {"items": items, "draft": application.submitted_at is None},
            more={
                "grounds": GROUNDS,
                "cameras": uow.rules.urgent_cameras,
                "hours": uow.rules.urgent_span // timedelta(hours=1),
            },
        )

    def unavailable(self, hand_over: HandOver | None) -> Message | None:
        """It is about footage before its hand-over."""
        return None if hand_over is None else DECIDED

    def who_may(self) -> Message:
        return Message("Only the head of the department or a deputy, and Security can call footage urgently: ask them.")

    def require_may_open(self, uow: UnitOfWork, state: CaseState, asked: UrgentAsked) -> None:
        if emergency.is_decided(state):
            raise Refused("not-now", DECIDED)
        super().require_may_open(uow, state, asked)
        access_queries.require_agreement(uow, uow.actor.id)
        cause = suspensions.first_cause(row.cause for row in suspensions.of_person(uow, uow.actor.id))
        if cause is not None:
            code, message = SUSPENDED[cause]
            raise Refused(code, message, status=403)
        earlier = select(Matter.number).where(Matter.application_id == state.application.id, Matter.kind == self.code)
        number = uow.session.scalar(earlier.limit(1))
        if number is not None:
            raise Refused("asked-already", "{number} has called this footage urgently already.", number=number)

    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: UrgentAsked) -> Message | None:
        if emergency.is_decided(state):
            return DECIDED
        if state.returned:
            return Message("The application was sent back: correct it first.")
        if not state.items:
            return Message("Choose at least one camera and time span.")
        spans: dict[str, timedelta] = {}
        for item in state.items:
            spans[item.camera_id] = spans.get(item.camera_id, timedelta()) + (item.asked_end - item.asked_start)
        if len(spans) > uow.rules.urgent_cameras:
            return Message(
                "An urgent retrieval can have at most {cameras} cameras: leave out what is not urgent.",
                cameras=uow.rules.urgent_cameras,
            )
        if max(spans.values()) > uow.rules.urgent_span:
            return Message(
                "An urgent retrieval can have at most {hours} hours of each camera: leave out what is not urgent.",
                hours=uow.rules.urgent_span // timedelta(hours=1),
            )
        return None

    def is_moot(self, state: CaseState) -> bool:
        """Whether nothing is left to be seen early: the application is decided."""
        return emergency.is_decided(state)

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        """Return what is to be seen, and the caller's last urgent retrieval where that was lately."""
        return {"items": items_of(uow, state), "repeats": _repeats(uow)}

    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        return (STAGE,)

    def begin(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:
        """Tell Security of a caller who calls again so soon."""
        if matter.facts["before"]["repeats"] is None:
            return
        directory = access_queries.load_directory(uow)
        told = {*directory.holders_in("security", "head"), *directory.holders_in("security", "security-reviewer")}
        for person_id in sorted(told - {matter.opened_by} - set(state.application.subject_ids)):
            notification_service.notify(
                uow, person_id, "urgent-repeated", application_id=matter.application_id, subject_id=matter.id
            )

    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        """Nothing is done at once: ``matters.urgents`` opens the view, and ends it."""
        raise NotImplementedError

    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        asked, before = facts["asked"], facts["before"]
        lines = [
            Line(Message("Ground"), Label(f"urgent-{asked['ground']}")),
            base.text_line(Message("Reason"), asked["reason"]),
        ]
        for one in before["items"]:
            span = " – ".join(_written(uow, one[name]) for name in ("from", "to"))
            value = Bilingual(f"{one['cameraZh']} · {span}", f"{one['cameraEn']} · {span}")
            lines.append(Line(Message("Item {number}", number=one["position"]), value))
        if before["repeats"] is not None:
            lines.append(base.text_line(Message("Called urgently before, within 30 days"), before["repeats"]))
        return lines

    def results(self, uow: UnitOfWork, outcome: Mapping[str, Any]) -> list[Line]:
        if "people" not in outcome:
            return []
        names = access_queries.get_names(uow, outcome["people"])
        lines = [base.text_line(Message("Could view it"), names.get(one, one)) for one in outcome["people"]]
        for name, label in (("from", Message("Viewed from")), ("until", Message("Viewed until"))):
            if outcome.get(name):
                lines.append(base.moment_line(uow, label, outcome[name]))
        for one in outcome["seen"]:
            seen = Message("viewed {number} times", number=one["looks"]) if one["looks"] else Message("not viewed")
            lines.append(Line(Message("Item {number}", number=one["position"]), seen))
        ratified = outcome.get("ratifiedBy")
        if ratified:
            lines.append(base.text_line(Message("Approved afterwards by"), ratified))
        else:
            lines.append(Line(Message("Approved afterwards by"), Message("nobody in time: a violation was recorded")))
        return lines


def items_of(uow: UnitOfWork, state: CaseState) -> list[dict[str, Any]]:
    """Return the items of a case as facts: each with its camera and span."""
    query = select(Item).where(Item.id.in_([item.id for item in state.items])).options(joinedload(Item.camera))
    return [
        {
            "item": item.id,
            "position": item.position,
            "camera": item.camera_id,
            "cameraZh": item.camera.name_zh,
            "cameraEn": item.camera.name_en or item.camera.name_zh,
            "from": item.asked_start.isoformat(),
            "to": item.asked_end.isoformat(),
        }
        for item in uow.session.scalars(query.order_by(Item.position))
    ]


def statement(
    uow: UnitOfWork, application: Application, asked: UrgentAsked, items: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what the caller signs."""
    return {
        "kind": "urgent-call",
        "application": application.id,
        "person": uow.actor.id,
        "ground": asked.ground,
        "reason": asked.reason,
        "items": [{name: one[name] for name in ("item", "position", "camera", "from", "to")} for one in items],
    }


def _repeats(uow: UnitOfWork) -> str | None:
    """Return the number of the actor's last urgent retrieval, where it is not long ago."""
    query = select(Matter.number).where(
        Matter.kind == "urgent", Matter.opened_by == uow.actor.id, Matter.opened_at > uow.now - REPEATED_WITHIN
    )
    return uow.session.scalar(query.order_by(Matter.opened_at.desc()).limit(1))


def _written(uow: UnitOfWork, moment: str) -> str:
    return base.moment_line(uow, Message("From"), moment).message.zh
