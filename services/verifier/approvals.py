"""Check people's signatures, their audit events, and that all approvals came before the retrieval."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from services.verifier import bindings, granted, layout, people
from services.verifier.assertions import check_assertion
from services.verifier.canonical import canonical
from services.verifier.invalid import Invalid, failing
from services.verifier.package import Package, moment, number_of
from services.verifier.report import Report
from services.verifier.trail import CLOCKS_APART, Event, Trail

NEEDED = {"security": "approved", "security-signature": "signed"}
# Who decides first: of a form on behalf of people outside Security checks their credentials, else the department.
FIRST, CREDENTIALS = {"preliminary": "approved"}, {"credentials": "approved"}
MANAGEMENT = {"management": "approved"}
RELEASE = {"storage-release": "approved"}
# What the database adds to the form when it is filed; the rest is the form that people signed for.
ADDED = (
    "filedAt",
    "importance",
    "managementNeeded",
    "secondPerson",
    "backupNeeded",
    "granted",
    "findings",
    "decisions",
    "demo",
)


@dataclass(frozen=True)
class Act:
    """A valid signature, and the audit event that was written with it."""

    name: str
    statement: Mapping[str, Any]
    method: str
    event: Event


def examine(package: Package, trail: Trail, report: Report) -> None:
    by_hash: dict[str, list[Event]] = {}
    for event in trail.events:
        if "statement_sha256" in event.detail:
            by_hash.setdefault(str(event.detail["statement_sha256"]), []).append(event)
    acts: list[Act] = []
    for name in package.named("decision"):
        with report.check("decision", name) as finding:
            act = _act(package, name, by_hash, trail)
            acts.append(act)
            finding.text, finding.noted = _describe(package, act)
    with report.check("decisions-complete", layout.EVENTS) as finding:
        signed_hashes = {package.json(name)["signature"]["sha256"] for name in package.named("decision")}
        for sha256, (event, *_) in by_hash.items():
            if sha256 not in signed_hashes:
                raise Invalid(f"the signature of the audit event {event.index} ({event.action}) is not in the package")
        finding.text = f"{len(signed_hashes)} signatures"
    people.examine_addresses(package, report)
    report.each("approvals", _approvals(package, trail, acts), "documents/" + layout.file_name(_number(package)))
    decisions = [act.statement for act in acts if act.event.action == "review-decided" and "stage" in act.statement]
    report.each("granted", granted.checks(package, decisions), "footage, records and forms")


def _number(package: Package) -> str:
    try:
        return number_of(package.form)
    except (Invalid, LookupError, TypeError):
        return ""


def _act(package: Package, name: str, by_hash: Mapping[str, list[Event]], trail: Trail) -> Act:
    member = package.json(name)
    if set(member) != {"statement", "signature", "people"}:
        raise Invalid("it has other fields than a signed act")
    statement, signature = member["statement"], member["signature"]
    sha256 = hashlib.sha256(canonical(statement)).hexdigest()
    if signature["sha256"] != sha256:
        raise Invalid(f"the signature is over the SHA-256 {signature['sha256']!r:.70}, and the statement has {sha256}")
    if signature["person"] != statement["person"]:
        raise Invalid("somebody else has signed than the person whom the statement names")
    if (signature["method"] == "passkey") != ("passkey" in signature):
        raise Invalid("it does not say by what it was signed")
    if "passkey" in signature:
        check_assertion(signature["passkey"], sha256)
    events = by_hash.get(sha256, [])
    # a release that a second person confirmed has two: as it was proposed, and as it became the decision
    own = next((event for event in events if event.actor == statement["person"]), None)
    if own is None:
        raise Invalid("no audit event names this signature by this person")
    if not bindings.is_signature_named(signature, own, events):
        trail.older.append(name)
    if statement.get("application", package.application_id) != package.application_id:
        raise Invalid("it was signed in another case")
    named = statement.get("auditCheckpoint")
    if named is not None and named["size"] > own.index:
        raise Invalid(f"it names a checkpoint that is younger than its own audit event {own.index}")
    return Act(name, statement, str(signature["method"]), events[-1])


def _describe(package: Package, act: Act) -> tuple[str, bool]:
    person = act.statement["person"]
    name, noted = people.name_of(package, person, package.json(act.name)["people"].get(person))
    words = [act.statement.get("stage"), act.statement.get("outcome")]
    return ", ".join([name, *(str(word) for word in words if word), f"by {act.method}"]), noted


def _approvals(package: Package, trail: Trail, acts: list[Act]) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield a check of each stage that the policy requires: signed for the filed form, before any retrieval."""
    if not package.forms:
        yield layout.EVENTS, lambda: _check_unapproved(trail)
        return
    form = package.form
    sha256 = hashlib.sha256(canonical({name: value for name, value in form.items() if name not in ADDED})).hexdigest()
    # what is released again, because copies had to be replaced, is checked with its own records
    last = {
        act.statement["stage"]: act for act in acts if _is_of_round(act, form) and act.statement.get("issue", 1) == 1
    }
    decisions = {decision["stage"]: decision for decision in form["decisions"]}
    first = CREDENTIALS if form.get("onBehalf") else FIRST
    before_filing = {**first, **NEEDED, **(MANAGEMENT if form["managementNeeded"] else {})}
    retrieved = trail.of("footage-retrieved", "retrieval-recorded")
    for stage, outcome in {**before_filing, **(RELEASE if retrieved else {})}.items():

        def check(stage: str = stage, outcome: str = outcome) -> None:
            act = last.get(stage)
            if act is None:
                raise Invalid("nobody has decided this stage for the filed form")
            if act.statement["outcome"] != outcome:
                raise Invalid(f"it ended with {act.statement['outcome']!r:.40} and not with {outcome!r}")
            if act.statement["form"] != sha256:
                raise Invalid("it was decided for another form than the one that was filed")
            if stage in before_filing and decisions.get(stage, {}).get("statement") != _sha256(act):
                raise Invalid("the filed form names another decision")
            for event in retrieved:
                if event.index < act.event.index or moment(event.at) < moment(act.event.at) - CLOCKS_APART:
                    raise Invalid(f"it was decided after the retrieval (event {event.index})")

        yield stage, check
    for act in acts:
        if _is_of_round(act, form) and act.statement["form"] != sha256:
            yield act.name, failing("it was decided for another form than the one that was filed")
    if form["secondPerson"] and retrieved:
        yield "second person", lambda: _check_second(last.get("storage-release"), acts)
    for act in acts:
        if _is_of_round(act, form) and act.statement["stage"] in RELEASE and act.statement.get("issue", 1) > 1:
            yield act.name, partial(_check_again, act, retrieved, trail)
            if form["secondPerson"] and act.statement["outcome"] in RELEASE.values():
                yield "second person", partial(_check_second, act, acts)


