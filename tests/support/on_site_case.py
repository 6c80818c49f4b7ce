"""A loan that is viewed on site, on paper: an authority's, with Security's inspector as the companion at a station."""

from typing import Any

from behalf_case import DRAFTER, STAGES, add_legal, submitted
from lent_case import offered
from loan_matter import LoanDesk
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.copies import Copy
from services.database.tables.outsiders import Outsider
from services.database.tables.rule_changes import RuleChange
from services.database.tables.sittings import Sitting
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.custody import hand_overs, sittings, viewings
from services.domain.reviews import filing
from services.domain.reviews.classification import Classification

COMPANION = DRAFTER
VIEWER = "keeper"  # of the works, named in the form
STATION, OTHER_STATION, ELSEWHERE = "10.0.5.20", "10.0.6.7", "192.168.1.9"
STATIONS = "10.0.5.20 监控室, 10.0.6.0/24 北门岗亭, 127.0.0.1"
# two fragments that follow each other, then a gap of recording
FRAGMENTS = [[0, 0, 1000], [2000, 1000, 1000], [4000, 2000, 1000], [60000, 3000, 2000]]


def with_station(desk: ReviewDesk) -> None:
    """Register the stations."""

    def act(uow: UnitOfWork) -> None:
        change = {"rule": "viewing_stations", "old": "", "new": STATIONS, "reason": "a test"}
        uow.session.add(RuleChange(at=uow.now, changed_by="admin", **change))

    desk.run(act)


def lent_on_site(desk: ReviewDesk) -> dict[str, str]:
    """For ``prepared_desk``: the companion has accepted the copy; two officers and a viewer are named."""
    add_legal(desk)
    with_station(desk)
    return lend(desk)


def lend(desk: ReviewDesk) -> dict[str, str]:
    """Lend another copy to the companion, where the stations are registered."""
    application_id = submitted(desk, way_of_use="on-site", recipient_ids=(VIEWER,))
    for stage, by in STAGES:
        desk.decide(desk.opened(application_id, stage), by)
    desk.run(filing.file, application_id, Classification("ordinary", False, False, False, 15))
    desk.opened(application_id, "storage-release")
    item_id, copy_id, hand_over_id = desk.run(offered, application_id)

    def with_fragments(uow: UnitOfWork) -> None:
        copy = uow.session.get_one(Copy, copy_id)
        copy.sealed = {**copy.sealed, "fragments": FRAGMENTS}

    desk.run(with_fragments)
    receipt = desk.opened(application_id, "receipt", hand_over_id=hand_over_id)
    proof = Proof(desk.form_sha256(receipt), PASSWORD)
    desk.run(hand_overs.accept, hand_over_id, conditions_version=desk.rules.policy_version, proof=proof, by=COMPANION)
    return {"application_id": application_id, "copy_id": copy_id, "hand_over_id": hand_over_id, "item_id": item_id}


class OnSiteDesk(LoanDesk):
    """A desk whose loan is viewed on site."""

    @property
    def officers(self) -> tuple[str, ...]:
        rows = self.desk.all(Outsider, application_id=self.application_id)
        return tuple(row.id for row in sorted(rows, key=lambda row: row.position))

    def begin(self, address: str = STATION, by: str = COMPANION, **changes: Any) -> Sitting:
        """Begin a sitting with both officers, whose cards were checked, and the viewer."""
        present = sittings.Present((VIEWER,), self.officers, self.officers)
        named = {"present": present, "purpose_confirmed": True, "address": address, **changes}
        return self.desk.run(sittings.begin, self.ids["hand_over_id"], by=by, **named)

    def view(self, address: str = STATION, by: str = COMPANION) -> str:
        """Open the copy; the viewing's id."""
        act = viewings.open_viewing
        return self.desk.run(act, self.ids["copy_id"], purpose_confirmed=True, address=address, by=by).viewing_id

    def read(self, viewing_id: str, start: int = 0, length: int = 500, address: str = STATION) -> None:
        read = viewings.record_read
        self.desk.run(read, self.ids["copy_id"], viewing_id, start, length, address=address, by=COMPANION)

    def leaves(self, sitting: Sitting) -> list[sittings.Leave]:
        """Each visitor signs on the sheet."""
        visitors = [*sitting.present["people"], *sitting.present["outsiders"]]
        return [sittings.Leave(one["id"], "sheet") for one in visitors]

    def end(self, sitting: Sitting, by: str = COMPANION, **changes: Any) -> Sitting:
        named = {"leaves": self.leaves(sitting), "note": "", "proof": Proof(password=PASSWORD), **changes}
        return self.desk.run(sittings.end, sitting.id, by=by, **named)
