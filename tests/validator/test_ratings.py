from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.errors import UserError
from triptych.records import Rating
from triptych.validator.ratings import read_ratings, remove_rater_bias, write_ratings

HEADER = "item,rater,axis,score\n"
scores = st.integers(2, 10).map(lambda half: half / 2)
name = st.text("abcdefgh, \"'é", min_size=1, max_size=6).filter(lambda text: text == text.strip() != "")


@st.composite
def full_tables(draw: st.DrawFn) -> dict[tuple[str, str], float]:
    """Scores by (item, rater), every rater having scored every item."""
    items, raters = draw(st.integers(1, 6)), draw(st.integers(2, 5))
    return {(f"i{i}", f"r{r}"): draw(scores) for i in range(items) for r in range(raters)}


@st.composite
def sparse_tables(draw: st.DrawFn) -> dict[tuple[str, str], float]:
    table = draw(full_tables())
    kept = {key: score for key, score in table.items() if draw(st.booleans())}
    return kept if len({rater for _, rater in kept}) > 1 else table


def ratings(table: dict[tuple[str, str], float]) -> list[Rating]:
    return [Rating(item, rater, "adherence", 0, score) for (item, rater), score in table.items()]


@given(full_tables(), st.floats(-2, 2))
@settings(deadline=None)
def test_a_lenient_rater_of_everything_changes_no_difference_between_items(
    table: dict[tuple[str, str], float], more: float
) -> None:
    before = remove_rater_bias(ratings(table), "adherence")
    lenient = {key: score + more * (key[1] == "r0") for key, score in table.items()}
    after = remove_rater_bias(ratings(lenient), "adherence")
    raters = len({rater for _, rater in table})
    for item, score in before.scores.items():
        assert after.scores[item] == pytest.approx(score + more / raters, abs=1e-9)
    assert after.bias["r0"] - after.bias["r1"] == pytest.approx(
        before.bias["r0"] - before.bias["r1"] + more, abs=1e-9
    )


@given(sparse_tables(), st.floats(-2, 2))
@settings(deadline=None)
def test_everybody_more_lenient_shifts_scores_and_no_bias(
    table: dict[tuple[str, str], float], more: float
) -> None:
    before = remove_rater_bias(ratings(table), "adherence")
    after = remove_rater_bias(ratings({key: score + more for key, score in table.items()}), "adherence")
    assert after.bias == pytest.approx(before.bias, abs=1e-9)
    assert after.scores == pytest.approx({i: s + more for i, s in before.scores.items()}, abs=1e-9)


@given(sparse_tables())
@settings(deadline=None)
def test_biases_balance_over_all_ratings(table: dict[tuple[str, str], float]) -> None:
    bias = remove_rater_bias(ratings(table), "adherence").bias
    assert sum(bias[rater] for _, rater in table) == pytest.approx(0, abs=1e-9)


def test_bias_by_hand() -> None:
    # item means 3 and 4; ann 4, 5 → +1; bob 2, 3 → −1: both agree once that is off
    table = {("a", "ann"): 4.0, ("a", "bob"): 2.0, ("b", "ann"): 5.0, ("b", "bob"): 3.0}
    found = remove_rater_bias(ratings(table), "adherence")
    assert found.bias == {"ann": 1.0, "bob": -1.0}
    assert found.scores == {"a": 3.0, "b": 4.0}
    assert found.raters == {"a": 2, "b": 2}


def test_of_two_sittings_the_later_counts() -> None:
    rows = ratings({("a", "ann"): 2.0, ("a", "bob"): 4.0, ("b", "ann"): 3.0, ("b", "bob"): 5.0})
    again = [replace(rows[0], sitting=1), *rows[1:], replace(rows[0], score=5.0)]
    assert remove_rater_bias(again, "adherence") == remove_rater_bias(rows, "adherence")


def test_a_rating_that_was_withdrawn_does_not_count() -> None:
    rows = ratings({("a", "ann"): 2.0, ("a", "bob"): 4.0, ("b", "ann"): 3.0, ("b", "bob"): 5.0})
    gone = [*rows, replace(rows[0], sitting=1, score=None, reason="withdrawn")]
    assert remove_rater_bias(gone, "adherence") == remove_rater_bias(rows[1:], "adherence")


