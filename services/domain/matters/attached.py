"""Who may read and add the attachments of a matter: they follow the matter itself (R43, R55, R65).

What is added belongs to the matter at once. A decision is signed over what is there then, and a reply to a violation
over what the replying person has added before.
"""

from sqlalchemy import select

from services.database.tables.attachments import Attachment
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.access import violations
from services.domain.attachments import queries as attachment_queries
from services.domain.attachments.subjects import Reading, Subject
from services.domain.matters.kinds import KINDS
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message


def read(uow: UnitOfWork, matter_id: str) -> Reading:
    """Who may see the matter reads its attachments; NotFound for everybody else."""
    from services.domain.matters import queries  # noqa: PLC0415 - its schemas would have every worker load the portal

    matter = uow.session.get(Matter, matter_id)
    if matter is None or not queries.is_visible(uow, matter):
        raise NotFound(Message("matter"), matter_id)
    return reading_of(uow, matter)


def reading_of(uow: UnitOfWork, matter: Matter) -> Reading:
    """Return the same of a matter that the acting person may see."""
    secret = matter.kind in violations.KINDS
    return Reading(
        application_id=None if secret else matter.application_id,  # a case's history is read by the accused
        edits=False,
        draft=False,
        identity_cards=False,
        refusal=_refusal(uow, matter),
        hidden=_hidden(uow, matter) if secret else frozenset(),
    )


def list_of_person(uow: UnitOfWork, matter_id: str, person_id: str) -> list[dict[str, str]]:
    """Return what a person has added to a matter, for the facts that a decision is signed over."""
    query = select(Attachment).where(
        attachment_queries.belongs_to("matter", matter_id), Attachment.added_by == person_id
    )
    rows = uow.session.scalars(query.order_by(Attachment.added_at, Attachment.id))
    return [{"sha256": row.sha256, "kind": row.kind, "name": row.file_name} for row in rows]


def _refusal(uow: UnitOfWork, matter: Matter) -> Refused | None:
    """Return why the acting person can add nothing now."""
    if matter.closed_at is not None:
        return Refused("attachment-closed", "The matter has ended: attachments cannot be added.")
    kind = KINDS[matter.kind]
    if uow.actor.kind != "person" or not kind.may_attach(uow, matter):
        return Refused(
            "attachment-no-part",
            "Only who has asked for the matter, and the accused of a violation, can add attachments: give the file to "
            "one of them.",
            status=403,
        )
    return kind.attachment_refusal(uow, matter)


def _hidden(uow: UnitOfWork, matter: Matter) -> frozenset[str]:
    """Return whose names are not shown: who has recorded the violation, to who does not see that (R65)."""
    appealed = violations.get_appealed(uow, matter) if matter.kind == violations.APPEAL else matter
    if appealed.opened_by is None or violations.sees_opener(uow, appealed):
        return frozenset()
    return frozenset([appealed.opened_by])


def _lock(uow: UnitOfWork, matter_id: str) -> None:
    uow.session.get(Matter, matter_id, with_for_update=True, populate_existing=True)


def _changed(uow: UnitOfWork, matter_id: str) -> None:
    """What is added to a matter changes no form."""


SUBJECT = Subject(read=read, lock=_lock, changed=_changed)
