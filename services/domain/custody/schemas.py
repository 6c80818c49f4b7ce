"""The typed views of custody, which page and API share, and the bodies of what a custodian does."""

from typing import Annotated, Any, Literal

from pydantic import Field

from services.domain.access.namesakes import PersonToChoose
from services.domain.accounts.signatures.bodies import FormSigning, Signing
from services.vault.redaction.recipe import LONGEST_MS
from services.web.schemas import Account, Answer, Body, Identifier, Line, Moment, Note, PlacedParameters

Stroke = Annotated[list[tuple[int, int]], Field(max_length=3000)]
LoanSort = Literal["urgency", "number", "state", "until"]
LogSort = Literal["seq", "event", "person"]


class HandOversQuestion(PlacedParameters):
    """``text`` is searched in numbers and purposes."""

    sort: LoanSort = "urgency"


class Acceptance(FormSigning):
    """The receipt: which conditions were read."""

    conditions_version: Line


class Refusal(FormSigning):
    reason: Account


class NewCustodian(Body):
    """Who is to accept the copies in place of the custodian who is named now, and why."""

    person_id: Identifier
    reason: Account


class Loss(Body):
    kind: Literal["lost", "damaged", "leaked"]
    what_happened: Account


class RecorderClock(Answer):
    """The recorder's clock minus true time, in milliseconds, as the retrieval record has it."""

    zone: str
    offset_ms: int | None
    uncertainty_ms: int | None
    method: str | None
    measured_at: Moment | None = None


class IssuedCopy(Answer):
    """One copy: which camera and span, what is covered, and where its fragments lie in the plaintext.

    ``recorderClock`` is that of the retrieval (R37); the pictures' own times are the recorder's, not corrected by it.
    ``fragments`` are rows of time in ms, byte offset and length; ``actions`` is what is granted.
    """

    id: str
    item_id: str
    camera_zh: str
    camera_en: str
    place_zh: str
    place_en: str
    site: str
    recorder: str
    recorder_clock: RecorderClock | None
    record_number: str
    zone: str
    size: int
    sha256: str
    outcome: str
    coverage: dict[str, Any]
    fragments: list[list[int]]
    actions: list[str]


class WatchedStretch(Answer):
    """A stretch of a redacted copy, in milliseconds after its first picture."""

    start_ms: int
    end_ms: int


class WatchedAnswer(Answer):
    """How much of a redacted copy you have watched, 0 to 1, and what is left."""

    watched_share: float
    unwatched: list[WatchedStretch]


class DerivativeViewingAnswer(Answer):
    """A viewing of a redacted copy; ``content`` is where it is read, ``playlist`` the same for a player."""

    id: str
    derivative_id: str
    purpose: str
    size: int
    content: str
    playlist: str


class DerivativeView(WatchedAnswer):
    """A redacted copy. ``number`` is that of its matter, ``progress`` how much is made, 0 to 1.

    ``state``: ``queued``, ``made``, ``approved``, ``failed``, ``ended`` (its matter was closed before), ``discarded``.
    ``opens``: whether you can watch it now.
    """

    id: str
    matter_id: str
    copy_id: str
    number: str
    state: str
    camera_zh: str
    camera_en: str
    place_zh: str
    place_en: str
    zone: str
    recipe: dict[str, Any]
    recipe_sha256: str
    queued_at: Moment
    started_at: Moment | None
    pictures: int
    progress: float
    made_at: Moment | None
    failed_because: str | None
    sha256: str | None
    size: int | None
    retain_until: Moment | None
    opens: bool
    coverage: dict[str, Any]


class DetectionView(Answer):
    """What the detector proposes for a copy. ``progress``: how much was looked through, 0 to 1; ``tool`` names it.

    ``state``: ``queued``, ``made``, ``failed``, ``ended`` (the copy is gone). ``boxes``: regions as in a recipe, each
    with its ``score``, in pixels of ``picture``; ``until_ms``: later ones are left out, because there are too many.
    """

    id: str
    copy_id: str
    state: str
    progress: float
    pictures: int
    tool: str
    picture: dict[str, int] | None
    boxes: list[dict[str, Any]]
    until_ms: int | None


class EmergencyCopyView(Answer):
    """What you can see of an urgent retrieval before its approval; ``number`` is that of the urgent retrieval.

    ``until``: when that ends at the latest; ``opens``: whether it can be seen now.
    """

    id: str
    matter_id: str
    number: str
    position: int
    camera_zh: str
    camera_en: str
    place_zh: str
    place_en: str
    zone: str
    until: Moment
    opens: bool
    coverage: dict[str, Any]


