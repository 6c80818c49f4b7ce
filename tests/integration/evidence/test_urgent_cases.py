"""Packages of cases that were called urgently: approved afterwards, and never approved."""

import asyncio
from pathlib import Path

import package_tampering
import pytest
from case_people import People
from demo_container import Places
from urgent_case import shown
from whole_desk import open_desk
from whole_footage import MADE_FOR, Footage

from services.app.evidence import sources_of
from services.database.tables.matters import Matter
from services.evidence import package
from services.runtime.threads import run_in_thread
from services.vault.keys.log_key import FOLDER, ensure_log_key
from services.verifier import layout
from services.verifier.examination import examine


@pytest.mark.parametrize("approved", [True, False])
@pytest.mark.requirement("R52", "R67")
async def test_a_case_that_was_called_urgently_has_its_package(
    tmp_path: Path, case_footage: Footage, case_books: Path, approved: bool
) -> None:
    async with open_desk(People, Places(tmp_path, case_footage, database=case_books), moment=MADE_FOR) as desk:
        ensure_log_key(desk.settings.keys / FOLDER)
        _ = desk.container.signer
        case, matter_id = await shown(desk)
        if approved:
            for stage in ("preliminary", "security", "security-signature"):
                await desk.decide(case, stage)
        else:
            await desk.decide(case, "preliminary", "rejected")
        await desk.until(lambda _: desk.rows(Matter, id=matter_id)[0].closed_at, "the end of the matter")
        await desk.quiet()
        number, target = str(desk.application(case).number), tmp_path / "case.zip"

        made = await run_in_thread(package.make, sources_of(desk.container), number, target)

    report = await asyncio.to_thread(examine, target, [made.fingerprints["root"]])
    assert report.exit_code == 0, report.failed
    contents = package_tampering.read(target)
    names = [name for name in contents if name.startswith("decisions/")]
    assert any("urgent-call" in name for name in names)
    assert any("urgent-release" in name for name in names)
    actions = contents[layout.EVENTS].decode()
    assert "emergency-view-granted" in actions
    assert ("application-filed" in actions) == approved
