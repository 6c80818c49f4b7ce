"""Implement ``web.identity.Identity`` for the page kit."""

from sqlalchemy import and_, false, select

from services.database.tables.people import Department, Post
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.accounts import passkeys, sessions
from services.domain.accounts.signatures.challenges import relying_party_of
from services.domain.notifications import service as notification_service
from services.runtime.settings import Settings
from services.web.identity import Person


class AccountIdentity:
    """Read sessions, posts and unread notices; see ``web.identity.Identity``."""

    def actor(self, uow: UnitOfWork, token: str, browser: str) -> Actor:
        """Return the person of a session's token as actor."""
        return Actor("person", sessions.get_person(uow, token, browser).id)

    def require_not_ended(self, uow: UnitOfWork, token: str) -> None:
        """Refuse where the session was ended meanwhile."""
        sessions.require_not_ended(uow, token)

    def person(self, uow: UnitOfWork, token: str, browser: str, settings: Settings) -> Person:
        """Return the person of a session's token and make them the actor."""
        row = sessions.get_person(uow, token, browser)
        uow.actor = Actor("person", row.id)
        relying_party = relying_party_of(settings)
        # every page needs this: one statement, with a row for each post
        has_passkey = passkeys.select_passkeys(row.id, relying_party).exists() if relying_party is not None else false()
        rows = uow.session.execute(
            select(
                Department,
                Post.kind,
                notification_service.select_unread_count(row.id).scalar_subquery().label("unread"),
                has_passkey.label("signs"),
            )
            .outerjoin(Post, and_(Post.person_id == row.id, *access_queries.held_now(uow)))
            .where(Department.id == row.department_id)
        ).all()
        return Person(
            id=row.id,
            name=row.name,
            locale=row.locale,
            department_id=row.department_id,
            department=rows[0].Department,
            posts=frozenset(post_row.kind for post_row in rows if post_row.kind is not None),
            unread=rows[0].unread,
            now=uow.now,
            zone=uow.rules.zone,
            organisation=uow.rules.organisation,
            passkey_origin=relying_party.origin if relying_party is not None and rows[0].signs else "",
        )
