"""Purpose change 用途变更: the loan serves another purpose; the form stays as it was signed (R41, R43)."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import ways
from services.domain.custody import copies, grants, log, on_site
from services.domain.handling import cases as handling_of_cases
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Kind, Line
from services.domain.process.permissions import CaseState
from services.runtime.labels import Label
from services.runtime.translations import Message
from services.web.schemas import Account


class PurposeAsked(Asked):
    """``purpose`` and ``way_of_use`` are what the loan is to serve instead."""

    purpose: Account
    way_of_use: Literal["on-site", "view", "download"]


class PurposeChange(Kind):
    code: ClassVar = "purpose-change"
    title: ClassVar = "视频录像用途变更单"
    label: ClassVar = Message("Purpose change")
    button: ClassVar = Message("Change the purpose")
    asked: ClassVar = PurposeAsked
    openers: ClassVar = ("head",)
    withdrawable: ClassVar = True

    def who_may(self) -> Message:
        return Message("Only the head of the department can ask for another purpose: ask your head to do it.")

    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: PurposeAsked) -> Message | None:
        obstacle = base.loan_obstacle(state.hand_over)
        if obstacle is not None:
            return obstacle
        now = _now(state)
        if (asked.purpose, asked.way_of_use) == (now["purpose"], now["wayOfUse"]):
            return Message("Purpose and way of use are the same as now: change one of them.")
        most = handling_of_cases.kept(state.application).way_of_use
        if ways.exceeds(asked.way_of_use, most):
            return Message(
                "The confidentiality level of this footage allows this at the most: {way}. Choose that way of use.",
                way=Label(most),
            )
        if asked.way_of_use == ways.ON_SITE and not ways.is_companion(uow, base.lent(state).custodian_id):
            return Message(
                "On site, the custodian accompanies the viewing and must be of Security or the storage office: "
                "transfer custody first."
            )
        if on_site.find_unclosed(uow, base.lent(state).id) is not None:
            return Message("A viewing on site is not ended: sign its end first.")
        return None

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        return {"custodian": base.lent(state).custodian_id, **_now(state)}

    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        chain = ("preliminary", "security", "security-signature")
        important = base.is_important(state) or bool(state.application.management_needed)
        return (*chain, "management") if important else chain

    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        hand_over, asked = base.lent(state), self.read(matter)
        hand_over.purpose, hand_over.way_of_use = asked.purpose, asked.way_of_use
        grants.end(uow, hand_over, self.code)
        lent_copies = copies.list_lent(uow, hand_over.id)
        grants.create(uow, hand_over, lent_copies, grants.actions_for(asked.way_of_use))
        log.append(uow, hand_over, "purpose-changed", wayOfUse=asked.way_of_use, matter=matter.number)
        return {"wayOfUse": asked.way_of_use}

    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        asked, before = facts["asked"], facts["before"]
        return [
            base.person_line(uow, Message("Custodian"), before["custodian"]),
            base.text_line(Message("Purpose now"), before["purpose"]),
            base.text_line(Message("New purpose"), asked["purpose"]),
            Line(Message("Way of use now"), Label(before["wayOfUse"])),
            Line(Message("New way of use"), Label(asked["wayOfUse"])),
            base.text_line(Message("Reason"), asked["reason"]),
        ]


def _now(state: CaseState) -> dict[str, str]:
    application, hand_over = state.application, base.lent(state)
    way = hand_over.way_of_use or application.granted_way_of_use or application.way_of_use
    return {"purpose": hand_over.purpose or application.purpose, "wayOfUse": way}
