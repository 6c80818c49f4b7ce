"""What a kind of matter is: who may ask for it, what keeps it from being done, and what is done."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import ConfigDict

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.accounts.signatures.bodies import Signing
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import security_check
from services.domain.applications.directory import FoundPeople
from services.domain.custody import suspensions
from services.domain.process import permissions
from services.domain.process.messages import MATTER_ASKED
from services.domain.process.permissions import CaseState
from services.domain.stages.schema import Level
from services.runtime.errors import Refused
from services.runtime.local_times import offset
from services.runtime.translations import Bilingual, Message, Text, Worded
from services.web.schemas import Account, Body

LEADERS = ("head", "deputy")
NOBODY = FoundPeople()
NOT_LENT = Message(
    "Nobody has accepted the copies yet: wait until the custodian has, or let the head of the department name another "
    "custodian on the page of the case."
)


class Asked(Body):
    """What the person who opens a matter fills in; each kind adds its own fields."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)

    reason: Account


@dataclass(frozen=True)
class Line(Worded):
    """One line of a matter as people read it: name and value."""

    name: Text
    message: Text

    @property
    def name_zh(self) -> str:
        return self.name.zh

    @property
    def name_en(self) -> str:
        return self.name.en


def get_submitted(uow: UnitOfWork, application_id: str) -> Application:
    """Return a case that the actor may see; Refused for a draft, about which there is nothing to ask."""
    application = visibility.get_visible(uow, application_id)
    if application.submitted_at is None:
        raise Refused("not-now", NOT_LENT)
    return application


@dataclass(frozen=True)
class Form:
    """What the form of a new matter shows: the case, the loan as it is, what there is to choose.

    ``more`` has what the template of the kind alone reads.
    """

    application: Application
    before: dict[str, Any]
    custodian: str = ""
    hand_over_id: str | None = None  # where the visitor holds the copies
    people: FoundPeople = NOBODY
    more: Mapping[str, Any] = field(default_factory=dict)


