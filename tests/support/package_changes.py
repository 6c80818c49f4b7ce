"""Changes to a package by somebody who has the seal key, each with the check that names it."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import rfc8785
from evidence_case import Made
from package_tampering import Contents, relabelled

from services.verifier import layout
from services.verifier.envelopes import open_envelope
from services.verifier.notes import Checkpoint, read_checkpoint

Change = Callable[[Contents, Made], Contents]


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def joined(values: list[Any]) -> bytes:
    return b"".join(rfc8785.dumps(value) + b"\n" for value in values)


def entry_of(event: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(event["entry"])
    return told


def one(contents: Contents, start: str, end: str) -> str:
    return next(name for name in contents if name.startswith(start) and name.endswith(end))


def edited(contents: Contents, name: str, change: Callable[[Any], object]) -> Contents:
    """With a JSON member changed in place by ``change``."""
    value = json.loads(contents[name])
    change(value)
    return {**contents, name: rfc8785.dumps(value)}


def without_events(contents: Contents, is_gone: Callable[[dict[str, Any]], bool]) -> Contents:
    events = lines(contents[layout.EVENTS])
    gone = {event["index"] for event in events if is_gone(entry_of(event))}
    assert gone
    proofs = [proof for proof in lines(contents[layout.PROOFS]) if proof["index"] not in gone]
    left = [event for event in events if event["index"] not in gone]
    return {**contents, layout.EVENTS: joined(left), layout.PROOFS: joined(proofs)}


def without_event(action: str) -> Change:
    return lambda contents, made: without_events(contents, lambda entry: entry["action"] == action)


def an_event_changed(contents: Contents, made: Made) -> Contents:
    events = lines(contents[layout.EVENTS])
    entry = entry_of(events[3])
    entry["at"] = "2031-03-04T11:00:00+00:00"
    events[3]["entry"] = rfc8785.dumps(entry).decode()
    return {**contents, layout.EVENTS: joined(events)}


def events_swapped(contents: Contents, made: Made) -> Contents:
    events = lines(contents[layout.EVENTS])
    events[4], events[5] = events[5], events[4]
    return {**contents, layout.EVENTS: joined(events)}


def a_proof_changed(contents: Contents, made: Made) -> Contents:
    proofs = lines(contents[layout.PROOFS])
    proofs[2]["hashes"][0] = "0" * 64
    return {**contents, layout.PROOFS: joined(proofs)}


def a_consistency_proof_taken_away(contents: Contents, made: Made) -> Contents:
    return {**contents, layout.CONSISTENCY: joined(lines(contents[layout.CONSISTENCY])[1:])}


def a_decision_with_another_outcome(contents: Contents, made: Made) -> Contents:
    def change(told: Any) -> None:
        told["statement"]["outcome"] = "rejected"
        told["signature"]["sha256"] = hashlib.sha256(rfc8785.dumps(told["statement"])).hexdigest()

    return edited(contents, one(contents, "decisions/", "security.json"), change)


def a_decision_by_somebody_else(contents: Contents, made: Made) -> Contents:
    def change(told: Any) -> None:
        told["signature"]["person"] = "somebody"

    return edited(contents, one(contents, "decisions/", "management.json"), change)


def without_decision(stage: str) -> Change:
    def change(contents: Contents, made: Made) -> Contents:
        gone = one(contents, "decisions/", f"{stage}.json")
        return {name: data for name, data in contents.items() if name != gone}

    return change


def never_approved_by_management(contents: Contents, made: Made) -> Contents:
    """Decision and event left out together."""
    name = one(contents, "decisions/", "management.json")
    sha256 = json.loads(contents[name])["signature"]["sha256"]
    left = without_events(contents, lambda entry: entry["detail"].get("statement_sha256") == sha256)
    return {one_name: data for one_name, data in left.items() if one_name != name}


def a_custody_entry_rewritten(contents: Contents, made: Made) -> Contents:
    """With a chain of hashes that holds again."""

    def change(told: Any) -> None:
        before = "0" * 64
        for entry in told["entries"]:
            entry.pop("sha256")
            if entry["event"] == "received":
                entry["person"] = "somebody"
            entry["previous"] = before
            before = entry["sha256"] = hashlib.sha256(rfc8785.dumps(entry)).hexdigest()

    return edited(contents, layout.CUSTODY, change)


def a_custody_entry_left_out(contents: Contents, made: Made) -> Contents:
    return edited(contents, layout.CUSTODY, lambda told: told["entries"].pop())


def another_return(contents: Contents, made: Made) -> Contents:
    return edited(contents, layout.RETURN, lambda told: told.update(statementSha256="0" * 64))


def no_return(contents: Contents, made: Made) -> Contents:
    return {name: data for name, data in contents.items() if name != layout.RETURN}


def other_footage(contents: Contents, made: Made) -> Contents:
    """With a label that the seal key has signed for it."""
    data = contents["footage/1-master.mp4"][:-1] + b"x"
    label = contents["footage/1-master.label.json"]
    footage = next(name for name in open_envelope(label).subjects if name.endswith("#footage"))
    signed = relabelled(label, made.seal, {footage: hashlib.sha256(data).hexdigest()})
    return {**contents, "footage/1-master.mp4": data, "footage/1-master.label.json": signed}


def footage_of_the_other_item(contents: Contents, made: Made) -> Contents:
    first, second = "footage/1-master", "footage/2-master"
    return {
        **contents,
        **{f"{first}{end}": contents[f"{second}{end}"] for end in (".mp4", ".label.json")},
        **{f"{second}{end}": contents[f"{first}{end}"] for end in (".mp4", ".label.json")},
    }


def footage_left_out(contents: Contents, made: Made) -> Contents:
    return {name: data for name, data in contents.items() if not name.startswith("footage/2-master")}


def footage_without_its_label(contents: Contents, made: Made) -> Contents:
    return {name: data for name, data in contents.items() if name != "footage/1-master.label.json"}


def a_label_of_another_application(contents: Contents, made: Made) -> Contents:
    name = "footage/1-master.label.json"
    return {**contents, name: relabelled(contents[name], made.seal, applicationNumber="SQ-2031-000099")}


def a_label_that_names_a_root_that_never_was(contents: Contents, made: Made) -> Contents:
    name = "footage/1-master.label.json"
    earlier = read_checkpoint(made.earlier)
    named = {"origin": earlier.origin, "size": earlier.size, "root": "A" * 43 + "="}
    return {**contents, name: relabelled(contents[name], made.seal, auditCheckpoint=named)}


def a_document_changed(contents: Contents, made: Made) -> Contents:
    """Data and label; the PDF stays."""
    number = one(contents, "documents/DQ", ".json")[: -len(".json")]
    changed = edited(contents, f"{number}.json", lambda told: told.update(outcome="missing"))
    stem = number.removeprefix("documents/")
    label = relabelled(
        contents[f"{number}.label.json"],
        made.seal,
        {f"{stem}.json": hashlib.sha256(changed[f"{number}.json"]).hexdigest()},
    )
    return {**changed, f"{number}.label.json": label}


def a_pdf_that_tells_something_else(contents: Contents, made: Made) -> Contents:
    stems = [name[: -len(".pdf")] for name in contents if name.startswith("documents/DQ") and name.endswith(".pdf")]
    stem, other = stems[:2]
    pdf = contents[f"{other}.pdf"]
    subject = {f"{stem.removeprefix('documents/')}.pdf": hashlib.sha256(pdf).hexdigest()}
    label = relabelled(contents[f"{stem}.label.json"], made.seal, subject)
    return {**contents, f"{stem}.pdf": pdf, f"{stem}.label.json": label}


def a_document_left_out(contents: Contents, made: Made) -> Contents:
    stem = one(contents, "documents/DQ", ".pdf")[: -len("pdf")]
    return {name: data for name, data in contents.items() if not name.startswith(stem)}


def another_chain(contents: Contents, made: Made) -> Contents:
    return {**contents, layout.CHAIN: contents[layout.CHAIN] * 2}


def another_log_key(contents: Contents, made: Made) -> Contents:
    return {**contents, layout.LOG_KEYS: b""}


def the_earlier_checkpoint(contents: Contents, made: Made) -> Contents:
    """Signed by the log key, with the events and proofs that belong to it."""
    events = [event for event in lines(contents[layout.EVENTS]) if event["index"] in made.earlier_proofs]
    proofs = [made.earlier_proofs[event["index"]] for event in events]
    return {
        **contents,
        layout.CHECKPOINT: made.earlier.encode(),
        layout.EVENTS: joined(events),
        layout.PROOFS: joined(proofs),
    }


def the_earlier_checkpoint_alone(contents: Contents, made: Made) -> Contents:
    return {**contents, layout.CHECKPOINT: made.earlier.encode()}


def an_anchor_of_another_tree(contents: Contents, made: Made) -> Contents:
    """Signed by the log key, over a root that the log never had."""
    [anchor] = lines(contents[layout.ANCHORS])
    anchor["note"] = made.log_key.sign(Checkpoint(made.log_key.origin, anchor["size"], bytes(32)))
    anchor["sha256"] = hashlib.sha256(anchor["note"].encode()).hexdigest()
    return {**contents, layout.ANCHORS: joined([anchor])}


def an_anchor_that_tells(name: str, value: Any) -> Change:
    def change(contents: Contents, made: Made) -> Contents:
        [anchor] = lines(contents[layout.ANCHORS])
        return {**contents, layout.ANCHORS: joined([{**anchor, name: value}])}

    return change


def an_anchor_beside(suffix: str) -> Change:
    """As if another note of this size had been anchored before a restore, by a key that this note does not have."""

    def change(contents: Contents, made: Made) -> Contents:
        [anchor] = lines(contents[layout.ANCHORS])
        return {**contents, layout.ANCHORS: joined([{**anchor, "key": f"{anchor['key']}-{suffix}"}])}

    return change


def a_return(**changes: Any) -> Change:
    return lambda contents, made: edited(contents, layout.RETURN, lambda told: told.update(changes))


def an_inspection(**changes: Any) -> Change:
    return lambda contents, made: edited(contents, layout.RETURN, lambda told: told["inspection"].update(changes))


def an_inspection_that_found_other_bytes(contents: Contents, made: Made) -> Contents:
    def change(told: Any) -> None:
        told["inspection"]["hashes"] = dict.fromkeys(told["inspection"]["hashes"], False)

    return edited(contents, layout.RETURN, change)


def a_return_over_somebodys_decision(contents: Contents, made: Made) -> Contents:
    """A statement of this case that an audit event tells of, and no return."""
    sha256 = json.loads(contents[one(contents, "decisions/", "preliminary.json")])["signature"]["sha256"]
    return a_return(statementSha256=sha256)(contents, made)


def findings_that_no_document_tells(contents: Contents, made: Made) -> Contents:
    """As many as the custody log counts, without the document that has their words."""
    gone = one(contents, "documents/GH", ".pdf")[: -len("pdf")]
    left = without_events(contents, lambda entry: entry["action"] == "return-inspection-written")
    return {name: data for name, data in left.items() if not name.startswith(gone)}


MASTER, COPY = "footage/1-master.label.json", "footage/1-copy-1.label.json"
EVER = ["2020-01-01T00:00:00+00:00", "2030-01-01T00:00:00+00:00"]


def a_label_that_says(name: str, value: Any, of: str = MASTER) -> Change:
    return lambda contents, made: {**contents, of: relabelled(contents[of], made.seal, **{name: value})}


def a_label_whose_database_facts_say(name: str, value: Any, of: str = MASTER) -> Change:
    def change(contents: Contents, made: Made) -> Contents:
        database = {**open_envelope(contents[of]).predicate["database"], name: value}
        return {**contents, of: relabelled(contents[of], made.seal, database=database)}

    return change


def a_label_twice(contents: Contents, made: Made) -> Contents:
    return {**contents, "footage/1-copy-2.label.json": contents[COPY]}


CHANGES: list[tuple[Change, str]] = [
    (an_event_changed, "inclusion"),
    (events_swapped, "events"),
    (a_proof_changed, "inclusion"),
    (a_consistency_proof_taken_away, "consistency"),
    (without_event("loan-key-destroyed"), "loan-keys"),
    (without_event("custody-received"), "custody"),
    (without_event("footage-retrieved"), "label"),
    (without_event("retrieval-record-written"), "document"),
    (without_event("return-signed"), "decision"),
    (a_decision_with_another_outcome, "decision"),
    (a_decision_by_somebody_else, "decision"),
    (without_decision("preliminary"), "decisions-complete"),
    (without_decision("security-signature"), "approvals"),
    (never_approved_by_management, "approvals"),
    (a_custody_entry_rewritten, "custody"),
    (a_custody_entry_left_out, "custody"),
    (another_return, "return"),
    (no_return, "return"),
    (a_return_over_somebodys_decision, "return"),
    (a_return(returnedBy="somebody"), "return"),
    (a_return(returnedAt="2001-01-01T00:00:00+00:00"), "return"),
    (a_return(returnTo="storage"), "return"),
    (a_return(handOver="another"), "return"),
    (a_return(attestation={"downloads": {}, "noOtherCopies": False}), "return"),
    (a_return(inspection=None), "return"),
    (a_return(archived={"inOrder": False, "disposeAfter": "2099-01-01T00:00:00+00:00"}), "return"),
    (an_inspection_that_found_other_bytes, "return"),
    (an_inspection(inspectedAt="2001-01-01T00:00:00+00:00"), "return"),
    (an_inspection(findings=[{"code": "returned-late", "days": 3}]), "return"),
    (findings_that_no_document_tells, "return"),
    (other_footage, "label"),
    (footage_of_the_other_item, "label"),
    (footage_left_out, "footage-complete"),
    (footage_without_its_label, "footage-complete"),
    (a_label_of_another_application, "label"),
    *((a_label_that_says(name, "another", MASTER), "label") for name in ("camera", "site", "channel", "operator")),
    *((a_label_that_says(name, "another", COPY), "label") for name in ("camera", "operator", "outcome", "recorder")),
    *((a_label_that_says(name, EVER[0]), "label") for name in ("retrievedAt", "firstFrame", "lastFrame")),
    *((a_label_that_says(name, EVER), "label") for name in ("asked", "searched", "requested")),
    *((a_label_that_says(name, [EVER], of), "label") for name in ("covered", "gaps") for of in (MASTER, COPY)),
    (a_label_that_says("outcome", "partial"), "label"),
    (a_label_that_says("recorder", {"make": "another"}), "label"),
    (a_label_that_says("cameraSignature", "present"), "label"),
    (a_label_whose_database_facts_say("item", {"id": "another", "position": 1}), "label"),
    (a_label_whose_database_facts_say("operator", {"id": "somebody", "name": "else"}), "label"),
    (a_label_whose_database_facts_say("secondPersons", []), "label"),
    (a_label_whose_database_facts_say("copy", "another", COPY), "label"),
    (a_label_whose_database_facts_say("kind", "copy"), "label"),
    (a_label_twice, "footage-complete"),
    (without_event("label-written"), "label"),
    (without_event("package-started"), "as-made"),
    (a_label_that_names_a_root_that_never_was, "consistency"),
    (a_document_changed, "document"),
    (a_pdf_that_tells_something_else, "document-data"),
    (a_document_left_out, "documents-complete"),
    (another_chain, "chain"),
    (another_log_key, "checkpoint"),
    (an_anchor_of_another_tree, "consistency"),
    (an_anchor_that_tells("size", 1), "anchors"),
    (an_anchor_that_tells("sha256", "0" * 64), "anchors"),
    (an_anchor_that_tells("key", "checkpoints/1"), "anchors"),
    (an_anchor_beside("0" * 16), "anchors"),
    (an_anchor_beside(""), "anchors"),
    (an_anchor_that_tells("anchoredAt", "1999-01-01T00:00:00+00:00"), "as-made"),
    (an_anchor_that_tells("anchoredAt", "2099-01-01T00:00:00+00:00"), "anchors"),
    (the_earlier_checkpoint, "checkpoint-stated"),
    (the_earlier_checkpoint_alone, "inclusion"),
]
