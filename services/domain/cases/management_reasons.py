"""Why management was asked to decide a case (R5, R14, R26, T8)."""

from services.domain.applications import security_check
from services.domain.cases import next_actions
from services.domain.cases.rows import CaseRows
from services.domain.reviews.scopes import MARKS
from services.runtime.translations import Joined, Message, Text

MARK_NAMES = {
    "important_information": Message("Important information"),
    "sensitive_event": Message("Sensitive event"),
    "high_impact": Message("High impact"),
}


def of_case(rows: CaseRows) -> list[Text]:
    """Return why management was asked, by what the database holds; nothing where it was not.

    Where no rule requires it, the process model asked: it may ask management more often, and never less. The
    applicant's side does not read whether people from Security or management are involved.
    """
    application = rows.application
    if application.decided_by is None:
        return []
    reasons: list[Text] = []
    marks: list[Text] = [MARK_NAMES[mark] for mark in MARKS if getattr(application, mark)]
    if marks:
        reasons.append(Message("the application is marked: {marks}", marks=Joined(", ", marks)))
    sensitive = [str(row.item.position) for row in rows.items if row.camera.camera_class == "sensitive"]
    if sensitive:
        reasons.append(
            Message("footage of a sensitive area is requested: item {numbers}", numbers=Joined(", ", sensitive))
        )
    security = security_check.is_involved(rows.uow, application.id, "security")
    if not reasons and not security:
        reasons.append(Message("the process model asks management, although no rule requires it"))
    if next_actions.is_own(rows):
        return reasons
    if security:
        reasons.append(Message("people from Security are involved"))
    if application.decided_by == "management-other":
        reasons.append(Message("people from management are involved, so other managers decide"))
    return reasons
