"""All edits of the models: the product's own, and those by somebody who had not seen the rules."""

from further_edits_approval import APPROVAL
from further_edits_beside import BESIDE
from further_edits_custody import CUSTODY
from further_edits_harmless import UNHARMED
from policy_edits import BREAKING as OWN_BREAKING
from policy_edits import HARMLESS as OWN_HARMLESS

BREAKING = [*OWN_BREAKING, *CUSTODY.breaking, *APPROVAL.breaking]
BREAKING_BESIDE, HARMLESS_BESIDE = BESIDE.breaking, BESIDE.harmless
REFUSED = [*CUSTODY.refused]
HARMLESS = [*OWN_HARMLESS, *UNHARMED.harmless]
