"""What PostgreSQL's driver is told: time-outs, a primary, nothing of a session behind a pooler."""

from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from services.database.engine import connect, connect_arguments
from services.runtime.errors import Fatal
from services.runtime.settings import Settings
from services.runtime.settings.database import DatabaseSettings

ADDRESS = "postgresql+psycopg://desk@db/desk"
SETTINGS = DatabaseSettings(connect_seconds=3, statement_seconds=20, idle_seconds=30)


def test_every_wait_has_an_end() -> None:
    told = connect_arguments(make_url(ADDRESS), SETTINGS)

    assert told["connect_timeout"] == 3
    assert told["options"].startswith("-c statement_timeout=20s -c idle_in_transaction_session_timeout=30s ")
    assert told["target_session_attrs"] == "read-write"
    assert {"keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"} <= told.keys()
    assert "prepare_threshold" not in told
    assert connect_arguments(make_url("sqlite:///file"), SETTINGS) == {}


def test_what_the_address_says_wins() -> None:
    address = f"{ADDRESS}?connect_timeout=9&target_session_attrs=any&options=-c%20statement_timeout%3D7s"
    told = connect_arguments(make_url(address), SETTINGS)

    assert not {"connect_timeout", "target_session_attrs"} & told.keys()
    assert told["options"].endswith(" -c statement_timeout=7s")  # of two the last one counts


def test_behind_a_pooler_nothing_is_set_for_a_session_or_prepared() -> None:
    told = connect_arguments(make_url(ADDRESS), SETTINGS.model_copy(update={"pooler": True}))

    assert not {"options", "target_session_attrs"} & told.keys()
    assert told["prepare_threshold"] is None


def test_a_command_may_take_as_long_as_it_needs() -> None:
    told = connect_arguments(make_url(ADDRESS), SETTINGS.without_limits)

    assert told["options"].startswith("-c statement_timeout=0s -c idle_in_transaction_session_timeout=0s ")
    assert told["connect_timeout"] == 3


def test_the_machines_authorities_are_its_own_and_vouch_for_the_right_server_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = tmp_path / "trusted.pem"
    trusted.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))

    told = connect_arguments(make_url(f"{ADDRESS}?sslrootcert=system"))
    assert (told["sslrootcert"], told["sslmode"]) == (str(trusted), "verify-full")
    with pytest.raises(Fatal, match="set sslmode=verify-full"):
        connect_arguments(make_url(f"{ADDRESS}?sslrootcert=system&sslmode=require"))


def test_the_settings_of_a_process_reach_its_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_DATABASE__POOL_SIZE", "4")
    monkeypatch.setenv("FOOTAGE_DESK_DATABASE__STATEMENT_SECONDS", "12")
    settings = Settings.load()

    engine = connect(settings.database_address, settings.database)
    assert engine.pool.size() == 4  # type: ignore[attr-defined]
    assert engine.pool._max_overflow == 0  # type: ignore[attr-defined]
    engine.dispose()
    assert settings.database.statement_seconds == 12


@pytest.mark.postgres
def test_the_server_knows_them(postgres_url: str) -> None:
    engine = connect(postgres_url, SETTINGS)
    with engine.connect() as connection:
        shown = [
            connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in (
                "statement_timeout",
                "idle_in_transaction_session_timeout",
                "random_page_cost",
                "application_name",
            )
        ]
    engine.dispose()
    assert shown == ["20s", "30s", "1.1", "footage-desk"]
