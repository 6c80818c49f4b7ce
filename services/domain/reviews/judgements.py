"""What a decision about a matter says besides its outcome (R44, R65 to R67).

About a violation: severity, sanctions, loss, referral. About a problem: which items are retrieved again.

A fine and a dismissal need Legal's approval, and a rule of the organisation can forbid them: since 2008 an employer's
fine has no legal basis (T14). What Legal does not approve is dropped, and the rest takes effect.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select

from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.reviews import Review
from services.database.tables.violations import Hearing
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.process import permissions
from services.domain.process.permissions import CaseState
from services.domain.reviews import disposal_marks, replacements
from services.domain.reviews.given_judgements import GivenSanction, Judgement
from services.domain.reviews.schemas import (
    ApprovedCamera,
    Candidate,
    JudgementForm,
    MatterFact,
    OfferedSanction,
    RecalledBecause,
    ReplacementForm,
)
from services.domain.stages.catalogue import STAGES, Stage
from services.domain.stages.schema import SanctionKind
from services.runtime import money
from services.runtime.errors import Refused
from services.runtime.labels import Label
from services.runtime.rules import Rules
from services.runtime.translations import Bilingual, Message, Text

DECIDING = ("violation-security", "violation-legal", "violation-management")
REFERRAL = "referral"
SEVERITIES = ("minor", "moderate", "severe")
LEGAL_NEEDED = "legalNeeded"  # the variable that the process reads
FORBIDDEN = "not-allowed"  # the value of the rules ``fines`` and ``dismissal``
LONGEST = 2000
MOST = Decimal("1000000000")


NONE = Judgement()


def check(uow: UnitOfWork, review: Review, stage: Stage, outcome: str, given: Judgement) -> dict[str, Any] | None:
    """Return what is signed beside the outcome; None where the stage or the outcome has nothing to say.

    Refused for a judgement that does not belong here, that lacks something, or whose sanction is forbidden.
    """
    favourable = outcome == stage.favourable
    if (stage.code, outcome) == (replacements.STAGE, replacements.REPLACE):
        if replace(given, replacements=()) != NONE:
            raise _refused("judgement", Message("This decision names no sanctions: leave them out."))
        matter = uow.session.get_one(Matter, review.matter_id)
        return {replacements.FIELD: replacements.check(uow, matter, given.replacements)}
    if stage.code == REFERRAL and favourable:
        if not (given.authority or "").strip():
            raise _refused("authority", Message("Enter the authority that the evidence is handed to."))
        return {"authority": str(given.authority).strip()[:LONGEST]}
    if stage.code not in DECIDING or not favourable:
        _require_none(given)
        of_batch = favourable and stage.code in (disposal_marks.PROPOSING, disposal_marks.CONFIRMING)
        matter = uow.session.get_one(Matter, review.matter_id)
        return disposal_marks.judge(uow, matter, stage.code) if of_batch else None
    matter = uow.session.get_one(Matter, review.matter_id)
    accused = _accused(uow, matter)
    if not given.sanctions:
        raise _refused("sanctions", Message("Choose at least one sanction: an upheld violation has one."))
    for field, value in (("loss", given.loss), ("referral", given.referral)):
        if value is None:
            raise _refused(field, Message("Answer with yes or no: loss, and referral to an authority."))
    severity = given.severity or matter.facts["assessment"]["severity"]
    if severity not in SEVERITIES:
        raise _refused("severity", Message("Choose the severity: minor, moderate or severe."))
    sanctions = [_check_sanction(uow.rules, stage, one, accused) for one in given.sanctions]
    if len({(one["personId"], one["kind"]) for one in sanctions}) < len(sanctions):
        raise _refused("sanctions", Message("The same sanction is there twice for one person: name it once."))
    return {
        "severity": severity,
        "assessed": matter.facts["assessment"]["severity"],
        "sanctions": sanctions,
        "loss": given.loss,
        **_with_currency(uow.rules, "lossAmount", "lossCurrency", _loss_amount(given)),
        "referral": given.referral,
    }


def _require_none(given: Judgement) -> None:
    if given.replacements:
        raise replacements.refusal(Message("Items are only named where the copies are replaced: leave them out."))
    if given != NONE:
        raise _refused("judgement", Message("This decision names no sanctions: leave them out."))


def describe(uow: UnitOfWork, review: Review) -> JudgementForm | None:
    """Return what the decision of a violation has to say; None for any other review."""
    stage = STAGES[review.stage]
    if review.matter_id is None or stage.code not in DECIDING:
        return None
    matter = uow.session.get_one(Matter, review.matter_id)
    accused = _accused(uow, matter)
    names = access_queries.get_names(uow, accused)
    offered = [(code, STAGES.sanctions[code]) for code in stage.sanctions]
    return JudgementForm(
        severity=matter.facts["assessment"]["severity"],
        referral_asked=matter.facts["assessment"]["referralAsked"],
        currency=uow.rules.currency,
        sanctions=[
            OfferedSanction(
                code=code,
                zh=kind.zh,
                en=kind.en,
                amount=kind.amount,
                forbidden=is_forbidden(uow.rules, code),
                warning_zh=kind.warning.zh if kind.warning else None,
                warning_en=kind.warning.en if kind.warning else None,
            )
            for code, kind in offered
        ],
        accused=[Candidate(id=person_id, name=names.get(person_id, person_id)) for person_id in accused],
    )


def list_facts(judgement: Mapping[str, Any] | None, names: Mapping[str, str]) -> list[MatterFact]:
    """Return in words what a decision says of a violation; Legal approves sanctions that it can read."""
    given = judgement or {}
    facts: list[tuple[Text, Text]] = []
    if "severity" in given:
        facts.append((Message("Severity"), Label(f"severity-{given['severity']}")))
    for one in given.get("sanctions", ()):
        kind = STAGES.sanctions[one["kind"]]
        besides = "".join(
            f" · {text}" for text in (money.written(one.get("amount"), one.get("currency")), one.get("note")) if text
        )
        name = names.get(one["personId"], one["personId"])
        facts.append((Message("Sanction: {name}", name=name), Bilingual(kind.zh + besides, kind.en + besides)))
    if "loss" in given:
        amount = money.written(given.get("lossAmount"), given.get("lossCurrency"))
        loss = Message("Yes: {amount}", amount=amount) if given.get("lossAmount") else Message("Yes")
        facts.append((Message("Loss to be made good"), loss if given["loss"] else Message("No")))
    if "referral" in given:
        facts.append((Message("Referral to an authority"), Message("Yes") if given["referral"] else Message("No")))
    if "authority" in given:
        facts.append((Message("Authority"), Bilingual(given["authority"], given["authority"])))
    return [MatterFact(name_zh=name.zh, name_en=name.en, zh=value.zh, en=value.en) for name, value in facts]


def list_people(judgement: Mapping[str, Any] | None) -> list[str]:
    """Return the ids of those whom a decision sanctions."""
    return [one["personId"] for one in (judgement or {}).get("sanctions", ())]


def describe_replacements(
    uow: UnitOfWork,
    review: Review,
    find_obstacle: Callable[[UnitOfWork, CaseState, HandOver], RecalledBecause | None],
) -> ReplacementForm | None:
    """Return what the answer to a problem may have retrieved again; None for any other review.

    ``find_obstacle``: says why the copies of a loan cannot be replaced, which is custody's to know.
    """
    if review.stage != replacements.STAGE or review.matter_id is None:
        return None
    state = permissions.read(uow, review.application_id)
    matter = uow.session.get_one(Matter, review.matter_id)
    return ReplacementForm(
        reported=replacements.list_reported(matter, state),
        approved=[
            ApprovedCamera(
                camera_id=line.camera.id,
                zh=line.camera.name_zh,
                en=line.camera.name_en,
                start=line.span.start,
                end=line.span.end,
            )
            for line in replacements.list_approved(uow, state)
        ],
        recalled_because=find_obstacle(uow, state, state.hand_over) if state.hand_over is not None else None,
    )


def variables_of(stage: Stage, judgement: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the process hears of a judgement: whether Legal has to approve a sanction.

    Legal itself does not approve what it has decided.
    """
    if stage.code not in DECIDING:
        return {}
    kinds = [one["kind"] for one in (judgement or {}).get("sanctions", ())]
    needed = any(STAGES.sanctions[kind].rule for kind in kinds)
    return {LEGAL_NEEDED: needed and stage.code != "violation-legal"}


