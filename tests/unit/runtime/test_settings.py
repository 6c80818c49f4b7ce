"""Settings: what is read, what is refused, and that each refusal is a sentence that says what to do."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.runtime.settings import Settings, SettingsError, all_settings, unknown_variables, variable
from services.runtime.settings.names import RENAMED
from services.runtime.settings.stores import FolderStore, S3Store


def test_everything_runs_without_a_single_variable() -> None:
    settings = Settings.load()

    assert settings.embedded
    assert settings.gateway_address == f"unix:{Path.cwd()}/var/engine/gateway.socket"
    assert settings.engine.tcp_address is None
    assert settings.database_address.startswith("sqlite:///")
    assert settings.store_place == FolderStore(Path("var/store"), "footage-desk")
    assert settings.replica_place == FolderStore(Path("var/replica"), "footage-desk-replica")
    assert settings.portal.url == "http://127.0.0.1:8080"


@pytest.mark.requirement("R30", "R38")
def test_t11_promptly_has_numbers() -> None:
    settings = Settings.load()

    assert (settings.rules.review_limit, settings.rules.notify_limit, settings.rules.release_limit) == (
        timedelta(hours=24),
        timedelta(hours=1),
        timedelta(hours=24),
    )
    assert (settings.rules.reminder_lead, settings.rules.grace_period) == (timedelta(days=3), timedelta(days=3))
    assert (settings.rules.correction_period, settings.rules.take_up_period) == (timedelta(days=7), timedelta(days=7))
    assert settings.rules.preservation == "at-risk"


@pytest.mark.requirement("R50", refuses=True)
def test_the_longest_use_period_has_no_default_and_is_demanded_by_name() -> None:
    with pytest.raises(
        SettingsError, match=r"FOOTAGE_DESK_RULES__MAX_USE_DAYS is not set: set it to the maximum use period"
    ):
        Settings.load().needed("rules.max_use_days")


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_RULES__MAX_USE_DAYS", "30")
    monkeypatch.setenv("FOOTAGE_DESK_RULES__REVIEW_LIMIT", "PT12H")
    monkeypatch.setenv("ZEEBE_ADDRESS", "zeebe:26500")

    settings = Settings.load()

    assert (settings.needed("rules.max_use_days"), settings.rules.review_limit) == (30, timedelta(hours=12))
    assert not settings.embedded
    assert settings.gateway_address == "zeebe:26500"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEEBE_ADDRESS", "")
    monkeypatch.setenv("FOOTAGE_DESK_RULES__MAX_USE_DAYS", "")

    assert Settings.load().embedded
    assert Settings.load().rules.max_use_days is None


def test_every_wrong_variable_gets_its_own_sentence_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_RULES__MAX_USE_DAYS", "many")
    monkeypatch.setenv("FOOTAGE_DESK_ZONE", "Mars/Olympus")
    monkeypatch.setenv("FOOTAGE_DESK_PORTAL__SECOND_FACTOR", "hunter2")
    monkeypatch.setenv("FOOTAGE_DESK_RULES__REVIEW_LIMIT", "PT0S")
    monkeypatch.setenv("FOOTAGE_DESK_STORE__ENDPOINT", "https://s3.example")

    with pytest.raises(SettingsError) as refused:
        Settings.load()

    sentences = str(refused.value).splitlines()
    named = {sentence.split()[0] for sentence in sentences}
    assert named == {
        "FOOTAGE_DESK_RULES__MAX_USE_DAYS",
        "FOOTAGE_DESK_ZONE",
        "FOOTAGE_DESK_PORTAL__SECOND_FACTOR",
        "FOOTAGE_DESK_RULES__REVIEW_LIMIT",
        "FOOTAGE_DESK_STORE__ENDPOINT",
    }
    assert all(": set it to " in sentence and sentence.endswith(".") for sentence in sentences)
    assert "hunter2" not in str(refused.value)


def test_secrets_are_not_printed_with_the_settings() -> None:
    settings = Settings.load(
        store={"endpoint": "s3:9000", "access_key": "key", "secret_key": "shh-store"},
        replica={"folder": "elsewhere"},
        camunda_client_id="desk",
        camunda_client_secret="shh-oauth",
        camunda_oauth_url="https://login.example/token",
        database_url="postgresql+psycopg://desk:shh-db@db/desk",
    )

    shown = f"{settings!r} {settings} {settings.store_place!r}"

    assert "shh" not in shown


def test_an_s3_store_needs_its_keys_and_says_so() -> None:
    settings = Settings.load(store={"endpoint": "s3:9000", "access_key": "key"})

    with pytest.raises(SettingsError, match="FOOTAGE_DESK_STORE__SECRET_KEY is not set: set it to the S3 secret key"):
        _ = settings.store_place


def test_an_s3_store_carries_all_of_its_settings() -> None:
    store = Settings.load(
        store={"endpoint": "s3:9000", "access_key": "key", "secret_key": "shh", "region": "r", "secure": False}
    ).store_place

    assert isinstance(store, S3Store)
    assert (store.endpoint, store.access_key, store.region, store.secure) == ("s3:9000", "key", "r", False)
    assert store.secret_key.get_secret_value() == "shh"


@pytest.mark.requirement("R15")
@pytest.mark.parametrize(
    "places",
    [
        {"store.folder": "footage", "replica.folder": "footage"},
        {"store.folder": "footage", "replica.folder": "footage/backup"},
        {
            "store.endpoint": "s3:9000",
            "store.access_key": "a",
            "store.secret_key": "b",
            "replica.endpoint": "S3:9000",
            "replica.access_key": "a",
            "replica.secret_key": "b",
            "replica.prefix": "footage-desk",
        },
    ],
)
def test_a_backup_in_the_primary_store_is_refused(places: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="the replica store is the primary store: set"):
        Settings.load(**places)


def test_a_backup_of_an_s3_store_must_be_named() -> None:
    settings = Settings.load(store={"endpoint": "s3:9000", "access_key": "a", "secret_key": "b"})

    with pytest.raises(SettingsError, match="FOOTAGE_DESK_REPLICA__ENDPOINT is not set"):
        _ = settings.replica_place


def test_folder_and_endpoint_exclude_each_other() -> None:
    with pytest.raises(SettingsError, match="are both set: keep one"):
        Settings.load(store={"folder": "a", "endpoint": "s3:9000"})


def test_half_an_oauth_set_up_is_refused() -> None:
    with pytest.raises(SettingsError, match="set CAMUNDA_CLIENT_SECRET and CAMUNDA_OAUTH_URL too"):
        Settings.load(camunda_client_id="desk")


def test_a_mistyped_variable_is_pointed_out() -> None:
    sentences = unknown_variables({"FOOTAGE_DESK_ZON": "Asia/Shanghai", "FOOTAGE_DESK_ZONE": "UTC", "HOME": "/"})

    assert [str(sentence) for sentence in sentences] == [
        "FOOTAGE_DESK_ZON is not a setting: did you mean FOOTAGE_DESK_ZONE?"
    ]


def test_a_mistyped_variable_of_a_part_is_pointed_out() -> None:
    sentences = unknown_variables(
        {"FOOTAGE_DESK_STORE__ENDPIONT": "s3:9000", "FOOTAGE_DESK_STORE__ENDPOINT": "s3:9000"}
    )

    assert [str(sentence) for sentence in sentences] == [
        "FOOTAGE_DESK_STORE__ENDPIONT is not a setting: did you mean FOOTAGE_DESK_STORE__ENDPOINT?"
    ]


@pytest.mark.parametrize("former", RENAMED)
def test_a_former_name_is_refused_with_the_new_one(former: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"FOOTAGE_DESK_{former.upper()}", "hunter2")

    with pytest.raises(SettingsError) as refused:
        Settings.load()

    new = variable(RENAMED[former])
    assert str(refused.value) == f"FOOTAGE_DESK_{former.upper()} has a new name: set {new} instead."


def test_a_former_name_that_is_empty_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_STORE_ENDPOINT", "")

    assert Settings.load().store.endpoint is None


def test_every_former_name_is_that_of_a_setting_of_a_part() -> None:
    assert set(RENAMED.values()) <= {path for path in all_settings() if "." in path}
    assert RENAMED.keys().isdisjoint(all_settings())


def test_a_part_is_not_set_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_STORE", "hunter2")
    monkeypatch.setenv("FOOTAGE_DESK_NOTICES__MAIL", '{"host": "mail.example"}')

    with pytest.raises(SettingsError) as refused:
        Settings.load()

    assert str(refused.value).splitlines() == [
        "FOOTAGE_DESK_NOTICES__MAIL is a part with settings of its own: set each by itself, such as "
        "FOOTAGE_DESK_NOTICES__MAIL__HOST.",
        "FOOTAGE_DESK_STORE is a part with settings of its own: set each by itself, such as "
        "FOOTAGE_DESK_STORE__FOLDER.",
    ]


def test_what_is_given_wins_over_the_environment_and_leaves_the_rest_of_its_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_STORE__ENDPOINT", "s3:9000")
    monkeypatch.setenv("FOOTAGE_DESK_STORE__REGION", "r")
    monkeypatch.setenv("FOOTAGE_DESK_RULES__MAX_ITEMS", "")

    settings = Settings.load(**{"store.endpoint": None}, store={"prefix": "other"})

    assert (settings.store.endpoint, settings.store.region, settings.store.prefix) == (None, "r", "other")
    assert settings.is_given("store.region")
    assert not settings.is_given("rules.max_items")


@pytest.mark.parametrize("given", [{"store_endpoint": "s3:9000"}, {"store": {"endpiont": 1}}, {"notices.mail.hots": 1}])
def test_a_setting_that_there_is_not_cannot_be_given(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="no such settings: "):
        Settings.load(**given)


def test_every_setting_says_what_to_set() -> None:
    undescribed = [name for name, field in all_settings().items() if not field.description]

    assert undescribed == []
    assert variable("camunda_client_id") == "CAMUNDA_CLIENT_ID"


def test_recorders_are_asked_often_enough_for_the_alert_that_waits_an_hour_for_an_answer() -> None:
    assert Settings.load().recorders.probe_interval == timedelta(minutes=5)
    with pytest.raises(SettingsError, match=r"FOOTAGE_DESK_RECORDERS__PROBE_INTERVAL cannot be used .* up to PT30M"):
        Settings.load(recorders={"probe_interval": timedelta(hours=1)})
