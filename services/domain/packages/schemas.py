"""The typed views of evidence packages, the same for page and API, and the bodies of what is sent."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from services.domain.accounts.signatures.bodies import Signing
from services.web.schemas import Answer, Body, Identifier, Line, Moment, no_control

Footage = Literal["clear", "sealed", "hash"]
RecipientKind = Literal["inside", "authority", "other"]
State = Literal["asked", "refused", "lapsed", "queued", "made", "failed", "expired"]
Because = Annotated[str, Field(min_length=4, max_length=1000), AfterValidator(no_control)]


class PackageBody(Body):
    """What is asked for: of the case with this number, with which footage, for whom and why.

    ``clear``: the footage plays as it is; ``sealed``: as it lies in the vault, for who holds the escrow's key;
    ``hash``: no footage, its labels and hashes alone.
    """

    number: Identifier
    footage: Footage
    recipient_kind: RecipientKind
    recipient: Line
    reason: Because


class ApprovalBody(Signing):
    """The second person's answer, signed; a refusal says why."""

    outcome: Literal["approved", "refused"]
    reason: Annotated[str, Field(max_length=1000), AfterValidator(no_control)] = ""


class FetchView(Answer):
    """One time that the package was fetched; ``finishedAt``: when its last byte was sent."""

    by: str
    asked_at: Moment
    finished_at: Moment | None


class PackageView(Answer):
    """A package. ``progress`` (0 to 1) and ``phase`` say how far its making has come.

    ``state``: ``asked`` (the second person has not answered), ``refused``, ``lapsed`` (nobody has answered in time),
    ``queued``, ``made``, ``failed``, ``expired``. ``sha256`` is of the ZIP; the fingerprints are those that a reader
    compares; the last two are the verifiers', which a reader gets apart from the package. ``suspended``: access to the
    copies of the loan is suspended now.
    """

    id: str
    application_id: str
    number: str
    footage: Footage
    recipient_kind: RecipientKind
    recipient: str
    reason: str
    asked_by: str
    asked_at: Moment
    state: State
    decided_by: str | None
    decided_at: Moment | None
    decision_reason: str | None
    phase: str | None
    progress: float
    made_at: Moment | None
    size: int | None
    sha256: str | None
    manifest_sha256: str | None
    fingerprints: dict[str, str]
    failed_because: str | None
    expires_at: Moment | None
    suspended: bool
    fetches: list[FetchView]
    may_approve: bool
    may_fetch: bool
    verifier_page_sha256: str
    verifier_sha256: str


class PackageLine(Answer):
    """A package in the list."""

    id: str
    application_id: str
    number: str
    footage: Footage
    recipient: str
    asked_by: str
    asked_at: Moment
    state: State
    expires_at: Moment | None
    may_approve: bool


class PackagesAnswer(Answer):
    """A page of the packages that the reader has asked for or may approve, the newest first.

    ``next`` and ``previous`` are the ``place`` of the pages around it; empty where there is none.
    """

    packages: list[PackageLine]
    next: str
    previous: str


class FetchAnswer(Answer):
    """A fetching that is on record; ``content`` is where the package is read, also in ranges."""

    id: str
    package_id: str
    asked_at: Moment
    content: str
