"""People from the organisation's directory: a preview of what would change, and the same taken over (R2, R46).

As from a CSV file, names, departments and mail addresses are taken over, and nobody gets a post: posts are given by
appointment, with a second person. Who was taken over once and is missing in the directory leaves; with copies out the
account is kept until they are transferred. An entry that cannot be taken over is named and left as it is here; who was
taken over from it counts as found. Whose own entry is gone is missing, whoever has the username now; an administrator
can link such a person to the new entry (``directory_links``).
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from services.database.tables.people import Person
from services.database.tables.staffing import DirectoryPerson
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import lock_setup, require_administrator
from services.domain.accounts import held_copies, passwords, people_import, staff
from services.domain.accounts.changes import get_person_for_update
from services.domain.accounts.people_import import MOST_NEW, Change, Departments
from services.domain.accounts.schemas import NewPerson
from services.domain.accounts.staff import InitialPassword
from services.domain.audit import trail as audit_trail
from services.domain.staffing import leaving
from services.domain.staffing.ldap_client import Entry
from services.runtime.errors import Refused
from services.runtime.settings.directory import DirectorySettings
from services.runtime.threads import run_in_thread
from services.runtime.translations import Message, Text

ACTOR = Actor("system", "directory")  # the nightly run


@dataclass(frozen=True)
class LeftOut:
    """An entry, or somebody missing, of whom nothing is taken over, and why.

    ``person_id``: who has the entry's username here and whose own entry is gone, so that it may be the same person.
    """

    name: str
    why: Text
    entry_id: str | None = None
    person_id: str | None = None


@dataclass(frozen=True)
class Plan:
    """What the directory would change. ``linked``: how many active people are known to be in it.

    ``most_leaving``: how many of them may leave at once. ``fingerprint`` is the same as long as the plan is.
    """

    changes: Sequence[Change]
    unchanged: int
    left_out: Sequence[LeftOut]
    linked: int
    most_leaving: int
    fingerprint: str

    def count(self, state: people_import.State) -> int:
        """Count who is new, changed, or leaves."""
        return sum(change.state == state for change in self.changes)

    @property
    def too_many_leave(self) -> bool:
        return self.count("leaves") > self.most_leaving


@dataclass(frozen=True)
class _Found:
    change: Change
    entry: Entry
    person: NewPerson
    row: Person | None


@dataclass(frozen=True)
class _Whole:
    plan: Plan
    found: Sequence[_Found]  # new or changed
    links: Sequence[tuple[Person, Entry]]
    leaving: Sequence[Person]


def preview(uow: UnitOfWork, settings: DirectorySettings, entries: Sequence[Entry]) -> Plan:
    """Say what the directory's people would change. Administrators, and the nightly run."""
    return _read(uow, settings, entries).plan


