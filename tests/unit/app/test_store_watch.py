"""What readiness says of the stores while the process runs."""

from pathlib import Path

from services.app.container import open_container
from services.app.store_watch import watch_stores
from services.runtime.health import Health
from services.runtime.settings import Settings


async def test_readiness_names_a_store_that_is_away_and_stays_ready(away: Settings) -> None:
    container = open_container(away, apart=True)
    _ = container.store
    health = Health()
    await watch_stores(container.opened_stores, health)
    assert list(health.away) == ["store primary"]
    assert "see that it runs and can be reached" in health.away["store primary"]
    assert await health.unready() == {}
    container.database.close()


async def test_readiness_names_a_store_whose_folder_is_gone(tmp_path: Path) -> None:
    container, health = open_container(Settings.load(data_dir=tmp_path), apart=True), Health()
    _ = container.store
    (tmp_path / "store").rename(tmp_path / "elsewhere")

    await watch_stores(container.opened_stores, health)

    assert "footage-desk-masters, footage-desk-copies" in health.away["store primary"]
    (tmp_path / "elsewhere").rename(tmp_path / "store")
    await watch_stores(container.opened_stores, health)
    assert health.away == {}
    container.database.close()
