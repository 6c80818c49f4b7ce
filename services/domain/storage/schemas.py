"""The typed views of the registers of storage, the same for page and API, and the bodies of what is sent."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, field_validator

from services.database.tables.sites import USES
from services.web.schemas import (
    Account,
    Answer,
    Body,
    Code,
    Identifier,
    Line,
    ListParameters,
    Moment,
    Note,
    PlacedParameters,
    WrongLine,
)

SiteUse = Literal["primary", "backup", "recorder-room", "viewing"]
Part = Literal["keeper", "deputy"]
DeviceKind = Literal["recorder", "array", "node", "tape", "medium", "viewing-station"]
MediumKind = Literal["usb-stick", "disk", "disc", "tape", "other"]
MediumEnd = Literal["provided", "destroyed", "lost"]
StoreName = Literal["vault", "replica"]
SiteSort = Literal["name"]
DeviceSort = Literal["number"]
MediumSort = Literal["number", "out"]
DisposalSort = Literal["position"]


class SiteBody(Body):
    """``area``: which area of it is set apart for storage, in words."""

    name: Line
    address: Line
    uses: Annotated[list[SiteUse], Field(default_factory=list, max_length=len(USES))]
    area: Note = ""

    @field_validator("uses")
    @classmethod
    def _once(cls, uses: list[str]) -> list[str]:
        return [use for use in USES if use in uses]


class KeeperBody(Body):
    person_id: Identifier
    part: Part = "keeper"


class PlacesBody(Body):
    """At which site the vault stands, and at which its replica; None: it is not told."""

    vault: Identifier | None = None
    replica: Identifier | None = None


class RecorderSiteBody(Body):
    recorder_id: Identifier


class DeviceBody(Body):
    """``redundancy``: what of it may fail, in words. ``recorderId``: the recorder of the catalogue that it is.

    ``store``: the store of footage that it carries, alone or with other devices.
    """

    number: Line
    kind: DeviceKind
    make: Line
    model: Line
    serial: Annotated[str, Field(max_length=200)] = ""
    site_id: Identifier
    in_service_since: date | None = None
    capacity: Annotated[str, Field(max_length=200)] = ""
    redundancy: Note = ""
    recorder_id: Identifier | None = None
    store: StoreName | None = None


class RetireBody(Body):
    because: Account


class MediumBody(Body):
    number: Line
    kind: MediumKind
    serial: Annotated[str, Field(max_length=200)] = ""
    site_id: Identifier


class HandOutBody(Body):
    """To whom of the organisation the medium is handed, and for what."""

    person_id: Identifier
    note: Note = ""


class ScanBody(Body):
    """The number of a medium that is back, and where it lies now; without ``siteId`` where it belongs."""

    number: Line
    site_id: Identifier | None = None


class MediumEndBody(Body):
    state: MediumEnd
    note: Account


class MarkBody(Body):
    """``because``: why the item is left out; empty lists it again."""

    because: Note = ""


class SitesQuestion(PlacedParameters):
    sort: SiteSort = "name"


class DevicesQuestion(PlacedParameters):
    """``retired``: those that are no longer in service."""

    sort: DeviceSort = "number"
    kind: Code = ""
    retired: bool = False


class MediaQuestion(PlacedParameters):
    """``state``: in, out, provided, destroyed or lost; empty for all."""

    sort: MediumSort = "number"
    state: Code = ""


class ItemsQuestion(PlacedParameters):
    """``state``: listed, left-out, due, kept, held or deleted; empty for all."""

    sort: DisposalSort = "position"
    state: Code = ""


class BatchesQuestion(ListParameters):
    """The batches of disposal, the newest first; ``text`` is searched in their numbers."""


class KeeperView(Answer):
    """Who keeps a site, or did; ``unfit``: why the person cannot any longer."""

    id: str
    person_id: str
    name: str
    part: str
    since: Moment
    until: Moment | None
    unfit_zh: str | None = None
    unfit_en: str | None = None


class SiteLine(Answer):
    """One site in a list. ``kept``: somebody who is fit for it is in charge."""

    id: str
    name: str
    address: str
    uses: list[str]
    area: str | None
    closed_at: Moment | None
    kept: bool
    keepers: list[KeeperView]
    stores: list[str]  # vault and replica, where they stand here


class RecorderHere(Answer):
    id: str
    name: str


class SiteView(SiteLine):
    """One site with all of it; ``history`` are those who kept it before."""

    history: list[KeeperView]
    recorders: list[RecorderHere]
    devices: int
    may_change: bool


class PlacesView(Answer):
    """Where vault and replica stand. ``problem`` says what is wrong about it, and ``missing`` what nobody has told."""

    vault: str | None
    replica: str | None
    vault_name: str | None
    replica_name: str | None
    problem_zh: str | None
    problem_en: str | None
    missing: list[str]


class Sentence(Answer):
    zh: str
    en: str


class DiskView(Answer):
    """One disk, with the device's own word for its state. ``failed``: None where the device does not tell."""

    name: str
    status: str
    failed: bool | None
    total_bytes: int | None
    free_bytes: int | None


