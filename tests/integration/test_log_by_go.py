"""Go's transparency log, which the world's Go modules rely on, opens our checkpoints and checks our proofs."""

import json
import subprocess
from typing import Any

import pytest
import tools
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from trail import Trail

from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.audit import tree as audit_tree
from services.vault.keys.log_key import LogKey

CHECK_LOG = tools.CACHED_TOOLS / "check-log"
ACTOR = Actor("system", "test")
GROWTH = (1, 1, 5, 250, 767, 1000, 1003)  # 1024 and 2024 among the sizes
STEP = 37


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    trail = Trail(f"sqlite:///{tmp_path_factory.mktemp('log') / 'books.db'}", LogKey(Ed25519PrivateKey.generate()))

    def grow(uow: UnitOfWork, by: int) -> None:
        for number in range(by):
            audit_trail.record(uow, "tried", "test", "录像", number=number)

    notes = []
    for by in GROWTH:
        trail.database.run_now(ACTOR, grow, by)
        notes.append(trail.sign())
    sizes = [sum(GROWTH[: index + 1]) for index in range(len(GROWTH))]

    def told(uow: UnitOfWork) -> dict[str, Any]:
        entries = list(uow.session.scalars(select(AuditEvent.entry).order_by(AuditEvent.seq)))
        return {
            "vkey": trail.key.public.vkey,
            "entries": entries,
            "checkpoints": notes,
            "inclusion": [
                audit_tree.inclusion(uow, index, size) for size in sizes for index in {*range(0, size, STEP), size - 1}
            ],
            "consistency": [audit_tree.consistency(uow, old, new) for new in sizes for old in sizes if old <= new],
        }

    try:
        return trail.database.run_now(ACTOR, told)
    finally:
        trail.database.close()


def check(given: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    assert CHECK_LOG.exists(), "run make setup-test: it builds the second implementation"
    return subprocess.run([CHECK_LOG], input=json.dumps(given), capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.requirement("R52")
def test_another_implementation_takes_every_checkpoint_and_every_proof(given: dict[str, Any]) -> None:
    done = check(given)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(len(given[name])) for name in ("checkpoints", "inclusion", "consistency")]


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("what", ["entries", "checkpoints", "inclusion", "consistency"])
def test_and_takes_nothing_that_was_changed(given: dict[str, Any], what: str) -> None:
    changed = json.loads(json.dumps(given))
    if what == "entries":
        changed[what][700] += " "
    elif what == "checkpoints":
        changed[what][3] = changed[what][3].replace("257\n", "256\n")
    else:
        changed[what][-2]["hashes"][-1] = "00" * 32
    done = check(changed)
    assert done.returncode == 1
    assert done.stderr
