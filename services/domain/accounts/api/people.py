"""Serve people, posts, departments and absences as JSON."""

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request

from services.database.tables.people import Absence
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import absences, people_import, posts, staff, staff_queries
from services.domain.accounts.posts import PostRequest
from services.domain.accounts.schemas import DepartmentAnswer, NewPerson, PersonBody
from services.domain.staffing import leaving
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Answer, Body, Identifier, Line, ListParameters, Moment, Name, WrongLine

router = APIRouter(prefix="/api", tags=["people"])


class PostBody(Body):
    """A post from ``since`` (now) up to ``until`` (open)."""

    kind: Line
    department_id: Identifier
    since: Moment | None = None
    until: Moment | None = None

    def post_request(self) -> PostRequest:
        return PostRequest(self.kind, self.department_id, self.since, self.until)


class PostEnd(Body):
    at: Moment | None = None


class AbsenceBody(Body):
    since: Moment
    until: Moment


class DepartmentBody(Body):
    name_zh: Name
    name_en: Name
    kind: Line
    superior_id: Identifier | None = None


class InitialAnswer(Answer):
    """An initial password, shown once and changed at the first login."""

    person_id: str
    login: str
    password: str


class PeopleImportAnswer(Answer):
    """What the file would do, or has done; with a wrong line nothing is taken over."""

    new: int
    changed: int
    leaving: int
    unchanged: int
    wrong: list[WrongLine]
    initial: list[InitialAnswer]
    done: bool


class PersonLine(Answer):
    id: str
    login: str
    name: str
    email: str | None
    chat_id: str | None
    locale: str
    department_id: str
    active: bool
    posts: list[str]
    locked: bool
    enrolled: bool
    agreement: bool
    absent: bool
    leaving: bool


class PeopleAnswer(Answer):
    people: list[PersonLine]
    total: int


class PostAnswer(Answer):
    id: str
    person_id: str
    department_id: str
    kind: str
    since: Moment
    until: Moment | None
    assigned_by: str | None
    ended_by: str | None


class AbsenceAnswer(Answer):
    """An absence; others sign from ``effective_from``, null: it ends before they may.

    ``state``: notice (the person may object), to-come, in-force or over. ``added_by`` and ``confirmed_by`` are names.
    """

    id: str
    person_id: str
    since: Moment
    until: Moment
    state: Literal["notice", "to-come", "in-force", "over"]
    effective_from: Moment | None
    added_by: str | None
    confirmed_by: str | None


class IdentityAnswer(Answer):
    """A person's identity at a provider; ``subject`` never changes."""

    issuer: str
    subject: str
    bound_at: Moment


class PeopleQuestion(ListParameters):
    """``text`` is searched in names and logins."""

    sort: staff_queries.Sort = "name"
    department_id: Identifier | None = None
    post: Identifier | None = None
    active: bool | None = None


class DepartmentsQuestion(ListParameters):
    """``text`` is searched in the names of both languages."""

    sort: staff_queries.DepartmentSort = "name"


class PersonAnswer(Answer):
    """One person, with past and future posts.

    ``assigned_by`` and ``ended_by`` of a post are names. ``holds``: the cases whose copies the person holds or is
    offered; until they are transferred, the account of one who leaves is kept.
    """

    person: PersonLine
    holds: list[str]
    posts: list[PostAnswer]
    absences: list[AbsenceAnswer]
    second_factor_required: bool
    passkeys: int
    identities: list[IdentityAnswer]
    last_login_at: Moment | None


def person_line(line: staff_queries.PersonRow) -> PersonLine:
    row = line.person
    return PersonLine(
        id=row.id,
        login=row.login,
        name=row.name,
        email=row.email,
        chat_id=row.chat_id,
        locale=row.locale,
        department_id=row.department_id,
        active=row.active,
        posts=[post.kind for post, _ in line.posts],
        locked=line.locked,
        enrolled=line.enrolled,
        agreement=line.agreement,
        absent=line.absent,
        leaving=line.leaving,
    )


def person_answer(uow: UnitOfWork, person_id: str) -> PersonAnswer:
    view = staff_queries.get_person(uow, person_id)
    return PersonAnswer(
        person=person_line(view.line),
        holds=list(view.holds),
        posts=[
            PostAnswer.model_validate(row.post).model_copy(
                update={"assigned_by": row.assigned_by, "ended_by": row.ended_by}
            )
            for row in view.posts
        ],
        absences=[AbsenceAnswer.model_validate(row) for row in view.absences],
        second_factor_required=view.second_factor.required,
        passkeys=view.passkeys,
        identities=[IdentityAnswer.model_validate(row) for row in view.identities],
        last_login_at=view.last_login_at,
    )


