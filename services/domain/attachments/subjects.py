"""What attachments belong to, and the rights that it gives: applications, matters, work orders and groups.

A capability to the right of this one registers its kind once, in ``services.domain.wiring``.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from services.database.unit_of_work import UnitOfWork
from services.runtime.errors import Refused

SubjectKind = Literal["application", "matter", "work-order", "supervision-group"]


@dataclass(frozen=True)
class Reading:
    """What a person who may read the subject's attachments may do besides.

    ``application_id``: the case in whose history the acts are recorded. ``edits``: it is a draft or a correction of
    theirs, so that what they add becomes a part of the form. ``draft``: nothing of it was ever submitted.
    ``identity_cards``: they handle it, and may open copies of identity cards. ``refusal``: why they can add nothing
    now, or None. ``hidden``: people by id whose names this person does not read.
    """

    application_id: str | None
    edits: bool
    draft: bool
    identity_cards: bool
    refusal: Refused | None
    hidden: Collection[str] = frozenset()


@dataclass(frozen=True)
class Subject:
    """One kind of subject.

    ``read`` raises NotFound where the acting person may not read the subject. ``lock`` locks its row, if there is one,
    before it is read to be changed. ``changed`` is called after attachments of an edited form were added or removed.
    """

    read: Callable[[UnitOfWork, str], Reading]
    lock: Callable[[UnitOfWork, str], None]
    changed: Callable[[UnitOfWork, str], None]


SUBJECTS: dict[SubjectKind, Subject] = {}


def register(kind: SubjectKind, subject: Subject) -> None:
    """Register the rights of a kind; again is no error."""
    SUBJECTS[kind] = subject
