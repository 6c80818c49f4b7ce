"""PostgreSQL with the accounts of deploy/compose.yaml."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import compose_file
import psycopg
from installation_fixture import postgresql
from sqlalchemy import make_url

SCRIPT = compose_file.DEPLOY / "compose" / "database_accounts.sh"


@dataclass(frozen=True)
class ComposeDatabase:
    """A server of its own; ``root`` is its superuser's address. Its socket asks nobody for a password."""

    root: str
    programs: Path

    def set_up(self, superuser: str = "postgres") -> None:
        """Run the script as compose does, by this superuser; raises CalledProcessError."""
        address = make_url(self.root)
        passwords = ("DATABASE_OWNER_PASSWORD", "DATABASE_PASSWORD", "CAMUNDA_DATABASE_PASSWORD")
        subprocess.run(
            ["sh", SCRIPT, superuser],
            env={
                "PATH": f"{self.programs}:{os.environ['PATH']}",
                "PGHOST": str(address.query["host"]),
                **{name: f'{name}\'s "own"' for name in passwords},
            },
            check=True,
        )

    def url(self, account: str, database: str = "footage_desk") -> str:
        url = make_url(self.root).set(username=account, database=database)
        return url.render_as_string(hide_password=False)

    def connect(self, account: str, database: str = "footage_desk") -> psycopg.Connection[tuple[Any, ...]]:
        """Each statement commits; raises psycopg.OperationalError where the account may not."""
        return psycopg.connect(self.url(account, database).replace("+psycopg", ""), autocommit=True)


@contextmanager
def compose_database(folder: Path) -> Iterator[ComposeDatabase]:
    """Start a server in an empty folder, and end it."""
    with postgresql(folder) as (url, programs):
        yield ComposeDatabase(url, programs)
