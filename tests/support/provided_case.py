"""A loan on behalf of an authority, on paper, and its disclosure: asked, decided and allowed as the process would."""

from typing import Any

from behalf_case import DRAFTER, STAGES, add_legal, submitted
from lent_case import offered
from loan_matter import LoanDesk
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.outsiders import Outsider
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.custody import hand_overs
from services.domain.reviews import filing
from services.domain.reviews.classification import Classification
from services.domain.storage import media, sites
from services.domain.storage.schemas import MediumBody, SiteBody

DECIDERS = (("security", "reviewer"), ("legal", "counsel"), ("security-signature", "security-head"))
WISH = {"opensWith": "browser", "endsLoan": True, "notOriginalBecause": "原始介质须继续录像。"}


def lent_to_security(desk: ReviewDesk, **changes: Any) -> dict[str, str]:
    """For ``prepared_desk``: the copy is accepted by Security's inspector; two officers are named.

    ``changes`` are of the form.
    """
    add_legal(desk)
    application_id = submitted(desk, **changes)
    for stage, by in STAGES:
        desk.decide(desk.opened(application_id, stage), by)
    desk.run(filing.file, application_id, Classification("ordinary", False, False, False, 15))
    desk.opened(application_id, "storage-release")
    item_id, copy_id, hand_over_id = desk.run(offered, application_id)
    receipt = desk.opened(application_id, "receipt", hand_over_id=hand_over_id)
    proof = Proof(desk.form_sha256(receipt), PASSWORD)
    desk.run(hand_overs.accept, hand_over_id, conditions_version=desk.rules.policy_version, proof=proof, by=DRAFTER)
    return {"application_id": application_id, "copy_id": copy_id, "hand_over_id": hand_over_id, "item_id": item_id}


def with_medium(desk: ReviewDesk, *numbers: str) -> None:
    """Register media of these numbers, which lie at a site of their own."""

    def act(uow: UnitOfWork) -> None:
        site = sites.add(uow, SiteBody(name=f"介质室{numbers[0]}", address="厂区西路2号"))
        for number in numbers:
            media.add(uow, MediumBody(number=number, kind="usb-stick", site_id=site.id))

    desk.run(act, by="operator")


class ProvidingDesk(LoanDesk):
    """A desk whose loan is on behalf of an authority."""

    @property
    def officers(self) -> list[str]:
        rows = self.desk.all(Outsider, application_id=self.application_id)
        return [row.id for row in sorted(rows, key=lambda row: row.position)]

    def wish(self, **changes: Any) -> dict[str, Any]:
        return {**WISH, "outsiderIds": self.officers, **changes}

    def asked(self, by: str = DRAFTER, **changes: Any) -> str:
        return self.ask("disclosure", by, **self.wish(**changes))

    def allowed(self, **changes: Any) -> str:
        """Asked, decided by all three, and carried out."""
        matter_id = self.asked(**changes)
        self.agreed(matter_id, *DECIDERS)
        assert self.apply(matter_id)
        return matter_id
