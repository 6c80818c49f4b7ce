"""The menu, by a person's posts. It hides pages that would refuse the person; it protects nothing."""

from collections.abc import Iterable
from dataclasses import dataclass

DECIDES = frozenset({"head", "deputy", "security-reviewer", "storage-operator", "manager", "return-inspector"})
ADMINISTRATOR = frozenset({"administrator"})
STORAGE = frozenset({"storage-operator", "supervisor"})
HOLDS = frozenset({"security-reviewer", "supervisor"})
SUPERVISES = frozenset({"supervisor"})
MANAGES = frozenset({"manager"})
LEADERS = frozenset({"head", "deputy"})
WATCHES = frozenset({"security-reviewer", "supervisor", "head", "deputy"})


@dataclass(frozen=True)
class Entry:
    """``label`` is English; the template translates it. ``posts`` see the entry; empty means everybody.

    ``led``: kinds of departments whose head and deputy see it too.
    """

    path: str
    label: str
    icon: str
    posts: frozenset[str] = frozenset()
    not_posts: frozenset[str] = frozenset()
    also: tuple[str, ...] = ()
    led: frozenset[str] = frozenset()

    def holds(self, path: str) -> bool:
        """Whether the page at ``path`` belongs to this entry; ``also`` begins the addresses of its other pages."""
        return path == self.path or (self.path != "/" and path.startswith((self.path, *self.also)))


def _(message: str) -> str:
    """Mark a label for translation."""
    return message


ENTRIES = (
    Entry("/", _("Overview"), "home"),
    Entry("/applications", _("Applications"), "file", not_posts=ADMINISTRATOR, also=("/apply", "/uploads", "/cameras")),
    Entry("/inbox", _("Inbox"), "inbox", DECIDES, also=("/reviews/", "/consents/")),
    Entry("/due-dates", _("Due dates"), "calendar", not_posts=ADMINISTRATOR),
    Entry("/hand-overs", _("In my custody"), "film", not_posts=ADMINISTRATOR, also=("/sittings/", "/copies/")),
    Entry("/matters", _("Matters"), "clock", not_posts=ADMINISTRATOR),
    Entry("/work-orders", _("Work orders"), "done", not_posts=ADMINISTRATOR),
    Entry("/storage", _("Storage office"), "disk", STORAGE),
    Entry("/register", _("Register"), "book", WATCHES, ADMINISTRATOR),
    Entry("/holds", _("Legal holds"), "lock", HOLDS, ADMINISTRATOR, led=frozenset({"security", "legal"})),
    Entry(
        "/packages",
        _("Evidence packages"),
        "file",
        frozenset({"security-reviewer"}),
        ADMINISTRATOR,
        led=frozenset({"security", "legal"}),
    ),
    Entry("/supervision", _("Supervision"), "eye", SUPERVISES, ADMINISTRATOR, led=frozenset({"security"})),
    Entry(
        "/supervision/group",
        _("Supervision"),
        "eye",
        MANAGES,
        ADMINISTRATOR | SUPERVISES,
        also=("/supervision/inspections", "/supervision/use-reports"),
        led=frozenset({"management"}),
    ),
    Entry("/requests", _("Change requests"), "done", ADMINISTRATOR | {"supervisor", "head", "deputy"}),
    Entry("/admin", _("Administration"), "gear", ADMINISTRATOR | {"supervisor"}),
)


def entries(posts: Iterable[str], department_kind: str = "") -> list[Entry]:
    """Return the entries for a person with these posts, of a department of this kind."""
    held = frozenset(posts)
    leads = bool(held & LEADERS)
    return [
        entry
        for entry in ENTRIES
        if (not entry.posts or entry.posts & held or (leads and department_kind in entry.led))
        and not (entry.not_posts and entry.not_posts & held)
    ]
