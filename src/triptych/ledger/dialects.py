"""All that differs between SQLite and PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import orjson
from sqlalchemy import URL, Connection, Engine, Insert, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from triptych.errors import RunError

Durability = Literal["process", "power"]

_PREPARED = 512  # statements that a connection keeps: one for each table and number of rows up to 64
_BUSY_SECONDS = 30
_MIGRATION_LOCK = 0x7472697074  # any number that no other program locks


def insert_if_new(table: Table, dialect: str) -> Insert:
    """An insert that passes over rows whose key is already there."""
    if dialect == "postgresql":  # it takes a while to load
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def connect(where: str | Path, *, read_only: bool, durability: Durability) -> Engine:
    """Engine for a SQLite file's path, or for a database's URL."""
    if isinstance(where, str) and "://" in where:
        try:
            url = make_url(where)
        except ArgumentError:
            raise RunError("the ledger's URL can't be read: write postgresql://user@host/database") from None
        if url.get_backend_name() == "postgresql":
            return _postgresql(url, read_only=read_only, durability=durability)
        if url.get_backend_name() != "sqlite" or not url.database:
            raise RunError(
                f"no ledger in {url.get_backend_name()}: give a SQLite file or a postgresql:// URL"
            )
        where = url.database
    return _sqlite(Path(where), read_only=read_only, durability=durability)


def lock_for_migration(connection: Connection) -> None:
    """Keep others out until this transaction ends; SQLite's write lock, already held, does that by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})


def _sqlite(path: Path, *, read_only: bool, durability: Durability) -> Engine:
    if read_only and not path.is_file():
        raise RunError(f"there is no ledger at {path}: run `triptych mine` first, or mend the path")
    uri = path.absolute().as_uri()
    if read_only:
        uri += "?mode=ro"
        # A reader of a WAL file writes beside it; in a read-only folder it can't, and nobody else writes.
        log = path.with_name(path.name + "-wal")
        if not os.access(path.parent, os.W_OK) and not (log.exists() and log.stat().st_size):
            uri += "&immutable=1"

    def open_file() -> sqlite3.Connection:
        # Transactions are begun below: the driver's own way would leave CREATE TABLE outside of them.
        return sqlite3.connect(
            uri,
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_PREPARED,
        )

    engine = create_engine("sqlite://", creator=open_file, poolclass=QueuePool, **_json_options())

    @event.listens_for(engine, "connect")
    def set_up(connection: DBAPIConnection, _: object) -> None:
        cursor = connection.cursor()
        if not read_only:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
        cursor.execute("PRAGMA cache_size = -32000")  # KiB
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes its lock at once: one that starts as a reader can be turned away in the middle.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: URL, *, read_only: bool, durability: Durability) -> Engine:
    if find_spec("psycopg") is None:
        raise RunError(
            "a PostgreSQL ledger needs its driver: install it with `pip install 'triptych[postgres]'`"
        )
    settings: Sequence[str] = ()
    if durability == "process":
        settings = ("-c synchronous_commit=off",)
    if read_only:
        settings = (*settings, "-c default_transaction_read_only=on")
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"options": " ".join(settings)},
        pool_pre_ping=True,
        **_json_options(),
    )


def _json_options() -> dict[str, Any]:
    return {
        "json_serializer": lambda value: orjson.dumps(
            value, default=dict, option=orjson.OPT_SORT_KEYS
        ).decode(),
        "json_deserializer": orjson.loads,
    }
