"""The form as it is typed, field by field, and what of it can be read already (R16 to R21)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator
from starlette.datastructures import FormData

from services.domain.applications import forms
from services.domain.applications.findings import CheckFinding
from services.domain.applications.forms import Form, ItemAsked
from services.domain.applications.schemas import CameraChoice
from services.runtime import local_times
from services.runtime.errors import Refused
from services.runtime.spans import Span
from services.runtime.translations import Message, Text
from services.web.forms import TypedForm, checked
from services.web.schemas import no_control

TEXTS = {
    "title": "title",
    "reason": "reason",
    "purpose": "purpose",
    "purposeCategory": "purpose_category",
    "legalBasis": "legal_basis",
    "wayOfUse": "way_of_use",
    "wayOfUseBecause": "way_of_use_because",
    "placeOfUse": "place_of_use",
    "requestedUseDays": "requested_use_days",
    "custodianId": "custodian_id",
    "incidentReference": "incident_reference",
    "urgentBecause": "urgent_because",
}
OPTIONAL = ("title", "custodian_id", "incident_reference", "urgent_because")
MARKS = {
    "importantInformation": "important_information",
    "sensitiveEvent": "sensitive_event",
    "highImpact": "high_impact",
}
LISTS = {
    "recipientIds": "recipient_ids",
    "subjectIds": "subject_ids",
    "sensitivities": "sensitivities",
    "ruleIds": "rule_ids",
    "jointDepartmentIds": "joint_department_ids",
}
PEOPLE = ("custodianId", "recipientIds", "subjectIds")  # fields that name people, who are searched for
ITEM = ("cameraId", "start", "startWhich", "end", "endWhich")
_ITEM_FIELD = re.compile(r"items-([0-9]{1,3})-([a-zA-Z]+)")
Typeable = Annotated[str, AfterValidator(no_control)]


@dataclass(frozen=True)
class Row:
    """One item as it is typed, in place ``index`` from 0. ``twice``: the fields whose time the clock showed twice."""

    index: int
    camera: CameraChoice | None
    zone: str
    values: Mapping[str, str]
    start: datetime | None
    end: datetime | None
    problems: tuple[CheckFinding, ...]
    twice: frozenset[str]

    @property
    def position(self) -> int:
        return self.index + 1

    @property
    def span(self) -> Span | None:
        """Return the span, where it can be read and runs forward."""
        if self.start is None or self.end is None or self.end <= self.start:
            return None
        return Span(self.start, self.end)

    @property
    def length(self) -> timedelta | None:
        return None if self.span is None else self.span.duration


@dataclass(frozen=True)
class Reading:
    """``form`` holds what can be read, ``positions`` the places of its items, ``problems`` what cannot be read."""

    form: Form
    rows: tuple[Row, ...]
    positions: tuple[int, ...]
    problems: tuple[CheckFinding, ...]


def to_json(typed: TypedForm) -> dict[str, Any]:
    """Return the form's fields as typed, items numbered from 0; Refused for control characters."""
    values: dict[str, Any] = {name: typed.text(name) for name in (*TEXTS, *MARKS, "previousId") if name in typed}
    values |= {name: list(dict.fromkeys(filter(None, typed.all(name)))) for name in LISTS}
    for index, item in enumerate(items_of(typed)):
        values |= {f"items-{index}-{name}": text for name, text in item.items()}
    for name, value in values.items():
        for text in [value] if isinstance(value, str) else value:
            require_text(name, text)
    return values


def require_text(name: str, text: str) -> None:
    """Raise Refused for control characters, and where nothing is seen: a reviewer reads what was typed, in order."""
    checked(Typeable, text, name)


def on_page(refusal: Refused) -> Refused:
    """Return the refusal with its field named as the page names it."""
    names = {of: name for name, of in (*TEXTS.items(), *MARKS.items(), *LISTS.items())}
    field = names.get(refusal.field or "", refusal.field)
    return Refused(refusal.code, refusal.message, status=refusal.status, field=field)


def reason_of_withdrawal(typed: TypedForm) -> str:
    """Return why an application is withdrawn; Refused where nothing is said."""
    reason = typed.text("reason")
    if not reason:
        raise Refused("reason-missing", "Enter a reason for the withdrawal.", status=422, field="reason")
    require_text("reason", reason)
    return reason


def items_of(typed: TypedForm) -> list[dict[str, str]]:
    """Return the items' fields, in their order."""
    found: dict[int, dict[str, str]] = {}
    for name in typed.fields:
        match = _ITEM_FIELD.fullmatch(name)
        if match and match[2] in ITEM:
            found.setdefault(int(match[1]), dict.fromkeys(ITEM, ""))[match[2]] = typed.text(name)
    return [found[index] for index in sorted(found)]


