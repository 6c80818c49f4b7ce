"""Disclosure 对外提供: copies are handed to the people outside whom the application names (R57, R58).

What is handed out, to whom and on what is signed before; Security fetches it afterwards and records the receipt, which
ends the loan where nothing is kept.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.copies import Copy
from services.database.tables.disclosures import Disclosure
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import forms, outsiders
from services.domain.applications.outsiders import AUTHORITY, LEAST_OFFICERS
from services.domain.custody import download_contents, suspensions
from services.domain.documents import service as document_service
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Kind, Line
from services.domain.process.permissions import CaseState
from services.domain.retrieval.records import get_record
from services.runtime.labels import Label
from services.runtime.translations import Message
from services.web.schemas import Account, Identifier
from services.web.schemas import Line as OneLine

MADE = "由封存的原件按批准范围直接截取，未重新编码，未作剪辑；截取后的文件以本清单所列 SHA-256 值核对"
COPIES = 2  # of the list: one stays, one goes with the footage


class DisclosureAsked(Asked):
    """``outsider_ids``: to whom of the people that the application names. ``medium``: the numbers of medium and seal,
    where the files are given in clear. ``ends_loan``: nothing is kept for use, so that the receipt ends the loan."""

    outsider_ids: Annotated[list[Identifier], Field(min_length=1, max_length=outsiders.MOST_NAMED)]
    opens_with: Literal["medium", "browser", "archiver"]
    medium: OneLine | None = None
    ends_loan: bool
    not_original_because: Account


class DisclosureKind(Kind):
    code: ClassVar = "disclosure"
    title: ClassVar = "录像提供清单"
    label: ClassVar = Message("Disclosure")
    button: ClassVar = Message("Provide to people outside")
    asked: ClassVar = DisclosureAsked
    openers: ClassVar = ("custodian", "security-head", "security")

    def who_may(self) -> Message:
        return Message("Only the custodian and Security can ask to provide footage outside.")

    def is_offered(self, application: Application) -> bool:
        return application.on_behalf is not None

    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: DisclosureAsked) -> Message | None:
        obstacle = base.loan_obstacle(state.hand_over) or _case_obstacle(uow, state)
        if obstacle is not None:
            return obstacle
        known = {row.id for row in outsiders.list_of(uow, state.application.id)}
        named = set(asked.outsider_ids)
        if not named <= known:
            return Message("Footage is provided only to the people named in the application: choose among them.")
        if state.application.on_behalf == AUTHORITY and len(named) < LEAST_OFFICERS:
            return Message("An authority takes footage by at least two officers: choose two of them.")
        if asked.opens_with == "medium" and not asked.medium:
            return Message("Enter the numbers of the medium and of its seal: the files on it are not encrypted.")
        return None

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        hand_over, application = base.lent(state), state.application
        return {
            "custodian": hand_over.custodian_id,
            "onBehalf": outsiders.to_json(uow, application).get("onBehalf"),
            **({"originalLetter": application.original_letter} if application.original_letter else {}),
            "files": files_of(uow, application, hand_over.id),
        }

    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        chain = ("security", "legal", "security-signature")
        important = base.is_important(state) or bool(state.application.management_needed)
        return (*chain, "management") if important else chain

    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        """Allow it: from now on Security may fetch these files for these people."""
        asked, hand_over = self.read(matter), base.lent(state)
        uow.session.add(
            Disclosure(
                matter_id=matter.id,
                application_id=matter.application_id,
                hand_over_id=hand_over.id,
                outsider_ids=list(asked.outsider_ids),
                copy_ids=[file["copy"] for file in matter.facts["before"]["files"]],
                ends_loan=asked.ends_loan,
                allowed_at=uow.now,
            )
        )
        return {"outsiders": list(asked.outsider_ids), "endsLoan": asked.ends_loan}

    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        asked, before = facts["asked"], facts["before"]
        # where the authority has asked before it came, the original is what counts
        letter = before.get("originalLetter") or before["onBehalf"]["letter"]
        lines = [
            base.person_line(uow, Message("Custodian"), before["custodian"]),
            Line(Message("On behalf of"), Label(f"behalf-{before['onBehalf']['kind']}")),
            base.text_line(Message("Provided to"), "、".join(map(_said, named_of(facts)))),
        ]
        if letter["number"]:
            said = " ".join(filter(None, (letter["title"], letter["number"], letter["date"])))
            lines.append(base.text_line(Message("Letter"), said))
        lines += [
            base.text_line(Message("Files"), str(len(before["files"]))),
            Line(Message("How it is handed out"), Label(f"disclosure-{asked['opensWith']}")),
        ]
        if asked.get("medium"):
            lines.append(base.text_line(Message("Medium and seal"), asked["medium"]))
        keeps = Message("the custodian keeps the copies too") if not asked["endsLoan"] else Message("the loan ends")
        return [
            *lines,
            Line(Message("After the receipt"), keeps),
            base.text_line(Message("Why not the original medium"), asked["notOriginalBecause"]),
            base.text_line(Message("Reason"), asked["reason"]),
        ]

    def content(self, uow: UnitOfWork, matter: Matter) -> dict[str, Any]:
        """Return what the list of the provided files has besides (rules of evidence for copies)."""
        facts = matter.facts
        return {
            "list": {
                "outsiders": named_of(facts),
                "files": facts["before"]["files"],
                "notOriginalBecause": facts["asked"]["notOriginalBecause"],
                "made": MADE,
                "kept": f"{uow.rules.organisation}录像库，标签和调取记录编号见上",
                "holder": forms.person_to_json(uow, facts["before"]["custodian"]),
                "copies": COPIES,
            }
        }


def named_of(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the people to whom it is provided, as they were signed."""
    chosen = facts["asked"]["outsiderIds"]
    return [person for person in facts["before"]["onBehalf"]["outsiders"] if person["id"] in chosen]


