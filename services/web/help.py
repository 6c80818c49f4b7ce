"""Which section of which manual is about a page, for the question mark beside its heading."""

# By how the address begins; the longest beginning that fits counts.
SECTIONS = {
    "/applications": ("applicant", "after"),
    "/cases": ("applicant", "after"),
    "/apply": ("applicant", "apply"),
    "/uploads": ("applicant", "apply"),
    "/inbox": ("reviewer", "decide"),
    "/reviews": ("reviewer", "decide"),
    "/consents": ("applicant", "apply"),
    "/cameras": ("applicant", "apply"),
    "/due-dates": ("applicant", "due"),
    "/hand-overs": ("custodian", "use"),
    "/copies": ("custodian", "use"),
    "/matters/new": ("custodian", "change"),
    "/matters/violations": ("security-head", "act"),
    "/sittings": ("custodian", "use"),
    "/storage": ("storage", "release"),
    "/storage/sites": ("storage", "registers"),
    "/storage/devices": ("storage", "registers"),
    "/storage/media": ("storage", "registers"),
    "/storage/reconciliations": ("storage", "care"),
    "/storage/disposals": ("storage", "disposal"),
    "/register": ("security-head", "overview"),
    "/holds": ("security-head", "act"),
    "/packages": ("security-head", "packages"),
    "/supervision": ("supervisor", "inspect"),
    "/supervision/group": ("supervisor", "group"),
    "/supervision/requirements": ("supervisor", "look"),
    "/supervision/footage-viewers": ("supervisor", "look"),
    "/supervision/audit": ("supervisor", "look"),
    "/supervision/statistics": ("supervisor", "look"),
    "/supervision/use-reports": ("supervisor", "look"),
    "/work-orders": ("supervisor", "work-orders"),
    "/requests": ("security-head", "substitute"),
    "/account": ("security-head", "substitute"),
    "/admin": ("administrator", "health"),
    "/admin/people": ("administrator", "people"),
    "/admin/departments": ("administrator", "people"),
    "/admin/directory": ("administrator", "people"),
    "/posts": ("security-head", "substitute"),
    "/admin/recorders": ("administrator", "recorders"),
    "/admin/cameras": ("administrator", "recorders"),
    "/admin/plans": ("administrator", "recorders"),
    "/admin/rules": ("administrator", "rules"),
    "/admin/handling": ("administrator", "rules"),
    "/admin/agreements": ("administrator", "rules"),
    "/admin/calendar": ("administrator", "rules"),
    "/admin/models": ("administrator", "models"),
    "/admin/engine": ("administrator", "models"),
}


def about(path: str) -> str | None:
    """Return the address of the section about the page at ``path``, of the overview that of all manuals.

    None where no manual says anything of it.
    """
    if path == "/":
        return "/help"
    fitting = [start for start in SECTIONS if path == start or path.startswith(start + "/")]
    if not fitting:
        return None
    manual, section = SECTIONS[max(fitting, key=len)]
    return f"/help/{manual}#{section}"
