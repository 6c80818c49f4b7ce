"""The consents of joint departments, and the consultation that asks for them (R17)."""

from datetime import datetime
from typing import Any

from services.domain.applications.schemas import CaseAbout
from services.web.problem import Problem
from services.web.schemas import Answer


class JointDepartment(Answer):
    id: str
    zh: str
    en: str


class DepartmentConsent(Answer):
    """``answer`` is null until the department has answered."""

    department: JointDepartment
    answer: str | None
    by: str | None
    at: datetime | None
    reason: str | None


class WaitingConsent(Answer):
    """A consent that you may give now.

    ``department`` is the one to consent, ``applicant`` would be the applying one. The footage may be gone from
    ``overwriteAt`` on, and nothing is preserved before all have consented.
    """

    id: str
    application_id: str
    department: JointDepartment
    applicant: JointDepartment
    drafter: str
    asked_at: datetime
    due_at: datetime
    overwrite_at: datetime | None
    about: CaseAbout


class ConsentView(WaitingConsent):
    """One consent with the form it is about; ``formSha256`` goes back with the answer.

    ``own`` is what your department answered, ``others`` what the others did. ``whyNot`` says why you may not answer.
    """

    form: dict[str, Any]
    form_sha256: str
    ended_because: str | None
    own: DepartmentConsent
    others: list[DepartmentConsent]
    why_not: Problem | None


class ConsultationView(Answer):
    """How the newest consultation of the joint departments goes or ended."""

    asked_at: datetime
    due_at: datetime
    ended_at: datetime | None
    ended_because: str | None
    form_sha256: str
    answers: list[DepartmentConsent]
