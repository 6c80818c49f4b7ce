"""What would not hold is not given out: a package is examined before it has its name."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from case_people import People
from demo_container import Places
from evidence_case import lend
from whole_desk import open_desk
from whole_footage import MADE_FOR, Footage

from services.app.evidence import sources_of
from services.domain.accounts.signatures import signed_acts
from services.evidence import document_members, package
from services.evidence.document_members import DocumentFile
from services.runtime.errors import Fatal
from services.runtime.threads import run_in_thread
from services.vault.keys.log_key import FOLDER, ensure_log_key
from services.vault.keys.signer import Signer
from services.vault.keys.signing_key import ensure_signing_key
from services.verifier.footage import PREDICATE


class UnsignedLabels:
    """A store whose labels are of before they were signed."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def get(self, bucket: str, key: str, **more: Any) -> Iterator[bytes]:
        if bucket != document_members.BUCKET and key.endswith(".label.json"):
            return iter([rfc8785.dumps({"predicateType": PREDICATE})])
        return self._store.get(bucket, key, **more)  # type: ignore[no-any-return]


@pytest.mark.requirement("R52", refuses=True)
async def test_a_package_that_would_not_hold_is_not_made(
    tmp_path: Path, case_footage: Footage, case_books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_desk(People, Places(tmp_path, case_footage, database=case_books), moment=MADE_FOR) as desk:
        ensure_log_key(desk.settings.keys / FOLDER)
        _ = desk.container.signer
        sources = sources_of(desk.container)
        number = str(desk.application(await lend(desk, sources, ("cam1",))).number)
        target = tmp_path / "made" / "case.zip"

        async def refused(match: str, **changes: Any) -> None:
            with pytest.raises(Fatal, match=match):
                await run_in_thread(package.make, dataclasses.replace(sources, **changes), number, target)
            assert list(target.parent.glob("*")) == []
            assert desk.events("package-made") == []

        other = Signer(ensure_signing_key(tmp_path / "other", "of the same name", datetime.now(UTC)))
        await refused("was signed under another root than the seal key has now.*one by one.*openssl", signer=other)
        assert desk.events("package-started") == []
        await refused("it was sealed before labels were signed", store=UnsignedLabels(sources.store))
        kept = signed_acts.of_application
        with monkeypatch.context() as patched:
            patched.setattr(signed_acts, "of_application", lambda uow, id_: kept(uow, id_)[1:])
            await refused("was not stored completely")
        with monkeypatch.context() as patched:
            patched.setattr(DocumentFile, "sha256", "0" * 64)
            await refused("checks of it failed, the first: document of documents/")

        await run_in_thread(package.make, sources, number, target)
        await run_in_thread(package.make, sources, number, tmp_path / "again.zip")

        filed = [event.subject_id for event in desk.events("document-filed")]
        assert len(filed) == 2 * len(set(filed))  # each once, and once with the hash that was told wrongly
