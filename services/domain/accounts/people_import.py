"""Import people from a CSV file: a preview of what would change, and all lines or none.

It adds people and changes names, departments and mail addresses. Posts are given by hand, with a second person where
they need one. Nobody is deactivated because a file leaves them out, but whom a line names as leaving.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pydantic import ValidationError
from sqlalchemy import select

from services.database.tables.people import Department, Person
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access.administrators import require_administrator
from services.domain.accounts import held_copies, passwords, posts, staff
from services.domain.accounts.schemas import NewPerson
from services.domain.accounts.staff import Details, InitialPassword
from services.domain.change_requests import deciders
from services.runtime.csv_rows import plain, read_rows
from services.runtime.errors import Refused
from services.runtime.threads import run_in_thread
from services.runtime.translations import Bilingual, Message, Text, languages, translate
from services.web.schemas import WrongLine

LANGUAGE = "language"
COLUMNS = ("login", "name", "department", "email", LANGUAGE)
# Columns that a file may have: the id in the chat app, which stays where there is no such column, as the language does;
# and yes for somebody who leaves.
CHAT, LEAVES = "chat", "leaves"
# What the exported list of people calls them, and its columns that are not read: these are changed by hand.
EXPORTED = {"Username": "login", "Full name": "name", "Department": "department", "E-mail": "email"}
NOT_READ = ("Posts", "Status", "Second factor", "Confidentiality agreement")
REQUIRED = ("login", "name", "department")
_YES_OR_NO = {"": False, "no": False, "否": False, "yes": True, "是": True}
_COLUMN_OF = {"locale": "language", "departmentId": "department", "chat_id": CHAT}
MOST_NEW = 300  # each has a password to hash, on purpose a slow thing

State = Literal["new", "changed", "leaves", "unchanged"]
Leave = Callable[[UnitOfWork, str], object]
"""What ends an account, or keeps it until its copies are transferred (``staffing.leaving``)."""


@dataclass(frozen=True)
class Change:
    """A line of the file that adds or changes somebody; ``changes`` are pairs of old and new, by column.

    ``cases``: of one who leaves, those whose copies they hold, and until whose transfer the account is kept.
    """

    line: int
    state: State
    login: str
    name: str
    changes: Mapping[str, tuple[str, str]]
    cases: Sequence[str] = ()


@dataclass(frozen=True)
class Departments:
    """The ids of the departments by each of their names, and their Chinese names by id."""

    ids: Mapping[str, Sequence[str]]
    names: Mapping[str, str]


@dataclass(frozen=True)
class Preview:
    """What the file would do."""

    changes: Sequence[Change]
    unchanged: int
    wrong: Sequence[WrongLine]

    def count(self, state: State) -> int:
        """Count the lines that add, or change, somebody."""
        return sum(change.state == state for change in self.changes)


@dataclass(frozen=True)
class _Line:
    change: Change
    person_id: str | None
    details: Details


def preview(uow: UnitOfWork, content: bytes) -> Preview:
    """Say what the file would change. Refused where it is no such list; administrators only."""
    lines, wrong = _read(uow, content)
    changes = [line.change for line in lines if line.change.state != "unchanged"]
    return Preview(changes, len(lines) - len(changes), wrong)


async def take_over(database: Database, actor: Actor, content: bytes, *, leave: Leave) -> list[InitialPassword]:
    """Import the file, and return the initial passwords of the people it added, shown once.

    ``leave`` ends the accounts of those who leave.
    Refused where a line is wrong, also one that was right in the preview.
    """
    planned = await database.read(actor, preview, content)
    _require_right(planned.wrong)
    hashed = {}
    for change in planned.changes:
        if change.state == "new":
            password = passwords.generate()
            hashed[change.login] = (password, await run_in_thread(passwords.hash_password, password))

    def act(uow: UnitOfWork) -> list[InitialPassword]:
        lines, wrong = _read(uow, content)
        _require_right(wrong)
        added = []
        for line in lines:
            login = line.change.login
            if line.person_id is not None and line.change.state == "changed":
                staff.change_person(uow, line.person_id, line.details)
            elif line.person_id is not None and line.change.state == "leaves":
                leave(uow, line.person_id)
            elif line.person_id is None:
                if login not in hashed:
                    raise Refused("people-changed", "People were changed in the meantime: check the list again.")
                password, password_hash = hashed[login]
                person_id = staff.add_checked(uow, login, line.details, password_hash)
                added.append(InitialPassword(person_id, login, password))
        return added

    return await database.run(actor, act)


def _read(uow: UnitOfWork, content: bytes) -> tuple[list[_Line], list[WrongLine]]:
    require_administrator(uow)
    optional = (LANGUAGE, CHAT, LEAVES, *NOT_READ)
    columns = [name for name in COLUMNS if name not in optional]
    rows = list(read_rows(content, columns, code="people-file", optional=optional, called=_called()))
    departments = read_departments(uow)
    logins = {plain(cells["login"]) for _, cells in rows}
    known = {row.login: row for row in uow.session.scalars(select(Person).where(Person.login.in_(logins)))}
    lines: list[_Line] = []
    wrong: list[WrongLine] = []
    seen: set[str] = set()
    for number, cells in rows:
        try:
            row = known.get(plain(cells["login"]))
            person = read_person(cells, departments, row)
            if person.login in seen:
                raise _refused(Message("username {login} occurs twice in the file", login=person.login))
            seen.add(person.login)
            if _leaves(cells):
                lines.append(_leaving(uow, number, person, row))
                continue
            details = person.details()
            lines.append(_Line(compare(uow, number, person, row, departments), row.id if row else None, details))
        except Refused as refusal:
            wrong.append(WrongLine(line=number, zh=refusal.message.zh, en=refusal.message.en))
    if sum(line.change.state == "new" for line in lines) > MOST_NEW:
        raise Refused(
            "people-file",
            Message("At most {most} people can be added at once: upload the file in parts.", most=MOST_NEW),
            status=422,
            field="file",
        )
    return lines, wrong


@cache
def _called() -> Mapping[str, str]:
    """Map the headings of an exported list, in each language, to the columns."""
    columns = {**EXPORTED, **{heading: heading for heading in NOT_READ}}
    return {
        translate(language, heading).lower(): column for language in languages() for heading, column in columns.items()
    }


def read_departments(uow: UnitOfWork) -> Departments:
    """Load the departments, as files and directories name them."""
    ids: dict[str, list[str]] = {}
    names = {}
    for department in uow.session.scalars(select(Department)):
        names[department.id] = department.name_zh
        for name in {department.name_zh, department.name_en}:
            ids.setdefault(name, []).append(department.id)
    return Departments(ids, names)


def read_person(cells: Mapping[str, str], departments: Departments, row: Person | None) -> NewPerson:
    """Read a person from the values of ``COLUMNS``, and of ``CHAT`` if it is there; Refused with what is wrong.

    ``row``: the person who is known, whose language and id in the chat app stay where the values have none.
    """
    values = {name: plain(cell) for name, cell in cells.items()}
    for name in REQUIRED:
        if not values[name]:
            raise _refused(Message("{name} is missing", name=name))
    found = departments.ids.get(values["department"], [])
    if not found:
        raise _refused(Message("there is no department {name}: add it first", name=values["department"]))
    if len(found) > 1:
        raise _refused(Message("several departments are called {name}: rename one", name=values["department"]))
    if not staff.LOGIN_PATTERN.fullmatch(values["login"]):
        raise _refused(Message("The username needs 2 to 40 lowercase letters, digits, dots, hyphens or underscores."))
    try:
        return NewPerson(
            login=values["login"],
            name=values["name"],
            department_id=found[0],
            email=values["email"] or None,
            locale=values.get(LANGUAGE, row.locale if row is not None else "") or "zh",
            chat_id=(values[CHAT] or None) if CHAT in values else row.chat_id if row is not None else None,
        )
    except ValidationError as error:
        wrong = str(error.errors()[0]["loc"][0])
        raise _refused(Message("{name} is not valid", name=_COLUMN_OF.get(wrong, wrong))) from error


def compare(uow: UnitOfWork, number: int, person: NewPerson, row: Person | None, departments: Departments) -> Change:
    """Return what a line changes of the person who is known; Refused where it has to be changed by hand."""
    details = person.details()
    if row is None:
        return Change(number, "new", person.login, person.name, {})
    if not row.active:
        raise _refused(
            Message("{login} was deactivated: activate the account by hand, or choose another", login=row.login)
        )
    pairs = {
        "name": (row.name, details.name),
        "department": (departments.names[row.department_id], departments.names[details.department_id]),
        "email": (row.email or "", details.email or ""),
        LANGUAGE: (row.locale, details.locale),
        CHAT: (row.chat_id or "", details.chat_id or ""),
    }
    changes = {name: (old, new) for name, (old, new) in pairs.items() if old != new}
    if changes.keys() - {LANGUAGE} and deciders.decides(uow, row.id):
        raise _refused(
            Message(
                "{login} has to do with decisions, footage or an open case: change this account by hand, with a "
                "second person",
                login=row.login,
            )
        )
    return Change(number, "changed" if changes else "unchanged", person.login, person.name, changes)


def _leaves(cells: Mapping[str, str]) -> bool:
    given = plain(cells.get(LEAVES, "")).lower()
    if given not in _YES_OR_NO:
        raise _refused(Message("{name} has to be yes or no", name=LEAVES))
    return _YES_OR_NO[given]


def _leaving(uow: UnitOfWork, number: int, person: NewPerson, row: Person | None) -> _Line:
    """Return the line of somebody who leaves; nothing else of it is taken over."""
    if row is None:
        raise _refused(Message("{login} leaves, and is not known here: remove the line", login=person.login))
    if row.id == uow.actor.id:
        raise _refused(Message("you cannot deactivate your own account: ask another administrator"))
    state: State = "leaves" if row.active and not posts.is_leaving(uow, row.id) else "unchanged"
    cases = held_copies.list_numbers(uow, row.id) if state == "leaves" else ()
    return _Line(Change(number, state, row.login, row.name, {}, cases), row.id, person.details())


def _require_right(wrong: Sequence[WrongLine]) -> None:
    if wrong:
        raise Refused(
            "people-file",
            Message("Line {line}: {why}", line=wrong[0].line, why=Bilingual(wrong[0].zh, wrong[0].en)),
            status=422,
            field="file",
        )


def _refused(message: Text) -> Refused:
    return Refused("line", message, status=422, field="file")
