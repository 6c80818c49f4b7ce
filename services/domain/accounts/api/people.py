"""People, posts and departments, kept by administrators; absences, entered by oneself and the department's head too."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import absences, posts, staff, staff_queries
from services.domain.accounts.posts import PostRequest
from services.domain.accounts.schemas import DepartmentAnswer
from services.domain.accounts.staff import Details
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.language import KnownLanguage
from services.web.schemas import Answer, Body, Identifier, Line, ListParameters, Moment

router = APIRouter(prefix="/api", tags=["people"])

Email = Annotated[str, Field(max_length=200, pattern=r"^[^@\s<>\"']+@[^@\s<>\"']+$")]


class PersonBody(Body):
    name: Line
    department_id: Identifier
    email: Email | None = None
    locale: KnownLanguage = "zh"

    def details(self) -> Details:
        return Details(self.name, self.department_id, self.email, self.locale)


class NewPerson(PersonBody):
    login: Line


class PostBody(Body):
    """A post from ``since`` (now) up to ``until`` (open)."""

    kind: Line
    department_id: Identifier
    since: Moment | None = None
    until: Moment | None = None

    def asked(self) -> PostRequest:
        return PostRequest(self.kind, self.department_id, self.since, self.until)


class PostEnd(Body):
    at: Moment | None = None


class AbsenceBody(Body):
    since: Moment
    until: Moment


class DepartmentBody(Body):
    name_zh: Line
    name_en: Line
    kind: Line
    superior_id: Identifier | None = None


class InitialAnswer(Answer):
    """A password for the first sign-in, told this once; it must be changed there."""

    person_id: str
    login: str
    password: str


class PersonLine(Answer):
    id: str
    login: str
    name: str
    email: str | None
    locale: str
    department_id: str
    active: bool
    posts: list[str]
    locked: bool
    enrolled: bool
    agreement: bool
    absent: bool


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
    id: str
    person_id: str
    since: Moment
    until: Moment


class IdentityAnswer(Answer):
    """What a person is at a provider: ``subject`` is its name for them, which never changes."""

    issuer: str
    subject: str
    bound_at: Moment


class PeopleQuestion(ListParameters):
    """``text`` is looked for in names and logins."""

    sort: staff_queries.Sort = "name"
    department_id: Identifier | None = None
    post: Identifier | None = None
    active: bool | None = None


class DepartmentsQuestion(ListParameters):
    """``text`` is looked for in the names of both languages."""

    sort: staff_queries.DepartmentSort = "name"


class PersonAnswer(Answer):
    """One person with every post, past and coming ones too; who gave and ended them by name."""

    person: PersonLine
    posts: list[PostAnswer]
    absences: list[AbsenceAnswer]
    second_factor_required: bool
    passkeys: int
    identities: list[IdentityAnswer]
    last_login_at: Moment | None


def person_line(found: staff_queries.PersonRow) -> PersonLine:
    row = found.person
    return PersonLine(
        id=row.id,
        login=row.login,
        name=row.name,
        email=row.email,
        locale=row.locale,
        department_id=row.department_id,
        active=row.active,
        posts=[post.kind for post, _ in found.posts],
        locked=found.locked,
        enrolled=found.enrolled,
        agreement=found.agreement,
        absent=found.absent,
    )


def person_answer(uow: UnitOfWork, person_id: str) -> PersonAnswer:
    view = staff_queries.get_person(uow, person_id)
    return PersonAnswer(
        person=person_line(view.line),
        posts=[
            PostAnswer.model_validate(one.post).model_copy(
                update={"assigned_by": one.assigned_by, "ended_by": one.ended_by}
            )
            for one in view.posts
        ],
        absences=[AbsenceAnswer.model_validate(one) for one in view.absences],
        second_factor_required=view.second_factor.required,
        passkeys=view.passkeys,
        identities=[IdentityAnswer.model_validate(one) for one in view.identities],
        last_login_at=view.last_login_at,
    )


def _act_and_answer(uow: UnitOfWork, act: Callable[[UnitOfWork, str], object], person_id: str) -> PersonAnswer:
    act(uow, person_id)
    return person_answer(uow, person_id)


@router.get("/people", responses=problems(401, 403))
async def list_people(
    question: Annotated[PeopleQuestion, Query()], actor: Acting, database: GivenDatabase
) -> PeopleAnswer:
    """The people, by name."""
    wanted = staff_queries.PeopleFilter(question.department_id, question.post, question.active)
    found = await database.run(actor, staff_queries.list_people, wanted, question.listing())
    return PeopleAnswer(people=[person_line(one) for one in found.lines], total=found.total)


@router.post("/people", status_code=201, responses=problems(*USUAL))
async def add_person(body: NewPerson, actor: Acting, database: GivenDatabase) -> InitialAnswer:
    """Enter a person; the answer tells the first password, this once."""
    return InitialAnswer.model_validate(await staff.add_person(database, actor, body.login, body.details()))


@router.get("/people/{person_id}", responses=problems(401, 403, 404))
async def read_person(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """One person with posts, absences and the state of the account."""
    return await database.run(actor, person_answer, person_id)


@router.put("/people/{person_id}", responses=problems(*USUAL))
async def change_person(
    person_id: Identifier, body: PersonBody, actor: Acting, database: GivenDatabase
) -> PersonAnswer:
    """Change what is known of a person."""

    def act(uow: UnitOfWork) -> PersonAnswer:
        staff.change_person(uow, person_id, body.details())
        return person_answer(uow, person_id)

    return await database.run(actor, act)


@router.post("/people/{person_id}/deactivate", responses=problems(*USUAL))
async def deactivate(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """The person leaves: no sign-in, no task, every session ends. Nothing is deleted."""
    return await database.run(actor, _act_and_answer, staff.deactivate, person_id)


@router.post("/people/{person_id}/activate", responses=problems(*USUAL))
async def activate(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """The person is back, with the posts that the book has."""
    return await database.run(actor, _act_and_answer, staff.activate, person_id)


@router.post("/people/{person_id}/unlock", responses=problems(*USUAL))
async def unlock(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """Let a person try again whose account was locked."""
    return await database.run(actor, _act_and_answer, staff.unlock, person_id)


@router.post("/people/{person_id}/reset-second-factor", responses=problems(*USUAL))
async def reset_second_factor(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """End the second factor of a person who has lost it."""
    return await database.run(actor, _act_and_answer, staff.reset_second_factor, person_id)


@router.post("/people/{person_id}/end-passkeys", responses=problems(*USUAL))
async def end_passkeys(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """End all passkeys of a person who has lost what they lie in."""
    return await database.run(actor, _act_and_answer, staff.end_passkeys, person_id)


@router.post("/people/{person_id}/unbind-identity", responses=problems(*USUAL))
async def unbind_identity(person_id: Identifier, actor: Acting, database: GivenDatabase) -> PersonAnswer:
    """Unbind a person from their account of the provider; their sessions end, and the next sign-in binds anew."""
    return await database.run(actor, _act_and_answer, staff.unbind_identity, person_id)


@router.post("/people/{person_id}/initial-password", responses=problems(*USUAL))
async def new_password(person_id: Identifier, actor: Acting, database: GivenDatabase) -> InitialAnswer:
    """A fresh first password for somebody who has lost theirs; their sessions end."""
    return InitialAnswer.model_validate(await staff.reset_password(database, actor, person_id))


@router.post("/people/{person_id}/posts", status_code=201, responses=problems(*USUAL))
async def assign_post(person_id: Identifier, body: PostBody, actor: Acting, database: GivenDatabase) -> PostAnswer:
    """Give a post. Nobody holds the administrator's together with one that sees footage."""
    return PostAnswer.model_validate(await database.run(actor, posts.assign, person_id, body.asked()))


