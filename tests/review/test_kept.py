"""What a look at a run keeps for the next one is what reading all of it again would give."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from triptych.ledger.queries import specs
from triptych.ledger.run import RunFolder
from triptych.records import Call, Doubt, Fact
from triptych.review.index import Table
from triptych.review.live import LiveRun


def looked_at(path: Path, *overrides: str) -> tuple[Table, int]:
    """All rows, and how many scenes were read for them."""
    run = LiveRun(path, overrides)
    run.refresh()
    run.close()
    return run.table, run.read


def told(table: Table) -> list[str]:
    """Every field of every row, as text: NaN is no number, and equals nothing."""
    words = [{name: table.words[name][line[name]] for name in table.words} for line in table.columns]
    numbers = [[float(line[name]) for name in ("margin", "score", "inverse")] for line in table.columns]
    return [str(parts) for parts in zip(table.rows, words, numbers, strict=True)]


@pytest.fixture
def kept(run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was looked at, as if long after it was made."""
    monkeypatch.setattr("triptych.review.live._LATE_SECONDS", 0)
    assert looked_at(run)[1] == 6
    return run


def test_the_next_start_reads_no_scene_and_shows_the_same(kept: Path) -> None:
    table, read = looked_at(kept)
    assert read == 0
    for file in (kept / ".cache" / "review").iterdir():
        file.unlink()
    anew, read = looked_at(kept)
    assert read == 6
    assert told(table) == told(anew)
    assert table.by_id == anew.by_id


def test_another_rule_is_read_for_itself(kept: Path) -> None:
    table, read = looked_at(kept, "threshold=4.9")
    assert read == 6
    assert told(table) != told(looked_at(kept)[0])
    assert looked_at(kept, "threshold=4.9")[1] == 0


def test_a_scene_that_was_called_for_is_read_again(kept: Path) -> None:
    table, _ = looked_at(kept)
    record(
        kept,
        lambda spec: Call("editor", spec, "0" * 32, 1, "refused", "no", 1.0, None, 1.0, table.rows[0].scene),
    )
    assert looked_at(kept)[1] == 1
    assert looked_at(kept)[1] == 0


def test_a_doubt_may_be_of_any_scene(kept: Path) -> None:
    subject = looked_at(kept)[0].rows[-1].id
    record(kept, lambda spec: Doubt(subject, spec, 0, "judge_changed", time.time()))
    assert looked_at(kept)[1] == 6
    assert looked_at(kept)[1] <= 1  # its own scene, where the doubt left it open


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"rows": {}, "scenes": [], "doubts": 0}', '{"rows": 1}'])
def test_a_damaged_file_costs_a_reading(kept: Path, damage: str) -> None:
    table, _ = looked_at(kept)
    (file,) = (kept / ".cache" / "review").glob("*.json")
    file.write_text(damage)
    anew, read = looked_at(kept)
    assert read == 6
    assert told(table) == told(anew)


def test_few_files_are_kept(kept: Path) -> None:
    for number in range(6):
        looked_at(kept, f"threshold=4.{number}")
    assert len([*(kept / ".cache" / "review").iterdir()]) == 4


def record(path: Path, fact: Callable[[str], Fact]) -> None:
    """Record a fact that names a spec of the run."""
    with RunFolder.existing(path).open_ledger() as ledger:
        ledger.record([fact(next(iter(specs(ledger))))])
