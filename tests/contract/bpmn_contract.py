"""What passes between the models and the services: the variables of each job, of each message, of each review."""

from services.domain.process import messages
from services.domain.stages import catalogue as stage_catalogue

# job type -> the variables that its worker may read, the variables that it answers with
JOBS: dict[str, tuple[set[str], set[str]]] = {
    "open-case": (
        {"applicationId", "duplicateIsError"},
        {"duplicate", "itemIds", "correctionPeriod", "applicationNumber"},
    ),
    "preserve-footage": ({"applicationId", "matterId"}, {"itemsPreserved", "itemsNotPreserved"}),
    "preliminary-review": ({"applicationId"}, {"applicationComplete", "onBehalf"}),
    "security-review": (
        {"applicationId"},
        {"securityFindings", "cameraClass", "securityInvolved", "managementInvolved"},
    ),
    "escalate-to-management": ({"applicationId", "decidedBy"}, {"deciders"}),
    "file-application": (
        {"applicationId", "importance", "managementNeeded", "secondPerson", "backupNeeded", "maxUseDays"},
        {"formNumber", "usePeriodDays", "itemIds"},
    ),
    "notify-storage": ({"applicationId"}, {"storageNotifiedAt"}),
    "retrieve-footage": ({"applicationId", "itemId"}, {"coverage", "recordNumber"}),
    "back-up-footage": ({"applicationId", "itemId"}, {"backupVerified"}),
    "encrypt-copy": ({"applicationId", "itemId"}, {"copyId"}),
    "hand-over": ({"applicationId", "usePeriodDays"}, {"handOverId", "takeUpPeriod", "gracePeriod", "reminderLead"}),
    "expire-offer": ({"applicationId", "handOverId"}, {"acceptedMeanwhile", "dueAt"}),
    "remind-return": ({"applicationId", "handOverId"}, {"remindersSent"}),
    "suspend-access": ({"applicationId", "handOverId"}, {"accessSuspended"}),
    "resume-access": ({"applicationId", "handOverId", "dueAt", "gracePeriod"}, set()),
    "open-violation": ({"applicationId", "handOverId", "violationKind", "matterId"}, {"violationId"}),
    "inspect-return": ({"applicationId", "handOverId"}, {"returnFindings"}),
    "re-archive": ({"applicationId", "handOverId", "decision"}, {"disposalDate"}),
    "expire-application": ({"applicationId", "round"}, {"correctedMeanwhile"}),
    "release-preservation": ({"applicationId", "closingOutcome"}, {"itemsReleased"}),
    "open-review": (
        {"applicationId", "stage", "handOverId", "matterId", "workOrderId", "inspectionId", "sampledCase"},
        {"reviewId", "firstReviewReminderAt", "reviewLimit", "applicationNumber"},
    ),
    "check-matter": (
        {"matterId"},
        {"allowed", "kind", "importance", "securityInvolved", "managementInvolved"},
    ),
    "apply-matter": ({"matterId"}, {"applied"}),
    "close-matter": ({"matterId", "closedAs"}, set()),
    "start-work-order": ({"workOrderId"}, {"attempt", "dueAt", "firstReminderAt", "verified"}),
    "remind-work-order": ({"workOrderId"}, set()),
    "escalate-work-order": ({"workOrderId"}, set()),
    "reopen-work-order": ({"workOrderId"}, {"attempt", "dueAt", "firstReminderAt"}),
    "close-work-order": ({"workOrderId", "closedAs"}, set()),
    "list-disposals": (set(), {"disposalsListed"}),
    "open-due-work-orders": (set(), {"opened"}),
    "open-work-orders": ({"defect"}, set()),
    "freeze-loan": ({"matterId"}, set()),
    "lift-freeze": ({"matterId"}, set()),
    "recall-copy": ({"matterId"}, set()),
    "grant-emergency-view": ({"matterId"}, {"viewUntil"}),
    "end-emergency-view": ({"matterId"}, {"ratified"}),
    "assess-violation": (
        {"matterId"},
        {
            *("violationKind", "importance", "daysLate", "leaked", "repeats", "securityInvolved", "managementInvolved"),
        },
    ),
    "suspend-for-violation": (
        {"matterId", "severity", "decidingStage", "suspendPerson", "referralAsked"},
        {"replyPeriod"},
    ),
    "expire-reply": ({"matterId"}, {"repliedMeanwhile"}),
    "clear-violation": ({"matterId"}, set()),
    "record-sanction": ({"matterId"}, {"loss", "referral"}),
    "hand-to-authority": ({"matterId"}, set()),
    "remind-violation": ({"matterId"}, set()),
    "draw-sample": ({"inspectionId"}, {"duplicate", "sampledCases"}),
    "write-inspection-report": ({"inspectionId"}, set()),
    "open-corrective-actions": ({"inspectionId"}, set()),
    "close-inspection": ({"inspectionId", "closedAs"}, set()),
    "reverify-footage": (set(), {"objectsVerified", "objectsDamaged"}),
    "reconcile": (set(), {"findingsOpen"}),
    "remind-reviewer": ({"reviewId"}, set()),
    "escalate-review": ({"reviewId"}, set()),
}

