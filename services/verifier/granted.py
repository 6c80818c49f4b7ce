"""Compare the approval with the retrieval: Security's approval, the filed form, the release, records, labels.

Spans are those that were requested and granted; the searched spans follow from the recorder's clock, as the record
states. The class of an item, and what it requires, is taken from the filed form.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from services.verifier.invalid import Invalid
from services.verifier.package import Package, moment

RELEASE = "storage-release"
Statement = Mapping[str, Any]
Span = tuple[datetime, datetime]


def checks(package: Package, decisions: Iterable[Statement]) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the checks; of ``decisions``, in order, the last one of each stage, round and issue counts."""
    last = {
        (
            decision["round"],
            decision["stage"],
            decision.get("issue", 1) if decision["stage"] == RELEASE else 1,
        ): decision
        for decision in decisions
    }
    for stem, data in package.documents.items():
        kind = package.envelope(f"documents/{stem}.label.json").predicate["kind"]
        if kind == "application-form":
            yield f"documents/{stem}.json", partial(_check_form, last, data)
        if kind == "retrieval-record":
            yield f"documents/{stem}.json", partial(_check_record, package, last, data)
    for name in (*package.named("master-label"), *package.named("copy-label")):
        yield name, partial(_check_label, package, last, name)


def _check_form(last: Mapping[Any, Statement], form: Statement) -> None:
    """Check that the form grants no item, span, day or use beyond Security's approval."""
    approved = _decided(last, form["round"], "security")
    spans = {item["item"]: _span(item) for item in approved["granted"]}
    for item in form["granted"]["items"]:
        if spans.get(item["id"]) != _span(item):
            raise Invalid(f"it grants an item or a span that Security has not approved: {item['id']!r:.60}")
    variables, granted = approved["variables"], form["granted"]
    if granted["wayOfUse"] != variables["wayOfUse"] or not 1 <= granted["useDays"] <= variables["usePeriodDays"]:
        raise Invalid(
            f"it grants {granted['wayOfUse']!r:.40} for {granted['useDays']!r:.10} days, and Security has approved "
            f"{variables['wayOfUse']!r:.40} for {variables['usePeriodDays']!r:.10}"
        )


def _check_record(package: Package, last: Mapping[Any, Statement], record: Statement) -> None:
    asked = record["asked"]
    span = (moment(asked["start"]), moment(asked["end"]))
    camera = record["source"]["camera"]["id"]
    _check(package, last, record["form"]["sha256"], item=record["item"], camera=camera, span=span)


def _check_label(package: Package, last: Mapping[Any, Statement], name: str) -> None:
    label = package.envelope(name).predicate
    facts, (start, end) = label["database"], label["asked"]
    span = (moment(start), moment(end))
    camera = facts["source"]["camera"]["id"]
    _check(package, last, facts["formSha256"], item=facts["item"]["id"], camera=camera, span=span)


def _check(
    package: Package, last: Mapping[Any, Statement], form_sha256: str, *, item: str, camera: str, span: Span
) -> None:
    """Check that the item with its camera and span is in the form and in its signed release.

    An item that replaces another one, because a copy was wrong, lies within a line of the form, by camera and span.
    """
    form = next(
        (data for stem, data in package.documents.items() if package.hashes[f"documents/{stem}.json"] == form_sha256),
        None,
    )
    if form is None:
        raise Invalid("the form that it rests on is not in the package")
    _decided(last, form["round"], RELEASE)
    releases = [signed for (round_, stage, _), signed in last.items() if (round_, stage) == (form["round"], RELEASE)]
    released = next((entry for signed in releases for entry in signed["granted"] if entry["item"] == item), None)
    if released is None:
        raise Invalid(f"the signed release has no item {item!r:.60}")
    if released["camera"] != camera:
        raise Invalid("the signed release is of another camera")
    if _span(released) != span:
        raise Invalid(
            f"it is of {span[0].isoformat()} to {span[1].isoformat()}, and the signed release of "
            f"{released['from']!r:.40} to {released['to']!r:.40}"
        )
    lines = {entry["id"]: _span(entry) for entry in form["granted"]["items"]}
    if released.get("replaces") and item not in lines:
        cameras = {entry["id"]: entry["camera"]["id"] for entry in form["items"]}
        within = (cameras.get(line) == camera and a <= span[0] < span[1] <= b for line, (a, b) in lines.items())
        if not any(within):
            raise Invalid("the filed form grants no camera and span that this replacement lies within")
    elif lines.get(item) != span:
        raise Invalid("the filed form grants no such item and span")


def _decided(last: Mapping[Any, Statement], round_: Any, stage: str) -> Statement:
    if (round_, stage, 1) not in last:
        raise Invalid(f"nobody has decided the stage {stage} of its round")
    return last[round_, stage, 1]


def _span(record: Statement) -> Span:
    return moment(record["from"]), moment(record["to"])
