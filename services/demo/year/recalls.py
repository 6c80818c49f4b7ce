"""The recalls of a filled year: of copies in use or of an offer, signed by the head of Security, or by nobody."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from services.database.tables.suspensions import Suspension
from services.demo.organisation import demo_id
from services.demo.year.matters import apply_matter, close_matter, open_matter
from services.domain.custody.suspensions import RECALLED
from services.domain.matters.kinds.recall import SIGNED_WITHIN, STAGE
from services.domain.process.messages import MATTER_MOOT

if TYPE_CHECKING:
    from services.demo.year.fill import Case

ASKS, SIGNS = "wulei", "zhaoqiang"
NO_LONGER = {"ground": "no-longer-needed", "reason": "双方已经和解，副本不再需要。"}
MISUSE = {"ground": "misuse", "reason": "副本的用途可能与批准的不符，核实以前先行收回。"}
WRONG = {"ground": "other", "reason": "副本发给了已经调离的人员，重新确定保管人。"}


def write_signed(case: "Case") -> None:
    """Recall copies in use: nobody attests for them, and they go to their inspection."""
    matter, suspension = _ask(case, NO_LONGER, {"dueAt": case.loan["due_at"].isoformat()}, told="copy-recalled")
    decision = _sign(case, matter, suspension)
    attestation = {"downloads": {}, "noOtherCopies": False, "recalled": matter["number"]}
    signed = {"statement_sha256": decision["statement_sha256"], "signature": decision["signature"]}
    case.end_use(RECALLED, demo_id(SIGNS), attestation, signed)
    case.notify("copy-returned", demo_id("machao"))
    statement = {"matter": matter["number"], "statement_sha256": decision["statement_sha256"]}
    case.log("recalled", None, of_copy=False, **statement)
    apply_matter(case, matter, [decision], {"signedBy": demo_id(SIGNS)})


def write_of_offer(case: "Case", receipt: dict[str, Any]) -> None:
    """Recall an offer that nobody has accepted yet: it ends, and so does its receipt."""
    until = {"dueAt": None, "acceptBy": case.loan["take_up_until"].isoformat()}
    matter, suspension = _ask(case, WRONG, until, told="offer-recall-asked")
    decision = _sign(case, matter, suspension)
    case.loan["ended_at"] = case.at
    statement = {"matter": matter["number"], "statement_sha256": decision["statement_sha256"]}
    case.log("ended", demo_id(SIGNS), of_copy=False, because=RECALLED, **statement)
    receipt |= {"closed_at": case.at, "closed_because": "offer-recalled"}
    case.visits.append((receipt["opened_at"], "receipt", case.at))
    case.record("review-closed", "review", receipt["id"], because="offer-recalled")
    case.publish("review-decided", receipt["id"], {"decision": "declined", "dueAt": case.at.isoformat()})
    case.notify("offer-recalled", case.custodian)
    apply_matter(case, matter, [decision], {"signedBy": demo_id(SIGNS)})


def write_unsigned(case: "Case") -> tuple[dict[str, Any], dict[str, Any]]:
    """Recall copies in use, which open again a day later; return the matter and its review, which wait."""
    matter, _ = _ask(case, MISUSE, {"dueAt": case.loan["due_at"].isoformat()}, told="copy-recalled")
    review = case.open_review(STAGE, of=matter)
    case.at += SIGNED_WITHIN
    return matter, review


def close_unsigned(case: "Case", matter: dict[str, Any], review: dict[str, Any]) -> None:
    """Let the return end what nobody has signed."""
    review |= {"closed_at": case.at, "closed_because": "matter-moot"}
    case.publish(MATTER_MOOT, matter["id"], {}, matter=matter)
    close_matter(case, matter, "moot", {"because": "returned"})


def _ask(
    case: "Case", asked: dict[str, str], until: dict[str, Any], *, told: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ask for the recall, which stops access or the acceptance at once; return the matter and the suspension."""
    case.at += timedelta(hours=2)
    before = {"custodian": case.custodian, **until}
    matter = open_matter(case, "recall", dict(asked), before, opened_by=demo_id(ASKS))
    of_loan = {"hand_over_id": case.loan["id"], "cause": RECALLED, "matter_id": matter["id"], "violation_id": None}
    moments = {"since": case.at, "until": case.at + SIGNED_WITHIN, "lifted_at": None, "lifted_by": None}
    suspension = case.rows.add(Suspension, id=case.new_id(), **of_loan, **moments)
    until_then = {"cause": RECALLED, "person": None, "until": suspension["until"].isoformat()}
    case.record("suspension-opened", "suspension", suspension["id"], by=demo_id(ASKS), **until_then)
    case.log("suspended", None, of_copy=False, cause=RECALLED)
    case.notify(told, case.custodian)
    return matter, suspension


def _sign(case: "Case", matter: dict[str, Any], suspension: dict[str, Any]) -> dict[str, Any]:
    """Sign the recall, which keeps it closed until it is carried out."""
    decision = case.decide(STAGE, demo_id(SIGNS), "signed", of=matter)
    suspension["until"] = None
    case.record("suspension-kept", "suspension", suspension["id"], by=demo_id(SIGNS), cause=RECALLED)
    return decision
