"""The appointment document of a proposed supervision group, as an attachment (R60).

The management adds it while the proposal waits; who reads the page of the group reads it. The confirmation is signed
over the hashes of what is there, so nothing is added after it.
"""

from collections.abc import Sequence

from sqlalchemy import select

from services.database.tables.attachments import Attachment
from services.database.tables.inspections import SupervisionGroup
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import supervision as policy
from services.domain.attachments.subjects import Reading, Subject
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message


def read(uow: UnitOfWork, group_id: str) -> Reading:
    """Who reads the page of the group reads its attachments; NotFound for everybody else."""
    group = uow.session.get(SupervisionGroup, group_id)
    directory, me = access_queries.load_directory(uow), str(uow.actor.id)
    if group is None or uow.actor.kind != "person" or not policy.may_read(directory, me):
        raise NotFound(Message("supervision group"), group_id)
    refusal = None
    if group.confirmed_at is not None or group.ended_at is not None:
        refusal = Refused("attachment-closed", "The group is confirmed or withdrawn: attachments cannot be added.")
    elif not policy.may_appoint(directory, me):
        refusal = Refused(
            "attachment-no-part", "Only the management adds the appointment document: give the file to it.", status=403
        )
    return Reading(application_id=None, edits=False, draft=False, identity_cards=False, refusal=refusal)


def list_files(uow: UnitOfWork, group_id: str) -> Sequence[Attachment]:
    """List what is attached, in the order of its hashes, which the confirmation is signed over and the sheet lists."""
    query = select(Attachment).where(Attachment.matter_id == group_id)
    return uow.session.scalars(query.order_by(Attachment.sha256, Attachment.id)).all()


def _lock(uow: UnitOfWork, group_id: str) -> None:
    uow.session.get(SupervisionGroup, group_id, with_for_update=True, populate_existing=True)


def _changed(uow: UnitOfWork, group_id: str) -> None:
    """What is added to a proposal changes no form."""


SUBJECT = Subject(read=read, lock=_lock, changed=_changed)
