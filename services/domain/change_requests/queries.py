"""Read the requests that are open, and the signatures that somebody may free."""

from services.database.tables.change_requests import ChangeRequest
from services.database.tables.people import Department
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import is_administrator
from services.domain.change_requests import holds, policy, service
from services.domain.change_requests.schemas import ChangeRequestAnswer, OpenRequestsAnswer, SignatureHoldAnswer
from services.runtime.labels import word
from services.runtime.translations import Bilingual, Message, Text

TITLES = {
    "initial-password": Message("Set a new first password"),
    "reset-second-factor": Message("Reset the second factor"),
    "end-passkeys": Message("End the passkeys"),
    "unbind-identity": Message("Unbind the account of the provider"),
    "unlock": Message("Unlock the account"),
    "activate": Message("Activate the account again"),
}


def list_open(uow: UnitOfWork) -> OpenRequestsAnswer:
    """List what the acting person may see of requests, and the holds that they may end."""
    requests = service.list_visible(uow)
    names = access_queries.get_names(
        uow, [one for row in requests for one in (row.person_id, row.requested_by, row.confirmed_by)]
    )
    held = [hold for hold in holds.list_current(uow) if holds.may_release(uow, hold, uow.actor.id)]
    return OpenRequestsAnswer(
        requests=[_answer(uow, row, names) for row in requests],
        holds=[
            SignatureHoldAnswer(
                id=hold.id, person_id=hold.person_id, person=hold.person.name, since=hold.since, until=hold.until
            )
            for hold in held
        ],
    )


def _answer(uow: UnitOfWork, row: ChangeRequest, names: dict[str, str]) -> ChangeRequestAnswer:
    directory, me = access_queries.load_directory(uow), uow.actor.id
    what = describe(uow, row)
    return ChangeRequestAnswer(
        id=row.id,
        kind=row.kind,
        what_zh=what.zh,
        what_en=what.en,
        person_id=row.person_id,
        person=names.get(row.person_id or ""),
        requested_by=names.get(row.requested_by, row.requested_by),
        requested_at=row.requested_at,
        effective_at=row.effective_at,
        confirmed_by=names.get(row.confirmed_by or ""),
        confirmed_at=row.confirmed_at,
        may_confirm=row.confirmed_at is None and policy.may_confirm(directory, row, me),
        may_object=row.requested_by == me or policy.may_object(directory, row, me),
        may_carry_out=row.requested_by == me and is_administrator(uow) and policy.is_effective(row, uow.now),
    )


def describe(uow: UnitOfWork, row: ChangeRequest) -> Text:
    """Say in one sentence what would be done."""
    stored = row.payload
    if row.kind == "post":
        return Message(
            "Give the post {post} in {department}",
            post=_word(stored["post"]),
            department=_department(uow, stored["department"]),
        )
    if row.kind == "details":
        return Message(
            "Change the details from {old} to {new}",
            old=_details(uow, stored["old"]),
            new=_details(uow, {name: stored["new"][name] for name in stored["old"]}),
        )
    if row.kind == "department":
        return Message(
            "Change the department {department}: {kind}, below {superior}",
            department=_department(uow, stored["department"]),
            kind=_word(stored["kind"]),
            superior=_department(uow, stored["superior_id"]),
        )
    if row.kind == "rule":
        return Message(
            "Change the rule {rule} from {old} to {new} ({reason})",
            rule=stored["rule"],
            old=stored["was"] or "—",
            new=stored["value"] or "—",
            reason=stored["reason"],
        )
    if row.kind == "agreement":
        return Message(
            "Issue version {version} of the confidentiality agreement with {days} days to sign it ({reason}): {text}",
            version=stored["version"],
            days=stored["grace_days"],
            reason=stored["reason"],
            text=Bilingual(stored["text_zh"], stored["text_en"]),
        )
    return TITLES[row.kind]


def _details(uow: UnitOfWork, values: dict[str, str | None]) -> str:
    shown = dict(values)
    if "department_id" in shown:
        shown["department_id"] = _department(uow, shown["department_id"]).zh
    return ", ".join(value or "—" for value in shown.values())


def _department(uow: UnitOfWork, department_id: str | None) -> Text:
    row = uow.session.get(Department, department_id) if department_id else None
    return Bilingual(row.name_zh, row.name_en) if row is not None else Bilingual("—", "—")


def _word(code: str) -> Text:
    return Bilingual(word("zh", code), word("en", code))
