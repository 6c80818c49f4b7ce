"""What a download holds besides the footage, as the database knows it, and what its files are called (R37, R41)."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy, Download
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.unit_of_work import UnitOfWork
from services.domain.documents import service as document_service
from services.runtime.translations import Bilingual
from services.vault.labels import label_key

LONGEST_CAMERA = 40  # letters of a file's name


@dataclass(frozen=True)
class Contents:
    """One download: what its files are made of. ``name`` is that of all of them, without an ending.

    ``first`` and ``last`` are the delivered pictures' times by the recorder's clock, ``due_at`` the end of the use
    period; each zone is an IANA name. ``codecs`` are FFmpeg's names; ``parts`` says how many whole files the footage
    consists of, one after another. ``label`` is the document, if there is one, ``signed_label`` bucket and key of the
    statement in the store, and ``receipt`` the number of the document that the custodian has signed.
    """

    name: str
    ending: str
    number: str
    organisation: str
    policy_version: str
    demo: bool
    purpose: str
    camera: Bilingual
    first: datetime
    last: datetime
    due_at: datetime
    zone: str
    due_zone: str
    listed_at: datetime
    size: int
    sha256: str
    codecs: tuple[str, ...]
    parts: int
    opens_with: str
    label: Document | None
    signed_label: tuple[str, str]
    receipt: str | None
    derived: bool = False  # a redacted copy, and not the copy itself

    @property
    def footage(self) -> str:
        """The name of the footage's file."""
        return f"{self.name}.{self.ending}"


def get(uow: UnitOfWork, download_id: str) -> Contents:
    """Return the contents of a listed download; who may have them was checked before."""
    download = uow.session.get_one(Download, download_id)
    # the loan of the copy: where that was replaced, the download is accounted for with the next one
    hand_over_id = uow.session.get_one(Copy, download.copy_id).hand_over_id or download.hand_over_id
    return of_copy(uow, download.copy_id, hand_over_id, opens_with=download.opens_with, listed_at=download.asked_at)


def of_copy(uow: UnitOfWork, copy_id: str, hand_over_id: str, *, opens_with: str, listed_at: datetime) -> Contents:
    """Return the contents of a copy of a loan; ``listed_at`` is when it was listed to be fetched."""
    hand_over = uow.session.get_one(HandOver, hand_over_id)
    application = uow.session.get_one(Application, hand_over.application_id)
    lent = _lent(uow, hand_over_id)
    copy = next(copy for copy in lent if copy.id == copy_id)
    if hand_over.due_at is None:
        raise ValueError(f"the hand-over {hand_over_id} is of a loan that nobody has accepted")
    receipt = document_service.of_subject(uow, "hand-over-receipt", hand_over.id)
    sealed, coverage, camera = copy.sealed, copy.sealed["coverage"], copy.item.camera
    return Contents(
        name=names_of(application.number or application.id, lent)[copy.id],
        ending=ending_of(copy),
        number=application.number or "",
        organisation=uow.rules.organisation,
        policy_version=uow.rules.policy_version,
        demo=uow.demo,
        purpose=hand_over.purpose or application.purpose,
        camera=Bilingual(f"{camera.place_zh} {camera.name_zh}", f"{camera.place_en} {camera.name_en}"),
        first=datetime.fromisoformat(coverage["firstFrame"]),
        last=datetime.fromisoformat(coverage["lastFrame"]),
        due_at=hand_over.due_at,
        zone=copy.item.zone,
        due_zone=uow.rules.zone,
        listed_at=listed_at,
        size=sealed["plainSize"],
        sha256=sealed["sha256Plain"],
        codecs=tuple(coverage["codecs"]),
        parts=len(coverage["parts"]),
        opens_with=opens_with,
        label=document_service.of_subject(uow, "label", copy.id),
        signed_label=(sealed["bucket"], label_key(sealed["key"])),
        receipt=receipt.number if receipt else None,
    )


def ending_of(copy: Copy) -> str:
    """Return how the name of a copy's file ends."""
    return "mov" if any(part.get("container") == "mov" for part in copy.sealed["coverage"]["parts"]) else "mp4"


def names_of(number: str, copies: Sequence[Copy]) -> dict[str, str]:
    """Return a name for each copy of one loan, such as ``SQ-2026-000014_WorkshopA_2026-11-26_2246``, by its id.

    The time is that of the first delivered picture, in the camera's zone; letters that no system refuses. Where two
    would have the same name, on a disk that knows no capitals too, the later ones are numbered.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for copy in copies:
        first = datetime.fromisoformat(copy.sealed["coverage"]["firstFrame"]).astimezone(ZoneInfo(copy.item.zone))
        name = plain = f"{_plain(number)}_{_camera(copy)}_{first:%Y-%m-%d_%H%M}"
        count = 1
        while name.casefold() in taken:
            count += 1
            name = f"{plain}_{count}"
        taken.add(name.casefold())
        names[copy.id] = name
    return names


def _lent(uow: UnitOfWork, hand_over_id: str) -> list[Copy]:
    of_item = joinedload(Copy.item).joinedload(Item.camera)
    query = select(Copy).where(Copy.hand_over_id == hand_over_id).order_by(Copy.made_at, Copy.id)
    return list(uow.session.scalars(query.options(of_item)))


def _camera(copy: Copy) -> str:
    camera = copy.item.camera
    plain = (_plain(_joined(name), joint="") for name in (camera.name_en, camera.channel))
    return next((name[:LONGEST_CAMERA] for name in plain if name), "camera")


def _joined(name: str) -> str:
    """Return a name of several words as one, which still reads: ``loading bay`` becomes ``LoadingBay``."""
    return "".join(word[:1].upper() + word[1:] for word in name.split())


def _plain(text: str, joint: str = "-") -> str:
    """Return the letters, digits and hyphens of a text, accents taken off; everything else becomes ``joint``."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9-]+", joint, letters).strip("-")
