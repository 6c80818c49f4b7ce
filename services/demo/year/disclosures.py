"""What is provided to an authority in a filled year: two officers get it on a numbered medium of the register."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from services.database.tables.devices import IN, Medium, MediumEvent
from services.database.tables.disclosures import Disclosure, DisclosureDownload
from services.database.tables.outsiders import Outsider
from services.database.tables.sites import Site
from services.demo.organisation import ZONE, demo_id
from services.demo.year.matters import apply_matter, open_matter
from services.domain.applications import outsiders
from services.domain.custody.closing import PROVIDED
from services.domain.custody.numbered_media import HANDED_OUT
from services.domain.process.messages import LOAN_CLOSED
from services.domain.storage.media import REGISTERED

if TYPE_CHECKING:
    from services.demo.year.fill import Case

DRAFTER, HANDS_OUT, KEEPS_MEDIA = "machao", "zhengjie", "zhujun"
APPROVAL = {"credentials": "zhengjie", "security": "wulei", "security-signature": "zhaoqiang"}
DECIDED = {
    "security": ("wulei", "approved"),
    "legal": ("yangfan", "approved"),
    "security-signature": ("zhaoqiang", "signed"),
}
OFFICERS = (("李警官", "021-5550100"), ("周警官", "021-5550101"))
UNIT, LETTER = "市公安局治安支队", "调取证据通知书"
NOT_ORIGINAL = "原始介质为仍在使用的录像机，须继续录像。"


def write_outsiders(case: "Case") -> None:
    """Write the officers whom the application names, and their letter; their cards' numbers are deleted by now."""
    title, dated = LETTER, case.begun.astimezone(ZoneInfo(ZONE)).date()
    letter = {"letter_title": title, "letter_number": f"公治调证字〔{dated.year}〕{case.place + 1}号"}
    letter |= {"letter_date": dated.isoformat()}
    case.application |= {"on_behalf": outsiders.AUTHORITY, **letter, "letter_seal_checked": True}
    case.application |= {"legal_basis": "authority-request", "purpose_category": "security-incident"}
    case.application["incident_reference"] = letter["letter_number"]
    case.officers = [
        case.rows.add(
            Outsider,
            id=case.new_id(),
            application_id=case.id,
            position=position,
            name=name,
            unit=UNIT,
            card_kind="police-card",
            card_tail=f"{(case.place * 37 + position * 1009) % 10_000:04}",
            card_sealed="",
            contact=contact,
            added_by=case.drafter,
            added_at=case.begun - timedelta(hours=1),
        )
        for position, (name, contact) in enumerate(OFFICERS, 1)
    ]
    named = [outsiders.person_to_json(Outsider(**row)) for row in case.officers]
    told = {"title": title, "number": letter["letter_number"], "date": letter["letter_date"], "sealChecked": True}
    of = {"kind": outsiders.AUTHORITY, "letter": told, "outsiders": named}
    case.on_behalf = {"formVersion": outsiders.FORM_VERSION, "onBehalf": of}


def write(case: "Case") -> None:
    """Ask, decide, hand out and receive it; the receipt ends the loan, and the case is archived next."""
    case.at += timedelta(hours=1)
    medium = _register(case)
    on_behalf = case.on_behalf["onBehalf"]
    ids = [row["id"] for row in case.officers]
    asked = {
        **{"reason": "公安机关来函调取，用于立案侦查。", "outsiderIds": ids, "opensWith": "medium"},
        **{"medium": medium["number"], "seal": f"FT-{case.place:06d}", "endsLoan": True, "redacted": False},
        "notOriginalBecause": NOT_ORIGINAL,
    }
    before = {"custodian": case.custodian, "onBehalf": on_behalf, "files": [_file(case)]}
    matter = open_matter(case, "disclosure", asked, before)
    decisions = [case.decide(stage, demo_id(by), outcome, of=matter) for stage, (by, outcome) in DECIDED.items()]
    apply_matter(case, matter, decisions, {"outsiders": ids, "endsLoan": True})
    row = case.rows.add(
        Disclosure,
        id=case.new_id(),
        matter_id=matter["id"],
        application_id=case.id,
        hand_over_id=case.loan["id"],
        outsider_ids=ids,
        copy_ids=[case.copy["id"]],
        ends_loan=True,
        allowed_at=case.at,
    )
    _fetch(case, matter, row, medium)
    _receive(case, matter, row, medium, on_behalf["outsiders"])


