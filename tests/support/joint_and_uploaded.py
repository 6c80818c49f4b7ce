"""People at a whole desk who consent to a joint application, or upload the recording of a meeting."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from case_people import DRAFTER, People
from sqlalchemy import select
from uploaded_files import fragmented

from services.database.tables.people import Department, Person, Post
from services.database.tables.uploads import Upload
from services.database.unit_of_work import Actor
from services.demo.organisation import demo_id
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import joint
from services.domain.applications import service as application_service
from services.domain.applications.forms import ItemAsked
from services.domain.cases import consent_queries
from services.domain.retrieval import uploads
from services.domain.retrieval.upload_receiver import Receiver
from services.domain.retrieval.uploads import Facts
from services.vault.keys.vault_keys import recipients_in

JOINT = ("storage", "administration")  # kinds of department


async def upload_meeting(desk: People, folder: Path) -> tuple[Upload, Any]:
    """A meeting of eight seconds, two hours ago, uploaded by the drafter; with the truth about its pictures."""
    written = fragmented(folder, 8)
    data = written.path.read_bytes()
    start = desk.footage.start + timedelta(hours=1)
    facts = Facts("meeting", "三月安全例会", "例会", "三楼会议室", "王芳", "", "Asia/Shanghai", start, "会议纪要")
    actor = Actor("person", demo_id(DRAFTER))
    upload = await desk.as_person(DRAFTER, uploads.announce, facts, len(data))

    async def sent() -> AsyncIterator[bytes]:
        yield data

    receiver = Receiver(desk.database, desk.container.store, lambda: recipients_in(desk.settings.keys / "vault"))
    return await receiver.receive(actor, upload.id, lambda _: sent(), still_allowed=lambda _: None), written


def asked_of(upload: Upload, begin: float, end: float) -> ItemAsked:
    start = upload.start
    assert start is not None
    return ItemAsked(upload.id, start + timedelta(seconds=begin), start + timedelta(seconds=end), "Asia/Shanghai")


async def apply_for(desk: People, *items: ItemAsked, **changes: Any) -> str:
    application = await desk.as_person(
        DRAFTER, application_service.create_draft, replace(desk.form(**changes), items=items)
    )
    await desk.as_person(DRAFTER, application_service.submit, application.id)
    return str(application.id)


def heads(desk: People) -> dict[str, str]:
    """The departments that are named, with the login of each one's head."""

    def read(uow: Any) -> dict[str, str]:
        found = {}
        for department in uow.session.scalars(select(Department).where(Department.kind.in_(JOINT))):
            post = uow.session.scalar(select(Post).where(Post.department_id == department.id, Post.kind == "head"))
            if post is not None:
                found[department.id] = uow.session.get_one(Person, post.person_id).login
        return found

    return desk.look(read)


async def consent(desk: People, login: str) -> None:
    [line] = await desk.as_person(login, consent_queries.list_waiting)
    proof = Proof((await desk.as_person(login, consent_queries.get_consent, line.id)).form_sha256, f"demo-{login}")
    await desk.as_person(login, joint.consent, line.id, proof)
