"""An event of a case that names a signature has its signed act in the evidence package: without it there is none."""

import ast
from collections.abc import Iterator
from pathlib import Path

from services.domain.accounts.signatures import signed_acts
from services.runtime.places import ROOT

DOMAIN = ROOT / "services" / "domain"
FIELDS = "event_fields"  # of a signature, for the event that is written with it

# What is signed where, by the kind of its act in the package; None of what has no case, or is not in its package.
SIGNED: dict[str, tuple[str, ...] | None] = {
    "accounts/signatures/signing.py:Signed": None,  # where the fields are made
    "agreements/service.py:sign": ("confidentiality-agreement",),
    "applications/joint.py:_sign": ("consent",),
    "custody/returns.py:return_copies": ("return",),
    "custody/sittings.py:end": ("sitting",),
    "matters/service.py:_open": ("custody-offer",),
    "matters/urgents.py:call": ("urgent-call",),
    "packages/service.py:decide": ("package-approval",),
    "reviews/service.py:_propose": ("proposal", "decision"),
    "reviews/service.py:_write": ("decision",),
    "reviews/service.py:confirm": ("confirmation",),
    "supervision/case_reviews.py:decide": None,  # docs/evidence.md: what supervision writes about a case
    "supervision/groups.py:confirm": None,
    "supervision/groups.py:propose": None,
    "supervision/signing.py:sign": None,
    "work_orders/service.py:done": ("work-order-done",),
    "work_orders/service.py:verify": ("work-order-verified",),
}


def test_each_signed_event_has_its_act_in_the_package_or_a_reason_why_not() -> None:
    assert set(signing_functions()) == set(SIGNED)


def test_the_package_has_an_act_of_each_kind() -> None:
    assert {kind for kinds in SIGNED.values() for kind in kinds or ()} == kinds_of_acts()


def signing_functions() -> Iterator[str]:
    for path in sorted(DOMAIN.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and FIELDS in ast.dump(node):
                yield f"{path.relative_to(DOMAIN).as_posix()}:{node.name}"


def kinds_of_acts() -> set[str]:
    """What ``of_application`` calls its acts."""
    tree = ast.parse(Path(signed_acts.__file__).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "_act"]
    return {ast.literal_eval(call.args[1]) for call in calls}
