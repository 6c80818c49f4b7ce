"""The doctor: each part that is not well says in a sentence what to do, and the parts that are say what they are."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from missing_wall import without_landlock
from sqlalchemy import delete, update
from typer.testing import CliRunner
from working_stages import working_stages

from services.app import doctor as app_doctor
from services.app.container import MODELS, open_container
from services.app.doctor import Line
from services.cli import main as cli_main
from services.database.tables.cameras import Recorder
from services.database.tables.documents import Document
from services.database.tables.working_calendar import CalendarYear
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo import organisation
from services.demo.recordings import CAMERAS, ZONE, Recordings
from services.domain.documents import service as document_service
from services.recorders import registry
from services.recorders.outside import Broken, Outside
from services.runtime.clock import TurnedClock
from services.runtime.labels import WORDS
from services.runtime.settings import Settings, unknown_variables
from services.runtime.translations import Message, Verbatim
from services.vault.keys.signing_key import CHAIN_FILE, LEAF_LASTS, ensure_signing_key
from services.vault.keys.vault_keys import ensure_keys

NOBODY = "127.0.0.1:1"


def settings(root: Path, **more: Any) -> Settings:
    return Settings.load(**{"data_dir": root, "rules.max_use_days": 30, "recorders.roots": str(root), **more})


async def sentence(part: str, loaded: Settings) -> str:
    """What the doctor says of a part that is not well."""
    [line] = [line for line in await app_doctor.examine(loaded, []) if line.part == part]
    assert not line.well, line.sentence
    return line.sentence


async def test_a_fresh_folder_is_well_and_an_opened_one_too(tmp_path: Path) -> None:
    assert [line for line in await app_doctor.examine(settings(tmp_path), []) if not line.well] == []
    assert not (tmp_path / "database.sqlite3").exists()

    container = open_container(settings(tmp_path))
    recordings = Recordings(container.settings.data_dir)
    organisation.prepare(container, recordings)
    for key in CAMERAS:
        recordings.record(key, datetime.now(ZONE) - timedelta(days=1), 1, whole=False)
    container.database.close()
    lines = await app_doctor.examine(settings(tmp_path), [])
    assert [line for line in lines if not line.well] == []
    assert "folder mediamtx, 2 channel(s)" in {line.sentence for line in lines}


async def test_the_chinese_of_each_line_holds_no_english_sentence(tmp_path: Path) -> None:
    container = open_container(settings(tmp_path))
    organisation.prepare(container, Recordings(container.settings.data_dir))
    unmounted = Recorder(
        name="仓库", site="北门", kind="folder", configuration={"root": str(tmp_path / "unmounted")}, zone="UTC"
    )
    container.database.run_now(Actor("system", "test"), lambda uow: uow.session.add(unmounted))
    container.database.close()
    (tmp_path / "open" / "keys" / "vault").mkdir(parents=True, mode=0o755)
    (tmp_path / "open" / "keys" / "vault").chmod(0o755)
    keys = {"store.access_key": "key", "store.secret_key": "secret", "replica.folder": tmp_path / "elsewhere"}
    sets = (
        settings(tmp_path / "fresh"),
        settings(tmp_path),
        settings(tmp_path / "open", **{"portal.public_url": "https://footage.example"}),
        settings(tmp_path, zeebe_address=NOBODY, store={"endpoint": NOBODY, "secure": False}, **keys),
        settings(tmp_path, **{"recorders.roots": None, "time_stamp.url": f"http://{NOBODY}"}),
        settings(tmp_path / "away", database_url=f"postgresql+psycopg://desk:hush@{NOBODY}/desk"),
    )
    found = [
        line
        for one in sets
        for line in await app_doctor.examine(one, unknown_variables({"FOOTAGE_DESK_PORTAL_PROT": "1"}))
    ]

    # what another program says, and our commands, stay as they are
    ours = {
        line.part: re.sub(r"（[^（）]*）|connection failed: [^|]*|footage-desk[a-z -]*", "", line.zh) for line in found
    }
    assert {part: text for part, text in ours.items() if re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", text)} == {}
    assert all(re.search(r"[\u4e00-\u9fff]", line.title.zh) for line in found)
    assert {line.well for line in found} == {True, False}


def test_the_command_speaks_the_language_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FOOTAGE_DESK_RULES__MAX_USE_DAYS", "30")

    said = CliRunner().invoke(cli_main.app, ["doctor", "--lang", "zh"])

    assert said.exit_code == 0, said.output
    assert "使用期限" in said.output
    assert "最长 30 天" in said.output
    assert "use period" not in said.output


async def test_the_page_has_words_for_each_part(tmp_path: Path) -> None:
    container = open_container(settings(tmp_path))
    container.database.close()
    stamped = settings(tmp_path, **{"time_stamp.url": f"http://{NOBODY}"})

    parts = {line.part.replace(" ", "-") for line in await app_doctor.examine(stamped, [])}
    assert {f"doctor-{part}" for part in parts} <= set(WORDS)


@pytest.mark.requirement("R52", verb="recorded")
async def test_what_has_waited_long_for_its_lock_is_named(tmp_path: Path) -> None:
    container = open_container(settings(tmp_path))

    def write(uow: UnitOfWork) -> None:
        document_service.write(uow, "confidentiality-agreement", "XY-2031-000001", {}, application_id=None)

    container.database.run_now(Actor("system", "test"), write)
    lines = {line.part: line for line in await app_doctor.examine(settings(tmp_path), [])}
    assert lines["locks"].well
    assert "0 master(s) and 1 document(s) are about to be locked" in lines["locks"].sentence

    since = datetime.now(UTC) - timedelta(hours=2)
    container.database.run_now(
        Actor("system", "test"), lambda uow: uow.session.execute(update(Document).values(lock_due_since=since))
    )
    container.database.close()
    assert "1 document(s) wait for their lock" in await sentence("locks", settings(tmp_path))


async def test_a_portal_that_runs_apart_is_asked_for_no_vault_key_and_no_replica(tmp_path: Path) -> None:
    lines = await app_doctor.examine(settings(tmp_path), [], portal=True)

    assert "replica" not in {line.part for line in lines}
    assert not (tmp_path / "replica").exists()
    assert not (tmp_path / "keys" / "vault").exists()


async def test_a_portal_that_runs_apart_says_when_the_seal_is_almost_over(tmp_path: Path) -> None:
    made = datetime.now(UTC) - LEAF_LASTS + app_doctor.SEAL_WARNED - timedelta(days=1)
    ensure_signing_key(tmp_path / "made", "某某局", made)
    (tmp_path / "keys" / "seal").mkdir(parents=True, mode=0o700)
    (tmp_path / "made" / CHAIN_FILE).rename(tmp_path / "keys" / "seal" / CHAIN_FILE)

    lines = {line.part: line for line in await app_doctor.examine(settings(tmp_path), [], portal=True)}

    assert "footage-desk keys rotate seal --root FILE" in lines["keys"].sentence
    assert not lines["keys"].well


async def test_the_seal_key_is_to_be_replaced_some_months_before_its_certificate_is_over(tmp_path: Path) -> None:
    made = datetime.now(UTC) - LEAF_LASTS + app_doctor.SEAL_WARNED - timedelta(days=1)
    ensure_signing_key(tmp_path / "keys" / "seal", "某某局", made)

    said = await sentence("keys", settings(tmp_path))

    assert "footage-desk keys rotate seal --root FILE" in said


@pytest.mark.requirement("R52", verb="recorded")
async def test_a_proxy_whose_word_is_not_taken_is_named_and_one_that_everybody_may_be_too(tmp_path: Path) -> None:
    behind = {"portal.public_url": "https://footage.example"}

    said = await sentence("proxy", settings(tmp_path, **behind))
    everybody = await sentence("proxy", settings(tmp_path, **behind, **{"portal.trusted_proxies": "*"}))
    trusted = settings(tmp_path, **behind, **{"portal.trusted_proxies": "10.0.0.1"})

    assert "set FOOTAGE_DESK_PORTAL__TRUSTED_PROXIES to the proxy's address" in said
    assert "callers choose their own address" in everybody
    assert [line.sentence for line in await app_doctor.examine(trusted, []) if line.part == "proxy"] == [
        "callers' addresses are taken from 10.0.0.1"
    ]


async def test_the_use_period_has_no_default(tmp_path: Path) -> None:
    said = await sentence("use period", settings(tmp_path, **{"rules.max_use_days": None}))
    assert "FOOTAGE_DESK_RULES__MAX_USE_DAYS is not set" in said


async def test_a_variable_that_is_no_setting_gets_the_name_that_was_meant(tmp_path: Path) -> None:
    unknown = unknown_variables({"FOOTAGE_DESK_PORTAL_PROT": "1"})
    [line] = [line for line in await app_doctor.examine(settings(tmp_path), unknown) if line.part == "settings"]
    assert not line.well
    assert "did you mean FOOTAGE_DESK_PORTAL__PORT" in line.sentence


async def test_a_store_that_is_down(tmp_path: Path) -> None:
    replica = {"replica.folder": tmp_path / "replica"}
    keys = {"store.access_key": "key", "store.secret_key": "secret"}
    said = await sentence("store", settings(tmp_path, store={"endpoint": NOBODY, "secure": False}, **keys, **replica))
    assert NOBODY in said
    assert "see that it runs" in said


@pytest.mark.s3
async def test_a_bucket_without_object_lock(tmp_path: Path, s3_server: Any, key: str) -> None:
    prefix = f"bare-{key.partition('/')[0]}"
    Minio(s3_server.endpoint, s3_server.access_key, s3_server.secret_key, secure=False).make_bucket(f"{prefix}-masters")
    said = await sentence(
        "store",
        settings(
            tmp_path,
            store={
                "endpoint": s3_server.endpoint,
                "access_key": s3_server.access_key,
                "secret_key": s3_server.secret_key,
                "secure": False,
                "prefix": prefix,
            },
            replica={"folder": tmp_path / "replica"},
        ),
    )
    assert "without object lock" in said
    assert "set another prefix" in said


@pytest.mark.parametrize("which", ["vault/vault-identity.txt", "vault", "loans"])
async def test_a_key_that_others_can_read(which: str, tmp_path: Path) -> None:
    ensure_keys(tmp_path / "keys" / "vault")
    (tmp_path / "keys" / "loans").mkdir(mode=0o700)
    (tmp_path / "keys" / which).chmod(0o755)
    assert "chmod" in await sentence("keys", settings(tmp_path))


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("end", ["", "-wal"])
async def test_a_database_beside_the_data_folder_that_others_can_read(end: str, tmp_path: Path) -> None:
    loaded = settings(tmp_path / "data", database_url=f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}")
    open_container(loaded).database.close()
    file = tmp_path / f"elsewhere.sqlite3{end}"
    file.touch()
    file.chmod(0o644)
    said = await sentence("database", loaded)
    assert f"the database is open to others | {file}" in said
    assert "chmod" in said


async def test_a_database_that_cannot_be_reached(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://desk:hush@{NOBODY}/desk"
    said = await sentence("database", settings(tmp_path, database_url=url))
    assert "check that the database runs and is reachable" in said
    assert "hush" not in said


@pytest.mark.postgres
async def test_a_database_that_nobody_has_migrated(tmp_path: Path, postgres_database: Callable[[], str]) -> None:
    said = await sentence("database", settings(tmp_path, database_url=postgres_database()))
    assert "run footage-desk migrate" in said


async def test_an_engine_that_cannot_be_reached(tmp_path: Path) -> None:
    said = await sentence("engine", settings(tmp_path, zeebe_address=NOBODY))
    assert NOBODY in said
    assert "ZEEBE_ADDRESS" in said


async def test_a_recorder_that_cannot_be_reached(tmp_path: Path) -> None:
    container = open_container(settings(tmp_path))
    recorder = Recorder(
        name="仓库", site="北门", kind="folder", configuration={"root": str(tmp_path / "unmounted")}, zone="UTC"
    )
    container.database.run_now(Actor("system", "test"), lambda uow: uow.session.add(recorder))
    container.database.close()
    assert "does not answer" in await sentence("recorder 仓库", settings(tmp_path))
    assert "FOOTAGE_DESK_RECORDERS__ROOTS" in await sentence(
        "recorder 仓库", settings(tmp_path, **{"recorders.roots": None})
    )


async def test_a_clock_that_a_demo_has_turned(tmp_path: Path) -> None:
    TurnedClock(tmp_path / "clock.json").turn(timedelta(days=3))
    assert "--demo" in await sentence("clock", settings(tmp_path))


def test_its_exit_code_says_whether_all_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("FOOTAGE_DESK_RULES__MAX_USE_DAYS", raising=False)
    ill = CliRunner().invoke(cli_main.app, ["doctor"])
    assert ill.exit_code == 1
    assert "✗" in ill.output

    monkeypatch.setenv("FOOTAGE_DESK_RULES__MAX_USE_DAYS", "30")
    well = CliRunner().invoke(cli_main.app, ["doctor"])
    assert well.exit_code == 0, well.output
    assert "✗" not in well.output

    monkeypatch.setenv("FOOTAGE_DESK_ZONE", "Mars")
    wrong = CliRunner().invoke(cli_main.app, ["doctor"])
    assert wrong.exit_code == 1
    assert "FOOTAGE_DESK_ZONE" in wrong.stderr


@pytest.mark.tool("libseccomp")
async def test_a_missing_wall_is_named_and_fails_where_both_are_required(tmp_path: Path) -> None:
    async def line(required: bool) -> Line:
        loaded = settings(tmp_path, **{"confinement.required": required})
        [found] = [line for line in await app_doctor.examine(loaded, []) if line.part == "confinement"]
        return found

    assert await line(True) == (
        Line(
            "confinement",
            True,
            Message("{walls} around what reads footage and images", walls=Message("two walls of two")),
        )
    )
    with without_landlock(tmp_path):
        free, required = await line(False), await line(True)
    assert free.well
    assert not required.well
    for one in (free, required):
        assert one.sentence.startswith("one wall of two; Landlock is missing: ")
        assert "FOOTAGE_DESK_CONFINEMENT__REQUIRED" in one.sentence


async def test_a_year_without_a_working_calendar_is_named_where_the_organisation_keeps_one(tmp_path: Path) -> None:
    loaded, year = settings(tmp_path), datetime.now(ZONE).year
    container = open_container(loaded)
    organisation.prepare(container, Recordings(container.settings.data_dir))
    imported = delete(CalendarYear)

    async def line() -> Line:
        [found] = [line for line in await app_doctor.examine(loaded, []) if line.part == "working calendar"]
        return found

    known = await line()
    container.database.run_now(
        Actor("system", "test"), lambda uow: uow.session.execute(imported.where(CalendarYear.year == year))
    )
    lacking = await line()
    container.database.run_now(Actor("system", "test"), lambda uow: uow.session.execute(imported))
    never = await line()
    models = tmp_path / "models"
    shutil.copytree(MODELS, models)
    with working_stages(models, "security"):
        pass  # the file stays, and this process works by the shipped one again
    apart = settings(tmp_path, models_dir=models)
    [needed] = [line for line in await app_doctor.examine(apart, []) if line.part == "working calendar"]
    container.database.close()

    assert (known.well, known.sentence) == (True, "no stage in working time; this year is imported")
    assert (lacking.well, never.well) == (False, True)
    assert f"no table of {year}" in lacking.sentence
    assert "/admin/calendar" in lacking.sentence
    assert never.sentence == "no stage in working time; none was imported"
    assert needed.well
    assert "only weekends count as days off for security" in needed.sentence


@pytest.mark.parametrize("portal", [False, True])
async def test_kinds_of_other_packages_are_named_and_a_broken_one_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, portal: bool
) -> None:
    broken = Broken(
        "acme-nvr", "acme-nvr 2.1", Message("What its entry point names is no Kind: correct the entry point.")
    )
    monkeypatch.setattr(registry, "OUTSIDE", Outside({}, (broken,)))
    monkeypatch.setitem(registry.KINDS, "other-nvr", replace(registry.KINDS["dahua"], package="other-nvr 1.0"))
    lines = {line.part: line for line in await app_doctor.examine(settings(tmp_path), [], portal=portal)}
    assert lines["recorder types of other packages"] == Line(
        "recorder types of other packages", True, Verbatim("other-nvr (other-nvr 1.0)")
    )
    assert not lines["recorder type acme-nvr"].well
    assert "acme-nvr 2.1, cannot be used: What its entry point names" in lines["recorder type acme-nvr"].sentence
