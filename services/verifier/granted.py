"""What was approved against what was fetched: Security's approval, the filed form, the release, records and labels.

Spans are those that were asked for and granted; where they were searched for follows from the recorder's clock at the
retrieval, which the record tells. The class, and what it asks for, is the word of the books: the filed form has it.
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
    """``decisions``: what was signed and decided, in order; the last one of a stage counts, in each round."""
    last = {(one["round"], one["stage"]): one for one in decisions}
    for stem, data in package.documents.items():
        kind = package.envelope(f"documents/{stem}.label.json").predicate["kind"]
        if kind == "application-form":
            yield f"documents/{stem}.json", partial(_check_form, last, data)
        if kind == "retrieval-record":
            yield f"documents/{stem}.json", partial(_check_record, package, last, data)
    for name in (*package.named("master-label"), *package.named("copy-label")):
        yield name, partial(_check_label, package, last, name)


def _check_form(last: Mapping[Any, Statement], form: Statement) -> None:
    """The form grants what Security has approved: no item, no moment, no day and no use beyond it."""
    approved = _decided(last, form["round"], "security")
    spans = {one["item"]: _span(one) for one in approved["granted"]}
    for one in form["granted"]["items"]:
        if spans.get(one["id"]) != _span(one):
            raise Invalid(f"it grants an item or a span that Security has not approved: {one['id']!r:.60}")
    told, granted = approved["variables"], form["granted"]
    if granted["wayOfUse"] != told["wayOfUse"] or not 1 <= granted["useDays"] <= told["usePeriodDays"]:
        raise Invalid(
            f"it grants {granted['wayOfUse']!r:.40} for {granted['useDays']!r:.10} days, and Security has approved "
            f"{told['wayOfUse']!r:.40} for {told['usePeriodDays']!r:.10}"
        )


def _check_record(package: Package, last: Mapping[Any, Statement], record: Statement) -> None:
    asked = record["asked"]
    span = (moment(asked["start"]), moment(asked["end"]))
    camera = record["source"]["camera"]["id"]
    _check(package, last, record["form"]["sha256"], item=record["item"], camera=camera, span=span)


def _check_label(package: Package, last: Mapping[Any, Statement], name: str) -> None:
    told = package.envelope(name).predicate
    books, (start, end) = told["books"], told["asked"]
    span = (moment(start), moment(end))
    camera = books["source"]["camera"]["id"]
    _check(package, last, books["formSha256"], item=books["item"]["id"], camera=camera, span=span)


def _check(
    package: Package, last: Mapping[Any, Statement], form_sha256: str, *, item: str, camera: str, span: Span
) -> None:
    """The item with its camera and span is in the signed release of its form, and in the form."""
    form = next(
        (data for stem, data in package.documents.items() if package.hashes[f"documents/{stem}.json"] == form_sha256),
        None,
    )
    if form is None:
        raise Invalid("the form that it rests on is not in the package")
    released = {one["item"]: one for one in _decided(last, form["round"], "storage-release")["granted"]}.get(item)
    if released is None:
        raise Invalid(f"the signed release has no item {item!r:.60}")
    if released["camera"] != camera:
        raise Invalid("the signed release is of another camera")
    if _span(released) != span:
        raise Invalid(
            f"it is of {span[0].isoformat()} to {span[1].isoformat()}, and the signed release of "
            f"{released['from']!r:.40} to {released['to']!r:.40}"
        )
    if {one["id"]: _span(one) for one in form["granted"]["items"]}.get(item) != span:
        raise Invalid("the filed form grants no such item and span")


def _decided(last: Mapping[Any, Statement], round_: Any, stage: str) -> Statement:
    if (round_, stage) not in last:
        raise Invalid(f"nobody has decided the stage {stage} of its round")
    return last[round_, stage]


def _span(told: Statement) -> Span:
    return moment(told["from"]), moment(told["to"])
