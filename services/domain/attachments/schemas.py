"""Attachments as pages and API show them."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from services.database.tables.attachments import Attachment
from services.domain.attachments.subjects import Reading
from services.runtime.translations import Message
from services.web.schemas import Answer, Body, Moment, Note

IDENTITY_CARD = "identity-card"
Kind = Literal["letter", "identity-card", "evidence", "screenshot", "receipt", "reply", "appointment", "other"]
KINDS = {
    "letter": Message("Letter"),
    "identity-card": Message("Copy of an identity card"),
    "evidence": Message("Evidence"),
    "screenshot": Message("Screenshot"),
    "receipt": Message("Receipt"),
    "reply": Message("Reply"),
    "appointment": Message("Letter of appointment"),
    "other": Message("Other document"),
}
EXTENSIONS = {"image/jpeg": (".jpg", ".jpeg"), "image/png": (".png",), "application/pdf": (".pdf",)}
LARGEST = 20 << 20  # bytes of one file
MOST = 30  # files of one subject
LONGEST_NAME = 120  # characters

if set(KINDS) != set(get_args(Kind)):
    raise ValueError("every kind of attachment has a name")


class Description(Body):
    """What a person says of a file: its kind, its name and a note."""

    kind: Kind
    name: Annotated[str, Field(max_length=1000)]
    note: Note = ""


class AttachmentView(Answer):
    """One attachment. ``sha256`` and ``size`` (bytes) are of what is kept, images without metadata.

    ``content`` is where it is read; null once it was purged. ``ofForm``: the signed form names it.
    ``addedBy`` is null for the accused of a violation, of what was added by who has recorded it.
    """

    id: str
    kind: str
    file_name: str
    sha256: str
    size: int
    media_type: str
    note: str | None
    of_form: bool
    added_by: str | None
    added_at: Moment
    purged_at: Moment | None
    removable: bool
    content: str | None

    @classmethod
    def of(cls, row: Attachment, name: str | None, *, removable: bool) -> "AttachmentView":
        """``name`` is that of the person who added it."""
        own: dict[str, Any] = {"added_by": name, "removable": removable, "content": None}
        if row.purged_at is None:
            own["content"] = f"/api/attachments/{row.id}/content"
        fields = (field for field in cls.model_fields if field not in own)
        return cls(**{field: getattr(row, field) for field in fields}, **own)


class AttachmentList(Answer):
    """The attachments of a subject, oldest first; copies of identity cards are never among them.

    ``identityCards`` counts those for who may open them, and is null for everybody else. ``mayAdd``: whether the
    reader can add one now.
    """

    attachments: list[AttachmentView]
    identity_cards: int | None
    may_add: bool
    most: int = MOST

    @classmethod
    def empty(cls, reading: Reading) -> "AttachmentList":
        """Return the list of a subject that has none."""
        cards = 0 if reading.identity_cards or reading.edits else None
        return cls(attachments=[], identity_cards=cards, may_add=reading.refusal is None)