async def take_over(
    database: Database,
    actor: Actor,
    settings: DirectorySettings,
    entries: Sequence[Entry],
    *,
    fingerprint: str | None = None,
    with_passwords: bool = False,
    all_leave: bool = False,
) -> tuple[Plan, list[InitialPassword]]:
    """Take over what ``preview`` shows; return it, with the initial passwords of new people where these are asked for.

    ``fingerprint``: of the preview that was read; Refused where the directory or the people have changed since.
    ``all_leave``: an administrator has confirmed that more people leave than may at once; Refused otherwise.
    """
    planned = (await database.read(actor, _read, settings, entries)).plan
    _check(planned, fingerprint, all_leave=all_leave)
    new = [change.login for change in planned.changes if change.state == "new"]
    if with_passwords and len(new) > MOST_NEW:
        raise Refused(
            "people-too-many",
            "Initial passwords can be made for at most {most} people at once: take over without them.",
            most=MOST_NEW,
        )
    # without passwords of their own all new people have that of a secret which nobody has seen, and which is forgotten
    nobodys = await run_in_thread(passwords.hash_password, secrets.token_urlsafe(32)) if new else ""
    given: dict[str, tuple[str, str]] = {}
    for login in new if with_passwords else ():
        password = passwords.generate()
        given[login] = (password, await run_in_thread(passwords.hash_password, password))

    def act(uow: UnitOfWork) -> tuple[Plan, list[InitialPassword]]:
        lock_setup(uow)
        whole = _read(uow, settings, entries)
        _check(whole.plan, planned.fingerprint, all_leave=all_leave)
        initial = []
        for found in whole.found:
            login = found.change.login
            if found.row is None:
                password, hashed = given.get(login, ("", nobodys))
                person_id = staff.enter(uow, login, found.person.details(), hashed)
                if password:
                    initial.append(InitialPassword(person_id, login, password))
                _link(uow, person_id, found.entry)
            else:
                staff.apply_details(uow, get_person_for_update(uow, found.row.id), found.person.details())
        for person, entry in whole.links:
            _link(uow, person.id, entry)
        for person in whole.leaving:
            leaving.begin(uow, get_person_for_update(uow, person.id), "directory")
        plan = whole.plan
        audit_trail.record(
            uow,
            "directory-taken-over",
            "directory",
            settings.host or "",
            new=plan.count("new"),
            changed=plan.count("changed"),
            leaving=plan.count("leaves"),
            unchanged=plan.unchanged,
            left_out=len(plan.left_out),
        )
        return plan, initial

    return await database.run(actor, act)


def _check(plan: Plan, fingerprint: str | None, *, all_leave: bool) -> None:
    if fingerprint is not None and plan.fingerprint != fingerprint:
        raise Refused("directory-changed", "The directory or the people here have changed: check again.")
    if plan.too_many_leave and not all_leave:
        raise Refused(
            "too-many-leave",
            "{count} of {linked} people are missing in the directory, and at most {most} may leave at once: nothing is "
            "taken over. Check base and filter; if they have left, an administrator confirms it on the page.",
            count=plan.count("leaves"),
            linked=plan.linked,
            most=plan.most_leaving,
        )


