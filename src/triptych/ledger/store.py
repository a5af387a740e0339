"""The ledger: facts go in, each batch in one transaction; nothing in it is ever changed or taken out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
    SQLAlchemyError,
)

from triptych.errors import RunError, WorkFailed
from triptych.ledger import schema
from triptych.ledger.dialects import Durability, connect, lock_for_migration
from triptych.ledger.inserts import Inserts
from triptych.records import (
    Attempt,
    Brief,
    Call,
    Comparison,
    Derivation,
    Doubt,
    Edit,
    Fact,
    Finding,
    Pair,
    Rating,
    Scene,
    Signal,
    Source,
    Spec,
    Verdict,
)

F = TypeVar(
    "F",
    Spec,
    Brief,
    Scene,
    Edit,
    Source,
    Attempt,
    Pair,
    Derivation,
    Signal,
    Verdict,
    Doubt,
    Rating,
    Comparison,
    Finding,
    Call,
)

_ROWS_AT_ONCE = 5_000


class Ledger:
    """A run's facts. Safe to use from several threads and, in files, from several processes."""

    def __init__(self, engine: Engine, where: str, *, quick: bool = False) -> None:
        self.where = where  # for people: a path, or a URL without its password
        self.quick = quick  # a commit goes into this machine's memory: no server and no disk is waited for
        self._engine = engine
        self._inserts = {record: Inserts(record, engine.dialect) for record in schema.TABLES}

    @classmethod
    def open(
        cls, where: str | Path, *, read_only: bool = False, durability: Durability = "process"
    ) -> Ledger:
        """Open the ledger in a SQLite file (made if it isn't there) or behind a postgresql:// URL.

        What is recorded outlives the process; with durability "power" a power cut as well. RunError where it
        can't be used.
        """
        engine = connect(where, read_only=read_only, durability=durability)
        quick = engine.dialect.name == "sqlite" and durability == "process"
        ledger = cls(engine, _shown(where, engine), quick=quick)
        try:
            if read_only:
                ledger._check_format()
            else:
                with ledger._transaction(writes=True) as connection:
                    lock_for_migration(connection)
                    schema.migrate(connection, ledger.where)
        except DBAPIError as error:
            engine.dispose()
            raise RunError(_unusable(ledger.where, error)) from error
        except RunError:
            engine.dispose()
            raise
        return ledger

    def record(self, facts: Iterable[Fact]) -> None:
        """Record facts in one transaction: all or, with WorkFailed, none. Known ones are passed over."""
        batches: dict[type[Fact], list[Fact]] = {}
        for fact in facts:
            batches.setdefault(type(fact), []).append(fact)
        if not batches:
            return
        try:
            with self._transaction(writes=True) as connection:
                for record, batch in batches.items():
                    for statement, values in self._inserts[record].statements(batch):
                        connection.exec_driver_sql(statement, values)
        except (DataError, IntegrityError, ProgrammingError, InterfaceError):
            raise  # the facts are at fault, not the database
        except DBAPIError as error:
            raise WorkFailed(_unwritten(self.where, error)) from error

    def facts(self, record: type[F]) -> Iterator[F]:
        """Every fact of a type, in the order of its key, streamed."""
        table = schema.TABLES[record]
        columns = [column for column in table.c if record is not Spec or column.name != "id"]
        with self.reading() as connection:
            wanted = select(*columns).order_by(*table.primary_key)
            for row in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(wanted):
                yield record(*row)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees the ledger as it is at this moment."""
        with self._transaction(writes=False) as connection:
            yield connection

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        with self._engine.connect().execution_options(writes=writes) as connection, connection.begin():
            try:
                yield connection
            except DBAPIError as error:
                if any(words in _said(error) for words in _ANOTHER_FORMAT):
                    raise RunError(
                        f"{self.where} was made by another version of triptych, whose format this one doesn't"
                        " know: use that version, or mine into a new folder with --out"
                    ) from error
                raise

    def _check_format(self) -> None:
        with self.reading() as connection:
            found = schema.format_of(connection)
        if found is None:
            raise RunError(f"{self.where} holds no ledger: run `triptych mine` first, or mend the path")
        schema.refuse_newer(found, self.where)
        if found <= len(schema.MIGRATIONS):
            raise RunError(f"{self.where} has an older format: `triptych mine` brings it up to date")


def _shown(where: str | Path, engine: Engine) -> str:
    if isinstance(where, str) and "://" in where and engine.dialect.name != "sqlite":
        return engine.url.render_as_string(hide_password=True)
    return str(where).removeprefix("sqlite:///")


def _said(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split())


def _unusable(where: str, error: DBAPIError) -> str:
    said = _said(error)
    if "not a database" in said or "malformed" in said:
        return f"{where} is no ledger, or is damaged ({said}): name another run folder with --out"
    if "readonly" in said or "unable to open" in said:
        return f"{where} can't be written: make its folder writable, or name another with --out"
    if "locked" in said:
        return f"{where} is held by another program: wait until it is done, or stop it"
    return f"{where} can't be opened ({said}): check that the database is there and may be used"


def _unwritten(where: str, error: DBAPIError) -> str:
    said = _said(error)
    if "full" in said or "No space" in said:
        return f"the disk of {where} is full: free some space and run the same command again; nothing is lost"
    if "locked" in said:
        return f"{where} is held by another program: stop it and run the same command again; nothing is lost"
    return f"{where} can't be written ({said}): mend that and run the same command again; nothing is lost"


# How databases say that a table or column isn't there.
_ANOTHER_FORMAT: Final = ("no such table", "no such column", "has no column named", "does not exist")

# What one caller's facts may do to a shared transaction: a text that can't be encoded, an integer too large.
BAD_FACT: Final = (SQLAlchemyError, ValueError, TypeError, OverflowError)
