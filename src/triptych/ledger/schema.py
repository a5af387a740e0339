"""The ledger's tables, one for each record type with its fields as columns, and their migrations.

Rows are only ever added. A key says when two facts are the same one; recording it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    inspect,
    select,
    text,
)
from sqlalchemy.types import BigInteger, TypeEngine

from triptych import __version__
from triptych.errors import RunError
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
    Paraphrase,
    Phrase,
    Rating,
    Scene,
    Signal,
    Source,
    Spec,
    Verdict,
)

METADATA: Final = MetaData()

meta: Final = Table(
    "meta",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)


def _table(
    record: type[Fact], key: str, *, optional: str = "", types: Mapping[str, TypeEngine[Any]]
) -> Table:
    """Table of a record type. A column is Text unless `types` says otherwise, NOT NULL unless optional."""
    names = [field.name for field in fields(record)]
    if record is Spec:
        names.insert(0, "id")
    key_names = key.split()
    columns = [
        Column(
            name, types.get(name, Text()), primary_key=name in key_names, nullable=name in optional.split()
        )
        for name in names
    ]
    # Without a row id the key is the table itself: half the pages, and one search for each look-up.
    return Table(record.__name__.lower(), METADATA, *columns, sqlite_with_rowid=False)


spec: Final = _table(Spec, "id", types={"settings": JSON()})
brief: Final = _table(Brief, "id", types={"ordinal": Integer(), "asked": JSON(), "edits": JSON()})
scene: Final = _table(Scene, "id", optional="prompt style", types={})
edit: Final = _table(Edit, "id", types={"ordinal": Integer()})
phrase: Final = _table(Phrase, "id", optional="other_id", types={})
paraphrase: Final = _table(Paraphrase, "id", types={"ordinal": Integer()})
source: Final = _table(
    Source,
    "id revision",
    types={"revision": Integer(), "seed": BigInteger(), "width": Integer(), "height": Integer()},
)
attempt: Final = _table(Attempt, "id revision", types={"revision": Integer(), "seed": BigInteger()})
pair: Final = _table(Pair, "id", types={})
derivation: Final = _table(Derivation, "pair_id ordinal", types={"ordinal": Integer()})
signal: Final = _table(Signal, "pair_id name spec_id", types={"value": Double()})
verdict: Final = _table(
    Verdict,
    "subject_id question spec_id repeat",
    optional="value reason raw",
    types={"repeat": Integer(), "value": Double()},
)
doubt: Final = _table(Doubt, "subject_id spec_id repeat", types={"repeat": Integer(), "found_at": Double()})
rating: Final = _table(
    Rating,
    "pair_id rater axis sitting",
    optional="score reason rated_at",
    types={"sitting": Integer(), "score": Double(), "rated_at": Double()},
)
comparison: Final = _table(
    Comparison,
    "pair_id other_id rater sitting",
    optional="preferred reason rated_at",
    types={"sitting": Integer(), "preferred": Double(), "rated_at": Double()},
)
finding: Final = _table(
    Finding,
    "pair_id rater sitting",
    optional="flaw note found_at",
    types={"sitting": Integer(), "planned": Integer(), "found_at": Double()},
)
# The time is part of the key: two calls are never one, whatever number they were given.
call: Final = _table(
    Call,
    "job_id number finished_at",
    optional="reason price scene_id tokens_in tokens_out terms raw",
    types={
        "number": Integer(),
        "seconds": Double(),
        "price": Double(),
        "finished_at": Double(),
        "tokens_in": BigInteger(),
        "tokens_out": BigInteger(),
    },
)

Index("edit_by_scene", edit.c.scene_id)
Index("phrase_by_scene", phrase.c.scene_id)
Index("paraphrase_by_scene", paraphrase.c.scene_id)
Index("source_by_scene", source.c.scene_id)
Index("attempt_by_source", attempt.c.source_id)
Index("attempt_by_pair", attempt.c.pair_id)
Index("derivation_by_parent", derivation.c.parent_id)
Index("call_by_scene", call.c.scene_id, call.c.outcome)

TABLES: Final[dict[type[Fact], Table]] = {
    Spec: spec,
    Brief: brief,
    Scene: scene,
    Edit: edit,
    Phrase: phrase,
    Paraphrase: paraphrase,
    Source: source,
    Attempt: attempt,
    Pair: pair,
    Derivation: derivation,
    Signal: signal,
    Verdict: verdict,
    Doubt: doubt,
    Rating: rating,
    Comparison: comparison,
    Finding: finding,
    Call: call,
}

Migration = Callable[[Connection], None]


def _add_ratings(connection: Connection) -> None:
    rating.create(connection, checkfirst=True)


def _add_comparisons_and_findings(connection: Connection) -> None:
    comparison.create(connection, checkfirst=True)
    finding.create(connection, checkfirst=True)


def _add_receipts(connection: Connection) -> None:
    there = {column["name"] for column in inspect(connection).get_columns(call.name)}
    for name, kind in {"tokens_in": "BIGINT", "tokens_out": "BIGINT", "terms": "TEXT", "raw": "TEXT"}.items():
        if name not in there:
            connection.execute(text(f"ALTER TABLE {call.name} ADD COLUMN {name} {kind}"))


def _add_paraphrases(connection: Connection) -> None:
    paraphrase.create(connection, checkfirst=True)


def _add_doubts(connection: Connection) -> None:
    doubt.create(connection, checkfirst=True)


# Step n (from 0) makes format n + 2 of format n + 1. A new ledger is created in the newest format.
MIGRATIONS: Final[tuple[Migration, ...]] = (
    _add_ratings,
    _add_receipts,
    _add_paraphrases,
    _add_comparisons_and_findings,
    _add_doubts,
)


def format_of(connection: Connection) -> int | None:
    """Number of the format of a ledger; None where there is no ledger yet."""
    if not inspect(connection).has_table(meta.name):
        return None
    value = connection.execute(select(meta.c.value).where(meta.c.key == "format")).scalar_one()
    return int(value)


def migrate(connection: Connection, where: str, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring a ledger to the newest format, within the caller's transaction: all of it, or nothing."""
    newest = 1 + len(migrations)
    found = format_of(connection)
    if found is None:
        METADATA.create_all(connection)
        facts = {"format": str(newest), "created_by": f"triptych {__version__}"}
        connection.execute(meta.insert(), [{"key": key, "value": value} for key, value in facts.items()])
        return
    refuse_newer(found, where, newest)
    if found < newest:
        for step in migrations[found - 1 :]:
            step(connection)
        connection.execute(meta.update().where(meta.c.key == "format").values(value=str(newest)))


def refuse_newer(found: int, where: str, newest: int = 1 + len(MIGRATIONS)) -> None:
    """Raise RunError where a ledger was written by a newer version than this one."""
    if found > newest:
        raise RunError(
            f"{where} was written by a newer triptych (ledger format {found}, this one reads up to {newest}):"
            " upgrade with `pip install -U triptych`"
        )
