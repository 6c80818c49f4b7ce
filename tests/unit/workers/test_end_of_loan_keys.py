"""However a loan ends: its key is destroyed for good, the trail says so, and what was carried away stays shut."""

import json
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from custody_desk import Case, Desk

from services.backup import key_archive
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy
from services.domain.custody import hand_overs
from services.vault.age import NotARecipient, Reader
from services.vault.keys.vault_keys import ESCROW_FILE, FileIdentity, KeyGone
from services.workers import open_violation, re_archive, release_preservation


@dataclass
class Loan:
    """One that runs: the copy, its sealed bytes as somebody has carried them away, and its key's file."""

    desk: Desk
    case: Case
    hand_over_id: str
    copy: Copy
    carried_away: bytes

    @property
    def key_file(self) -> Path:
        return self.desk.root / "loans" / f"{self.copy.id}.key"

    @property
    def ids(self) -> dict[str, str]:
        return {"application_id": self.case.id, "hand_over_id": self.hand_over_id}


async def returned(loan: Loan, decision: str = "in-order") -> None:
    loan.case.give_back(loan.hand_over_id)
    await loan.case.inspect(loan.hand_over_id, decision)
    await loan.desk.work(re_archive, **loan.ids, decision=decision)


async def disputed(loan: Loan) -> None:
    await returned(loan, "discrepancy")


async def lost(loan: Loan) -> None:
    named = {"kind": "lost", "what_happened": "Left on a train."}
    loan.desk.as_person("custodian", hand_overs.report_loss, loan.hand_over_id, **named)
    await loan.desk.work(open_violation, **loan.ids, violation_kind="loss")


async def not_taken_up(loan: Loan) -> None:
    loan.case.ready_to_end("not-taken-up")
    await loan.desk.work(release_preservation, application_id=loan.case.id, closing_outcome="not-taken-up")


async def declined(loan: Loan) -> None:
    named = {"reason": "Not needed any more.", "proof": loan.case.proof()}
    loan.desk.as_person("custodian", hand_overs.decline, loan.hand_over_id, **named)
    await loan.desk.work(release_preservation, application_id=loan.case.id, closing_outcome="not-taken-up")


async def begun(desk: Desk, *, taken_up: bool) -> Loan:
    case = desk.case("gate")
    hand_over_id = await case.lend() if taken_up else await case.offer()
    [copy] = desk.rows(Copy)
    return Loan(desk, case, hand_over_id, copy, b"".join(desk.store.get("copies", copy.sealed["key"])))


@pytest.mark.requirement("R36", "R40", refuses=True)
@pytest.mark.requirement("R35", "R48")
@pytest.mark.parametrize("end", [returned, disputed, lost, not_taken_up, declined])
async def test_however_a_loan_ends_its_copy_opens_no_more(desk: Desk, end: Callable[[Loan], Awaitable[None]]) -> None:
    loan = await begun(desk, taken_up=end in (returned, disputed, lost))
    before = loan.key_file.read_bytes()
    other_name = desk.root / "another-name-of-the-same-file"
    other_name.hardlink_to(loan.key_file)

    await end(loan)

    with pytest.raises(KeyGone):
        desk.loan_keys.unwrapper(loan.copy.id)
    assert not loan.key_file.exists()
    assert len(other_name.read_bytes()) == len(before)
    assert other_name.read_bytes() != before, "it is overwritten, and not merely unlinked"
    for identity in (desk.vault_keys.unwrapper(), FileIdentity(desk.root / "keys" / ESCROW_FILE)):
        with pytest.raises(NotARecipient):
            Reader(lambda at, n: loan.carried_away[at : at + n], len(loan.carried_away), identity)
    told = [row for row in desk.rows(AuditEvent) if row.action == "loan-key-destroyed"]
    assert [(row.subject_id, row.application_id) for row in told] == [(loan.copy.id, loan.case.id)]
    assert json.loads(told[0].entry)["subject"] == {"id": loan.copy.id, "kind": "copy"}
    with pytest.raises(KeyGone):
        desk.loan_keys.create(loan.copy.id)


@pytest.mark.requirement("R36", refuses=True)
async def test_while_it_runs_stock_age_opens_the_copy_with_its_loan_key_alone(desk: Desk) -> None:
    loan = await begun(desk, taken_up=True)
    sealed = desk.root / "copy.age"
    sealed.write_bytes(loan.carried_away)

    def age(identity: Path) -> subprocess.CompletedProcess[bytes]:
        command = ["age", "--decrypt", "--identity", identity, sealed]
        return subprocess.run(command, capture_output=True, check=False)

    assert len(age(loan.key_file).stdout) == loan.copy.sealed["plainSize"]
    assert age(desk.root / "keys" / ESCROW_FILE).returncode != 0


async def test_no_backup_of_the_keys_that_last_has_a_loan_key(desk: Desk) -> None:
    loan = await begun(desk, taken_up=True)
    secret = loan.key_file.read_text()

    keys = desk.root / "data"
    keys.mkdir()
    for name in ("keys", "seal", "loans"):
        (desk.root / name).rename(keys / name)
    kept = key_archive.lasting_keys(keys)

    assert not any(secret.strip() in text for text, _ in kept.values())
    assert not any(name.startswith("loans") for name in kept)