class ListedDownload(Answer):
    """A download that the attestation at the return has to name.

    ``opensWith`` is ``browser``, ``archiver`` or ``age-key``; ``recipient`` the age key it is encrypted to, or empty.
    """

    id: str
    copy_id: str
    medium: str
    opens_with: str
    recipient: str
    asked_at: Moment
    reads: int
    finished_at: Moment | None


class NamedRecipient(PersonToChoose):
    """A person to whom the custodian may show the copies, once there is a valid agreement (R57, R59).

    ``viewsSince``: since when the person may view them under the own name; null where the custodian has not allowed it.
    """

    agreement: bool
    views_since: Moment | None


class MarkedMoment(Answer):
    """A moment of a copy, or of a redacted copy, that somebody has marked while watching it.

    ``kind``: ``bookmark`` or ``still``. ``at`` is the recorder's own time, ``atMs`` counts from the first picture.
    ``item`` is the position on the form, ``redaction`` the number of the redaction that made the copy, if one did.
    ``number`` is that of a still's document, and ``picture`` where it is shown in a viewing that is open.
    """

    seq: int
    kind: Literal["bookmark", "still"]
    at: Moment
    at_ms: int
    text: str
    by: str
    made_at: Moment
    item: int
    redaction: str | None
    number: str | None
    picture: str | None


class MomentBody(Body):
    """What is marked: a moment in milliseconds after the first picture, in a viewing that is open, with words."""

    viewing: Identifier
    at_ms: Annotated[int, Field(ge=0, le=LONGEST_MS)]
    text: Note = ""


class RecipientBody(Body):
    """The named recipient who is to view the copies."""

    person_id: Identifier


class ReportedLoss(Answer):
    kind: str
    what_happened: str


class AttestedDownload(Answer):
    """What became of a download, as the custodian attests."""

    fate: str
    note: str


class ReturnReceipt(Answer):
    """What the custodian attested at the return, by the id of each download.

    ``noOtherCopies`` is false where the copies were recalled: then nobody has attested anything.
    """

    returned_at: Moment
    return_to: str
    downloads: dict[str, AttestedDownload]
    no_other_copies: bool
    statement_sha256: str


class OpenSuspension(Answer):
    """Why the copies do not open now; ``cause`` is a code of ``suspensions.CAUSES``."""

    cause: str
    since: Moment
    until: Moment | None


class LoanLine(Answer):
    """A hand-over as one line; ``state`` is a code of ``queries.state_of``."""

    id: str
    number: str
    state: str
    take_up_until: Moment
    due_at: Moment | None


class HolderEntry(Answer):
    """An entry that a custodian has written; ``to`` is the name of the person to whom it was lent."""

    seq: int
    at: Moment
    event: str
    by: str
    text: str
    place: str | None
    to: str | None


class Visitor(PersonToChoose):
    """Who may be present at a viewing on site; ``unit`` and the card are of people outside.

    ``hindrance…`` says why a viewer whom the form names may not be present now; null where nothing does.
    """

    outsider: bool
    unit: str | None = None
    card_kind: str | None = None
    card_tail: str | None = None
    hindrance_zh: str | None = None
    hindrance_en: str | None = None


class ShownPart(Answer):
    """What was shown of one copy: spans ``[from, to]`` in the recorder's own time."""

    copy_id: str
    position: int
    camera: str
    zone: str
    spans: list[tuple[Moment, Moment]]


class SittingLine(Answer):
    """A viewing on site; ``state`` is ``open``, ``lapsed`` (closed by itself, not signed yet) or ``ended``.

    ``open`` ones close by themselves at ``closesAt``. ``number`` is that of the sheet, written when it has ended.
    """

    id: str
    number: str
    state: Literal["open", "lapsed", "ended"]
    station: str
    opened_at: Moment
    closes_at: Moment
    closed_at: Moment | None
    visitors: list[Visitor]


class SittingView(SittingLine):
    """A viewing on site with what was shown so far; ``signsWith`` is what its end is signed with."""

    hand_over_id: str
    application_number: str
    purpose: str
    address: str
    interval_seconds: int
    shown: list[ShownPart]
    copies: list[IssuedCopy]
    signs_with: list[str]


