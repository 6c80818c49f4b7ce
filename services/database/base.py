"""What all tables share: naming, moments in UTC, JSON, identifiers."""

import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, relationship
from sqlalchemy.types import TypeDecorator


class Moment(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC and read back aware; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the database stores aware datetimes only")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# keys of the process engine need 64 bits; SQLite numbers rows in INTEGER only
Whole = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Base(DeclarativeBase):
    """The base of every table."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: Moment,
        int: Whole,
        dict[str, Any]: Json,
        list[Any]: Json,
        list[str]: Json,
    }


# A relationship that a query loads explicitly (``selectinload``, ``joinedload``): access to one that was not loaded
# raises, instead of a query for each row. It is read-only: write the foreign key's column.
reference = partial(relationship, lazy="raise", viewonly=True)


def new_id() -> str:
    """Create an identifier of 36 characters, short enough for a correlation key (docs/zeebe.md)."""
    return str(uuid.uuid4())
