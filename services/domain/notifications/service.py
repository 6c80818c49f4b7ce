"""Notices to people: a code and a case, never footage or names (F25, R30)."""

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update

from services.database.base import new_id
from services.database.case_search import asks_for_camera
from services.database.listing import EVERYTHING, Listing
from services.database.tables.applications import Application
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.notifications import deliveries, texts
from services.domain.notifications.texts import Work
from services.runtime.errors import NotFound
from services.runtime.translations import Message

OPEN = (Notice.read_at.is_(None), Notice.done_at.is_(None))


def notify(
    uow: UnitOfWork,
    person_id: str,
    code: str,
    *,
    application_id: str | None,
    subject_id: str | None = None,
    channels: Iterable[str] | None = None,
    addresses: Iterable[str] = (),
    chat_ids: Iterable[str] = (),
    excluded: Iterable[str] = (),
) -> Notice:
    """Notify a person in the portal and by the channels, in the unit's transaction.

    If the person is inactive or absent, the head of the department or the deputy is notified as well, unless the notice
    is personal. ``channels`` are those of the settings, and the robots where it is not personal, unless given.
    ``addresses`` and ``chat_ids`` are former ones of the person's, which are told as well. Nobody of the ``excluded``
    is told in the person's place, as the subjects of the application are not. Raises Fatal for a code without a text.
    """
    personal = texts.get_text(code).personal
    person = uow.session.get_one(Person, person_id)
    recipients = [person_id]
    if not personal and (not person.active or access_queries.is_absent(uow, person_id)):
        recipients += list_substitutes(uow, person_id, application_id, excluded)
    notices = [
        Notice(
            id=new_id(),
            person_id=recipient,
            application_id=application_id,
            code=code,
            subject_id=subject_id,
            created_at=uow.now,
        )
        for recipient in recipients
    ]
    uow.session.add_all(notices)
    used = tuple(_usual_channels(uow, personal=personal) if channels is None else channels)
    app = deliveries.app_channel(uow) if channels is None else None
    if not used and app is None:
        return notices[0]
    uow.session.flush()  # the deliveries refer to them
    for notice in notices:
        deliveries.add(uow, notice, _own_channels(uow, notice, used, app) if channels is None else used)
    if deliveries.MAIL in used:
        deliveries.add_to(uow, notices[0], deliveries.MAIL, addresses)
    if app is not None:
        deliveries.add_to(uow, notices[0], app, chat_ids)
    return notices[0]


def _usual_channels(uow: UnitOfWork, *, personal: bool) -> list[str]:
    robots = [] if personal else deliveries.robot_channels(uow)
    return [*deliveries.channels_in_use(uow), *robots]


def _own_channels(uow: UnitOfWork, notice: Notice, channels: Iterable[str], app: str | None) -> list[str]:
    """Add the chat app for a person who has an id in it, in the place of the mail.

    Whoever wants a digest and has an address for it gets no mail either: without one it is seen at once that the notice
    cannot be sent. What is personal goes all ways, at once.
    """
    person = uow.session.get_one(Person, notice.person_id)
    by_app = [app] if app is not None and person.chat_id is not None else []
    unmailed = (by_app or (person.digest and person.email)) and not texts.get_text(notice.code).personal
    return [*by_app, *(channel for channel in channels if not (unmailed and channel == deliveries.MAIL))]


def list_substitutes(
    uow: UnitOfWork, person_id: str, application_id: str | None, excluded: Iterable[str] = ()
) -> list[str]:
    """List who is notified for a person: the head of the department, else the deputy."""
    barred = {person_id, *excluded}
    if application_id is not None:
        barred |= set(uow.session.get_one(Application, application_id).subject_ids)
    own = uow.session.get_one(Person, person_id).department_id
    return access_policy.substitutes(access_queries.load_directory(uow), own, barred)