def files_of(uow: UnitOfWork, application: Application, hand_over_id: str) -> list[dict[str, Any]]:
    """Return each file as it will be handed out: name, format, size, hash, and where the footage comes from."""
    of_item = joinedload(Copy.item).joinedload(Item.camera).joinedload(Camera.recorder)
    query = select(Copy).where(Copy.hand_over_id == hand_over_id, Copy.discarded_at.is_(None)).options(of_item)
    lent = list(uow.session.scalars(query.order_by(Copy.made_at, Copy.id)))
    names = download_contents.names_of(application.number or "", lent)
    return [_file(uow, copy, names[copy.id]) for copy in lent]


def _file(uow: UnitOfWork, copy: Copy, name: str) -> dict[str, Any]:
    coverage, item = copy.sealed["coverage"], copy.item
    record, label = get_record(uow, copy.item_id), document_service.of_subject(uow, "label", copy.id)
    written = json.loads(record.content) if record is not None else {}
    ending = download_contents.ending_of(copy)
    return {
        "copy": copy.id,
        "file": f"{name}.{ending}",
        "format": f"{ending.upper()} {'、'.join(coverage['codecs'])}",
        "size": copy.sealed["plainSize"],
        "sha256": copy.sealed["sha256Plain"],
        "camera": f"{item.camera.place_zh} {item.camera.name_zh}",
        "recorder": item.camera.recorder.name,
        "from": coverage["firstFrame"],
        "to": coverage["lastFrame"],
        "zone": item.zone,
        "clock": written.get("recorderClock"),
        "record": record.number if record is not None else None,
        "label": label.number if label is not None else None,
    }


def _case_obstacle(uow: UnitOfWork, state: CaseState) -> Message | None:
    hand_over = base.lent(state)
    if state.application.on_behalf is None:
        return Message(
            "Only footage that was asked for on behalf of people outside is provided to them: Security submits an "
            "application that names them."
        )
    if outsiders.lacks_letter(state.application):
        return Message("The original letter is not entered yet: enter it on the page of the case, then ask again.")
    if suspensions.list_open(uow, hand_over):
        return Message("Access to the copies is suspended: settle this first, then ask again.")
    return None


def _said(person: Mapping[str, Any]) -> str:
    return f"{person['name']}（{person['unit']}）"