def typed_of(values: Mapping[str, Any]) -> TypedForm:
    """Return stored fields as a form, as if they had just been typed."""
    pairs = [(name, text) for name, value in values.items() for text in ([value] if isinstance(value, str) else value)]
    return TypedForm(FormData(pairs))


def stored_fields(form: Form, cameras: Iterable[CameraChoice]) -> dict[str, Any]:
    """Return the fields of a stored form as they would be typed: times in the zone of the camera."""
    zones = {camera.id: camera.zone for camera in cameras}
    values: dict[str, Any] = {name: str(getattr(form, of) or "") for name, of in TEXTS.items()}
    values |= {name: "true" for name, of in MARKS.items() if getattr(form, of)}
    values |= {name: list(getattr(form, of)) for name, of in LISTS.items()}
    for index, item in enumerate(form.items):
        for name, when in (("start", item.start), ("end", item.end)):
            text, which = local_times.local_text(when, zones.get(item.camera_id, item.zone))
            values |= {f"items-{index}-{name}": text, f"items-{index}-{name}Which": which}
        values[f"items-{index}-cameraId"] = item.camera_id
    return values


def with_items(values: Mapping[str, Any], items: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """Return the values with these items instead of theirs."""
    others = {name: value for name, value in values.items() if not name.startswith("items-")}
    return others | {f"items-{index}-{name}": text for index, item in enumerate(items) for name, text in item.items()}


def with_person(values: Mapping[str, Any], field: str, person_id: str) -> dict[str, Any]:
    """Return the values with the person named in this one of ``PEOPLE``, beside those who are where it has several."""
    if field not in LISTS:
        return {**values, field: person_id}
    return {**values, field: [*values.get(field, ()), person_id]}


def parse(typed: TypedForm, cameras: Mapping[str, CameraChoice], zone: str, first: int = 0) -> Reading:
    """Return what of the typed form can be read; times are in the camera's zone, else in ``zone``.

    Its items are numbered from ``first``.
    """
    problems: list[CheckFinding] = []
    values: dict[str, Any] = {}
    for name, of in TEXTS.items():
        text = typed.text(name)
        values[of] = (text or None) if of in OPTIONAL else text
    days = values["requested_use_days"]
    if days.isascii() and days.isdigit() and len(days) < 5:
        values["requested_use_days"] = int(days)
    else:
        values["requested_use_days"] = forms.USUAL_USE_DAYS
        problems.append(CheckFinding("use-days-unreadable", "blocks", Message("Enter the number of days.")))
    values |= {of: typed.text(name) == "true" for name, of in MARKS.items()}
    values |= {of: tuple(dict.fromkeys(filter(None, typed.all(name)))) for name, of in LISTS.items()}
    rows = tuple(_row(index, item, cameras, zone) for index, item in enumerate(items_of(typed), first))
    readable = [(row, row.camera, row.span) for row in rows]
    items = [
        (row.position, ItemAsked(camera.id, span.start, span.end, row.zone))
        for row, camera, span in readable
        if camera is not None and span is not None
    ]
    return Reading(
        Form(**values, items=tuple(item for _, item in items)),
        rows,
        tuple(position for position, _ in items),
        (*problems, *(problem for row in rows for problem in row.problems)),
    )


def _row(index: int, item: Mapping[str, str], cameras: Mapping[str, CameraChoice], zone: str) -> Row:
    say = partial(_problem, index + 1)
    camera = cameras.get(item["cameraId"])
    zone = camera.zone if camera else zone
    problems = [] if camera else [say("item-camera", Message("choose a camera"))]
    times: dict[str, datetime] = {}
    for name, message in (("start", Message("start")), ("end", Message("end"))):
        if not item[name]:
            problems.append(say(f"item-{name}", Message("enter the {what} time", what=message)))
            continue
        try:
            times[name] = local_times.moment(item[name], zone, which=item[f"{name}Which"])
        except Refused as refusal:
            problems.append(CheckFinding(f"item-{name}", "blocks", refusal.message, str(index + 1)))
    start, end = times.get("start"), times.get("end")
    if start and end and end <= start:
        problems.append(say("item-end", Message("the end must be after the start")))
    twice = frozenset(name for name in ("start", "end") if local_times.twice(item[name], zone))
    return Row(index, camera, zone, item, start, end, tuple(problems), twice)


def _problem(position: int, code: str, message: Text) -> CheckFinding:
    return CheckFinding(
        code, "blocks", Message("Item {position}: {what}.", position=position, what=message), str(position)
    )
