"""The kinds of differences that a reconciliation finds, and what becomes of a finding."""

# What stands so until somebody changes it: it is gone when it is not found any more.
STATES = (
    *("missing", "other-version", "size", "extra", "overlaid", "label", "lock"),
    *("case-without-instance", "instance-without-case"),
    *("matter-without-instance", "instance-without-matter"),
    *("inspection-without-instance", "instance-without-inspection"),
    *("work-order-without-instance", "instance-without-work-order"),
)
# What has happened: nothing undoes it.
EVENTS = (
    *("label-wrong", "derived-damaged", "unexplained-put", "unexplained-delete"),
    *("foreign-read", "ghost-export", "log-unread"),
)
KINDS = (*STATES, *EVENTS)
# Somebody was where nobody should be: examined by who leads Security, and hidden from who keeps what was compared.
ACCESSES = ("unexplained-put", "unexplained-delete", "foreign-read", "ghost-export", "log-unread")
# Footage left the house, or may have: a violation of the case, and Security has to answer.
GRAVE = ("foreign-read", "ghost-export")
OPEN, EXPLAINED, WORK_ORDER, GONE = "open", "explained", "work-order", "gone"
UNRESOLVED = (OPEN, WORK_ORDER)  # whether somebody works on it or not