# what a worker reads only in some of the models
OPTIONAL = {"open-violation": {"matterId", "handOverId"}, "preserve-footage": {"matterId"}}

# Work on recorders and storage is tried five times, the rest three times.
STORAGE_JOBS = {
    "preserve-footage",
    "grant-emergency-view",
    "end-emergency-view",
    "retrieve-footage",
    "back-up-footage",
    "encrypt-copy",
    "release-preservation",
    "inspect-return",
    "re-archive",
    "reverify-footage",
    "reconcile",
}

# stage -> its decisions, what it returns besides `decision`; the file beside the models says so
STAGES: dict[str, tuple[set[str], set[str]]] = {
    code: (set(stage.outcomes), set(stage.returns))
    for code, stage in stage_catalogue.STAGES.items()
    if not stage.retired
}

# the stages that a table names, and no call by itself; models of their own call these by their names
CALLED_IN_MATTERS = {
    *("problem", "urgent-release", "legal-sanction", "referral"),
    *("supervision", "inspection-signature", "work-order-verification"),
}
OF_ROUTES = {code for code in STAGES if stage_catalogue.STAGES[code].phase == "matter"} - CALLED_IN_MATTERS

# message -> the variables that it carries
MESSAGES: dict[str, set[str]] = {
    messages.APPLICATION_SUBMITTED: {"applicationId"},
    messages.APPLICATION_CORRECTED: set(),
    messages.APPLICATION_WITHDRAWN: set(),
    messages.REVIEW_DECIDED: {"decision"}.union(*(returned for _, returned in STAGES.values())),
    messages.COPY_RETURNED: set(),
    messages.USE_PERIOD_CHANGED: {"dueAt"},
    messages.LOAN_CLOSED: {"loanOutcome"},
    messages.MATTER_ASKED: {"matterId", "applicationId"},
    messages.MATTER_MOOT: set(),
    messages.PROBLEM_REPORTED: {"matterId", "applicationId", "handOverId"},
    messages.URGENT_CALLED: {"matterId", "applicationId"},
    messages.APPLICATION_APPROVED: set(),
    messages.APPLICATION_REFUSED: set(),
    messages.VIOLATION_OPENED: {"matterId", "applicationId"},
    messages.VIOLATION_REPLIED: set(),
    messages.REFERRAL_RECEIVED: set(),
    messages.LOSS_SETTLED: set(),
    messages.INSPECTION_DUE: {"inspectionId", "period"},
    messages.WORK_ORDER_OPENED: {"workOrderId"},
    messages.WORK_ORDER_DONE: set(),
    messages.WORK_ORDER_CANCELLED: set(),
}

KEYS = {
    messages.APPLICATION_SUBMITTED: None,
    messages.APPLICATION_CORRECTED: '=applicationId + ":" + string(round)',
    messages.APPLICATION_WITHDRAWN: "=applicationId",
    messages.REVIEW_DECIDED: "=reviewId",
    messages.COPY_RETURNED: "=handOverId",
    messages.USE_PERIOD_CHANGED: "=handOverId",
    messages.LOAN_CLOSED: "=handOverId",
    messages.MATTER_ASKED: None,
    messages.MATTER_MOOT: "=matterId",
    messages.PROBLEM_REPORTED: None,
    messages.URGENT_CALLED: None,
    messages.APPLICATION_APPROVED: "=applicationId",
    messages.APPLICATION_REFUSED: "=applicationId",
    messages.VIOLATION_OPENED: None,
    messages.VIOLATION_REPLIED: "=matterId",
    messages.REFERRAL_RECEIVED: "=matterId",
    messages.LOSS_SETTLED: "=matterId",
    messages.INSPECTION_DUE: None,
    messages.WORK_ORDER_OPENED: None,
    messages.WORK_ORDER_DONE: '=workOrderId + ":" + string(attempt)',
    messages.WORK_ORDER_CANCELLED: "=workOrderId",
}

DECISION = {"importance", "managementNeeded", "decidedBy", "secondPerson", "backupNeeded", "maxUseDays"}

OUTCOMES = {
    "footage-re-archived",
    "rejected",
    "withdrawn",
    "expired",
    "footage-unavailable",
    "copy-not-taken-up",
    "copy-lost",
    "return-disputed",
    "footage-provided",
}
