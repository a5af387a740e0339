"""`triptych export --ratings override`: what people say of a pair stands above what judges say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import Triptych, one_line
from triptych.ledger.store import Ledger
from triptych.records import Rating
from triptych.runs import open_run
from triptych.validator.people import people_say


def rating(pair: str, axis: str, score: float, rater: str = "ann") -> Rating:
    return Rating(pair, rater, axis, 0, score)  # type: ignore[arg-type]


def test_people_take_what_judges_stopped_and_leave_out_what_they_took(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    rule = {"largest_component": 0, "shift": 1000, "zoom": 100}
    assert triptych("mine", recipe_file(rule=rule), "--out", "run").returncode == 0
    with open_run(tmp_path / "run") as run:
        taken = run.view().triplets
        lanes = {(one.source.id, one.edit.id) for one in taken}
        lost = next(one for one in run.rejected() if (one.source.id, one.edit.id) not in lanes)
    with Ledger.open(tmp_path / "run" / "ledger.sqlite") as ledger:
        ledger.record(
            [
                rating(taken[0].id, "accept", 0),
                rating(lost.id, "adherence", 4.5),
                rating(lost.id, "aesthetics", 4.9),
                rating(taken[1].id, "adherence", 1.0),  # one axis alone settles nothing
            ]
        )
    plain = json.loads(triptych("export", "run", "--to", "plain", "--json").stdout)
    done = triptych("export", "run", "--to", "people", "--ratings", "override", "--json")
    told = json.loads(done.stdout)
    assert told["chosen"]["people's ratings overrule the judges"] == "1 pairs taken, 1 left out"
    rows = [json.loads(line) for line in (tmp_path / "people" / "scores.jsonl").read_text().splitlines()]
    scores = {row["sample_id"]: (row["adherence"], row["aesthetics"]) for row in rows}
    assert taken[0].id not in scores
    assert taken[1].id in scores
    assert scores[lost.id] == (4.5, 4.9)
    assert plain["triplets"] == len(taken)
    assert "people's ratings overrule the judges" in (tmp_path / "people" / "README.md").read_text()
    assert "choose from" in triptych("export", "run", "--to", "x", "--ratings", "all").stderr


def test_an_unrated_run_is_exported_as_ever(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    triptych("mine", recipe_file(), "--out", "run")
    told = json.loads(triptych("export", "run", "--to", "a", "--ratings", "override", "--json").stdout)
    assert told["chosen"]["people's ratings overrule the judges"] == "0 pairs taken, 0 left out"
    plain = json.loads(triptych("export", "run", "--to", "b", "--json").stdout)
    assert told["dataset_hash"] == plain["dataset_hash"]
    assert "isn't empty" in one_line(triptych("export", "run", "--to", "a"), 2)


@given(st.lists(st.sampled_from([0.0, 1.0]), max_size=5), st.booleans())
def test_votes_decide_by_majority(votes: list[float], scored: bool) -> None:
    ratings = [rating("p", "accept", vote, str(n)) for n, vote in enumerate(votes)]
    if scored:
        ratings += [rating("p", "adherence", 2.0), rating("p", "aesthetics", 5.0)]
    said = people_say(ratings)
    yes = sum(votes)
    if votes and yes * 2 != len(votes):
        assert said["p"].good == (yes * 2 > len(votes))
    elif votes or not scored:
        assert "p" not in said
    else:
        assert not said["p"].good


def test_the_card_tells_how_far_the_judge_agrees_with_people(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    triptych("mine", recipe_file(), "--out", "run")
    triptych("export", "run", "--to", "before")
    unrated = (tmp_path / "before" / "README.md").read_text()
    assert "Nobody's ratings of these pairs were compared" in unrated
    with open_run(tmp_path / "run") as run:
        taken = run.view().triplets
    with Ledger.open(tmp_path / "run" / "ledger.sqlite") as ledger:  # people say 0.5 less than the judge
        ledger.record([rating(one.id, "adherence", one.scores.adherence - 0.5) for one in taken])
    triptych("export", "run", "--to", "after")
    card = (tmp_path / "after" / "README.md").read_text()
    assert f"| small | adherence | {len(taken)} | 1.00 | 0.50 |" in card
    assert "| small | aesthetics |" not in card
