"""What a loan leaves on paper: the receipt, the return inspection, the custody log (R35, R39, R45 to R47).

Each is written once, at its moment, from the database alone; names are beside ids, as a document is read by itself.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.returns import Inspection, Return
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import forms, recipients
from services.domain.custody import copies, log, sitting_documents
from services.domain.documents import service as document_service
from services.domain.retrieval.records import get_release
from services.domain.stages.catalogue import STAGES

# What the custodian has before the eyes when signing, as the page of the receipt shows it.
CONDITIONS = (
    "只按注明的用途和批准的方式使用；用于其他用途须另行申请。",
    "不得给申请未列明的人员看；不得转发、复制、翻拍或公开。",
    "不得剪辑修改。副本已封存，任何改动都会被发现。",
    "妥善保管：丢失、损坏或泄露由使用部门承担责任。",
    "丢失、损坏或泄露须立即报告。发现录像有问题，请告知安全保卫部门，不得自行处理。",
    "用完即还，最迟在到期日归还，并逐一说明每次下载的去向。",
    "每次查看都记录姓名、时间和所读内容，画面带有您姓名的水印。",
)
UNDERTAKING = "我已阅读并将遵守上述使用条件，自即时起对这些副本负保管责任。"


def write_receipt(uow: UnitOfWork, hand_over: HandOver, review: Review) -> Document:
    """Write the receipt that the custodian has signed with the decision of ``review``."""
    decision = uow.session.scalars(select(Decision).where(Decision.review_id == review.id)).one()

    def content() -> dict[str, Any]:
        application = uow.session.get_one(Application, hand_over.application_id)
        released = get_release(uow, application.id)
        agreement = uow.session.get(Agreement, hand_over.agreement_id) if hand_over.agreement_id else None
        return {
            **_loan(uow, hand_over, application),
            "title": "视频录像移交签收单",
            "form": decision.form_sha256,
            "releasedBy": None if released is None else forms.person_to_json(uow, released.decided_by),
            "purpose": application.purpose,
            "wayOfUse": application.granted_way_of_use or application.way_of_use,
            "placeOfUse": application.place_of_use,
            "recipients": [{"name": name} for name in recipients.names(uow, application)],
            # of cases that were filed before there were such rules there are none
            **({"handling": application.handling} if application.handling else {}),
            "conditionsVersion": hand_over.conditions_version,
            "conditions": list(CONDITIONS),
            "undertaking": UNDERTAKING,
            "agreement": None if agreement is None else _agreement(uow, agreement),
            "by": forms.person_to_json(uow, decision.decided_by),
            "statement": decision.statement_sha256,
            "signature": decision.signature,
        }

    return document_service.write_once(
        uow, "hand-over-receipt", hand_over.id, content, application_id=hand_over.application_id
    )


def write_at_end(uow: UnitOfWork, hand_over: HandOver) -> None:
    """Write the return inspection, where there was one, and the custody log at the end of the loan."""
    application = uow.session.get_one(Application, hand_over.application_id)
    sitting_documents.write_unsigned(uow, hand_over, sitting_documents.LOAN_ENDED)
    inspection = uow.session.scalar(select(Inspection).where(Inspection.hand_over_id == hand_over.id))
    returned = uow.session.scalar(select(Return).where(Return.hand_over_id == hand_over.id))
    if inspection is not None and returned is not None:
        document_service.write_once(
            uow,
            "return-inspection",
            hand_over.id,
            lambda: _inspection(uow, hand_over, application, inspection, returned),
            application_id=application.id,
        )
    document_service.write_once(
        uow, "custody-log", hand_over.id, lambda: _log(uow, hand_over, application), application_id=application.id
    )


def filed_with(uow: UnitOfWork, application_id: str) -> list[Document]:
    """Return what is filed when the loan ends: the case's documents and the custodian's agreement.

    An agreement that was signed before there were such documents has none.
    """
    signed = uow.session.scalars(select(HandOver.agreement_id).where(HandOver.application_id == application_id))
    agreements = (
        document_service.of_subject(uow, "confidentiality-agreement", agreement_id)
        for agreement_id in signed
        if agreement_id is not None
    )
    return [
        *document_service.of_application(uow, application_id),
        *(agreement for agreement in agreements if agreement is not None),
    ]


def _loan(uow: UnitOfWork, hand_over: HandOver, application: Application) -> dict[str, Any]:
    moments = ("offered", "accepted", "due", "returned", "lost", "ended")
    times = {f"{name}At": getattr(hand_over, f"{name}_at") for name in moments}
    return {
        "application": application.number,
        "handOver": hand_over.id,
        "custodian": forms.person_to_json(uow, hand_over.custodian_id),
        "useDays": hand_over.use_days,
        **{name: moment.isoformat() if moment else None for name, moment in times.items()},
        "copies": [_copy(copy) for copy in _copies(uow, hand_over)],
    }


def _copies(uow: UnitOfWork, hand_over: HandOver) -> list[Copy]:
    """Return those that were not discarded, oldest first, with what a document says of their items."""
    of_item = joinedload(Copy.item).options(joinedload(Item.camera), selectinload(Item.retrieval_record))
    query = select(Copy).where(Copy.hand_over_id == hand_over.id, Copy.discarded_at.is_(None)).options(of_item)
    return list(uow.session.scalars(query.order_by(Copy.made_at, Copy.id)))


def _copy(copy: Copy) -> dict[str, Any]:
    item, camera, record = copy.item, copy.item.camera, copy.item.retrieval_record
    return {
        "id": copy.id,
        "position": item.position,
        "camera": camera.name_zh,
        "place": camera.place_zh,
        "record": record.number if record else None,
        "covered": copy.sealed.get("coverage", {}).get("covered", []),
        "sha256Plain": copy.sealed["sha256Plain"],
        "sha256Cipher": copy.sealed["sha256Cipher"],
    }


def _log(uow: UnitOfWork, hand_over: HandOver, application: Application) -> dict[str, Any]:
    loan = _loan(uow, hand_over, application)
    positions = {copy["id"]: copy["position"] for copy in loan["copies"]}
    return {
        **loan,
        "title": "视频录像保管记录",
        "loss": hand_over.loss,
        "entries": [
            {
                "seq": entry.seq,
                "at": entry.at.isoformat(),
                "event": entry.event,
                "person": forms.person_to_json(uow, entry.person_id),
                "copy": entry.copy_id,
                "position": positions.get(entry.copy_id or ""),
                "detail": entry.detail,
                "previous": entry.previous_sha256,
                "sha256": entry.sha256,
            }
            for entry in log.list_entries(uow, hand_over.id)
        ],
    }


def _inspection(
    uow: UnitOfWork, hand_over: HandOver, application: Application, inspection: Inspection, returned: Return
) -> dict[str, Any]:
    loan = _loan(uow, hand_over, application)
    fates = returned.attestation.get("downloads", {})
    decision = uow.session.scalar(
        select(Decision)
        .join(Review, Review.id == Decision.review_id)
        .where(Review.hand_over_id == hand_over.id, Decision.stage == "return-inspection")
        .order_by(Decision.decided_at.desc())
        .limit(1)
    )
    return {
        **loan,
        "title": "视频录像归还检查表",
        "copies": [{**copy, "matches": inspection.hashes.get(copy["id"])} for copy in loan["copies"]],
        "returnTo": returned.return_to,
        "returnedBy": forms.person_to_json(uow, returned.returned_by),
        "noOtherCopies": returned.attestation.get("noOtherCopies"),
        **({} if returned.attestation.get("noOtherCopies") else {"attested": False}),
        **_in_place_of(uow, returned),
        "downloads": [
            {
                "id": download.id,
                "askedAt": download.asked_at.isoformat(),
                "medium": download.medium,
                **fates.get(download.id, {}),
            }
            for download in copies.list_downloads(uow, hand_over.id)
        ],
        "inspectedAt": inspection.inspected_at.isoformat(),
        "findings": inspection.findings,
        "return": {
            "by": forms.person_to_json(uow, returned.returned_by),
            "at": returned.returned_at.isoformat(),
            "statement": returned.statement_sha256,
            "signature": returned.signature,
        },
        "decision": None if decision is None else _decision(uow, decision),
    }


def _in_place_of(uow: UnitOfWork, returned: Return) -> dict[str, Any]:
    """Return the custodian who has left, where somebody else has returned the copies; else nothing."""
    custodian_id = returned.attestation.get("inPlaceOf")
    return {"inPlaceOf": forms.person_to_json(uow, custodian_id)} if custodian_id else {}


def _decision(uow: UnitOfWork, decision: Decision) -> dict[str, Any]:
    questions = {question.code: question.zh for question in STAGES[decision.stage].questions}
    return {
        "outcome": decision.outcome,
        "by": forms.person_to_json(uow, decision.decided_by),
        "standsInFor": decision.stands_in_for,
        "at": decision.decided_at.isoformat(),
        "questions": [
            {"code": code, "question": questions.get(code, code), "answer": answer}
            for code, answer in decision.answers.items()
        ],
        "reason": decision.reason,
        "opinion": decision.opinion,
        "statement": decision.statement_sha256,
        "signature": decision.signature,
    }


def _agreement(uow: UnitOfWork, agreement: Agreement) -> dict[str, Any]:
    written = document_service.of_subject(uow, "confidentiality-agreement", agreement.id)
    return {
        "id": agreement.id,
        "version": agreement.version,
        "document": written.number if written else None,
        "signedAt": agreement.signed_at.isoformat(),
    }