def list_own(uow: UnitOfWork, listing: Listing = EVERYTHING, *, unread_only: bool = False) -> list[Notice]:
    """List the acting person's notices, newest first.

    Searched are texts and numbers, and title, camera and place of the cases that the person may see.
    """
    also: ColumnElement[bool] = Notice.code.in_(texts.find_codes(listing.text))
    if listing.text.strip():
        words = listing.mentioned(Application.title, also=asks_for_camera(listing))
        also = or_(also, and_(words, visibility.is_visible(uow, single=True)))
    query = (
        select(Notice)
        .outerjoin(Application, Application.id == Notice.application_id)
        .where(
            Notice.person_id == uow.actor.id,
            Notice.code != texts.DIGEST,
            listing.mentioned(Application.number, also=also),
        )
    )
    if unread_only:
        query = query.where(*OPEN)
    columns = {"created": Notice.created_at, "number": Application.number, "read": Notice.read_at}
    return list(uow.session.scalars(listing.part(query, columns, Notice.created_at.desc(), Notice.id)))


def count_unread(uow: UnitOfWork) -> int:
    """Count the acting person's notices that are neither read nor done."""
    return count_open(uow, uow.actor.id)


def count_open(uow: UnitOfWork, person_id: str) -> int:
    """Count a person's notices that are neither read nor done."""
    return uow.session.scalar(select_unread_count(person_id)) or 0


def select_unread_count(person_id: str) -> Select[int]:
    """Build the query of that number, to combine it with others."""
    return select(func.count()).where(Notice.person_id == person_id, *OPEN)


def get_titles(uow: UnitOfWork, application_ids: Iterable[str]) -> dict[str, str]:
    """Return the titles of applications by id, of those that have one and that the actor may see.

    For the portal's own pages alone: no mail and no webhook tells a title (F25).
    """
    query = select(Application.id, Application.title).where(
        Application.id.in_(application_ids), Application.title.is_not(None), visibility.is_visible(uow, single=True)
    )
    return {application_id: title for application_id, title in uow.session.execute(query) if title is not None}


def get_numbers(uow: UnitOfWork, application_ids: Iterable[str]) -> dict[str, str]:
    """Map these applications to their numbers, by id; drafts have none."""
    rows = uow.session.execute(
        select(Application.id, Application.number).where(
            Application.id.in_(list(application_ids)), Application.number.is_not(None)
        )
    )
    return {application_id: str(number) for application_id, number in rows}


def get_stages(uow: UnitOfWork, review_ids: Iterable[str]) -> dict[str, str]:
    """Map those of the ids that are reviews to their stages."""
    rows = uow.session.execute(select(Review.id, Review.stage).where(Review.id.in_(list(review_ids))))
    return {row.id: row.stage for row in rows}


def mark_done(
    uow: UnitOfWork,
    *works: Work,
    subject_id: str | None = None,
    subject_ids: Collection[str] | None = None,
    application_id: str | None = None,
    person_id: str | None = None,
) -> None:
    """Mark the open notices about this work as done: of subjects, of a whole application, or of a person."""
    named = {"subject_id": subject_id, "application_id": application_id, "person_id": person_id}
    conditions = [getattr(Notice, name) == value for name, value in named.items() if value is not None]
    if subject_ids is not None:
        conditions.append(Notice.subject_id.in_(subject_ids))
    if not conditions:
        raise ValueError("name the subject, the application or the person")
    uow.session.execute(
        update(Notice)
        .where(*conditions, Notice.code.in_(texts.codes_of(*works)), Notice.done_at.is_(None))
        .values(done_at=uow.now)
        .execution_options(synchronize_session=False)
    )


def mark_all_read(uow: UnitOfWork) -> int:
    """Mark all of the acting person's notices as read; return how many were unread."""
    unread = Notice.person_id == uow.actor.id, *OPEN
    count = count_unread(uow)
    uow.session.execute(update(Notice).where(*unread).values(read_at=uow.now))
    return count


def mark_read(uow: UnitOfWork, notice_id: str) -> Notice:
    """Mark one of the acting person's notices as read; NotFound for those of others."""
    notice = uow.session.get(Notice, notice_id)
    if notice is None or notice.person_id != uow.actor.id:
        raise NotFound(Message("notice"), notice_id)
    notice.read_at = notice.read_at or uow.now
    return notice