def _check_unapproved(trail: Trail) -> None:
    """Check that a case without a filed form was never approved, and that nothing was retrieved in it."""
    for event in trail.of("application-filed", "footage-retrieved", "retrieval-recorded", "custody-offered"):
        raise Invalid(f"there is no filed form in the package, and the audit event {event.index} is {event.action!r}")


def _is_of_round(act: Act, form: Mapping[str, Any]) -> bool:
    """Whether the act is a decision of the form's round; a release that the second person refused is none."""
    return (
        act.statement["kind"] == "decision"
        and act.event.action == "review-decided"
        and act.statement["round"] == form["round"]
    )


def _check_again(act: Act, retrieved: list[Event], trail: Trail) -> None:
    """Check that what this release names was retrieved after it, once the copies of before were to be replaced."""
    begun = [event for event in trail.of("copies-reissued") if event.detail["issue"] == act.statement["issue"]]
    if not begun or begun[0].index > act.event.index:
        raise Invalid("nothing says before it that the copies were to be replaced")
    items = {line["item"] for line in act.statement["granted"]}
    if not items <= set(begun[0].detail["items"].values()):
        raise Invalid("it releases an item that replaces none")
    for event in retrieved:
        if event.detail.get("item") in items and event.index < act.event.index:
            raise Invalid(f"it was decided after the retrieval (event {event.index})")


def _check_second(release: Act | None, acts: list[Act]) -> None:
    if release is None:
        raise Invalid("there is no release to confirm")
    for act in acts:
        statement = act.statement
        if (
            statement["kind"] == "confirmation"
            and statement["confirms"] == _sha256(release)
            and statement["agrees"] is True
        ):
            if statement["person"] == release.statement["person"]:
                raise Invalid("the release was confirmed by the person who gave it")
            return
    raise Invalid("no second person has confirmed the release")


def _sha256(act: Act) -> str:
    return hashlib.sha256(canonical(act.statement)).hexdigest()
