"""Statements that put many facts into a table at once, straight to the driver.

SQLAlchemy's own way of running an insert costs more than the database does, and compiling one for many rows
takes it milliseconds: it is asked for a row, and more rows are more of the same. SQLite's driver lets go of
the interpreter's lock with every statement, so there are few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Dialect, Table

from triptych.ledger import schema
from triptych.ledger.dialects import insert_if_new
from triptych.records import Fact

_MOST_ROWS: Final = 64  # of up to 14 columns: within 999 values, what an old SQLite takes


class Inserts:
    """What records facts of one type: passes over those whose key is already there."""

    def __init__(self, record: type[Fact], dialect: Dialect) -> None:
        self._table = schema.TABLES[record]
        self._dialect = dialect
        self._values = attrgetter(*self._table.c.keys())
        self._encoders = list(_encoders(self._table, dialect))
        self._one_row: tuple[str, str, str] | None = None

    def statements(self, facts: Sequence[Fact]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """SQL and parameters, as the driver takes them, that insert these facts in their order."""
        rows = [self._row(fact) for fact in facts]
        for at in range(0, len(rows), _MOST_ROWS):
            group = rows[at : at + _MOST_ROWS]
            yield self._statement(len(group)), tuple(chain.from_iterable(group))

    def _row(self, fact: Fact) -> Sequence[Any]:
        values: tuple[Any, ...] = self._values(fact)
        if not self._encoders:
            return values
        row = list(values)
        for place, encode in self._encoders:
            row[place] = encode(row[place])
        return row

    def _statement(self, count: int) -> str:
        if self._one_row is None:
            row = dict.fromkeys(self._table.c.keys())
            insert = insert_if_new(self._table, self._dialect.name).values([row])
            compiled = str(insert.compile(dialect=_positional(self._dialect)))
            head, values, conflict = compiled.partition(" VALUES ")
            row_of_values, on, tail = conflict.partition(" ON CONFLICT ")
            self._one_row = head + values, row_of_values, on + tail
        head, row_of_values, tail = self._one_row
        return head + ", ".join([row_of_values] * count) + tail


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