def test_one_rater_alone_has_no_bias_to_tell() -> None:
    with pytest.raises(UserError, match=r"by 'ann'.*at least 2 people"):
        remove_rater_bias(ratings({("a", "ann"): 4.0, ("b", "ann"): 2.0}), "adherence")


rating = st.builds(
    Rating,
    pair_id=name,
    rater=name,
    axis=st.sampled_from(["adherence", "aesthetics"]),
    sitting=st.integers(0, 3),
    score=st.floats(1, 5),
    rated_at=st.none() | st.floats(0, 2e9),
) | st.builds(
    Rating,
    pair_id=name,
    rater=name,
    axis=st.just("accept"),
    sitting=st.integers(0, 3),
    score=st.none(),
    reason=name,
    rated_at=st.none(),
)


@given(st.lists(rating, min_size=1, max_size=8), st.sampled_from(["csv", "jsonl"]))
@settings(deadline=None)
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Rating], suffix: str
) -> None:
    path = tmp_path_factory.mktemp("ratings") / f"ratings.{suffix}"
    write_ratings(path, rows)
    assert list(read_ratings(path).rows) == rows


def test_repeats_are_told_by_line_and_never_merged(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(
        HEADER
        + "a,ann,adherence,4\n"
        + "a,ann,adherence,4.0\n"  # duplicate of line 2
        + "b,ann,adherence,2\n"
        + "b,ann,adherence,5\n"  # conflict with line 4
        + "b,ann,aesthetics,5\n"
    )
    file = read_ratings(path)
    assert len(file.rows) == 5
    assert [repeat.lines for repeat in file.duplicates] == [(2, 3)]
    assert [repeat.lines for repeat in file.conflicts] == [(4, 5)]
    with pytest.raises(UserError, match="lines 4, 5: ann on b, adherence: 2, 5: conflicting"):
        file.settled()
    assert [(row.pair_id, row.axis) for row in file.settled("drop")] == [
        ("a", "adherence"),
        ("b", "aesthetics"),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,ann,adherence,6", "line 3: score '6' is not from 1 to 5"),
        ("a,ann,adherence,0.5", "line 3: score '0.5'"),
        ("a,ann,adherence,", "line 3: score ''"),
        ("a,ann,adherence,good", "line 3: score 'good' is not a number"),
        ("a,ann,adherence,nan", "line 3: score 'nan' is not a number"),
        ("a,ann,beauty,3", "line 3: axis 'beauty'"),
        ("a,ann,accept,0.5", "line 3: score '0.5' is not 0 or 1"),
        ("a,,adherence,3", "line 3: no rater"),
        (",ann,adherence,3", "line 3: no item"),
        ("a,ann,adherence", "line 3: not as many fields"),
        ("a,ann,adherence,3,4", "line 3: not as many fields"),
        ("z,ann,adherence,3", "line 3: unknown item 'z'"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(HEADER + "a,bob,adherence,3\n" + row + "\n")
    with pytest.raises(UserError) as caught:
        read_ratings(path, known_items={"a"})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("r.csv", "item,rater,score\n", "line 1: no axis"),
        ("r.csv", "item,rater,axis,score,mood\n", "unknown column 'mood'"),
        ("r.csv", HEADER, "no ratings in it"),
        ("r.csv", "", "no item, rater"),
        ("r.jsonl", '{"item": "a"', "line 1: not JSON"),
        ("r.jsonl", "[1]\n", "line 1: one JSON object"),
        ("r.jsonl", '{"item": "a", "rater": "b", "axis": "adherence", "score": true}', "not a number"),
        ("r.txt", "", "csv or .jsonl"),
    ],
)
def test_a_file_that_is_no_ratings(tmp_path: Path, file: str, text: str, said: str) -> None:
    path = tmp_path / file
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_ratings(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.csv can't be read"):
        read_ratings(tmp_path / "absent.csv")
