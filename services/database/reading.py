"""Read a database without a trace: SQLite writes files beside one that is only read."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url


@contextmanager
def unchanged(url: str) -> Iterator[str]:
    """Yield an address by which the database at ``url`` is read and no file of it is changed, made or removed."""
    address = make_url(url)
    if address.drivername != "sqlite" or not address.database:
        yield url
        return
    with unchanged_file(Path(address.database)) as uri:
        yield f"sqlite:///{uri}&uri=true"


@contextmanager
def unchanged_file(path: Path) -> Iterator[str]:
    """Yield the URI by which a SQLite file is read and left as it is, with the files beside it.

    A log that a killed process has left is read too. Where its index is missing (an engine has none), SQLite could
    only make one, so it reads a copy.
    """
    log, index = (path.with_name(path.name + ending) for ending in ("-wal", "-shm"))
    if index.exists():
        yield f"file:{path.absolute()}?mode=ro&readonly_shm=1"
    elif not log.exists() or not log.stat().st_size:
        yield f"file:{path.absolute()}?mode=ro&immutable=1"
    else:
        with tempfile.TemporaryDirectory() as folder:
            for file in (log, path):  # in this order what a running engine moves from one to the other is in the copy
                shutil.copyfile(file, Path(folder) / file.name)
            yield f"file:{Path(folder) / path.name}?mode=ro"
