"""Settings: what is read, what is refused, and that each refusal is a sentence that says what to do."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.runtime.settings import Settings, SettingsError, unknown_variables, variable
from services.runtime.stores import FolderStore, S3Store


def test_everything_runs_without_a_single_variable() -> None:
    settings = Settings.load()

    assert settings.embedded
    assert settings.gateway_address == "127.0.0.1:26500"
    assert settings.database.startswith("sqlite:///")
    assert settings.store == FolderStore(Path("var/store"), "footage-desk")
    assert settings.replica == FolderStore(Path("var/replica"), "footage-desk-replica")
    assert settings.portal_url == "http://127.0.0.1:8080"


@pytest.mark.requirement("R30", "R38")
def test_promptly_has_numbers() -> None:
    settings = Settings.load()

    assert (settings.review_limit, settings.notify_limit, settings.release_limit) == (
        timedelta(hours=24),
        timedelta(hours=1),
        timedelta(hours=24),
    )
    assert (settings.reminder_lead, settings.grace_period) == (timedelta(days=3), timedelta(days=3))
    assert (settings.correction_period, settings.take_up_period) == (timedelta(days=7), timedelta(days=7))
    assert settings.preservation == "at-risk"


def test_the_longest_use_period_has_no_default_and_is_demanded_by_name() -> None:
    with pytest.raises(SettingsError, match=r"FOOTAGE_DESK_MAX_USE_DAYS is not set: set it to the longest use period"):
        Settings.load().needed("max_use_days")


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_MAX_USE_DAYS", "30")
    monkeypatch.setenv("FOOTAGE_DESK_REVIEW_LIMIT", "PT12H")
    monkeypatch.setenv("ZEEBE_ADDRESS", "zeebe:26500")

    settings = Settings.load()

    assert (settings.needed("max_use_days"), settings.review_limit) == (30, timedelta(hours=12))
    assert not settings.embedded
    assert settings.gateway_address == "zeebe:26500"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEEBE_ADDRESS", "")
    monkeypatch.setenv("FOOTAGE_DESK_MAX_USE_DAYS", "")

    assert Settings.load().embedded
    assert Settings.load().max_use_days is None


def test_every_wrong_variable_gets_its_own_sentence_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_MAX_USE_DAYS", "many")
    monkeypatch.setenv("FOOTAGE_DESK_ZONE", "Mars/Olympus")
    monkeypatch.setenv("FOOTAGE_DESK_SECOND_FACTOR", "hunter2")
    monkeypatch.setenv("FOOTAGE_DESK_REVIEW_LIMIT", "PT0S")
    monkeypatch.setenv("FOOTAGE_DESK_STORE_ENDPOINT", "https://s3.example")

    with pytest.raises(SettingsError) as refused:
        Settings.load()

    sentences = str(refused.value).splitlines()
    named = {sentence.split()[0] for sentence in sentences}
    assert named == {
        "FOOTAGE_DESK_MAX_USE_DAYS",
        "FOOTAGE_DESK_ZONE",
        "FOOTAGE_DESK_SECOND_FACTOR",
        "FOOTAGE_DESK_REVIEW_LIMIT",
        "FOOTAGE_DESK_STORE_ENDPOINT",
    }
    assert all(": set it to " in sentence and sentence.endswith(".") for sentence in sentences)
    assert "hunter2" not in str(refused.value)


def test_secrets_are_not_printed_with_the_settings() -> None:
    settings = Settings.load(
        store_endpoint="s3:9000",
        store_access_key="key",
        store_secret_key="shh-store",
        replica_folder="elsewhere",
        camunda_client_id="desk",
        camunda_client_secret="shh-oauth",
        camunda_oauth_url="https://login.example/token",
        database_url="postgresql+psycopg://desk:shh-db@db/desk",
    )

    shown = f"{settings!r} {settings} {settings.store!r}"

    assert "shh" not in shown


def test_an_s3_store_needs_its_keys_and_says_so() -> None:
    settings = Settings.load(store_endpoint="s3:9000", store_access_key="key")

    with pytest.raises(SettingsError, match="FOOTAGE_DESK_STORE_SECRET_KEY is not set: set it to the S3 secret key"):
        _ = settings.store


def test_an_s3_store_carries_all_of_its_settings() -> None:
    store = Settings.load(
        store_endpoint="s3:9000", store_access_key="key", store_secret_key="shh", store_region="r", store_secure=False
    ).store

    assert isinstance(store, S3Store)
    assert (store.endpoint, store.access_key, store.region, store.secure) == ("s3:9000", "key", "r", False)
    assert store.secret_key.get_secret_value() == "shh"


@pytest.mark.parametrize(
    "places",
    [
        {"store_folder": "footage", "replica_folder": "footage"},
        {"store_folder": "footage", "replica_folder": "footage/backup"},
        {
            "store_endpoint": "s3:9000",
            "store_access_key": "a",
            "store_secret_key": "b",
            "replica_endpoint": "S3:9000",
            "replica_access_key": "a",
            "replica_secret_key": "b",
            "replica_prefix": "footage-desk",
        },
    ],
)
def test_a_backup_in_the_primary_store_is_refused(places: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="the replica store is the primary store: set"):
        Settings.load(**places)


def test_a_backup_of_an_s3_store_must_be_named() -> None:
    settings = Settings.load(store_endpoint="s3:9000", store_access_key="a", store_secret_key="b")

    with pytest.raises(SettingsError, match="FOOTAGE_DESK_REPLICA_ENDPOINT is not set"):
        _ = settings.replica


def test_folder_and_endpoint_exclude_each_other() -> None:
    with pytest.raises(SettingsError, match="are both set: keep one"):
        Settings.load(store_folder="a", store_endpoint="s3:9000")


def test_half_an_oauth_set_up_is_refused() -> None:
    with pytest.raises(SettingsError, match="set CAMUNDA_CLIENT_SECRET and CAMUNDA_OAUTH_URL too"):
        Settings.load(camunda_client_id="desk")


def test_a_mistyped_variable_is_pointed_out() -> None:
    sentences = unknown_variables({"FOOTAGE_DESK_ZON": "Asia/Shanghai", "FOOTAGE_DESK_ZONE": "UTC", "HOME": "/"})

    assert sentences == ["FOOTAGE_DESK_ZON is not a setting: did you mean FOOTAGE_DESK_ZONE?"]


def test_every_setting_says_what_to_set() -> None:
    undescribed = [name for name, field in Settings.model_fields.items() if not field.description]

    assert undescribed == []
    assert variable("camunda_client_id") == "CAMUNDA_CLIENT_ID"


def test_recorders_are_asked_often_enough_for_the_alert_that_waits_an_hour_for_an_answer() -> None:
    assert Settings.load().ask_recorders_every == timedelta(minutes=5)
    with pytest.raises(SettingsError, match=r"FOOTAGE_DESK_ASK_RECORDERS_EVERY cannot be used .* up to PT30M"):
        Settings.load(ask_recorders_every=timedelta(hours=1))
