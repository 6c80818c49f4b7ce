"""A PostgreSQL server that is away is waited for; one that refuses what the settings say is not."""

import socket

import pytest
from sqlalchemy import make_url, text

from services.database.unit_of_work import Actor
from services.domain.wiring import open_database
from services.runtime.clock import SystemClock
from services.runtime.errors import Away, Retryable
from services.runtime.rules import Rules

ACTOR = Actor("system", "test")


def waited_for(url: str) -> Away | None:
    """Return what an act on the database says is to be waited for."""
    database = open_database(url, SystemClock(), Rules(max_use_days=30))
    try:
        with pytest.raises(Retryable, match="the database did not answer") as error:
            database.run_now(ACTOR, lambda uow: uow.session.execute(text("SELECT 1")))
    finally:
        database.close()
    return error.value.away


def test_a_server_that_does_not_listen_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert waited_for(f"postgresql+psycopg://desk@127.0.0.1:{port}/footage") == "database"


def test_a_database_or_account_that_there_is_not_is_no_outage(postgres_url: str) -> None:
    url = make_url(postgres_url)
    for wrong in (url.set(database="nobody_made_it"), url.set(username="nobody_is_it", password="wrong")):
        assert waited_for(wrong.render_as_string(hide_password=False)) is None
