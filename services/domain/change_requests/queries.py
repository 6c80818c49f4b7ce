"""Read the requests that are open, and the signatures that somebody may free."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Recorder
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.people import Department
from services.database.tables.sites import Site
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.change_requests import holds, open_requests, policy, service
from services.domain.change_requests.schemas import (
    AccountResetAnswer,
    ChangeRequestAnswer,
    OpenRequestsAnswer,
    SignatureHoldAnswer,
)
from services.runtime import calendar_days
from services.runtime.calendar_days import CalendarDay
from services.runtime.labels import word
from services.runtime.translations import Bilingual, Joined, Message, Text

TITLES = {
    "initial-password": Message("Set a new initial password"),
    "reset-second-factor": Message("Reset second factor"),
    "end-passkeys": Message("Revoke passkeys"),
    "unbind-identity": Message("Unlink identity provider account"),
    "unlock": Message("Unlock the account"),
    "activate": Message("Activate the account"),
    "stay": Message("Cancel the leaving: the copies open again"),
}

# what makes an account somebody else's, by its audit action
RESETS = {
    "person-added": Message("account added"),
    "password-reset": Message("password reset"),
    "second-factor-reset": Message("second factor reset"),
    "passkey-ended": Message("passkeys revoked"),
    "identity-unbound": Message("identity provider account unlinked"),
}


def list_open(uow: UnitOfWork) -> OpenRequestsAnswer:
    """List what the acting person may see of requests, and the holds that they may end."""
    requests = service.list_visible(uow)
    names = access_queries.get_names(
        uow, [one for row in requests for one in (row.person_id, row.requested_by, row.confirmed_by)]
    )
    asking = access_queries.load_departments(uow, {row.requested_by for row in requests})
    unheard = open_requests.list_unheard(uow, requests)
    resets = _list_resets(uow, {row.person_id for row in requests if row.person_id is not None})
    return OpenRequestsAnswer(
        requests=[
            _answer(
                uow,
                row,
                names,
                asking=asking[row.requested_by],
                unheard=row.id in unheard,
                resets=resets.get(row.person_id or "", []),
            )
            for row in requests
        ],
        holds=[
            SignatureHoldAnswer(
                id=hold.id,
                person_id=hold.person_id,
                person=hold.person.name,
                reason=hold.reason,
                since=hold.since,
                until=hold.until,
            )
            for hold in holds.list_releasable(uow, holds.list_current(uow))
        ],
    )


def _list_resets(uow: UnitOfWork, person_ids: set[str]) -> dict[str, list[AccountResetAnswer]]:
    """List what administrators did to the accounts of these people in the last 30 days, from the audit trail."""
    found: dict[str, list[AccountResetAnswer]] = defaultdict(list)
    if not person_ids:
        return found
    query = select(AuditEvent.subject_id, AuditEvent.at, AuditEvent.action).where(
        AuditEvent.subject_id.in_(person_ids),
        AuditEvent.action.in_(RESETS),
        AuditEvent.at > uow.now - holds.RESET_WITHIN,
    )
    for person_id, at, action in uow.session.execute(query.order_by(AuditEvent.at)):
        what = RESETS[action]
        found[person_id].append(AccountResetAnswer(at=at, action=action, what_zh=what.zh, what_en=what.en))
    return found


def _answer(
    uow: UnitOfWork,
    row: ChangeRequest,
    names: dict[str, str],
    *,
    asking: Collection[str],
    unheard: bool,
    resets: list[AccountResetAnswer],
) -> ChangeRequestAnswer:
    directory, me = access_queries.load_directory(uow), uow.actor.id
    what = describe(uow, row)
    return ChangeRequestAnswer(
        id=row.id,
        kind=row.kind,
        what_zh=what.zh,
        what_en=what.en,
        page=f"/admin/models/{row.payload['set']}" if row.kind == "models" else None,
        person_id=row.person_id,
        person=names.get(row.person_id or ""),
        resets=resets,
        requested_by=names.get(row.requested_by, row.requested_by),
        requested_at=row.requested_at,
        effective_at=row.effective_at,
        confirmed_by=names.get(row.confirmed_by or ""),
        confirmed_at=row.confirmed_at,
        lapses_at=policy.lapses_at(row),
        may_confirm=row.confirmed_at is None and policy.may_confirm(directory, row, me, asking),
        only_confirmed=unheard,
        may_object=policy.may_object(directory, row, me) or policy.may_withdraw(directory, row, me),
        objects=row.requested_by != me and policy.may_object(directory, row, me),
        may_carry_out=row.requested_by == me
        and policy.may_ask(directory, row.kind, me)
        and policy.is_effective(row, uow.now, unheard=unheard),
    )


def describe(uow: UnitOfWork, row: ChangeRequest) -> Text:
    """Say in one sentence what would be done."""
    describe_kind = DESCRIBED_BY.get(row.kind)
    return TITLES[row.kind] if describe_kind is None else describe_kind(uow, row)


def _describe_post(uow: UnitOfWork, row: ChangeRequest) -> Text:
    stored = row.payload
    return Message(
        "Assign the post {post} in {department} from {since} until {until}",
        post=_word(stored["post"]),
        department=_with_kind(_context(row).get("department")) or _department(uow, stored["department"]),
        since=_moment(uow, stored["since"]) or Message("when carried out"),
        until=_moment(uow, stored["until"]) or Message("no end date"),
    )


def _describe_details(uow: UnitOfWork, row: ChangeRequest) -> Text:
    stored = row.payload
    return Message(
        "Change the details from {old} to {new}",
        old=_details(uow, stored["old"]),
        new=_details(uow, {name: stored["new"][name] for name in stored["old"]}),
    )


def _describe_link(_uow: UnitOfWork, row: ChangeRequest) -> Text:
    stored = row.payload
    return Message(
        "Link {login} to {name}, a new entry of the directory ({entry}) in the place of the former one ({was})",
        login=_context(row).get("login", "—"),
        name=stored["name"],
        entry=stored["entry"],
        was=stored["was"],
    )


def _describe_agreement(_uow: UnitOfWork, row: ChangeRequest) -> Text:
    stored = row.payload
    return Message(
        "Issue version {version} of the confidentiality agreement, replacing {replaces}, with {days} days to "
        "sign ({reason}): {text}",
        version=stored["version"],
        replaces=_context(row).get("replaces", "—"),
        days=stored["grace_days"],
        reason=stored["reason"],
        text=Bilingual(stored["text_zh"], stored["text_en"]),
    )


def _describe_rule(_uow: UnitOfWork, row: ChangeRequest) -> Text:
    stored = row.payload
    return Message(
        "Change the rule {rule} from {old} to {new} ({reason})",
        rule=stored["rule"],
        old=stored["was"] or "—",
        new=stored["value"] or "—",
        reason=stored["reason"],
    )


def _describe_schedule(_uow: UnitOfWork, row: ChangeRequest) -> Text:
    stored = row.payload
    return Message(
        "Change the schedule of {schedule} from {old} to {new} ({reason})",
        schedule=_word(f"schedule-{stored['schedule']}"),
        old=_schedule_values(stored["was"]),
        new=_schedule_values(stored["value"]),
        reason=stored["reason"],
    )


def _describe_handling(_uow: UnitOfWork, row: ChangeRequest) -> Text:
    stored = row.payload
    return Message(
        "Change the handling of the level {level} from {old} to {new} ({reason})",
        level=_word(f"level-{stored['level']}"),
        old=_handling_values(stored["was"]),
        new=_handling_values(stored["value"]),
        reason=stored["reason"],
    )


def _handling_values(stored: Mapping[str, Any]) -> Text:
    said: list[Text | str] = [_word(stored["wayOfUse"])]
    for name in ("maxUseDays", "checkInDays"):
        if stored[name] is not None:
            said.append(Message("{what}: {days} days", what=_word(f"handling-{name}"), days=stored[name]))
    said += [_word(f"handling-{name}") for name in ("twoPeople", "redactedOutside") if stored[name]]
    if stored["instructionsZh"] or stored["instructionsEn"]:
        said.append(Bilingual(stored["instructionsZh"] or "—", stored["instructionsEn"] or "—"))
    if stored["ruleTitle"] or stored["ruleLink"]:
        said.append(" ".join(filter(None, (stored["ruleTitle"], stored["ruleLink"]))))
    return Joined(", ", said)


def _describe_applicable_rule(_uow: UnitOfWork, row: ChangeRequest) -> Text:
    stored = row.payload
    if stored["was"] is None:
        return Message(
            "Enter the rule that applies: {new} ({reason})",
            new=_applicable_rule(stored["value"]),
            reason=stored["reason"],
        )
    return Message(
        "Change the rule that applies from {old} to {new} ({reason})",
        old=_applicable_rule(stored["was"]),
        new=_applicable_rule(stored["value"]),
        reason=stored["reason"],
    )


def _applicable_rule(stored: Mapping[str, Any]) -> Text:
    said: list[Text | str] = [_word(f"rule-kind-{stored['kind']}"), stored["title"]]
    said += [stored[name] for name in ("number", "issuer", "text", "link") if stored[name]]
    if stored["since"] or stored["until"]:
        said.append(f"{stored['since'] or '…'} – {stored['until'] or '…'}")
    said += [_word(f"bears-on-{code}") for code in stored["onBehalf"]]
    said += [_word(f"level-{code}") for code in stored["levels"]]
    if stored["toCheck"]:
        said.append(Message("to be checked by Legal"))
    return Joined(", ", said)


def _schedule_values(stored: Mapping[str, Any]) -> Text:
    state = Message("active") if stored["active"] else Message("stopped")
    roles = [_role(stored[name]) for name in ("doer", "verifier") if stored[name] is not None]
    # of earlier releases, and where it does not change, without these
    days = [Message("due after {days} days", days=stored["days"])] if "days" in stored else []
    items = [Bilingual(item["zh"], item["en"]) for item in stored.get("checklist", ())]
    return Joined(", ", [stored["every"], *roles, state, *days, *([Joined("; ", items)] if items else [])])


def _role(stored: Mapping[str, Any]) -> Text | str:
    post = _word(stored["post"])
    kind = stored.get("departmentKind")
    return post if kind is None else Joined(", ", [_word(f"department-{kind}"), post])


def _describe_calendar(_uow: UnitOfWork, row: ChangeRequest) -> Text:
    stored = row.payload
    runs = calendar_days.runs_of(map(CalendarDay.from_json, stored["days"]))
    return Message(
        "Import the working calendar of {year} ({reason}): {days}",
        year=stored["year"],
        reason=stored["reason"],
        days=Joined("; ", calendar_days.describe([run.as_json() for run in runs])),
    )


def _describe_camera(uow: UnitOfWork, row: ChangeRequest) -> Text:
    was, value = row.payload["was"], row.payload["value"]
    return Message(
        "Change the camera {camera} from {old} to {new}",
        camera=Bilingual(was["name_zh"], was["name_en"]),
        old=_camera_values(uow, was, value),
        new=_camera_values(uow, value, was),
    )


def _camera_values(uow: UnitOfWork, stored: Mapping[str, Any], other: Mapping[str, Any]) -> Text:
    """Word what differs from the other values of a camera."""
    recorder = uow.session.get(Recorder, stored["recorder_id"])
    site = uow.session.get(Site, stored["site_id"]) if stored["site_id"] is not None else None
    worded: Mapping[str, Text | str] = {
        "recorder_id": recorder.name if recorder is not None else "—",
        "channel": stored["channel"],
        "name_zh": stored["name_zh"],
        "name_en": stored["name_en"],
        "place_zh": stored["place_zh"],
        "place_en": stored["place_en"],
        "camera_class": _word(f"camera-{stored['camera_class']}"),
        "retention_days": Message("{days} days of retention", days=stored["retention_days"]),
        "site_id": site.name if site is not None else Message("the recorder's site"),
    }
    return Joined(", ", [said for name, said in worded.items() if stored[name] != other[name]])


# how the check of a set of models ended, where it may be deployed
VERDICTS = {
    "clean": Message("no rule broken"),
    "lint": Message("errors in the models"),
    "broken": Message("rules broken"),
    "undecided": Message("not decided"),
}


def _describe_models(_uow: UnitOfWork, row: ChangeRequest) -> Text:
    stored = row.payload
    named: dict[str, Any] = {
        "digest": stored["fingerprint"][:12],
        "result": VERDICTS[stored["result"]],
        "reason": stored["reason"],
    }
    if stored["unchecked"] is None:
        return Message("Deploy the process models {digest} ({reason}); policy check: {result}", **named)
    return Message(
        "Deploy the process models {digest} ({reason}); policy check: {result}; deployed all the same because: {why}",
        **named,
        why=stored["unchecked"],
    )


def _describe_department(uow: UnitOfWork, row: ChangeRequest) -> Text:
    stored, context = row.payload, _context(row)
    new = Message(
        "{department}: {kind}, parent {superior}",
        department=Bilingual(stored["name_zh"], stored["name_en"]),
        kind=_word(f"department-{stored['kind']}"),
        superior=_named(context.get("superior")) or _department(uow, stored["superior_id"]),
    )
    if row.kind == "new-department":
        return Message("Add the department {new}", new=new)
    old = _with_kind(context.get("department")) or _department(uow, stored["department"])
    return Message("Change the department {old} to {new}", old=old, new=new)


DESCRIBED_BY: Mapping[str, Callable[[UnitOfWork, ChangeRequest], Text]] = {
    "post": _describe_post,
    "details": _describe_details,
    "directory-link": _describe_link,
    "department": _describe_department,
    "new-department": _describe_department,
    "rule": _describe_rule,
    "calendar": _describe_calendar,
    "models": _describe_models,
    "agreement": _describe_agreement,
    "schedule": _describe_schedule,
    "handling": _describe_handling,
    "applicable-rule": _describe_applicable_rule,
    "camera": _describe_camera,
}


def _context(row: ChangeRequest) -> dict[str, Any]:
    context: dict[str, Any] = row.payload.get("context", {})  # requests of the first releases have none
    return context


def _details(uow: UnitOfWork, values: dict[str, str | None]) -> str:
    shown = dict(values)
    if "department_id" in shown:
        shown["department_id"] = _department(uow, shown["department_id"]).zh
    return ", ".join(value or "—" for value in shown.values())


def _with_kind(stored: dict[str, Any] | None) -> Text | None:
    """Word a department as a request has stored it, with its kind and the one above it."""
    if stored is None:
        return None
    return Message(
        "{department}: {kind}, parent {superior}",
        department=Bilingual(stored["zh"], stored["en"]),
        kind=_word(f"department-{stored['kind']}"),
        superior=_named(stored["superior"]) or Bilingual("—", "—"),
    )


def _named(stored: dict[str, Any] | None) -> Text | None:
    return None if stored is None else Bilingual(stored["zh"], stored["en"])


def _moment(uow: UnitOfWork, stored: str | None) -> str | None:
    return None if stored is None else holds.local_time(uow, datetime.fromisoformat(stored))


def _department(uow: UnitOfWork, department_id: str | None) -> Text:
    row = uow.session.get(Department, department_id) if department_id else None
    return Bilingual(row.name_zh, row.name_en) if row is not None else Bilingual("—", "—")


def _word(code: str) -> Text:
    return Bilingual(word("zh", code), word("en", code))
