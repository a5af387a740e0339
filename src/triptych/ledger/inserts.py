"""Statements that put many facts into a table at once, compiled once for each number of rows.

SQLAlchemy's own way of running an insert costs more than the database does, and SQLite's driver lets go of
the interpreter's lock for every row; so rows go in by statements of up to 64, straight to the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Dialect, Table

from triptych.ledger import schema
from triptych.ledger.dialects import insert_if_new
from triptych.records import Fact

_MOST_ROWS: Final = 64  # of ten columns, far below what a statement may hold


class Inserts:
    """What records facts of one type: passes over those whose key is already there."""

    def __init__(self, record: type[Fact], dialect: Dialect) -> None:
        self._table = schema.TABLES[record]
        self._dialect = dialect
        self._values = attrgetter(*self._table.c.keys())
        self._encoders = list(_encoders(self._table, dialect))
        self._statements: dict[int, str] = {}

    def statements(self, facts: Sequence[Fact]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """SQL and parameters, as the driver takes them, that insert these facts in their order."""
        rows = [self._row(fact) for fact in facts]
        at = 0
        while at < len(rows):
            # Powers of two: few statements to compile, and the driver keeps them prepared.
            count = min(_MOST_ROWS, 1 << (len(rows) - at).bit_length() - 1)
            yield self._statement(count), tuple(value for row in rows[at : at + count] for value in row)
            at += count

    def _row(self, fact: Fact) -> Sequence[Any]:
        values: tuple[Any, ...] = self._values(fact)
        if not self._encoders:
            return values
        row = list(values)
        for place, encode in self._encoders:
            row[place] = encode(row[place])
        return row

    def _statement(self, count: int) -> str:
        known = self._statements.get(count)
        if known is None:
            row = dict.fromkeys(self._table.c.keys())
            insert = insert_if_new(self._table, self._dialect.name).values([row] * count)
            known = self._statements[count] = str(insert.compile(dialect=_positional(self._dialect)))
        return known


def _encoders(table: Table, dialect: Dialect) -> Iterator[tuple[int, Callable[[Any], Any]]]:
    """Places of the columns whose values the driver doesn't take as they are, with what makes them so."""
    for place, column in enumerate(table.c):
        encode = column.type.dialect_impl(dialect).bind_processor(dialect)
        if encode is not None:
            yield place, encode


def _positional(dialect: Dialect) -> Dialect:
    """The dialect with values told apart by their place, not by name."""
    if dialect.positional:
        return dialect
    return type(dialect)(paramstyle="format")  # type: ignore[call-arg]  # every dialect's class takes it