class HealthView(Answer):
    """What was last read of a store (vault, replica) or of a recorder, by its id.

    ``state``: good, bad or not-told, since ``since`` and as told at ``toldAt``. ``failure``: why nothing was told at
    ``askedAt``. ``figures``: totalBytes, freeBytes, drivesOnline, drivesOffline, drivesHealing, nodesOnline,
    nodesOffline, erasureSets, writeQuorum, disks, disksFailed, as far as they are told.
    """

    source: str
    state: str
    since: Moment
    told_at: Moment | None
    asked_at: Moment
    findings: list[Sentence]
    figures: dict[str, int]
    disks: list[DiskView]
    failure_zh: str | None
    failure_en: str | None


class DeviceLine(Answer):
    """One device. ``health``: None where nothing was read of it, which says nothing of it."""

    id: str
    number: str
    kind: str
    make: str
    model: str
    serial: str | None
    site_id: str
    site: str
    in_service_since: date | None
    capacity: str | None
    redundancy: str | None
    recorder_id: str | None
    recorder: str | None
    store: str | None
    retired_at: Moment | None
    retired_because: str | None
    health: HealthView | None = None


class MediumLine(Answer):
    """One medium. ``site``: where it belongs; ``holder``: who has it; ``uses``: how often it was written to."""

    id: str
    number: str
    kind: str
    serial: str | None
    state: str
    site_id: str
    site: str
    holder: str | None
    out_since: Moment | None
    uses: int


class DeviceImportAnswer(Answer):
    """What an import would do, or has done; with a wrong line nothing is taken over."""

    new: int
    changed: int
    unchanged: int
    wrong: list[WrongLine]
    done: bool


class BatchLine(Answer):
    """One batch of disposal; ``counts``: its items by state."""

    matter_id: str
    number: str
    state: str
    opened_at: Moment
    closed_at: Moment | None
    counts: dict[str, int]
    document: str | None


class BatchView(BatchLine):
    """One batch. ``mayMark``: you are asked about it now, and may leave items out, with a reason each."""

    may_mark: bool
    review_id: str | None


class DisposalAnswerResult(Answer):
    """What a store has answered: place (vault or replica), kind of object, version, and whether it was there."""

    place: str
    what: str
    key: str
    version: str
    answer: str


class DisposalLine(Answer):
    """One item of a batch. ``because``: why it was left out, or what holds it."""

    id: str
    position: int
    number: str
    camera_zh: str
    camera_en: str
    start: Moment
    end: Moment
    zone: str
    importance: str
    size: int
    sha256: str
    retained_until: Moment
    places: int
    state: str
    because: str | None
    marked_by: str | None
    ended_at: Moment | None
    results: list[DisposalAnswerResult]
