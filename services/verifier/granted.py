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

Statement = Mapping[str, Any]
Span = tuple[datetime, datetime]


def checks(package: Package, decisions: Iterable[Statement]) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the checks; of ``decisions``, in order, the last one of each stage and round counts."""
    last = {(decision["round"], decision["stage"]): decision for decision in decisions}
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
    """Check that the item with its camera and span is in the form and in its signed release."""
    form = next(
        (data for stem, data in package.documents.items() if package.hashes[f"documents/{stem}.json"] == form_sha256),
        None,
    )
    if form is None:
        raise Invalid("the form that it rests on is not in the package")
    released = {entry["item"]: entry for entry in _decided(last, form["round"], "storage-release")["granted"]}.get(item)
    if released is None:
        raise Invalid(f"the signed release has no item {item!r:.60}")
    if released["camera"] != camera:
        raise Invalid("the signed release is of another camera")
    if _span(released) != span:
        raise Invalid(
            f"it is of {span[0].isoformat()} to {span[1].isoformat()}, and the signed release of "
            f"{released['from']!r:.40} to {released['to']!r:.40}"
        )
    if {entry["id"]: _span(entry) for entry in form["granted"]["items"]}.get(item) != span:
        raise Invalid("the filed form grants no such item and span")


def _decided(last: Mapping[Any, Statement], round_: Any, stage: str) -> Statement:
    if (round_, stage) not in last:
        raise Invalid(f"nobody has decided the stage {stage} of its round")
    return last[round_, stage]


def _span(record: Statement) -> Span:
    return moment(record["from"]), moment(record["to"])
