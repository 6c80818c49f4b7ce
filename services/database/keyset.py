"""Pages of a long list that begin behind a row, not after a count: each reads as many rows as it shows.

A place is where a page begins: the values of a row in the order of the list. Rows that are added or removed before it
move no page, and none is shown twice or left out. NULL has no place in an order, so a list whose order has some is of
several sections, one after another.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Select, and_, func, select, tuple_
from sqlalchemy.orm import Session

from services.database.listing import Listing

LONGEST_PLACE = 1000  # characters
LARGEST = 2**63  # of whole numbers
NO_END = 2**31
FEW_TIMES = 3
Line = TypeVar("Line")
Shown = TypeVar("Shown")


@dataclass(frozen=True)
class Section:
    """The rows of ``where`` in the order of ``keys``, which together are unique and never NULL.

    ``joined`` adds to the query what the keys are of. Rows that are alike in the first ``alike`` keys are read by a
    query of their own when a page begins among them: where these keys are of another table, no index would find it.
    """

    keys: Sequence[ColumnElement[Any]]
    where: ColumnElement[bool] | None = None
    joined: Callable[[Select[*tuple[Any, ...]]], Select[*tuple[Any, ...]]] = lambda query: query
    alike: int = 0

    def rows(
        self, query: Select[*tuple[Any, ...]], order: Sequence[ColumnElement[Any]], *, falling: bool
    ) -> Select[*tuple[Any, ...]]:
        """Select the section's rows of the query, each with its keys behind it, in this order."""
        rows = self.joined(query).add_columns(*self.keys)
        if self.where is not None:
            rows = rows.where(self.where)
        return rows.order_by(*(key.desc() if falling else key.asc() for key in order))

    def fits(self, values: Sequence[Any]) -> bool:
        """Return whether these are values of the keys, by number and type."""
        return len(values) == len(self.keys) and all(
            isinstance(value, key.type.python_type) and _is_storable(value)
            for key, value in zip(self.keys, values, strict=True)
        )


def sections_by(key: ColumnElement[Any], by_id: ColumnElement[Any]) -> tuple[Section, Section]:
    """Return the sections of a list in the order of one key, what has none of it last; ``by_id`` among equals."""
    return Section((key, by_id), key.is_not(None)), Section((by_id,), key.is_(None))


@dataclass(frozen=True)
class Place:
    """Beside a row of the section with this number: behind it, or ``before`` it; by the values of its keys."""

    section: int
    values: tuple[Any, ...]
    before: bool = False

    def text(self, order: str) -> str:
        """Write it as a word for an address; ``order`` names the list's order, and a place counts in no other."""
        content = [order, self.section, self.before, *map(_write, self.values)]
        return base64.urlsafe_b64encode(json.dumps(content, ensure_ascii=False).encode()).decode().rstrip("=")


@dataclass(frozen=True)
class Page(Generic[Line]):
    """The lines of a page, and the places of the pages around it; empty where there is none."""

    lines: list[Line]
    previous: str = ""
    next: str = ""

    def showing(self, lines: list[Shown]) -> "Page[Shown]":
        """Return the page with these lines in place of its own."""
        return Page(lines, self.previous, self.next)

    def showing_each(self, show: Callable[[Line], Shown]) -> "Page[Shown]":
        """Return the page with what ``show`` makes of each line in its place."""
        return self.showing([show(line) for line in self.lines])


def read_place(text: str, order: str, sections: Sequence[Section]) -> Place | None:
    """Return the place of ``Place.text``; None for a text that is none, or of another order."""
    if len(text) > LONGEST_PLACE:
        return None
    try:
        content = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        named, section, before, *written = content
        values = tuple(map(_read, written))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, binascii.Error):
        return None
    if named != order or not isinstance(before, bool) or type(section) is not int:
        return None
    if not 0 <= section < len(sections) or not sections[section].fits(values):
        return None
    return Place(section, values, before)


def page_of(
    session: Session, query: Select[*tuple[Any, ...]], sections: Sequence[Section], listing: Listing
) -> Page[Row[*tuple[Any, ...]]]:
    """Read the page that a listing asks for: at a place that another page of this order names, else the first.

    The rows have their keys behind what the query selects. With an offset it begins behind as many rows instead, and
    names no pages around it.
    """
    limit, falling = listing.limit or NO_END, listing.descending
    if listing.offset:
        return Page(rows_after(session, query, sections, descending=falling, limit=limit, offset=listing.offset))
    order = f"{listing.sort}-{'desc' if falling else 'asc'}-{listing.language}"
    begin = read_place(listing.place, order, sections)
    rows, *around = rows_at(session, query, sections, descending=falling, limit=limit, place=begin)
    return Page(rows, *(beside.text(order) if beside else "" for beside in around))


