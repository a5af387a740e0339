"""Thresholds and runs compared: the page selects as the run would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.mining.test_loop import recipe
from tests.review.conftest import mine_apart, serving, shot, when
from tests.review.test_index import table_of
from tests.review.test_rating import say
from tests.review.test_server import Client
from triptych.review.compare import selected_at
from triptych.runs import open_run
from triptych.validator.rule import AxisThresholds

Open = Callable[..., Any]


@pytest.mark.parametrize("threshold", [1.0, 3.0, 4.7, 4.8, 4.85, 5.0])
def test_a_threshold_selects_what_the_run_would_select(mined: Path, threshold: float) -> None:
    chosen = table_of(mined)
    places = selected_at(chosen, AxisThresholds(adherence=threshold, aesthetics=threshold))
    with open_run(mined, [f"threshold={threshold}"]) as run:
        view = run.view()
    assert {chosen.rows[place].id for place in places} == {triplet.id for triplet in view.selected}
    assert len(places) == len(view.selected)


def test_the_slider_tells_yield_precision_and_the_margin(opened: Open, run: Path) -> None:
    with serving([run]) as url:
        client = Client(url)
        page = opened(url + "?view=compare")
        page.wait_for_selector("[data-yield]")
        assert "no estimate" in page.inner_text("[data-precision]")
        for number, item in enumerate(client.json("/api/0/items?kind=forward&stage=kept&limit=5")["items"]):
            told = {"rater": "ann", "pair": item["id"], "scores": {"accept": int(number > 0)}}
            assert say(client, "/api/0/rate", told) == 200
        when(page, "document.querySelector('[data-precision]').innerText.includes('4 of 5 rated')")
        page.locator("[name=ta]").fill("4.85")
        page.locator("[name=tb]").fill("4.85")
        with open_run(run, ["threshold=4.85"]) as other:
            selected = len(other.view().selected)
        when(page, f"document.querySelector('[data-yield]').innerText === '{selected}'")
        assert "ta=4.85" in page.url
        margins = client.json("/api/0/threshold?adherence=4.85&aesthetics=4.85")
        lowest = [min(item["adherence"], item["aesthetics"]) for item in margins["above"]]
        assert lowest == sorted(lowest)
        assert all(value >= 4.85 for value in lowest)
        assert all(min(item["adherence"], item["aesthetics"]) < 4.85 for item in margins["below"])
        shot(page, "compare")
        assert client.get("/api/0/threshold?adherence=7")[0] == 400


def test_two_runs_side_by_side_tell_what_came_in_and_what_fell_out(
    opened: Open, run: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    multiply = {"inverse": True, "composites_per_source": 2, "chains_per_source": 1, "stacks": True}
    roles = {"validator": {"pass_rate": 0.8}}
    mine_apart(recipe(roles, multiply=multiply, scenes=4, megapixels=0.03, attempts=5), other)
    kept = []
    for path in (run, other):
        with open_run(path) as each:
            kept.append({triplet.id for triplet in each.view().triplets})
    assert kept[0] & kept[1]
    with serving([run, other]) as url:
        page = opened(url + "?view=compare&a=0&b=1")
        page.wait_for_selector("[data-both]")
        assert page.inner_text("[data-both]") == f"{len(kept[0] & kept[1]):,}"
        assert page.inner_text("[data-fell]") == f"{len(kept[0] - kept[1]):,}"
        assert page.inner_text("[data-came]") == f"{len(kept[1] - kept[0]):,}"
        page.select_option(".runs", "1")
        page.wait_for_selector("[data-yield]")
        page.goto(url + "?run=1&view=overview")
        page.wait_for_selector("[data-stage=scenes]")
        assert page.inner_text("[data-stage=scenes] .count") == "4"