@router.post("/posts/{post_id}/end", responses=problems(*USUAL))
async def end_post(post_id: Identifier, body: PostEnd, actor: Acting, database: GivenDatabase) -> PostAnswer:
    """End a post now, or at a later moment."""
    return PostAnswer.model_validate(await database.run(actor, posts.end, post_id, at=body.at))


@router.get("/people/{person_id}/absences", responses=problems(401, 404))
async def list_absences(person_id: Identifier, actor: Acting, database: GivenDatabase) -> list[AbsenceAnswer]:
    """The absences that are not over: my own, those of my department as its head, or anybody's as administrator."""
    return [AbsenceAnswer.model_validate(row) for row in await database.run(actor, absences.list_absences, person_id)]


@router.post("/people/{person_id}/absences", status_code=201, responses=problems(*USUAL))
async def add_absence(
    person_id: Identifier, body: AbsenceBody, actor: Acting, database: GivenDatabase
) -> AbsenceAnswer:
    """Have the person away; others stand in meanwhile."""
    row = await database.run(actor, absences.add, person_id, since=body.since, until=body.until)
    return AbsenceAnswer.model_validate(row)


@router.post("/absences/{absence_id}/end", responses=problems(*USUAL))
async def end_absence(absence_id: Identifier, actor: Acting, database: GivenDatabase) -> AbsenceAnswer:
    """The person is back."""
    return AbsenceAnswer.model_validate(await database.run(actor, absences.end, absence_id))


@router.get("/departments", responses=problems(401, 403))
async def list_departments(
    question: Annotated[DepartmentsQuestion, Query()], actor: Acting, database: GivenDatabase
) -> list[DepartmentAnswer]:
    """The departments, by name."""
    found = await database.run(actor, staff_queries.list_departments, question.listing())
    return [DepartmentAnswer.model_validate(one.row) for one in found]


@router.post("/departments", status_code=201, responses=problems(*USUAL))
async def add_department(body: DepartmentBody, actor: Acting, database: GivenDatabase) -> DepartmentAnswer:
    """Enter a department."""
    row = await database.run(actor, staff.add_department, **body.model_dump())
    return DepartmentAnswer.model_validate(row)


@router.put("/departments/{department_id}", responses=problems(*USUAL))
async def change_department(
    department_id: Identifier, body: DepartmentBody, actor: Acting, database: GivenDatabase
) -> DepartmentAnswer:
    """Change a department."""
    row = await database.run(actor, staff.change_department, department_id, **body.model_dump())
    return DepartmentAnswer.model_validate(row)