def chosen_of(
    session: Session,
    query: Select[*tuple[Any, ...]],
    section: Section,
    listing: Listing,
    choose: Callable[[Sequence[Row[*tuple[Any, ...]]]], Sequence[Line | None]],
) -> Page[Line]:
    """Read the page that a listing asks for, of those rows alone that ``choose`` makes a line of.

    It is for what SQL cannot tell. Rows are read in the order of the list: first a few times as many as are shown, and
    all the others only where these do not fill the page; ``choose`` gets each lot at once.
    """
    limit, falling = listing.limit or NO_END, listing.descending
    order = f"{listing.sort}-{'desc' if falling else 'asc'}-{listing.language}"
    begin = at = read_place(listing.place, order, (section,))
    back = begin is not None and begin.before
    found: list[tuple[Line, Place]] = []
    for lot in (min(FEW_TIMES * limit, NO_END), NO_END):
        rows, *around = rows_at(session, query, (section,), descending=falling, limit=lot, place=at)
        kept = [
            (line, Place(0, tuple(row)[-len(section.keys) :]))
            for row, line in zip(rows, choose(rows), strict=True)
            if line is not None
        ]
        found = kept + found if back else found + kept
        at = around[0 if back else 1]
        if len(found) > limit or at is None:
            break
    more = len(found) > limit
    found = found[-limit:] if back else found[:limit]
    if not found:
        return Page([])
    previous = replace(found[0][1], before=True).text(order) if (more if back else begin is not None) else ""
    return Page([line for line, _ in found], previous, found[-1][1].text(order) if back or more else "")


def rows_after(
    session: Session,
    query: Select[*tuple[Any, ...]],
    sections: Sequence[Section],
    *,
    descending: bool,
    limit: int,
    offset: int,
) -> list[Row[*tuple[Any, ...]]]:
    """Read up to ``limit`` rows of the list behind the first ``offset`` ones, which are read as well."""
    found: list[Row[*tuple[Any, ...]]] = []
    for section in sections:
        part = section.rows(query, section.keys, falling=descending)
        rows = session.execute(part.limit(limit - len(found)).offset(offset)).all()
        found += rows
        if len(found) == limit:
            break
        if offset and not rows:
            of_section = select(func.count()).select_from(section.rows(query, (), falling=False).subquery())
            offset -= session.scalar(of_section) or 0
        else:
            offset = 0
    return found


def rows_at(
    session: Session,
    query: Select[*tuple[Any, ...]],
    sections: Sequence[Section],
    *,
    descending: bool,
    limit: int,
    place: Place | None,
) -> tuple[list[Row[*tuple[Any, ...]]], Place | None, Place | None]:
    """Read up to ``limit`` rows of the list at a place, or its first; also return the places before and behind them.

    ``descending`` turns each section round, not their order. There is at most one statement for each section, and one
    more for a section with keys that are ``alike``.
    """
    back = place is not None and place.before
    found: list[tuple[int, Row[*tuple[Any, ...]]]] = []
    first = place.section if place is not None else 0
    for number in range(first, -1, -1) if back else range(first, len(sections)):
        section = sections[number]
        begin = place.values if place is not None and number == place.section else None
        for condition, keys in _queries(section, begin, descending != back):
            if len(found) > limit:
                break
            part = section.rows(query, keys, falling=descending != back).where(*condition)
            found += [(number, row) for row in session.execute(part.limit(limit + 1 - len(found)))]
    more, found = len(found) > limit, found[:limit]
    if back:
        found.reverse()
    if not found:
        return [], None, None
    ends = [Place(number, tuple(row)[-len(sections[number].keys) :]) for number, row in (found[0], found[-1])]
    previous = Place(ends[0].section, ends[0].values, before=True) if (more if back else place is not None) else None
    return [row for _, row in found], previous, ends[1] if back or more else None


def _queries(
    section: Section, begin: Sequence[Any] | None, falling: bool
) -> list[tuple[list[ColumnElement[bool]], Sequence[ColumnElement[Any]]]]:
    """List the conditions and orders of the queries that read a section from the values on."""
    if begin is None:
        return [([], section.keys)]
    if not section.alike:
        return [([_beyond(section.keys, begin, falling)], section.keys)]
    outer, inner = section.keys[: section.alike], section.keys[section.alike :]
    same = and_(*(key == value for key, value in zip(outer, begin, strict=False)))
    return [
        ([same, _beyond(inner, begin[section.alike :], falling)], inner),
        ([_beyond(outer, begin[: section.alike], falling)], section.keys),
    ]


def _beyond(keys: Sequence[ColumnElement[Any]], values: Sequence[Any], falling: bool) -> ColumnElement[bool]:
    row, place = tuple_(*keys), tuple_(*values, types=[key.type for key in keys])
    beyond: ColumnElement[bool] = row < place if falling else row > place
    if len(keys) == 1:
        beyond = keys[0] < values[0] if falling else keys[0] > values[0]
    return beyond


def _is_storable(value: Any) -> bool:
    """Return whether both databases can compare the value with a key: a place may have been written by anybody."""
    match value:
        case bool():
            return False
        case int():
            return abs(value) < LARGEST
        case float():
            return isfinite(value)
        case str():
            return "\0" not in value and not any(0xD800 <= ord(letter) < 0xE000 for letter in value)
        case _:
            return True


def _write(value: Any) -> Any:
    return {"at": value.isoformat()} if isinstance(value, datetime) else value


def _read(written: Any) -> Any:
    if not isinstance(written, dict):
        return written
    moment = datetime.fromisoformat(written["at"])
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return moment.astimezone(UTC)  # raises OverflowError outside of the calendar