def _read(uow: UnitOfWork, settings: DirectorySettings, entries: Sequence[Entry]) -> _Whole:
    if uow.actor != ACTOR:
        require_administrator(uow)
    if not entries:
        raise Refused("directory-empty", "The directory names nobody: check base, filter and the account that reads.")
    people = list(uow.session.scalars(select(Person)))
    by_login, by_id = {row.login: row for row in people}, {row.id: row for row in people}
    links = {row.entry_id: row.person_id for row in uow.session.scalars(select(DirectoryPerson))}
    entry_of = {person_id: entry_id for entry_id, person_id in links.items()}
    named = {entry.id for entry in entries}
    departments = people_import.read_departments(uow)
    found: list[_Found] = []
    links_to_add: list[tuple[Person, Entry]] = []
    left_out: list[LeftOut] = []
    seen: set[str] = set()  # ids of people, and usernames of new ones
    unchanged = 0
    for entry in entries:
        login = entry.values["login"].lower()
        row = by_id.get(links.get(entry.id, ""))
        try:
            if row is None:
                row = _by_login(by_login.get(login), entry_of, named)
                if (row.id if row is not None else login) in seen:
                    raise _refused(Message("username {login} occurs twice in the directory", login=login))
                # also where nothing of it can be taken over: who is found may be missing later. But not who has left:
                # this may be another person; one who comes back is found once the account is active again
                if row is not None and row.active:
                    links_to_add.append((row, entry))
            seen.add(row.id if row is not None else login)
            person = _person(entry, login, row, departments)
            change = people_import.compare(uow, 0, person, row, departments)
        except Refused as refusal:
            holder = by_login.get(login)
            may_be = row is None and entry.id not in links and _has_lost_entry(holder, entry_of, named)
            left_out.append(
                LeftOut(entry.dn, refusal.message, entry.id, holder.id if holder is not None and may_be else None)
            )
            continue
        unchanged += change.state == "unchanged"
        if change.state != "unchanged":
            found.append(_Found(change, entry, person, row))
    missing = [row for row in people if row.id in entry_of and row.id not in seen and row.active]
    leavers, obstacles = _leavers(uow, missing)
    left_out += obstacles
    linked = sum(row.id in entry_of and row.active for row in people)
    changes = [one.change for one in found]
    changes += [Change(0, "leaves", row.login, row.name, {}, held_copies.list_numbers(uow, row.id)) for row in leavers]
    most = max(1, linked * settings.most_leaving_percent // 100)
    fingerprint = _fingerprint(changes, sorted(row.login for row, _ in links_to_add))
    return _Whole(Plan(changes, unchanged, left_out, linked, most, fingerprint), found, links_to_add, leavers)


def _by_login(row: Person | None, entry_of: Mapping[str, str], named: Set[str]) -> Person | None:
    """Return who is here by the username; Refused where that is another entry's: usernames are given again.

    ``named``: the entries that the directory names now.
    """
    if row is not None and row.id in entry_of:
        if _has_lost_entry(row, entry_of, named):
            raise _refused(
                Message(
                    "{login} belongs here to {name}, whose own entry is gone from the directory: this one counts as "
                    "another person. Give this person another username, or link the two if it is the same person",
                    login=row.login,
                    name=row.name,
                )
            )
        raise _refused(
            Message(
                "{login} belongs to another entry of the directory here: give this person another username",
                login=row.login,
            )
        )
    return row


def _has_lost_entry(row: Person | None, entry_of: Mapping[str, str], named: Set[str]) -> bool:
    return row is not None and row.id in entry_of and entry_of[row.id] not in named


def _person(entry: Entry, login: str, row: Person | None, departments: Departments) -> NewPerson:
    if row is not None and row.login != login:
        raise _refused(
            Message("the username changed from {was} to {login}: it stays as it is here", was=row.login, login=login)
        )
    # a person chooses the language here, and the directory seldom knows it
    values = {**entry.values, "login": login, "language": row.locale if row is not None else ""}
    return people_import.read_person(values, departments, row)


def _leavers(uow: UnitOfWork, missing: Sequence[Person]) -> tuple[list[Person], list[LeftOut]]:
    """Divide who is missing into those who leave, and those who may not; whoever leaves already is neither."""
    leavers, obstacles = [], []
    for row in missing:
        if leaving.get_open(uow, row.id) is not None:
            continue
        try:
            if row.id == uow.actor.id:
                raise _refused(Message("you cannot deactivate your own account: ask another administrator"))
            staff.check_may_leave(uow, row)
        except Refused as refusal:
            obstacles.append(LeftOut(f"{row.name} ({row.login})", refusal.message))
        else:
            leavers.append(row)
    directory = access_queries.load_directory(uow)
    if directory.administrators and directory.administrators <= {row.id for row in leavers}:
        # each alone may leave, because of the others
        obstacles += [
            LeftOut(f"{row.name} ({row.login})", Message("the last administrators cannot all leave"))
            for row in leavers
            if row.id in directory.administrators
        ]
        leavers = [row for row in leavers if row.id not in directory.administrators]
    return leavers, obstacles


def _link(uow: UnitOfWork, person_id: str, entry: Entry) -> None:
    uow.session.add(DirectoryPerson(person_id=person_id, entry_id=entry.id, linked_at=uow.now))
    audit_trail.record(uow, "directory-linked", "person", person_id, entry=entry.id)


def _fingerprint(changes: Sequence[Change], to_link: Sequence[str]) -> str:
    told: list[Any] = [[change.state, change.login, sorted(change.changes.items())] for change in changes]
    return hashlib.sha256(json.dumps([told, to_link], ensure_ascii=False).encode()).hexdigest()


def _refused(message: Text) -> Refused:
    return Refused("entry", message, status=422)
