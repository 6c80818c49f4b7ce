"""A store with a bad disk: it does not do one thing for some of its objects, each time it is asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any
from unittest.mock import patch

from services.vault.store.protocol import Store, StoreDown


@contextmanager
def bad_disk(store: Store, act: str, *patterns: str) -> Iterator[list[str]]:
    """``act``, such as "get", raises StoreDown for each key of these patterns; yields what was asked for."""
    done, asked = getattr(type(store), act), list[str]()

    def fail(self: Store, bucket: str, key: str, *arguments: Any, **named: Any) -> Any:
        if any(fnmatchcase(key, pattern) for pattern in patterns):
            asked.append(key)
            raise StoreDown("the disk does not read")
        return done(self, bucket, key, *arguments, **named)

    with patch.object(type(store), act, fail):
        yield asked
