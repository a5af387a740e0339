"""The index says of a run what the queries that `status` and `export` use say of it."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.errors import UserError
from triptych.review.filters import VALUES, Filter, parse_filter
from triptych.review.index import Index, Table
from triptych.review.live import LiveRun
from triptych.review.overview import funnel_counts, overview
from triptych.review.rows import STAGES, Row
from triptych.runs import open_run
from triptych.validator.rule import AxisThresholds, Rule


def table_of(path: Path, *overrides: str) -> Table:
    run = LiveRun(path, overrides)
    run.refresh()
    run.close()
    return run.table


@pytest.mark.parametrize("overrides", [(), ("threshold=4.85",), ("rule.backward=4.5",)])
def test_stages_and_scores_are_those_of_the_run(mined: Path, overrides: tuple[str, ...]) -> None:
    table = table_of(mined, *overrides)
    with open_run(mined, overrides) as run:
        view = run.view()
        rejected = Counter(pair.reason for pair in run.rejected() if pair.kind == "forward")
    counts = funnel_counts(table)
    assert {name: counts[name] for name in view.funnel} == view.funnel
    kept = {(row.kind, row.id) for row in table.rows if STAGES[row.stage] == "kept"}
    assert kept == {(triplet.kind, triplet.id) for triplet in view.triplets}
    assert "forward" in {kind for kind, _ in kept}
    scores = {row.id: (row.adherence, row.aesthetics) for row in table.rows}
    for triplet in view.triplets:
        assert scores[triplet.id] == (triplet.scores.adherence, triplet.scores.aesthetics)
    told = Counter(row.reason for row in table.rows if row.kind == "forward" and row.stage < 3)
    assert told == rejected
    dropped = {row.id for row in table.rows if row.reason == "backward_inconsistent"}
    assert dropped == {triplet.id for triplet in view.dropped}


def test_every_bar_of_the_overview_leads_to_as_many_as_it_says(mined: Path) -> None:
    run = LiveRun(mined)
    run.refresh()
    told = overview(run)
    run.close()

    def found(query: dict[str, str]) -> int:
        return len(run.table.find(parse_filter(query)))

    counts = {step["stage"]: step["count"] for step in told["funnel"]}
    assert {step["stage"]: found(step["query"]) for step in told["funnel"]} == counts
    for row in told["reasons"]:
        assert found({"kind": row["kind"], "reason": row["reason"]}) == row["count"] > 0
    for field, rows in told["acceptance"].items():
        for row in rows:
            assert found({"kind": "forward", field: row["word"]}) == row["made"]
            assert found({"kind": "forward", "passed": "validator", field: row["word"]}) == row["accepted"]
    for axis, histogram in told["histograms"].items():
        assert sum(histogram["counts"]) == sum(not math.isnan(row.adherence) for row in run.table.rows), axis


words = st.sampled_from(["add a cat", "remove the cat", "make it RED", "größer machen"])
scores = st.floats(1, 5).map(lambda score: round(score, 2)) | st.just(math.nan)
row_sets = st.lists(
    st.builds(
        lambda number, **parts: Row(
            id=f"{number:032x}",
            attempt="",
            scene="s",
            source_image="a" * 32,
            edited_image="b" * 32,
            prompt="",
            width=10,
            height=20,
            lane="",
            gates=True,
            **parts,
        ),
        number=st.integers(0, 2**100),
        kind=st.sampled_from(["forward", "inverse"]),
        instruction=words,
        category=st.sampled_from(["add", "remove"]),
        style=st.sampled_from(["standard", "oil, thick"]),
        stage=st.integers(0, 5),
        reason=st.sampled_from(["", "dust"]),
        adherence=scores,
        aesthetics=scores,
    ),
    max_size=12,
)


@given(
    row_sets,
    st.fixed_dictionaries(
        {},
        optional={
            "kind": st.sampled_from(["forward", "forward,inverse"]),
            "category": st.just("add"),
            "style": st.just("oil, thick"),
            "stage": st.sampled_from(["kept", "made,kept"]),
            "adherence": st.sampled_from(["4..", "..3", "2..4.5"]),
            "q": st.sampled_from(["CAT", "red make", "größer"]),
        },
    ),
    st.sampled_from(["run", "-adherence", "adherence", "mix", "near"]),
)
def test_a_filter_gives_what_it_says_in_order(rows: list[Row], query: dict[str, str], sort: str) -> None:
    index = Index(Rule(threshold=AxisThresholds(adherence=4, aesthetics=4)))
    index.put("s", 0, rows)
    table = index.publish()

    def passes(row: Row) -> bool:
        low, _, high = query.get("adherence", "..").partition("..")
        score_fits = "adherence" not in query or float(low or 0) <= row.adherence <= float(high or 9)
        return (
            row.kind in query.get("kind", row.kind).split(",")
            and row.category == query.get("category", row.category)
            and row.style == query.get("style", row.style)
            and STAGES[row.stage] in query.get("stage", STAGES[row.stage]).split(",")
            and score_fits
            and all(word in row.instruction.lower() for word in query.get("q", "").lower().split())
        )

    wanted = parse_filter(query | {"sort": sort})
    found = [table.rows[place] for place in table.find(wanted).tolist()]
    assert Counter(row.id for row in found) == Counter(row.id for row in rows if passes(row))
    if sort.endswith("adherence"):
        values = [row.adherence for row in found]
        known = [value for value in values if not math.isnan(value)]
        assert known == sorted(known, reverse=sort.startswith("-"))
        assert all(math.isnan(value) for value in values[len(known) :])
    facets = table.facets(wanted)
    for name in VALUES:
        assert sum(facets[name].values()) == int(np.count_nonzero(table.mask(wanted, without=name)))


@pytest.mark.parametrize("query", [{"sort": "size"}, {"passed": "all"}, {"score": "4"}, {"margin": "a..b"}])
def test_what_cannot_be_asked_is_told(query: dict[str, str]) -> None:
    with pytest.raises(UserError, match=r"it is one of|low\.\.high"):
        parse_filter(query)


def test_an_empty_filter_is_everything() -> None:
    assert parse_filter({}) == Filter()
