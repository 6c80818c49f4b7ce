"""Disclosures as pages and API show them, and the bodies of what is done with them."""

from typing import Annotated, Any

from pydantic import Field

from services.domain.applications.outsiders import MOST_NAMED
from services.domain.disclosures.service import OpensWith
from services.web.schemas import Answer, Body, Identifier, Moment, Note


class ReceiptBody(Body):
    """``outsiderIds``: who has signed the printed list; ``attachmentId``: its scan, a receipt attached to the case."""

    outsider_ids: Annotated[list[Identifier], Field(min_length=1, max_length=MOST_NAMED)]
    attachment_id: Identifier | None = None
    note: Note = ""


class FetchedFile(Answer):
    """A file that was fetched to be handed out; ``finishedAt`` is null until it was sent whole."""

    id: str
    copy_id: str
    by: str
    opens_with: str
    medium: str
    asked_at: Moment
    finished_at: Moment | None


class ListedFile(Answer):
    """A file that was signed for."""

    copy_id: str
    file: str
    size: int
    sha256: str
    camera: str


class DisclosureView(Answer):
    """What a matter has allowed to be handed out.

    ``mayHandOut``: you may fetch the files now; ``mayRecordReceipt``: each was fetched, and you may record who has
    signed. ``endsLoan``: the receipt ends the loan where it still runs, else the people outside are co-holders.
    ``received`` says who has signed, once somebody has.
    """

    matter_id: str
    number: str
    application_id: str
    application_number: str | None
    people: list[dict[str, Any]]
    files: list[ListedFile]
    fetched: list[FetchedFile]
    opens_with: OpensWith
    medium: str
    seal: str
    ends_loan: bool
    received_at: Moment | None
    received: dict[str, Any] | None
    recorded_by: str | None
    may_hand_out: bool
    may_record_receipt: bool
    because_zh: str | None
    because_en: str | None


class FetchedAnswer(Answer):
    """A file that is listed to be handed out; ``content`` is where it is fetched.

    ``password`` opens it, is said here only and is told to the people apart from the file; null for files in clear.
    """

    id: str
    copy_id: str
    opens_with: OpensWith
    password: str | None
    asked_at: Moment
    content: str
