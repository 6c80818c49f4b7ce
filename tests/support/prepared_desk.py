"""Review desks that are laid out once in a process, and copied for each test that wants them so.

To submit thirty applications takes a second of the processor, to copy the database that has them some milliseconds.
"""

import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from review_desk import ReviewDesk
from sqlalchemy import make_url

T = TypeVar("T")


@dataclass(frozen=True)
class _Left:
    """A desk as it was left; ``copied`` is the content of SQLite's file or the name of PostgreSQL's database."""

    copied: bytes | str
    moment: datetime
    next_key: int
    returned: Any


_left: dict[tuple[str, Callable[[ReviewDesk], Any]], _Left] = {}


def prepared_desk(url: str, prepare: Callable[[ReviewDesk], T]) -> tuple[ReviewDesk, T]:
    """A desk over ``url`` as ``prepare`` leaves one, and what it returns, which no test may change.

    ``url`` is a database without rows, as of ``any_database_url``.
    """
    kind = make_url(url).get_backend_name(), prepare
    if kind not in _left:
        desk = ReviewDesk(url)
        returned = prepare(desk)
        desk.close()
        _left[kind] = _Left(_copy(url), desk.clock.now(), next(desk.keys), returned)
    else:
        _restore(url, _left[kind].copied)
    left = _left[kind]
    desk = ReviewDesk(url, keys=itertools.count(left.next_key), laid_out=True)
    desk.clock.turn(left.moment - desk.clock.now())
    return desk, left.returned


def _copy(url: str) -> bytes | str:
    database = make_url(url).database or ""
    if url.startswith("sqlite"):
        return Path(database).read_bytes()
    name = f"prepared_{secrets.token_hex(6)}"
    _execute(url, f"CREATE DATABASE {name} TEMPLATE {database} STRATEGY FILE_COPY")
    return name


def _restore(url: str, copied: bytes | str) -> None:
    database = make_url(url).database or ""
    if isinstance(copied, bytes):
        Path(database).write_bytes(copied)
        return
    _execute(url, f"DROP DATABASE {database}", f"CREATE DATABASE {database} TEMPLATE {copied} STRATEGY FILE_COPY")


def _execute(url: str, *statements: str) -> None:
    server = make_url(url).set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
