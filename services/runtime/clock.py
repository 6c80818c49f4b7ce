"""One clock for engine, database and workers, which demo and tests turn (docs/architecture.md)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """The time for rules, timers and documents."""

    def now(self) -> datetime:
        """Return the moment, as an aware datetime in UTC."""
        ...

    @property
    def turned(self) -> bool:
        """Whether the clock was ever moved by hand; documents made under it say DEMO."""
        ...


class SystemClock:
    """The machine's clock."""

    turned = False

    def now(self) -> datetime:
        return datetime.now(UTC)


class TurnedClock:
    """The machine's clock plus an offset that only grows and, with a path, survives a restart."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._offset = timedelta()
        if path is not None and path.exists():
            self._offset = timedelta(milliseconds=json.loads(path.read_text())["offsetMilli"])

    @property
    def turned(self) -> bool:
        return self._offset != timedelta()

    @property
    def offset(self) -> timedelta:
        return self._offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def turn(self, by: timedelta) -> datetime:
        """Move the clock forward by ``by`` and save it; raises ValueError on a step back."""
        if by < timedelta():
            raise ValueError("the clock turns forward only")
        self._offset += by
        if self._path is not None:
            temporary = self._path.with_suffix(".new")
            temporary.write_text(json.dumps({"offsetMilli": self._offset // timedelta(milliseconds=1)}))
            temporary.replace(self._path)
        return self.now()


class FixedClock:
    """A clock that is fixed until it is turned; for tests."""

    turned = True

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment

    def turn(self, by: timedelta) -> datetime:
        self._moment += by
        return self._moment