class SittingOffer(Answer):
    """What a viewing on site would begin with: the purpose, who may be present, and at which station one is.

    ``station`` is null, where the own address is none.
    """

    hand_over_id: str
    number: str
    purpose: str
    address: str
    station: str | None
    visitors: list[Visitor]


class SittingBody(Body):
    """Who is present: viewers by person, people outside by their entry in the application; whose cards were checked."""

    person_ids: Annotated[list[Identifier], Field(max_length=100)] = []  # noqa: RUF012  pydantic copies it
    outsider_ids: Annotated[list[Identifier], Field(max_length=100)] = []  # noqa: RUF012  pydantic copies it
    checked_ids: Annotated[list[Identifier], Field(max_length=100)] = []  # noqa: RUF012  pydantic copies it
    purpose_confirmed: bool = False


class LeaveBody(Body):
    """How a visitor signs: ``drawn`` with strokes of points, 600 wide and 200 high, or on the printed ``sheet``."""

    visitor_id: Identifier
    how: Literal["drawn", "sheet"]
    strokes: Annotated[list[Stroke], Field(max_length=60)] = []  # noqa: RUF012  pydantic copies it


class EndBody(Signing):
    """The end of a viewing on site, with every visitor once."""

    leaves: Annotated[list[LeaveBody], Field(max_length=200)]
    note: Annotated[str, Field(max_length=500)] = ""


class LevelInstructions(Answer):
    """What people are told of one confidentiality level, with the version of its rules."""

    level: str
    version: int
    zh: str
    en: str
    rule_title: str
    rule_link: str


class LoanHandling(Answer):
    """The handling rules that were kept with the case, the strictest of its levels (R56).

    ``checkInDue``: until when the copies open without a further confirmation of safe keeping.
    """

    way_of_use: str
    redacted_outside: bool
    two_people: bool
    max_use_days: int | None
    check_in_days: int | None
    check_in_due: Moment | None
    levels: list[LevelInstructions]


class HandOverView(LoanLine):
    """A hand-over with everything that its custodian signs for and acts on.

    ``purpose`` is what the copies may be used for, and nothing else (R41). ``agreed`` says whether the confidentiality
    agreement is valid; ``signsWith`` what a receipt is signed with, such as ``password``. ``suspensions`` are open now,
    the oldest first; ``suspendedAt`` is since when. ``entries`` are those that custodians wrote into the custody log.
    ``issue`` counts from 1: a later one replaces copies that were wrong (R44).
    """

    application_id: str
    issue: int
    purpose: str
    way_of_use: str
    place_of_use: str
    recipients: list[NamedRecipient]
    agreed: bool
    signs_with: list[str]
    conditions_version: str
    form_sha256: str
    use_days: int
    handling: LoanHandling | None  # of cases that were filed before there were such rules: none
    offered_at: Moment
    accepted_at: Moment | None
    declined_at: Moment | None
    suspended_at: Moment | None
    suspensions: list[OpenSuspension]
    returned_at: Moment | None
    lost_at: Moment | None
    loss: ReportedLoss | None
    ended_at: Moment | None
    copies: list[IssuedCopy]
    downloads: list[ListedDownload]
    entries: list[HolderEntry]
    sittings: list[SittingLine]
    return_office: str | None  # of a viewing on site: the companion's own
    receipt: ReturnReceipt | None


class ShownLoan(Answer):
    """A loan whose copies a named recipient may view, with the conditions that hold for it; until ``dueAt``."""

    id: str
    number: str
    purpose: str
    place_of_use: str
    custodian: str
    due_at: Moment | None
    conditions_version: str
    copies: list[IssuedCopy]


class EntryBody(Body):
    """What the custodian writes into the custody log.

    ``place`` is needed for ``moved``; ``personId``, one of the viewers whom the form names, for ``lent``.
    """

    event: Literal["moved", "lent", "checked"]
    text: Account
    place: Line | None = None
    person_id: Identifier | None = None


class LogEntry(Answer):
    seq: int
    at: Moment
    event: str
    person_id: str | None
    copy_id: str | None
    detail: dict[str, Any]
    previous_sha256: str
    sha256: str


class LogView(Answer):
    """A page of the custody log; ``names`` are those of the people in it, by id, ``items`` the positions by copy.

    ``brokenAt`` is the first line of the whole log whose hash does not follow from the one before, or null.
    """

    number: str
    entries: list[LogEntry]
    names: dict[str, str]
    items: dict[str, int]
    broken_at: int | None
