"""Which section of which manual is about a page, for the question mark beside its heading."""

# By how the address begins, where * is any one part of it; the longest beginning that fits counts.
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
    "/hand-overs/*/report-loss": ("custodian", "problem"),
    "/hand-overs/*/return": ("custodian", "return"),
    "/copies": ("custodian", "use"),
    "/derivatives": ("custodian", "redact"),
    "/disclosures": ("security-head", "outside"),
    "/emergency-copies": ("applicant", "urgent"),
    "/matters": ("custodian", "change"),
    "/matters/new/problem": ("custodian", "problem"),
    "/matters/new/recall": ("security-head", "act"),
    "/matters/new/urgent": ("applicant", "urgent"),
    "/matters/violations": ("security-head", "act"),
    "/notices": ("reviewer", "limits"),
    "/sittings": ("custodian", "on-site"),
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
    "/supervision-groups": ("supervisor", "group"),
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
    parts = path.split("/")
    fitting = [start for start in SECTIONS if _begins(parts, start.split("/"))]
    if not fitting:
        return None
    manual, section = SECTIONS[max(fitting, key=lambda start: (start.count("/"), len(start)))]
    return f"/help/{manual}#{section}"


def _begins(parts: list[str], start: list[str]) -> bool:
    """Whether the parts of an address begin with these, of which * is any."""
    return len(start) <= len(parts) and all(one in ("*", part) for one, part in zip(start, parts, strict=False))