def absence_answer(uow: UnitOfWork, row: Absence) -> AbsenceAnswer:
    return AbsenceAnswer.model_validate(absences.view(uow, row))


def _act_and_answer(uow: UnitOfWork, act: Callable[[UnitOfWork, str], object], person_id: str) -> PersonAnswer:
    act(uow, person_id)
    return person_answer(uow, person_id)


@router.get("/people", responses=problems(401, 403))
async def list_people(
    question: Annotated[PeopleQuestion, Query()], actor: Acting, database: GivenDatabase
) -> PeopleAnswer:
    """List people by name."""
    people_filter = staff_queries.PeopleFilter(question.department_id, question.post, question.active)
    page = await database.read(actor, staff_queries.list_people, people_filter, question.listing())
    return PeopleAnswer(people=[person_line(row) for row in page.lines], total=page.total)


@router.post(
    "/people/list",
    responses=problems(401, 403),
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def import_people(
    request: Request, actor: Acting, database: GivenDatabase, dry_run: bool = True
) -> PeopleImportAnswer:
    """Import people from the CSV file in the body, all lines or none; a dry run says what would change.

    Administrators only. ``initial`` are the initial passwords of the people added, shown once.
    """
    content = await request.body()
    planned = await database.read(actor, people_import.preview, content)
    done = not dry_run and not planned.wrong
    added = await people_import.take_over(database, actor, content, leave=leaving.leave_by_list) if done else []
    return PeopleImportAnswer(
        new=planned.count("new"),
        changed=planned.count("changed"),
        leaving=planned.count("leaves"),
        unchanged=planned.unchanged,
        wrong=list(planned.wrong),
        initial=[InitialAnswer.model_validate(one) for one in added],
        done=done,
    )


@router.post("/people", status_code=201, responses=problems(*USUAL))
async def add_person(body: NewPerson, actor: Acting, database: GivenDatabase) -> InitialAnswer:
    """Add a person; the answer has the initial password, once."""
    return InitialAnswer.model_validate(await staff.add_person(database, actor, body.login, body.details()))


@router.get("/people/{person_id}", responses=problems(401, 403, 404))
async def read_person(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """Return one person with posts, absences and account state."""
    return await database.read(actor, person_answer, person_id)


@router.put("/people/{person_id}", responses=problems(*USUAL))
async def change_person(
    person_id: Identifier, body: PersonBody, actor: Acting, database: GivenDatabase
) -> PersonAnswer:
    """Change a person's details."""

    def act(uow: UnitOfWork) -> PersonAnswer:
        staff.change_person(uow, person_id, body.details())
        return person_answer(uow, person_id)

    return await database.run(actor, act)


@router.post("/people/{person_id}/deactivate", responses=problems(*USUAL))
async def deactivate(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """Deactivate a person and end their sessions. Nothing is deleted."""
    return await database.run(actor, _act_and_answer, staff.deactivate, person_id)


@router.post("/people/{person_id}/leave", responses=problems(*USUAL))
async def leave(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """Deactivate a person, or, while they hold copies, as soon as these are transferred or returned.

    Until then the account is kept: its posts end, and the copies do not open.
    """
    return await database.run(actor, _act_and_answer, leaving.leave, person_id)


@router.post("/people/{person_id}/stay", responses=problems(*USUAL))
async def stay(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """Withdraw that a person leaves: the copies open again; posts have to be assigned anew."""
    return await database.run(actor, _act_and_answer, leaving.stay, person_id)


@router.post("/people/{person_id}/activate", responses=problems(*USUAL))
async def activate(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """Activate a person again, with the posts they hold."""
    return await database.run(actor, _act_and_answer, staff.activate, person_id)


@router.post("/people/{person_id}/unlock", responses=problems(*USUAL))
async def unlock(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """Unlock a locked account."""
    return await database.run(actor, _act_and_answer, staff.unlock, person_id)


@router.post("/people/{person_id}/reset-second-factor", responses=problems(*USUAL))
async def reset_second_factor(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """End a person's lost second factor."""
    return await database.run(actor, _act_and_answer, staff.reset_second_factor, person_id)


@router.post("/people/{person_id}/end-passkeys", responses=problems(*USUAL))
async def end_passkeys(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """End a person's lost passkeys."""
    return await database.run(actor, _act_and_answer, staff.end_passkeys, person_id)


@router.post("/people/{person_id}/unbind-identity", responses=problems(*USUAL))
async def unbind_identity(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """Unbind a person from the provider's account; their sessions end.

    The next login at the provider binds again.
    """
    return await database.run(actor, _act_and_answer, staff.unbind_identity, person_id)


@router.post("/people/{person_id}/initial-password", responses=problems(*USUAL))
async def new_password(person_id: Identifier, actor: Acting, database: GivenDatabase) -> InitialAnswer:
    """Set an initial password for a person; their sessions end."""
    return InitialAnswer.model_validate(await staff.reset_password(database, actor, person_id))


@router.post("/people/{person_id}/posts", status_code=201, responses=problems(*USUAL))
async def assign_post(person_id: Identifier, body: PostBody, actor: Acting, database: GivenDatabase) -> PostAnswer:
    """Assign a post.

    Nobody holds the administrator's together with one that sees footage.
    """
    return PostAnswer.model_validate(await database.run(actor, posts.assign, person_id, body.post_request()))


@router.post("/posts/{post_id}/end", responses=problems(*USUAL))
async def end_post(post_id: Identifier, body: PostEnd, actor: Acting, database: GivenDatabase) -> PostAnswer:
    """End a post now, or at a later moment."""
    return PostAnswer.model_validate(await database.run(actor, posts.end, post_id, at=body.at))


@router.get("/people/{person_id}/absences", responses=problems(401, 404))
async def list_absences(person_id: Identifier, actor: Acting, database: GivenDatabase) -> list[AbsenceAnswer]:
    """List current and future absences.

    One's own, those of the department for its head, or anybody's for administrators.
    """
    return [AbsenceAnswer.model_validate(row) for row in await database.read(actor, absences.list_absences, person_id)]


@router.post("/people/{person_id}/absences", status_code=201, responses=problems(*USUAL))
async def add_absence(
    person_id: Identifier, body: AbsenceBody, actor: Acting, database: GivenDatabase
) -> AbsenceAnswer:
    """Add an absence; others stand in meanwhile.

    At once by one's own word or an administrator's, otherwise after twelve hours in which the person may object.
    """

    def act(uow: UnitOfWork) -> AbsenceAnswer:
        return absence_answer(uow, absences.add(uow, person_id, since=body.since, until=body.until))

    return await database.run(actor, act)


@router.post("/absences/{absence_id}/confirm", responses=problems(*USUAL))
async def confirm_absence(absence_id: Identifier, actor: Acting, database: GivenDatabase) -> AbsenceAnswer:
    """Confirm an absence, so that others stand in at once: by the person or an administrator."""
    return await database.run(actor, lambda uow: absence_answer(uow, absences.confirm(uow, absence_id)))


@router.post("/absences/{absence_id}/end", responses=problems(*USUAL))
async def end_absence(absence_id: Identifier, actor: Acting, database: GivenDatabase) -> AbsenceAnswer:
    """End an absence."""
    return await database.run(actor, lambda uow: absence_answer(uow, absences.end(uow, absence_id)))


@router.get("/departments", responses=problems(401, 403))
async def list_departments(
    question: Annotated[DepartmentsQuestion, Query()], actor: Acting, database: GivenDatabase
) -> list[DepartmentAnswer]:
    """List departments by name."""
    rows = await database.read(actor, staff_queries.list_departments, question.listing())
    return [DepartmentAnswer.model_validate(row.row) for row in rows]


@router.post("/departments", status_code=201, responses=problems(*USUAL))
async def add_department(body: DepartmentBody, actor: Acting, database: GivenDatabase) -> DepartmentAnswer:
    """Add a department."""
    row = await database.run(actor, staff.add_department, **body.model_dump())
    return DepartmentAnswer.model_validate(row)


@router.put("/departments/{department_id}", responses=problems(*USUAL))
async def change_department(
    department_id: Identifier, body: DepartmentBody, actor: Acting, database: GivenDatabase
) -> DepartmentAnswer:
    """Change a department."""
    row = await database.run(actor, staff.change_department, department_id, **body.model_dump())
    return DepartmentAnswer.model_validate(row)
