"""Disclosure 对外提供: copies are handed to the people outside whom the application names (R57, R58).

What is handed out, to whom and on what is signed before; Security fetches it afterwards and records the receipt, which
ends the loan where nothing is kept. A person who was filmed gets redacted copies alone; an authority may take the
copies themselves.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.derivatives import Derivative
from services.database.tables.disclosures import Disclosure
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import forms, outsiders
from services.domain.applications.outsiders import AUTHORITY, FILMED, LEAST_OFFICERS
from services.domain.custody import derivatives, download_contents, numbered_media, suspensions
from services.domain.documents import service as document_service
from services.domain.handling import cases as handling_of_cases
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Kind, Line
from services.domain.process.permissions import CaseState
from services.domain.retrieval.records import get_record
from services.runtime.errors import Refused
from services.runtime.labels import Label
from services.runtime.translations import Message
from services.web.schemas import Account, Identifier
from services.web.schemas import Line as OneLine

MADE_DERIVED = (
    "提供的是派生件，非原件：由封存的原件截取副本后，按制作记录所列配方逐帧遮盖并重新编码，经另一人看完全部画面核对；"
    "以本清单所列 SHA-256 值核对"
)
MADE = "由封存的原件按批准范围直接截取，未重新编码，未作剪辑；截取后的文件以本清单所列 SHA-256 值核对"
NUMBERS = Message("Enter the numbers of the medium and of its seal: the files on it are not encrypted.")
COPIES = 2  # of the list: one stays, one goes with the footage


class DisclosureAsked(Asked):
    """``outsider_ids``: to whom of the people that the application names. ``medium`` and ``seal``: the numbers of a
    medium of the register and of its seal, where the files are given in clear; what was asked in earlier releases has
    both in ``medium``, in words. ``ends_loan``: nothing is kept for use, so that the receipt ends the loan.
    ``redacted``: of each file the approved redacted copy, and not the copy itself."""

    outsider_ids: Annotated[list[Identifier], Field(min_length=1, max_length=outsiders.MOST_NAMED)]
    opens_with: Literal["medium", "browser", "archiver"]
    medium: OneLine | None = None
    seal: OneLine | None = None
    ends_loan: bool
    redacted: bool = False
    not_original_because: Account


class DisclosureKind(Kind):
    code: ClassVar = "disclosure"
    title: ClassVar = "录像提供清单"
    label: ClassVar = Message("Disclosure")
    button: ClassVar = Message("Provide to people outside")
    asked: ClassVar = DisclosureAsked
    openers: ClassVar = ("custodian", "security-head", "security")
    withdrawable: ClassVar = True
    lists: ClassVar = ("outsiderIds",)

    def form_values(
        self, uow: UnitOfWork, application: Application, hand_over: HandOver, before: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return whether a person who was filmed gets it, how many files have an approved redacted copy, and media."""
        return {
            "filmed": application.on_behalf == FILMED,
            "redacted": _count_redacted(uow, before["files"]),
            "media": numbered_media.list_offered(uow),
        }

    def who_may(self) -> Message:
        return Message("Only the custodian and Security can ask to provide footage outside.")

    def require_may_open(self, uow: UnitOfWork, state: CaseState, asked: DisclosureAsked) -> None:
        """Refuse also a medium that is not free: whoever fetches the files takes it, and is asked anew."""
        super().require_may_open(uow, state, asked)
        if asked.opens_with != "medium" or asked.medium is None:
            return
        if asked.seal is None:
            raise Refused("missing", NUMBERS, status=422, field="seal")
        numbered_media.require_free(uow, asked.medium)

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
            return NUMBERS
        if not asked.redacted:
            return _unredacted_obstacle(state.application)
        return _redaction_obstacle(uow, base.lent(state).id)

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        hand_over, application = base.lent(state), state.application
        return {
            "custodian": hand_over.custodian_id,
            "onBehalf": outsiders.to_json(uow, application).get("onBehalf"),
            **({"originalLetter": application.original_letter} if application.original_letter else {}),
            "files": files_of(uow, application, hand_over.id),
        }

    def before_of(self, uow: UnitOfWork, state: CaseState, asked: DisclosureAsked) -> dict[str, Any]:
        """Return the same, with the redacted copies in the place of the files where those are asked for."""
        before = self.before(uow, state)
        return {**before, "files": redacted_files(uow, before["files"])} if asked.redacted else before

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
            *([_redacted_line(before["files"])] if asked.get("redacted") else []),
            Line(Message("How it is handed out"), Label(f"disclosure-{asked['opensWith']}")),
        ]
        if asked.get("medium"):
            numbers = " · ".join(filter(None, (asked["medium"], asked.get("seal"))))
            lines.append(base.text_line(Message("Medium and seal"), numbers))
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
                "made": MADE_DERIVED if facts["asked"].get("redacted") else MADE,
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