class Kind(ABC):
    """One kind of matter. Nothing here trusts the engine: the rows of the database decide."""

    code: ClassVar[str]
    title: ClassVar[str]  # of its document, which is in Chinese
    label: ClassVar[Message]
    button: ClassVar[Message]  # what the page of the loan offers
    asked: ClassVar[type[Asked]]
    openers: ClassVar[tuple[str, ...]]  # of the roles that ``roles_of`` gives
    message: ClassVar[str] = MATTER_ASKED  # that begins its process
    filed: ClassVar[bool] = True  # as a document of its own when it is carried out
    routed: ClassVar[bool] = True  # by ``matter-route.dmn``; else it has a model of its own, with jobs of its own
    refusable: ClassVar[bool] = True  # a decision against it ends it; else each answer has a job of its own
    withdrawable: ClassVar[bool] = False  # asking for it has changed nothing, so that it can be withdrawn
    signed: ClassVar[bool] = False  # whoever asks signs that, by a route of its own
    of_loan: ClassVar[bool] = True  # it is about copies on loan; else about an application under approval
    has_form: ClassVar[bool] = True  # among those of new matters; else it is asked for elsewhere
    finds_people: ClassVar[bool] = False  # its form searches for people
    one_form: ClassVar[bool] = True  # its fields stand in one form; else its template has forms of its own
    form_body: ClassVar[type[Signing] | None] = None  # of the form, where whoever asks signs
    form_level: ClassVar[Level] = "password"  # of that signature
    lists: ClassVar[tuple[str, ...]] = ()  # fields of the form with several values
    hides_opener: ClassVar[bool] = False  # nobody named as the opener may be somebody whom the reader may not know
    waits_for_stages: ClassVar[bool] = True  # refused while its stages are not set up; else its process waits for them

    def read(self, matter: Matter) -> Any:
        """Return what was asked, as this kind's model."""
        return self.asked.model_validate(matter.facts["asked"])

    def require_may_open(self, uow: UnitOfWork, state: CaseState, asked: Any) -> None:
        """Raise Refused where the actor may not ask for it, or not now."""
        if not self.may_open(uow, state.application, state.hand_over):
            raise Refused("not-yours", self.who_may(), status=403)
        obstacle = self.obstacle(uow, state, asked)
        if obstacle is not None:
            raise Refused("not-now", obstacle)

    def require_seen(self, uow: UnitOfWork, application_id: str, asked: Any) -> None:
        """Raise NotFound for who may not see what it is about: the case, unless the kind says otherwise."""
        get_submitted(uow, application_id)

    def is_same(self, uow: UnitOfWork, matter: Matter, asked: Any) -> bool:
        """Whether a matter of this kind that is open in the case asks for the same; then it is not asked twice."""
        return True

    def may_open(self, uow: UnitOfWork, application: Application, hand_over: HandOver | None) -> bool:
        """Whether the actor is somebody who may ask for it."""
        return bool(set(self.openers) & roles_of(uow, application, hand_over))

    def loan_of(self, uow: UnitOfWork, application: Application, hand_over: HandOver | None) -> HandOver | None:
        """Return the loan that it would be about: that of the present issue, unless the kind says otherwise."""
        return hand_over

    def statement(self, uow: UnitOfWork, state: CaseState, asked: Any) -> dict[str, Any] | None:
        """Return what whoever asks signs in the act of asking; None where the decisions alone are signed."""
        return None

    def open_itself(self, uow: UnitOfWork, state: CaseState, asked: Any) -> Matter | None:
        """Open the matter where the kind has a process of its own; None where the one of all matters decides it."""
        return None

    def check_stage_itself(self, uow: UnitOfWork, matter: Matter, stage: str, act: str) -> bool:
        """Raise NotPermitted unless this stage is next, where the kind has an order of its own; else return False.

        ``act``: what the job was to do, for the error.
        """
        return False

    def close_itself(self, uow: UnitOfWork, matter: Matter, closed_as: str) -> bool:
        """Close the matter where the kind has an end of its own; False where it is closed as all matters are."""
        return False

    def unavailable(self, hand_over: HandOver | None) -> Message | None:
        """Return why it cannot be asked for as the loan stands, whatever is asked; None where it can."""
        return loan_obstacle(hand_over)

    def ask(self, uow: UnitOfWork, application_id: str, asked: Mapping[str, Any], proof: Proof | None) -> Matter:
        """Ask for it as its form does, which the kind may do in an act of its own."""
        from services.domain.matters import service  # noqa: PLC0415 - which knows all kinds

        return service.open_matter(uow, self.code, application_id, asked, proof)

    def form(self, uow: UnitOfWork, application_id: str, search: str) -> Form:
        """Read what its form shows; Refused where it cannot be asked for now. ``search``: for people."""
        application = get_submitted(uow, application_id)
        state = permissions.read(uow, application_id)
        hand_over = self.loan_of(uow, application, state.hand_over)
        obstacle = self.unavailable(hand_over)
        if obstacle is not None or hand_over is None:
            raise Refused("not-now", obstacle or NOT_LENT)
        before = self.before(uow, state)
        return Form(
            application,
            before,
            custodian=access_queries.get_names(uow, [hand_over.custodian_id])[hand_over.custodian_id],
            hand_over_id=hand_over.id if hand_over.custodian_id == uow.actor.id else None,
            people=self.find_people(uow, state, search) if self.finds_people else NOBODY,
            more=self.form_values(uow, application, hand_over, before),
        )

    def find_people(self, uow: UnitOfWork, state: CaseState, search: str) -> FoundPeople:
        """Find whom its form offers."""
        return NOBODY

    def form_values(
        self, uow: UnitOfWork, application: Application, hand_over: HandOver, before: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return what the template of its form reads besides."""
        return {}

    @abstractmethod
    def who_may(self) -> Message:
        """Return the sentence for whoever may not ask for it."""

    @abstractmethod
    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: Any) -> Message | None:
        """Return why it cannot be done as things stand; None where it can."""

    def obstacle_of(self, uow: UnitOfWork, state: CaseState, matter: Matter) -> Message | None:
        """Return the same of a matter that was asked for before, whoever acts now."""
        return self.obstacle(uow, state, self.read(matter))

    def is_offered(self, application: Application) -> bool:
        """Whether a case of this kind can be asked for it at all; its page offers nothing else."""
        return True

    def is_moot(self, state: CaseState) -> bool:
        """Whether what it is about has ended: the loan, unless the kind says otherwise."""
        return loan_is_over(state.hand_over)

    def goes_on(self, matter: Matter) -> bool:
        """Whether the process of a matter that is closed goes on to its own end; one that is told of it does not."""
        return False

    def carried(self, matter: Matter) -> dict[str, Any]:
        """Return what its message brings to its process, beside the ids of the matter and the case."""
        return {}

    def counterpart(self, asked: Any) -> str | None:
        """Return the person whom it asks besides the posts."""
        return None

    @abstractmethod
    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        """Return what would change, as it is now: part of what is signed."""

    def before_of(self, uow: UnitOfWork, state: CaseState, asked: Any) -> dict[str, Any]:
        """Return the same where it depends on what is asked."""
        return self.before(uow, state)

    @abstractmethod
    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        """Return the stages that have to be decided favourably, whatever route the table names."""

    def begin(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:  # noqa: B027  # few kinds do anything
        """Do what is done in the act of asking; nothing, unless the kind says otherwise."""

    def file_itself(self, uow: UnitOfWork, matter: Matter) -> None:  # noqa: B027  # few kinds do anything
        """Write the document of what was carried out, where the kind has one that is not ``filed`` like the others."""

    def undo(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:  # noqa: B027  # few kinds do anything
        """Take back what ``begin`` has done, where the matter is not carried out."""

    @abstractmethod
    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        """Do it, and return what was done; ``obstacle`` was asked before."""

    def results(self, uow: UnitOfWork, outcome: Mapping[str, Any]) -> list[Line]:
        """Return what was done as people read it, where the decisions do not say it all."""
        return []

    @abstractmethod
    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        """Return what was asked beside what is, for pages and the document."""

    def content(self, uow: UnitOfWork, matter: Matter) -> dict[str, Any]:
        """Return what the document has besides what all kinds have; nothing, unless the kind says otherwise."""
        return {}

    def may_attach(self, uow: UnitOfWork, matter: Matter) -> bool:
        """Whether the acting person has the part in it that lets them add attachments while it is open."""
        return matter.opened_by == uow.actor.id

    def attachment_refusal(self, uow: UnitOfWork, matter: Matter) -> Refused | None:
        """Return why nobody can add attachments to it now, though it is open."""
        return None


def roles_of(uow: UnitOfWork, application: Application, hand_over: HandOver | None) -> set[str]:
    """Return what the actor is to the loan.

    These are custodian, head (of its department), security-head, security, legal (who leads it) and supervisor.

    An administrator is nothing to it, and nobody whom the case concerns (T8).
    """
    me = uow.actor.id
    directory = access_queries.load_directory(uow)
    if uow.actor.kind != "person" or me in application.subject_ids or directory.holds(me, "administrator"):
        return set()
    held = {
        "custodian": hand_over is not None and hand_over.custodian_id == me,
        "head": me in directory.holders(application.department_id, *LEADERS),
        "security-head": directory.holds_in(me, "security", *LEADERS),
        "security": directory.holds(me, "security-reviewer"),
        "legal": directory.holds_in(me, "legal", *LEADERS),
        "supervisor": directory.holds(me, "supervisor"),
    }
    return {role for role, holds in held.items() if holds}


def loan_is_over(hand_over: HandOver | None) -> bool:
    """Whether nobody holds the copies any more."""
    return hand_over is None or suspensions.is_over(hand_over)


def loan_obstacle(hand_over: HandOver | None) -> Message | None:
    """Return why the loan cannot be changed: it has not begun, or is over."""
    if hand_over is None or hand_over.accepted_at is None or hand_over.due_at is None:
        return NOT_LENT
    if loan_is_over(hand_over):
        return Message("The loan has ended: submit a new application if you still need the footage.")
    return None


def lent(state: CaseState) -> HandOver:
    """Return the loan of a case, which ``loan_obstacle`` has found to run."""
    if state.hand_over is None:
        raise ValueError("the case has no loan")
    return state.hand_over


def is_important(state: CaseState) -> bool:
    return state.application.importance == "important"


def concerns(uow: UnitOfWork, application: Application, department_kind: str) -> bool:
    """Whether somebody near the case belongs to a department of this kind (T8)."""
    return security_check.is_involved(uow, application.id, department_kind)


def person_line(uow: UnitOfWork, name: Text, person_id: str) -> Line:
    return text_line(name, access_queries.get_names(uow, [person_id]).get(person_id, person_id))


def text_line(name: Text, text: str) -> Line:
    return Line(name, Bilingual(text, text))


def moment(text: str) -> datetime:
    """Return the moment of an ISO 8601 text in the facts."""
    return datetime.fromisoformat(text)


def moment_line(uow: UnitOfWork, name: Text, moment: str) -> Line:
    """Return a line with an ISO 8601 moment, to the minute, in the organisation's zone."""
    local = datetime.fromisoformat(moment).astimezone(ZoneInfo(uow.rules.zone))
    return text_line(name, f"{local:%Y-%m-%d %H:%M} {offset(local)}")
