"""All edits of the models: the product's own, and those by somebody who had not seen the rules."""

from further_edits_approval import APPROVAL
from further_edits_beside import BESIDE
from further_edits_custody import CUSTODY
from further_edits_harmless import UNHARMED
from further_edits_in_time import IN_TIME
from further_edits_redrawn import REDRAWN, REDRAWN_BESIDE
from further_edits_waits import WAITS
from further_edits_whole import AROUND, WHOLE
from policy_edits import BREAKING as OWN_BREAKING
from policy_edits import HARMLESS as OWN_HARMLESS

BREAKING = [*OWN_BREAKING, *CUSTODY.breaking, *APPROVAL.breaking, *WHOLE.breaking, *REDRAWN.breaking, *WAITS.breaking]
BREAKING_BESIDE = [*BESIDE.breaking, *AROUND.breaking, *REDRAWN_BESIDE.breaking, *IN_TIME.breaking]
HARMLESS_BESIDE = [*BESIDE.harmless, *AROUND.harmless, *REDRAWN_BESIDE.harmless, *IN_TIME.harmless]
REFUSED = [*CUSTODY.refused]
HARMLESS = [*OWN_HARMLESS, *UNHARMED.harmless, *WHOLE.harmless, *REDRAWN.harmless, *WAITS.harmless]