def _register(case: "Case") -> dict[str, Any]:
    """Enter a medium into the register, where the storage office keeps it."""
    site_id = case.uow.session.scalars(select(Site.id).order_by(Site.entered_at, Site.id).limit(1)).one()
    entered = {"site_id": site_id, "entered_by": demo_id(KEEPS_MEDIA), "entered_at": case.begun}
    of = {"number": f"JZ-T-{case.place:06d}", "kind": "disc", "serial": None, **entered}
    medium = case.rows.add(Medium, id=case.new_id(), state=IN, holder_id=None, out_since=None, **of)
    _enter(case, medium, REGISTERED, at=case.begun, by=KEEPS_MEDIA)
    return medium


def _enter(
    case: "Case",
    medium: dict[str, Any],
    event: str,
    *,
    at: datetime,
    by: str,
    holder: str | None = None,
    note: str | None = None,
) -> None:
    of = {"at": at, "by": demo_id(by), "holder_id": holder, "note": note}
    case.rows.add(MediumEvent, id=case.new_id(), medium_id=medium["id"], event=event, **of)
    now, case.at = case.at, at
    told = {"number": medium["number"], "holder": holder}
    case.record(f"medium-{event}", "medium", medium["id"], by=demo_id(by), of_case=False, **told)
    case.at = now


def _file(case: "Case") -> dict[str, Any]:
    sealed, start = case.copy["sealed"], case.asked[0].astimezone(ZoneInfo(ZONE))
    return {
        "copy": case.copy["id"],
        "file": f"{case.number}_{case.camera['name_en'].replace(' ', '-')}_{start:%Y-%m-%d_%H%M}.mp4",
        "format": f"MP4 {'、'.join(sealed['coverage']['codecs'])}",
        "size": sealed["plainSize"],
        "sha256": sealed["sha256Plain"],
        "camera": f"{case.camera['place_zh']} {case.camera['name_zh']}",
        "recorder": case.organisation.recorders[case.camera["recorder_id"]],
        "from": sealed["coverage"]["firstFrame"],
        "to": sealed["coverage"]["lastFrame"],
        "zone": ZONE,
        "clock": case.recorder_clock,
        "record": case.retrieval_record,
        "label": None,
    }


def _fetch(case: "Case", matter: dict[str, Any], row: dict[str, Any], medium: dict[str, Any]) -> None:
    """Write the file onto the medium, which is with whoever fetches it from now on."""
    case.at += timedelta(hours=3)
    by, download = demo_id(HANDS_OUT), case.new_id()
    _enter(case, medium, HANDED_OUT, at=case.at, by=HANDS_OUT, holder=by, note=matter["number"])
    fetched = {"person_id": by, "opens_with": "medium", "medium": medium["number"], "address": "127.0.0.1"}
    of = {"disclosure_id": row["id"], "copy_id": case.copy["id"], "asked_at": case.at, "finished_at": case.at}
    case.rows.add(DisclosureDownload, id=download, reads=1, **fetched, **of)
    told = {"matter": matter["number"], "download": download, "opensWith": "medium", "address": "127.0.0.1"}
    case.log("prepared", by, **told)
    told = {"matter": matter["id"], "download": download, "opens_with": "medium", "sendings": 1}
    case.record("disclosure-fetched", "copy", case.copy["id"], by=by, **told)


def _receive(
    case: "Case", matter: dict[str, Any], row: dict[str, Any], medium: dict[str, Any], people: list[dict[str, Any]]
) -> None:
    """Write the receipt, by which the loan ends; the medium stays with the officers."""
    case.at += timedelta(hours=1)
    by = demo_id(HANDS_OUT)
    received = {"people": people, "attachment": None, "note": "两名民警在清单上签字，清单一份随录像交付"}
    row |= {"received_at": case.at, "received": received, "recorded_by": by}
    medium |= {"state": PROVIDED}
    _enter(case, medium, PROVIDED, at=case.at, by=HANDS_OUT, holder=by, note=matter["number"])
    told: dict[str, Any] = {"matter": matter["number"], "outsiders": [person["name"] for person in people]}
    case.log("provided", by, of_copy=False, **told, receipt=None, coHolder=False)
    told = {"number": matter["number"], "outsiders": [person["id"] for person in people], "receipt": None}
    case.record("disclosure-received", "matter", matter["id"], by=by, **told, ends_loan=True)
    case.loan["ended_at"] = case.at
    case.grant |= {"ended_at": case.at, "ended_because": PROVIDED}
    case.visits.append((case.loan["accepted_at"], "in-use", case.at))
    case.log("ended", None, of_copy=False, because=PROVIDED)
    case.publish(LOAN_CLOSED, case.loan["id"], {"loanOutcome": PROVIDED})
    gone = case.at + case.uow.rules.identity_card_retention
    for officer in case.officers:
        officer |= {"purge_after": gone, "purged_at": gone}
        now, case.at = case.at, gone
        case.record("card-number-deleted", "outsider", officer["id"], card_kind=officer["card_kind"])
        case.at = now
