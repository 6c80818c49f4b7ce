"""The kinds of matters, by code; a kind without a module cannot be asked for."""

from collections.abc import Mapping

from services.domain.matters.kinds.appeal import Appeal
from services.domain.matters.kinds.base import Kind
from services.domain.matters.kinds.custody_transfer import CustodyTransfer
from services.domain.matters.kinds.disclosure import DisclosureKind
from services.domain.matters.kinds.disposal import Disposal
from services.domain.matters.kinds.extension import Extension
from services.domain.matters.kinds.hold import HoldKind
from services.domain.matters.kinds.lift_hold import LiftHold
from services.domain.matters.kinds.problem import ProblemReport
from services.domain.matters.kinds.purpose_change import PurposeChange
from services.domain.matters.kinds.recall import Recall
from services.domain.matters.kinds.redaction import Redaction
from services.domain.matters.kinds.urgent import UrgentRetrieval
from services.domain.matters.kinds.violation import ViolationKind

KINDS: Mapping[str, Kind] = {
    kind.code: kind
    for kind in (
        Extension(),
        PurposeChange(),
        CustodyTransfer(),
        Recall(),
        ProblemReport(),
        ViolationKind(),
        DisclosureKind(),
        UrgentRetrieval(),
        Appeal(),
        Redaction(),
        Disposal(),
        HoldKind(),
        LiftHold(),
    )
}