def redacted_files(uow: UnitOfWork, files: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the approved redacted copy of each file, which says of what and by which recipe it is derived."""
    approved = derivatives.list_approved(uow, [file["copy"] for file in files])
    return [_redacted_file(uow, file, approved[file["copy"]]) for file in files if file["copy"] in approved]


def _count_redacted(uow: UnitOfWork, files: Sequence[Mapping[str, Any]]) -> int:
    """Return how many of these files have an approved redacted copy."""
    return len(derivatives.list_approved(uow, [file["copy"] for file in files]))


def _redacted_file(uow: UnitOfWork, file: Mapping[str, Any], row: Derivative) -> dict[str, Any]:
    sealed, matter = row.sealed or {}, uow.session.get_one(Matter, row.matter_id)
    stem, _, _ = str(file["file"]).rpartition(".")
    ending = "mov" if any(part.get("container") == "mov" for part in sealed["coverage"]["parts"]) else "mp4"
    before = matter.facts["before"]
    return {
        **file,
        "file": f"{stem}_redacted.{ending}",
        "format": f"{ending.upper()} {'、'.join(sealed['coverage']['codecs'])}",
        "size": sealed["plainSize"],
        "sha256": sealed["sha256Plain"],
        "derived": {
            "derivative": row.id,
            "record": matter.number,
            "recipeSha256": row.recipe_sha256,
            "labelSha256": row.label_sha256,
            "mode": row.recipe["mode"],
            "style": row.recipe["style"],
            "sound": row.recipe["sound"],
            "originalSha256": file["sha256"],
            "originalLabel": before["masterLabel"],
        },
    }


def _redacted_line(files: Sequence[Mapping[str, Any]]) -> Line:
    numbers = "、".join(file["derived"]["record"] for file in files)
    return Line(
        Message("What is given"), Message("redacted copies by {numbers}: derived, not the original", numbers=numbers)
    )


def _unredacted_obstacle(application: Application) -> Message | None:
    """Return why these people outside get redacted copies alone; None where they may have the copies themselves."""
    if application.on_behalf == FILMED:
        return Message(
            "A person who was filmed gets redacted copies alone, because other people are in the footage: have a "
            "redacted copy made of each file, then ask to provide the redacted copies."
        )
    if application.on_behalf != AUTHORITY and handling_of_cases.kept(application).redacted_outside:
        return Message(
            "The confidentiality level of this footage lets people outside have redacted copies alone: have a "
            "redacted copy made of each file, then ask to provide the redacted copies."
        )
    return None


def _redaction_obstacle(uow: UnitOfWork, hand_over_id: str) -> Message | None:
    """Return why the redacted copies cannot be provided: a second person has not approved one of each copy."""
    query = (
        select(Copy.id, Item.position)
        .join(Item, Item.id == Copy.item_id)
        .where(Copy.hand_over_id == hand_over_id, Copy.discarded_at.is_(None))
        .order_by(Item.position)
    )
    lent = [(copy_id, position) for copy_id, position in uow.session.execute(query)]
    approved = derivatives.list_approved(uow, [copy_id for copy_id, _ in lent])
    for copy_id, position in lent:
        if copy_id not in approved:
            return Message(
                "Item {position} has no redacted copy that a second person has approved: ask for one on the page of "
                "the copies, then ask again.",
                position=position,
            )
    return None


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
