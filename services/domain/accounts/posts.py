"""Assign and end posts (R2, R16).

Administrators hold no post that sees footage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from services.database.base import new_id
from services.database.tables.people import Person, Post
from services.database.tables.staffing import Leaving
from services.database.unit_of_work import UnitOfWork
from services.domain.access.administrators import lock_setup, require_administrator
from services.domain.accounts.changes import department_to_json, get_department, get_person_for_update
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import deciders, holds
from services.domain.change_requests import service as change_requests
from services.domain.change_requests.service import Change
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

# A member drafts and is notified; holders of all other posts decide, release, inspect or read.
POSTS_WITHOUT_FOOTAGE = ("member", "administrator")


@dataclass(frozen=True)
class PostRequest:
    """A post to assign from ``since`` (now) up to ``until`` (open)."""

    kind: str
    department_id: str
    since: datetime | None = None
    until: datetime | None = None

    def as_json(self) -> dict[str, str | None]:
        """Return the request as it is stored with a change that waits."""
        return {
            "post": self.kind,
            "department": self.department_id,
            "since": _iso(self.since),
            "until": _iso(self.until),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "PostRequest":
        """Read what ``as_json`` wrote."""
        since, until = (datetime.fromisoformat(at) if at else None for at in (stored["since"], stored["until"]))
        return cls(stored["post"], stored["department"], since, until)


def assign(uow: UnitOfWork, person_id: str, request: PostRequest) -> Post:
    """Assign a post to a person.

    Refused to oneself, where an administrator would get a post that sees footage, and until a second person has
    confirmed any other post than membership. With a first post, or soon after a reset, the person does not sign yet.
    """
    lock_setup(uow)
    require_administrator(uow)
    if request.kind not in STAGES.posts:
        raise Refused("kind", "Choose a post.", status=422, field="kind")
    get_department(uow, request.department_id)
    row = get_person_for_update(uow, person_id)
    if request.until is not None and request.until <= (request.since or uow.now):
        raise Refused(
            "until-before-since",
            "The end of the post must be after its start.",
            status=422,
            field="until",
        )
    if person_id == uow.actor.id:
        raise Refused(
            "not-oneself",
            "You cannot assign a post to yourself: ask another administrator.",
            status=403,
        )
    if not row.active:
        raise Refused("not-active", "This person's account is not active: activate it first.")
    if is_leaving(uow, person_id):
        raise Refused("leaving", "This person leaves: no post is assigned, unless the person stays.")
    check_compatible(uow, person_id, request)
    set_up = deciders.is_set_up(uow)
    if request.kind != "member" or deciders.decides(uow, person_id):
        context = {"person": row.name, "department": department_to_json(uow, request.department_id)}
        change_requests.authorise(uow, Change("post", person_id, request.as_json(), context))
    post = add(uow, person_id, request)
    if request.kind != "member" and set_up:
        holds.add_for_post(uow, post)
    return post


def end(uow: UnitOfWork, post_id: str, *, at: datetime | None = None) -> Post:
    """End a post now or later. Refused for the last administrator's whose post has no end."""
    lock_setup(uow)
    require_administrator(uow)
    post = uow.session.get(Post, post_id, with_for_update=True, populate_existing=True)
    if post is None:
        raise NotFound(Message("post"), post_id)
    moment = max(at or uow.now, uow.now)
    if post.until is not None and post.until <= moment:
        raise Refused("ended", "This post will already have ended by then.")
    _check_may_end(uow, post, moment)
    change_requests.notify_change(uow, post.person_id)
    _end(uow, post, moment)
    return post


def end_all_of(uow: UnitOfWork, person_id: str) -> None:
    """End the posts, also those to come, of somebody who leaves; the caller has checked that they may, and notifies."""
    query = select(Post).where(Post.person_id == person_id, or_(Post.until.is_(None), Post.until > uow.now))
    for post in uow.session.scalars(query.order_by(Post.id).with_for_update()):
        _end(uow, post, uow.now)


def _check_may_end(uow: UnitOfWork, post: Post, moment: datetime) -> None:
    if post.kind == "administrator":
        require_other_administrator(uow, post.person_id, moment)
    if post.kind != "member":
        change_requests.check_not_objector(uow, post.person_id, as_checker=True)


def _end(uow: UnitOfWork, post: Post, moment: datetime) -> None:
    old = post.until
    post.until = max(moment, post.since)
    post.ended_by = uow.actor.id if uow.actor.kind == "person" else None
    if post.kind == "administrator" and moment == uow.now:
        change_requests.end_all_of(uow, post.person_id)
    audit_trail.record(
        uow, "post-ended", "person", post.person_id, post=post.id, kind=post.kind, old=_iso(old), new=_iso(post.until)
    )


def require_other_administrator(uow: UnitOfWork, person_id: str, at: datetime) -> None:
    """Refuse where nobody but this person would administer from ``at`` on, without an end.

    One whose own post ends, or begins later, would leave a time without any.
    """
    query = (
        select(Post.id)
        .join(Person, Person.id == Post.person_id)
        .where(
            Post.kind == "administrator",
            Post.person_id != person_id,
            Person.active,
            Post.since <= at,
            Post.until.is_(None),
        )
    )
    if uow.session.scalar(query.limit(1)) is None:
        raise Refused(
            "last-administrator",
            "This is the last administrator without an end date: assign the post to another person first.",
        )


def check_compatible(uow: UnitOfWork, person_id: str, request: PostRequest) -> None:
    """Refuse a post that is held already, and an administrator's together with one that sees footage."""
    kind, since = request.kind, request.since or uow.now
    overlapping = select(Post).where(Post.person_id == person_id, or_(Post.until.is_(None), Post.until > since))
    if request.until is not None:
        overlapping = overlapping.where(Post.since < request.until)
    for other in uow.session.scalars(overlapping):
        if other.kind == kind and other.department_id == request.department_id:
            raise Refused("held-already", "This person already holds the post in that period.")
        pair = {other.kind, kind}
        if "administrator" in pair and pair.difference(POSTS_WITHOUT_FOOTAGE):
            raise Refused(
                "administrator-sees-no-footage",
                "Administrators cannot view footage: this post cannot be combined with one that decides, "
                "releases, inspects or supervises. End the other post first.",
            )


def is_leaving(uow: UnitOfWork, person_id: str) -> bool:
    """Return whether the account is kept only until its copies are transferred."""
    query = select(Leaving.id).where(Leaving.person_id == person_id, Leaving.ended_at.is_(None))
    return uow.session.scalar(query) is not None


def list_posts(uow: UnitOfWork, person_id: str) -> list[Post]:
    """List a person's posts of any time, latest first.

    Departments, assigners and enders are loaded.
    """
    loaded = (joinedload(Post.department), joinedload(Post.assigner), joinedload(Post.ender))
    query = select(Post).where(Post.person_id == person_id).options(*loaded)
    return list(uow.session.scalars(query.order_by(Post.since.desc())))


def add(uow: UnitOfWork, person_id: str, request: PostRequest) -> Post:
    """Add a post without the checks of ``assign``."""
    post = Post(
        id=new_id(),
        person_id=person_id,
        department_id=request.department_id,
        kind=request.kind,
        since=request.since or uow.now,
        until=request.until,
        assigned_by=uow.actor.id if uow.actor.kind == "person" else None,
    )
    uow.session.add(post)
    uow.session.flush()
    new = {
        "kind": post.kind,
        "department": post.department_id,
        "since": _iso(post.since),
        "until": _iso(post.until),
    }
    audit_trail.record(uow, "post-assigned", "person", person_id, post=post.id, old=None, new=new)
    return post


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