def dropped_because(rules: Rules, kind: str, *, approved: bool) -> str | None:
    """Return why a sanction does not take effect, or None."""
    sanction = STAGES.sanctions.get(kind)
    if sanction is None or sanction.rule is None:
        return None
    if is_forbidden(rules, kind):
        return "switched-off"
    return None if approved else "legal-rejected"


def is_forbidden(rules: Rules, kind: str) -> bool:
    """Return whether a rule of the organisation forbids this sanction."""
    rule = STAGES.sanctions[kind].rule
    return rule is not None and getattr(rules, rule) == FORBIDDEN


def _check_sanction(rules: Rules, stage: Stage, given: GivenSanction, accused: Sequence[str]) -> dict[str, Any]:
    if given.kind not in stage.sanctions:
        raise _refused("sanctions", Message("This sanction is not among those of the stage: choose one of the list."))
    kind = STAGES.sanctions[given.kind]
    if is_forbidden(rules, given.kind):
        raise Refused(
            "sanction-switched-off",
            "{sanction}: this organisation does not allow it, choose another sanction.",
            status=422,
            field="sanctions",
            sanction=Bilingual(kind.zh, kind.en),
        )
    person_id = given.person_id or (accused[0] if len(accused) == 1 else None)
    if person_id not in accused:
        raise _refused("sanctions", Message("Choose one of the accused for this sanction."))
    note = (given.note or "").strip()[:LONGEST] or None
    if given.kind == "other" and note is None:
        raise _refused("sanctions", Message("Describe the other measure."))
    return {
        "kind": given.kind,
        "personId": person_id,
        **_with_currency(rules, "amount", "currency", _amount(given.amount, kind)),
        "note": note,
    }


