"""Who holds the seal key alone changes nothing unseen: not one value of what a package holds (R47, R52).

Each value is changed and all that the seal key signs is signed again; the audit log's key and its checkpoints are in
other hands.
"""

from pathlib import Path

import amount
import package_tampering as tampering
import pytest
from evidence_case import Made
from package_leaves import Leaf, Way, changed, leaves
from package_tampering import Contents

from services.verifier import layout
from services.verifier.examination import examine
from services.verifier.report import Report

pytestmark = [pytest.mark.slow, pytest.mark.requirement("R47", "R52")]
EVERY = 71  # of the values is changed in the sample

# What was seen by nobody before the audit events named it.
NAMED = [
    ("footage/1-master.label.json", ("predicate", "trueTime", "firstFrame")),
    ("footage/1-copy-1.label.json", ("predicate", "trueTime", "lastFrame")),
    ("footage/1-copy-1.label.json", ("predicate", "firstFrame")),
    ("footage/1-master.label.json", ("predicate", "examined", 0)),
    ("footage/1-master.label.json", ("predicate", "tools", "av")),
    ("footage/1-copy-1.label.json", ("predicate", "sources", 0, "sha256")),
    ("documents/SQ*.label.json", ("predicate", "madeAt")),
    ("decisions/*security.json", ("signature", "method")),
    ("decisions/*security.json", ("signature", "signedAt")),
    ("decisions/*security.json", ("people", "*")),
    (layout.SIGNED, ("predicate", "demo")),
    (layout.SIGNED, ("predicate", "sealedAt")),
    (layout.SIGNED, ("predicate", "madeBy")),
    (layout.RETURN, ("archived", "location")),
    (layout.README, ()),
    (layout.VERIFIER, ()),
]
# The check that names a member, whatever else does.
OWN = {
    "master-label": "label",
    "copy-label": "label",
    "document-label": "document",
    "decision": "decision",
}


@pytest.fixture(scope="module")
def contents(made: Made) -> Contents:
    return tampering.read(made.hash)


def examined(contents: Contents, leaf: Leaf, made: Made, path: Path) -> Report:
    target = tampering.write(path, changed(contents, leaf, made.seal))
    return examine(target, [made.fingerprints["root"]])


def is_named(report: Report, leaf: Leaf) -> bool:
    """Whether what fails is the member, by the check of its own kind where it has one, and no broken signature.

    A statement on another case than its events is named by those.
    """
    if leaf.member == layout.SIGNED:
        return bool(report.failed) and not {"bytes", "manifest", "manifest-signed"} & {
            line.check for line in report.failed
        }
    checks = {line.check for line in report.failed if leaf.member in (line.of, *line.found.replace(",", "").split())}
    own = OWN.get(layout.role_of(leaf.member))
    if leaf.way[:1] == ("people",):  # signed by nobody, and named with the whole member
        own = "as-made"
    return bool(checks) and (own is None or own in checks) and "bytes" not in checks


@pytest.mark.requirement("R47", "R52", refuses=True)
def test_what_is_changed_anywhere_is_named(made: Made, contents: Contents, tmp_path: Path) -> None:
    every = leaves(contents)
    assert len(every) > 1000
    wanted = every if amount.all_of_it() else every[::EVERY]

    unseen = [str(leaf) for leaf in wanted if not is_named(examined(contents, leaf, made, tmp_path / "p.zip"), leaf)]

    assert unseen == []


@pytest.mark.requirement("R47", "R52", refuses=True)
@pytest.mark.parametrize(("member", "way"), NAMED)
def test_what_nobody_saw_is_named(made: Made, contents: Contents, tmp_path: Path, member: str, way: Way) -> None:
    leaf = next(leaf for leaf in leaves(contents) if leaf.is_like(member, way))

    report = examined(contents, leaf, made, tmp_path / "changed.zip")

    assert report.exit_code == 1
    assert is_named(report, leaf)
