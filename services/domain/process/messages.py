"""The names of the messages to the process; the BPMN waits for exactly these."""

APPLICATION_SUBMITTED = "application-submitted"
APPLICATION_CORRECTED = "application-corrected"
APPLICATION_WITHDRAWN = "application-withdrawn"
REVIEW_DECIDED = "review-decided"
COPY_RETURNED = "copy-returned"
USE_PERIOD_CHANGED = "use-period-changed"
COPY_LOST = "copy-lost"