def _with_currency(rules: Rules, name: str, currency: str, amount: str | None) -> dict[str, str | None]:
    """Return an amount with the organisation's currency of now, which stays what it is."""
    return {name: amount, **({currency: rules.currency} if amount is not None else {})}


def _amount(text: str | None, kind: SanctionKind) -> str | None:
    written = (text or "").strip()
    if not kind.amount:
        if written:
            raise _refused("sanctions", Message("Only a fine has an amount: leave it out."))
        return None
    return _money(written)


def _loss_amount(given: Judgement) -> str | None:
    """Return how much was lost, which may not be known yet."""
    written = (given.loss_amount or "").strip()
    if written and not given.loss:
        raise _refused("lossAmount", Message("Without a loss there is no amount: leave it out."))
    return _money(written) if written else None


def _money(written: str) -> str:
    try:
        amount = Decimal(written)
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or not 0 < amount < MOST or amount != amount.quantize(Decimal("0.01")):
        raise _refused("sanctions", Message("Enter the amount: a number above 0 with at most two decimals."))
    return f"{amount:.2f}"


def _accused(uow: UnitOfWork, matter: Matter) -> list[str]:
    query = select(Hearing.person_id).where(Hearing.matter_id == matter.id, Hearing.part == "accused")
    return sorted(uow.session.scalars(query))


def _refused(field: str, message: Message) -> Refused:
    return Refused("judgement", message, status=422, field=field)
