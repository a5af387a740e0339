"""Calls keep what a back end tells of them; ledgers from before have room made for it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from triptych.ledger.dialects import connect
from triptych.ledger.store import Ledger
from triptych.records import Call, Receipt

NEW = ("tokens_in", "tokens_out", "terms", "raw")
CALL = Call("writer", "spec", "job", 1, "made", None, 2.0, 0.1, 5.0, None, 300, 20, "some terms", '{"a": 1}')


def test_a_ledger_of_the_second_format_gets_the_columns(tmp_path: Path) -> None:
    where = tmp_path / "ledger.sqlite"
    old = Call("writer", "spec", "old job", 1, "made", None, 2.0, None, 4.0, None)
    with Ledger.open(where) as ledger:
        ledger.record([old])
    engine = connect(where, read_only=False, durability="process")
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        for name in NEW:
            connection.execute(text(f"ALTER TABLE call DROP COLUMN {name}"))
        connection.execute(text("UPDATE meta SET value = '2' WHERE key = 'format'"))
    engine.dispose()
    with Ledger.open(where) as ledger:
        ledger.record([CALL])
        assert sorted(ledger.facts(Call), key=lambda call: call.finished_at) == [old, CALL]


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(1, 60))
def test_parts_add_up(came: int, went: int, count: int) -> None:
    whole = Receipt(came, went, 0.75, 3.0, "terms", "words")
    parts = whole.split(count)
    total = Receipt()
    for part in parts:
        total = total + part
    assert (total.tokens_in, total.tokens_out, total.terms, total.raw) == (came, went, "terms", None)
    assert abs((total.price or 0) - 0.75) < 1e-9
    assert max(p.tokens_in or 0 for p in parts) - min(p.tokens_in or 0 for p in parts) <= 1
