"""What was allowed, what was fetched and who has signed, as people see it."""

from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.attachments import queries as attachment_queries
from services.domain.attachments.schemas import AttachmentView
from services.domain.disclosures import service
from services.domain.disclosures.schemas import DisclosureView, FetchedFile, ListedFile
from services.domain.matters.kinds.disclosure import named_of

RECEIPT = "receipt"  # the kind of attachment


def get(uow: UnitOfWork, matter_id: str) -> DisclosureView:
    """Return the view, for who may see the case."""
    handing = service.get(uow, matter_id)
    row, facts = handing.row, handing.matter.facts
    refused = service.refusal(uow, handing)
    fetched = service.list_downloads(uow, handing)
    names = access_queries.get_names(uow, [*(one.person_id for one in fetched), row.recorded_by])
    return DisclosureView(
        matter_id=matter_id,
        number=handing.matter.number,
        application_id=row.application_id,
        application_number=handing.application.number,
        people=named_of(facts),
        files=[
            ListedFile(
                copy_id=file["copy"],
                file=file["file"],
                size=file["size"],
                sha256=file["sha256"],
                camera=file["camera"],
            )
            for file in facts["before"]["files"]
        ],
        fetched=[
            FetchedFile(
                id=one.id,
                copy_id=one.copy_id,
                by=names[one.person_id],
                opens_with=one.opens_with,
                medium=one.medium,
                asked_at=one.asked_at,
                finished_at=one.finished_at,
            )
            for one in fetched
        ],
        opens_with=handing.opens_with,
        medium=handing.medium,
        seal=handing.seal,
        ends_loan=row.ends_loan,
        received_at=row.received_at,
        received=row.received,
        recorded_by=names.get(row.recorded_by or ""),
        may_hand_out=refused is None,
        may_record_receipt=service.receipt_refusal(uow, handing) is None,
        because_zh=refused.zh if refused else None,
        because_en=refused.en if refused else None,
    )


def list_receipts(uow: UnitOfWork, application_id: str) -> list[AttachmentView]:
    """List the scanned receipts that are attached to the case."""
    listed = attachment_queries.get_list(uow, "application", application_id)
    return [one for one in listed.attachments if one.kind == RECEIPT]
