from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Triptych, one_line
from tests.ledger.facts import whole_scene
from triptych.cli.main import main
from triptych.ledger import queries
from triptych.ledger.run import RunFolder
from triptych.records import Pair, Rating

HEADER = "item,rater,axis,score,sitting,time,reason\n"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run with twelve pairs."""
    folder = RunFolder.create(tmp_path / "run")
    with folder.open_ledger() as ledger:
        ledger.record(whole_scene("a red barn"))
    return folder


def pairs(run: RunFolder) -> list[str]:
    with run.open_ledger(read_only=True) as ledger:
        return [pair.id for pair in ledger.facts(Pair)]


def ratings(run: RunFolder) -> list[Rating]:
    with run.open_ledger(read_only=True) as ledger:
        return queries.ratings(ledger)


def test_ratings_become_facts_once(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, *_ = pairs(run)
    file = tmp_path / "ratings.csv"
    file.write_text(
        HEADER
        + f"{one},ann,adherence,4,,1700000000,\n{one},ann,adherence,4.0,,,\n"
        + f"{two},ann,accept,1,0,,\n{two},ann,accept,,1,,withdrawn\n{two},bob,accept,0,,,\n"
    )
    command = ["validator", "import-ratings", str(file), "--run", str(run.path), "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == {"recorded": 4, "known": 0, "duplicates": 1, "dropped": 0}
    assert ratings(run) == [Rating(one, "ann", "adherence", 0, 4.0), Rating(two, "bob", "accept", 0, 0.0)]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == {"recorded": 0, "known": 4, "duplicates": 1, "dropped": 0}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("nowhere,ann,adherence,4,,,\n", "1 rated items are no pairs of this run, e.g. 'nowhere'"),
        ("{0},ann,adherence,4,,,\n{0},ann,adherence,3,,,\n", "lines 2, 3: ann on {0}, adherence: 4, 3"),
        ("{1},ann,accept,1,,,\n{0},bob,aesthetics,3,,,\n", "3 here, 5 in the run; a rating that replaces"),
        ("{0},ann,adherence,9,,,\n", "line 2: score '9' is not from 1 to 5"),
        ("{0},ann,adherence,4,x,,\n", "line 2: sitting 'x' is not a number"),
        ("{0},ann,adherence,4,-1,,\n", "line 2: sitting '-1'; it counts 0, 1, 2"),
    ],
)
def test_a_bad_file_records_nothing(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: str, said: str
) -> None:
    names = pairs(run)
    before = [Rating(names[0], "bob", "aesthetics", 0, 5.0)]
    with run.open_ledger() as ledger:
        ledger.record(before)
    file = tmp_path / "ratings.csv"
    file.write_text(HEADER + rows.format(*names))
    assert main(["validator", "import-ratings", str(file), "--run", str(run.path)]) == 2
    error = capsys.readouterr().err
    assert said.format(*names) in error
    assert error.count("\n") == 1
    assert ratings(run) == before


def test_who_rates_again_replaces_their_rating(run: RunFolder, tmp_path: Path, triptych: Triptych) -> None:
    one = pairs(run)[0]
    file = tmp_path / "ratings.jsonl"
    for sitting, score in enumerate((2, 5)):
        row = {"item": one, "rater": "ann", "axis": "aesthetics", "score": score, "sitting": sitting}
        file.write_text(json.dumps(row))
        assert "1 ratings recorded" in triptych("validator", "import-ratings", file, "--run", run.path).stdout
    assert ratings(run) == [Rating(one, "ann", "aesthetics", 1, 5.0)]
    assert "there is no run in" in one_line(
        triptych("validator", "import-ratings", file, "--run", "nowhere"), 2
    )
