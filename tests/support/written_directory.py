"""An organisation of six departments as a value, over which policies decide without a database."""

from collections.abc import Sequence

from services.domain.access.directory import DepartmentInfo, Directory, HeldPost, PersonInfo

Held = tuple[str, str, str]
"""A post: its person, the department, and the kind."""

DEPARTMENTS = {
    "board": DepartmentInfo("management"),
    "works": DepartmentInfo("business", "board"),
    "office": DepartmentInfo("administration", "board"),
    "legal": DepartmentInfo("legal", "board"),
    "security": DepartmentInfo("security", "board"),
    "storage": DepartmentInfo("storage", "board"),
}
LEADERS: tuple[Held, ...] = (
    ("board-head", "board", "head"),
    ("security-head", "security", "head"),
    ("security-deputy", "security", "deputy"),
    ("storage-head", "storage", "head"),
    ("office-head", "office", "head"),
    ("office-deputy", "office", "deputy"),
    ("counsel", "legal", "head"),
)


def directory_of(*posts: Held) -> Directory:
    """The six departments with their ``LEADERS`` and these posts, each person in the department of the post.

    All have signed the agreement.
    """
    held: Sequence[Held] = (*LEADERS, *posts)
    return Directory(
        departments=DEPARTMENTS,
        people={person: PersonInfo(person, department) for person, department, _ in held},
        held=[HeldPost(*post) for post in held],
        agreed={person for person, _, _ in held},
    )
